#include "interpreter/attribute/integer_inputs.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::attributing {

using namespace libtorch;  // NOLINT: the room below
namespace {

Error leads_nowhere(const c10::OperatorHandle& op) {
  return Error({.code = Code::wrong_input,
                .message = filled("the model computes with its integer input (`{}`) in a way that no relevance comes "
                                  "back from, and with floating numbers it would compute something else",
                                  base_name(op.operator_name().name)),
                .help = "explain the model from where its numbers are floating on, with these as its input"});
}

std::vector<c10::IValue> results_of(const c10::OperatorHandle& op, const std::vector<c10::IValue>& arguments) {
  at::NoGradGuard no_grad;
  torch::jit::Stack stack(arguments.begin(), arguments.end());
  op.callBoxed(&stack);
  return stack;
}

// The first floating tensor among an operator's results; undefined where there is none.
at::Tensor first_floating(const std::vector<c10::IValue>& results) {
  at::Tensor out;
  for (auto& each : results)
    for_each_tensor(each, [&](const at::Tensor& tensor) {
      if (!out.defined() && tensor.is_floating_point()) out = tensor;
    });
  return out;
}

}  // namespace

bool agree(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return false;
  if (a.numel() == 0) return true;
  auto type = a.is_floating_point() ? a.scalar_type() : b.scalar_type();
  auto tolerance = type == at::kDouble || !at::isFloatingType(type) ? 1e-10 : type == at::kFloat ? 1e-5 : 2e-2;
  auto A = a.detach().to(at::kDouble), B = b.detach().to(at::kDouble);
  auto largest = A.abs().nan_to_num(0, 0, 0).max().item<double>();
  return at::isclose(A, B, /*rtol=*/0, tolerance * largest, /*equal_nan=*/true).all().item<bool>();
}

IntegerInputs::IntegerInputs(std::shared_ptr<Attachment::State> rules, const std::vector<at::Tensor>& inputs,
                             const std::unordered_set<const c10::TensorImpl*>& parameters, Arrival arrival)
    : rules_(std::move(rules)), parameters_(parameters), arrival_(arrival), inputs_(inputs), places_(inputs) {}

bool IntegerInputs::known(const c10::IValue& argument) const {
  bool out = false;
  for_each_tensor(argument, [&](const at::Tensor& tensor) { out = out || places_.known(tensor); });
  return out;
}

bool IntegerInputs::depends(const at::Tensor& tensor) const {
  if (!tensor.defined() || !tensor.requires_grad()) return false;
  if (!tensor.grad_fn()) return !parameters_.contains(tensor.unsafeGetTensorImpl());
  std::vector<torch::autograd::Node*> open{tensor.grad_fn().get()};
  std::unordered_set<torch::autograd::Node*> seen(open.begin(), open.end());
  while (!open.empty()) {
    auto* node = open.back();
    open.pop_back();
    if (auto* leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node))
      if (!parameters_.contains(leaf->variable.unsafeGetTensorImpl())) return true;
    for (auto& edge : node->next_edges())
      if (edge.function && seen.insert(edge.function.get()).second) open.push_back(edge.function.get());
  }
  return false;
}

bool IntegerInputs::depends(const Arguments& arguments) const {
  bool out = false;
  for (auto& argument : arguments)
    for_each_tensor(argument, [&](const at::Tensor& tensor) { out = out || depends(tensor); });
  return out;
}

void IntegerInputs::call(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack) {
  auto arguments = arguments_of(op, stack);
  if (std::none_of(arguments.begin(), arguments.end(), [this](auto& each) { return known(each); }))
    return rules_->call(op, keys, stack);
  try {
    if (arrival_ == Arrival::at_embeddings)
      at_embeddings(op, keys, stack, arguments);
    else
      where_they_turn_floating(op, keys, stack, arguments);
  } catch (const Error&) {
    libtorch::last_error() = std::current_exception();
    throw;
  }
}

void IntegerInputs::at_embeddings(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack,
                                  const Arguments& arguments) {
  bool embedding = op.operator_name().name == "aten::embedding" && known(arguments[1]) && !depends({arguments[0]});
  rules_->call(op, keys, stack);
  if (embedding)
    if (auto& output = output_of(op, stack).toTensor(); output.requires_grad())
      found_.push_back({{}, torch::autograd::impl::gradient_edge(output), places_.of(arguments[1].toTensor())});
  places_.follow(op, arguments, stack);
}

// A leaf of autograd's graph, as the model may have it: it may write into it.
at::Tensor IntegerInputs::floating(const at::Tensor& values, const at::Tensor& places) {
  auto leaf = values.detach().clone().requires_grad_();
  found_.push_back({leaf, torch::autograd::impl::gradient_edge(leaf), places});
  return leaf.clone();
}

at::Tensor IntegerInputs::chosen_rows(const c10::OperatorHandle& op, const Arguments& arguments,
                                      const at::Tensor& rows) const {
  auto name = base_name(op.operator_name().name);
  at::Tensor indices;
  if (name == "index" && arguments[1].isList()) {
    for (const c10::IValue& each : arguments[1].toListRef()) {
      if (indices.defined() || !is_tensor(each)) return {};
      indices = each.toTensor();
    }
  } else if ((name == "index_select" && arguments[1].toInt() == 0) || name == "take") {
    indices = arguments[name == "take" ? 1 : 2].toTensor();
  }
  if (!indices.defined() || indices.scalar_type() == at::kBool || indices.scalar_type() == at::kByte) return {};
  if (known(arguments[0]) || depends({arguments[0]})) return {};
  return rows.sizes().slice(0, std::min<std::size_t>(rows.sizes().size(), indices.sizes().size())) == indices.sizes()
             ? places_.of(indices)
             : at::Tensor();
}

// Truth values are steps, which no relevance goes through: they are constants beside what gets some.
IntegerInputs::Arguments IntegerInputs::with_floating(const c10::OperatorHandle& op, const Arguments& arguments,
                                                      at::ScalarType type) {
  bool numbers = depends(arguments);
  auto each_known = [&](auto visit) {
    for (auto& argument : arguments)
      for_each_tensor(argument, [&](const at::Tensor& tensor) {
        if (places_.known(tensor)) visit(tensor);
      });
  };
  each_known([&](const at::Tensor& tensor) { numbers = numbers || tensor.scalar_type() != at::kBool; });
  std::map<const c10::TensorImpl*, at::Tensor> given;
  each_known([&](const at::Tensor& tensor) {
    if (numbers && tensor.scalar_type() == at::kBool) return;
    auto& found = given[tensor.unsafeGetTensorImpl()];
    if (found.defined()) return;
    auto places = places_.of(tensor);
    if ((places == Places::unknown).any().item<bool>()) throw leads_nowhere(op);
    found = floating(tensor.to(type), places);
  });
  auto replaced = [&](const at::Tensor& tensor) {
    auto found = given.find(tensor.unsafeGetTensorImpl());
    return found == given.end() ? tensor : found->second;
  };
  auto out = arguments;
  for (auto& argument : out)
    if (is_tensor(argument)) {
      argument = replaced(argument.toTensor());
    } else if (argument.isTensorList()) {
      std::vector<at::Tensor> list;
      for (const at::Tensor& each : argument.toTensorVector()) list.push_back(replaced(each));
      argument = list;
    }
  return out;
}

void IntegerInputs::where_they_turn_floating(const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                                             torch::jit::Stack& stack, const Arguments& arguments) {
  if (takes_shape_only(op)) return rules_->call(op, keys, stack);
  auto leave = [&](const std::vector<c10::IValue>& results) {
    stack.resize(stack.size() - arguments.size());
    stack.insert(stack.end(), results.begin(), results.end());
  };
  auto written = written_argument(op);
  auto plain = written ? std::vector<c10::IValue>{arguments[*written]} : results_of(op, arguments);
  auto number = first_floating(plain);
  if (!number.defined()) {
    if (written)
      rules_->call(op, keys, stack);
    else
      leave(plain);  // nothing of it is a layer
    return places_.follow(op, arguments, stack);
  }
  if (auto rows = written ? at::Tensor() : chosen_rows(op, arguments, number); rows.defined()) {
    if ((rows == Places::unknown).any().item<bool>()) throw leads_nowhere(op);
    return leave({floating(number, rows)});
  }
  auto given = with_floating(op, arguments, number.scalar_type());
  if (!written) {
    bool same = false;
    try {
      same = agree(number, first_floating(results_of(op, given)));
    } catch (const std::exception&) {  // it is for integers only
    }
    if (!same) throw leads_nowhere(op);
  }
  leave(given);
  rules_->call(op, keys, stack);
}

std::vector<torch::autograd::Edge> IntegerInputs::edges() const {
  std::vector<torch::autograd::Edge> out;
  for (auto& each : found_) out.push_back(each.edge);
  return out;
}

std::vector<IntegerInputs::Found> IntegerInputs::relevances(const std::vector<at::Tensor>& arrived, bool summed) const {
  std::vector<Found> out(inputs_.size());
  std::int64_t begin = Places::nowhere + 1;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    auto& input = inputs_[i];
    if (!places_.known(input)) continue;
    auto places = at::arange(begin, begin + input.numel(), input.options().dtype(at::kLong)).view(input.sizes());
    at::Tensor total;
    std::vector<at::Tensor> whole;
    std::size_t parts = 0;
    for (std::size_t k = 0; k < found_.size(); ++k) {
      auto R = arrived[k];
      if (!R.defined()) continue;
      auto& from = found_[k].places;
      // 0 collects what is of no place in this input.
      auto here = at::where((from >= begin).logical_and(from < begin + input.numel()), from - begin + 1, 0).flatten();
      if (input.numel() > 0 && !(here > 0).any().item<bool>()) continue;
      ++parts;
      if (from.sizes() == places.sizes() && at::equal(from, places)) whole.push_back(R);
      if (R.dim() > from.dim()) R = R.flatten(from.dim()).sum(-1);
      if (!total.defined()) total = at::zeros({input.numel() + 1}, R.options().requires_grad(false));
      total = total.index_add(0, here, R.flatten());
    }
    begin += input.numel();
    if (parts == 0) continue;
    out[i].arrived = true;
    out[i].whole = whole.size() == parts;
    if (summed)
      out[i].relevance = total.narrow(0, 1, input.numel()).view(input.sizes());
    else if (parts == 1 && whole.size() == 1)
      out[i].relevance = whole.front();
  }
  return out;
}

}  // namespace ascribe::attributing
