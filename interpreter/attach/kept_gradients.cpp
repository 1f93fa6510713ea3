// The part of an attachment that leaves layers and operators their gradient, and says so in the report.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>
#include <mutex>

#include "grammar/filled_text.hpp"
#include "interpreter/attach/attachment.hpp"
#include "interpreter/layers/batch_norm.hpp"
#include "interpreter/libtorch/operator_call.hpp"
#include "interpreter/libtorch/recurrent.hpp"

namespace ascribe {

using namespace libtorch;   // NOLINT
using namespace layering;   // NOLINT
using namespace attaching;  // NOLINT: as in attachment.cpp

namespace {

double total_of(const torch::autograd::variable_list& list) {
  Pause pause;
  at::NoGradGuard no_grad;
  double out = 0;
  for (auto& each : list)
    if (each.defined()) out += evaluate::total(each);
  return out;
}

// What arrives at a node of autograd's own: relevance above a layer that keeps its gradient, or below it.
class SumHook : public torch::autograd::FunctionPreHook {
 public:
  SumHook(std::shared_ptr<LayerReport> report, std::shared_ptr<std::mutex> mutex,
          std::optional<double> LayerReport::*sum)
      : report_(std::move(report)), mutex_(std::move(mutex)), sum_(sum) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list& gradients) override {
    auto arrived = total_of(gradients);
    std::lock_guard lock(*mutex_);
    // Relevance comes from above first; what several inputs get from one layer adds up.
    if (sum_ == &LayerReport::above) report_->below.reset();
    auto& sum = (*report_).*sum_;
    sum = arrived + (sum_ == &LayerReport::below ? sum.value_or(0) : 0);
    return gradients;
  }

 private:
  std::shared_ptr<LayerReport> report_;
  std::shared_ptr<std::mutex> mutex_;
  std::optional<double> LayerReport::*sum_;
};

// A layer that keeps its gradient is a layer that relevance goes through, too.
class SupervisorHook : public torch::autograd::FunctionPostHook {
 public:
  SupervisorHook(std::shared_ptr<LayerReport> report, std::shared_ptr<Supervisor> supervisor,
                 std::shared_ptr<const std::atomic<int>> inactive)
      : report_(std::move(report)), supervisor_(std::move(supervisor)), inactive_(std::move(inactive)) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list& outputs,
                                            const torch::autograd::variable_list&) override {
    if (*inactive_ == 0) {
      supervisor_->before_layer(*report_);
      supervisor_->passed(*report_);
    }
    return outputs;
  }

 private:
  std::shared_ptr<LayerReport> report_;
  std::shared_ptr<Supervisor> supervisor_;
  std::shared_ptr<const std::atomic<int>> inactive_;
};

}  // namespace

// The layer runs as ever, but for parameters and constants, which get no gradient. The report still has its row.
void Attachment::State::keep_gradient(const c10::OperatorHandle& op, torch::jit::Stack& stack, const Candidate& found,
                                      const std::shared_ptr<LayerReport>& report) {
  report->rule = "gradient";
  auto arguments = stack.end() - static_cast<std::ptrdiff_t>(op.schema().arguments().size());
  for (std::size_t place = 0; place < op.schema().arguments().size(); ++place) {
    auto input = std::find(found.input_places.begin(), found.input_places.end(), place);
    bool relevant = input != found.input_places.end() &&
                    found.gets_relevance[static_cast<std::size_t>(input - found.input_places.begin())];
    auto& argument = arguments[static_cast<std::ptrdiff_t>(place)];
    if (!relevant && is_tensor(argument) && !(found.in_place && place == 0)) argument = argument.toTensor().detach();
  }
  for (std::size_t i = 0; i < found.inputs.size() && !found.in_place && (watch_.sums || found.inner); ++i) {
    if (!found.gets_relevance[i]) continue;
    auto seen = at::alias(found.inputs[i]);  // a node of its own, where only what this layer hands down arrives
    if (watch_.sums)
      seen.grad_fn()->add_pre_hook(std::make_unique<SumHook>(report, reports_mutex_, &LayerReport::below));
    arguments[static_cast<std::ptrdiff_t>(found.input_places[i])] = seen;
    if (found.inner) arguments[1] = found.inner(seen);
  }
  op.callBoxed(stack);
  auto output = output_of(op, stack).toTensor();
  report->shape = output.sizes().vec();
  note_gradient(report, output);
  if (!is_linear(*found.kind)) return;
  std::erase_if(kept_gradient_, [](auto& each) { return each.expired(); });
  kept_gradient_.emplace_back(output);
}

void Attachment::State::note_gradient(const std::shared_ptr<LayerReport>& report, const at::Tensor& output) {
  if (auto node = output.grad_fn()) {
    if (watch_.sums) node->add_pre_hook(std::make_unique<SumHook>(report, reports_mutex_, &LayerReport::above));
    if (watch_.supervisor) node->add_post_hook(std::make_unique<SupervisorHook>(report, watch_.supervisor, inactive_));
  }
  note_output(*report, output);
}

namespace {

// Operators that drop out on the way say so by name: lstm's `dropout` and `train`, attention's `dropout_p`.
void refuse_dropout(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments, const std::string& name) {
  auto find = [&](const char* argument) -> const c10::IValue* {
    auto place = op.schema().argumentIndexWithName(argument);
    return place ? &arguments[static_cast<std::size_t>(*place)] : nullptr;
  };
  auto* chance = find("dropout") ? find("dropout") : find("dropout_p");
  auto* training = find("train");
  if (!chance || !chance->isDouble() || chance->toDouble() == 0) return;
  if (training && training->isBool() && !training->toBool()) return;
  throw Error(
      {.code = Code::training_mode,
       .message = filled("layer '{}' ({}) is in training mode: it drops out", name, base_name(op.operator_name().name)),
       .help = "call eval() on the model first"});
}

}  // namespace

// The pass that an operator's arguments belong to. What depends on no input is detached, so that no parameter of the
// model gets a gradient; but not what an in-place operator writes into.
Attachment::State::Passes Attachment::State::without_parameters(const c10::OperatorHandle& op,
                                                                torch::jit::Stack& stack) {
  auto arguments = arguments_of(op, stack);
  Passes pass;
  std::vector<bool> mixed(arguments.size());
  for (std::size_t i = 0; i < arguments.size(); ++i)
    for_each_tensor(arguments[i], [&](const at::Tensor& tensor) {
      auto found = passes_.of(tensor);
      if (!found && tensor.requires_grad()) mixed[i] = true;
      pass = ForwardPasses::join(pass, found);
    });
  if (!pass) return pass;
  bool in_place = op.operator_name().name.ends_with("_");
  auto plain = [&](const at::Tensor& tensor) { return passes_.of(tensor) ? tensor : tensor.detach(); };
  for (std::size_t i = in_place ? 1 : 0; i < arguments.size(); ++i) {
    if (!mixed[i]) continue;
    auto& argument = (stack.end() - static_cast<std::ptrdiff_t>(arguments.size()))[static_cast<std::ptrdiff_t>(i)];
    if (argument.isTensor()) {
      argument = plain(argument.toTensor());
    } else if (argument.isTensorList()) {
      std::vector<at::Tensor> list;
      for (const at::Tensor& each : argument.toTensorVector()) list.push_back(each.defined() ? plain(each) : each);
      argument = list;
    }
  }
  return pass;
}

void Attachment::State::other_operator(const c10::OperatorHandle& op, torch::jit::Stack& stack) {
  auto arguments = arguments_of(op, stack);
  if (follows_indices(op.operator_name().name)) {
    std::size_t tensors = 0;
    for (auto& argument : arguments)
      for_each_tensor(argument, [&](const at::Tensor& tensor) { tensors += tensor.requires_grad(); });
    if (tensors > 1) (void)without_parameters(op, stack);
    return op.callBoxed(stack);
  }
  auto pass = without_parameters(op, stack);
  Candidate found{};
  if (pass) {
    auto kind = base_name(op.operator_name().name);
    if (kind.ends_with("_")) kind.remove_suffix(1);
    found.kind_name = kind;
    found.pass = pass;
    found.module = module_name(arguments);
    found.name = name_of(found);
    refuse_dropout(op, arguments, found.name);
    check_recurrent(op, stack, found.name);
  }
  op.callBoxed(stack);
  if (!pass || op.schema().returns().empty()) return;
  at::Tensor output;
  for_each_tensor(output_of(op, stack), [&](const at::Tensor& tensor) {
    if (!output.defined() && tensor.requires_grad()) output = tensor;
  });
  if (!output.defined() || !output.grad_fn()) return;
  auto report = add_row(found.name, found.kind_name);
  ++pass->calls_of_kind[std::string(found.kind_name)];
  report->rule = "gradient";
  report->shape = output.sizes().vec();
  note_gradient(report, output);
}

}  // namespace ascribe
