#include "ascribe/attach.hpp"

#include <torch/csrc/autograd/graph_task.h>
#include <torch/nn/module.h>

#include "interpreter/attach/attachment.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/libtorch/failure.hpp"

namespace ascribe {

std::shared_ptr<Attachment::State> attaching::make_state(const Composite& rules,
                                                         std::shared_ptr<const libtorch::ParameterNames> names,
                                                         Watch watch) {
  if (c10::InferenceMode::is_enabled() || !at::GradMode::is_enabled())
    throw Error({.code = Code::gradient_disabled,
                 .message = "rules cannot be attached where gradients are disabled",
                 .help = "attach outside of NoGradGuard and InferenceMode"});
  if (torch::autograd::get_current_graph_task_id() != -1)
    throw Error({.code = Code::gradient_disabled,
                 .message = "rules cannot be attached within a backward pass: operators go through it as they are",
                 .help = "attach before, or after it"});
  return std::make_shared<Attachment::State>(rules, std::move(names), std::move(watch));
}

Attachment::Attachment(std::shared_ptr<State> state) : state_(std::move(state)) {
  if (!state_) return;
  if (libtorch::paused())
    throw Error({.code = Code::gradient_disabled,
                 .message = "rules cannot be attached within a progress callback: operators go through it as they are",
                 .help = "attach before, or after the attribution; `attribute` works there"});
  libtorch::switch_on(state_);
}
Attachment::Attachment(Attachment&& other) noexcept = default;
Attachment::~Attachment() { remove(); }

void Attachment::remove() {
  if (!state_) return;
  state_->end();
  libtorch::switch_off(state_.get());
}

Report Attachment::report() const { return state_ ? state_->report() : Report(); }

std::vector<Diagnostic> Attachment::warnings() const {
  auto report = this->report();
  if (report.empty()) return {};
  return state_->warnings(report, first_not_finite(report) ? attaching::Finite::input : attaching::Finite::all);
}

Inactive Attachment::inactive() const {
  return Inside::make<Inactive>(state_ ? state_->inactive() : std::shared_ptr<std::atomic<int>>());
}

Inactive::Inactive(std::shared_ptr<std::atomic<int>> count) : count_(std::move(count)) {
  if (count_) ++*count_;
}
Inactive::Inactive(Inactive&& other) noexcept = default;
Inactive::~Inactive() {
  if (count_) --*count_;
}

Attachment attach(const Composite& rules, const torch::nn::Module& model, AttachOptions options) {
  try {
    attaching::refuse_module_entries(Inside::bound(rules));
    auto names = std::make_shared<libtorch::ParameterNames>();
    for (auto& each : model.named_parameters()) names->add(each.key(), each.value());
    for (auto& each : model.named_buffers()) names->add(each.key(), each.value());
    auto supervisor = attaching::make_supervisor(std::move(options.stop), {});
    return Inside::make<Attachment>(
        attaching::make_state(rules, std::move(names), {.sums = options.sums, .supervisor = std::move(supervisor)}));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(libtorch::describe(failure, "the model", Code::wrong_model, "cannot be attached to"));
  }
}

}  // namespace ascribe
