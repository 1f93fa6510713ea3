#include "ascribe/host_model.hpp"

#include <algorithm>
#include <utility>

#include "interpreter/attach/attachment.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/module_calls.hpp"
#include "interpreter/libtorch/module_scope.hpp"

namespace ascribe {
namespace {

// What hosts have attached on this thread, the last one at the end.
thread_local std::vector<std::weak_ptr<Attachment::State>> attached_by_hosts;
// Above zero: the thread is in a module that was taken as a whole.
thread_local int within_whole = 0;

class Whole {
 public:
  Whole() { ++within_whole; }
  Whole(const Whole&) = delete;
  Whole& operator=(const Whole&) = delete;
  ~Whole() { --within_whole; }

 private:
  libtorch::Unobserved unobserved_;
};

// Whoever serves on this thread: an attribution, or else the attachment that was made last.
libtorch::ModuleObserver* serving_modules() {
  if (within_whole > 0 || libtorch::paused()) return nullptr;
  if (auto* observer = libtorch::module_observer()) return observer;
  std::erase_if(attached_by_hosts, [](auto& each) {
    auto state = each.lock();
    return !state || state->ended();
  });
  for (auto each = attached_by_hosts.rbegin(); each != attached_by_hosts.rend(); ++each)
    if (auto state = each->lock(); state && state->active()) return &state->modules();
  return nullptr;
}

libtorch::Callee callee_of(const HostModule& module) {
  return {.path = module.path, .class_name = module.class_name, .operators = module.operators};
}

}  // namespace

Attachment attach(const Composite& rules, const HostModel& model, AttachOptions options) {
  auto names = std::make_shared<libtorch::ParameterNames>();
  for (auto& [name, tensor] : model.tensors) names->add(name, tensor);
  auto supervisor = attaching::make_supervisor(std::move(options.stop), {}, {model.check, model.translate});
  auto state =
      attaching::make_state(rules, std::move(names), {.sums = options.sums, .supervisor = std::move(supervisor)});
  attached_by_hosts.push_back(state);
  return Inside::make<Attachment>(std::move(state));
}

std::string enter_module(std::string path) { return std::exchange(libtorch::current_module(), std::move(path)); }

bool wants_module(const HostModule& module) {
  auto* observer = serving_modules();
  return observer && observer->wants(callee_of(module));
}

std::vector<at::Tensor> call_module(
    const HostModule& module, const std::vector<at::Tensor>& inputs,
    const std::vector<std::pair<std::string, at::Tensor>>& parameters,
    const std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& inputs)>& run) {
  auto whole = [run, path = module.path](const std::vector<at::Tensor>& given) {
    Whole within;
    libtorch::ModuleScope scope;
    libtorch::current_module() = path;
    return run(given);
  };
  auto* observer = serving_modules();
  if (!observer) return whole(inputs);
  try {
    return observer->call({.callee = callee_of(module), .inputs = inputs, .parameters = parameters, .run = whole});
  } catch (const Error&) {
    libtorch::last_error() = std::current_exception();
    throw;
  }
}

}  // namespace ascribe
