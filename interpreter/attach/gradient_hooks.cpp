#include "interpreter/attach/gradient_hooks.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>

#include <utility>

#include "interpreter/evaluate/evaluator.hpp"
#include "interpreter/libtorch/dispatch.hpp"

namespace ascribe::attaching {
namespace {

using libtorch::Pause;

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

// What arrives at an operator that writes into a tensor, and what it hands down.
class WrittenHook : public torch::autograd::FunctionPostHook {
 public:
  WrittenHook(std::shared_ptr<LayerReport> report, std::shared_ptr<std::mutex> mutex)
      : report_(std::move(report)), mutex_(std::move(mutex)) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list& handed_down,
                                            const torch::autograd::variable_list& arrived) override {
    auto above = total_of(arrived), below = total_of(handed_down);
    std::lock_guard lock(*mutex_);
    report_->above = above;
    report_->below = below;
    return handed_down;
  }

 private:
  std::shared_ptr<LayerReport> report_;
  std::shared_ptr<std::mutex> mutex_;
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

void watch_sum(const at::Tensor& tensor, std::shared_ptr<LayerReport> report, std::shared_ptr<std::mutex> mutex,
               std::optional<double> LayerReport::*sum) {
  tensor.grad_fn()->add_pre_hook(std::make_unique<SumHook>(std::move(report), std::move(mutex), sum));
}

void watch_written(const at::Tensor& whole, std::shared_ptr<LayerReport> report, std::shared_ptr<std::mutex> mutex) {
  whole.grad_fn()->add_post_hook(std::make_unique<WrittenHook>(std::move(report), std::move(mutex)));
}

void watch_passing(const at::Tensor& tensor, std::shared_ptr<LayerReport> report,
                   std::shared_ptr<Supervisor> supervisor, std::shared_ptr<const std::atomic<int>> inactive) {
  tensor.grad_fn()->add_post_hook(
      std::make_unique<SupervisorHook>(std::move(report), std::move(supervisor), std::move(inactive)));
}

}  // namespace ascribe::attaching
