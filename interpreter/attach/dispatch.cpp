#include "interpreter/attach/dispatch.hpp"

#include <c10/core/impl/LocalDispatchKeySet.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/graph_task.h>
#include <torch/library.h>

#include <algorithm>
#include <optional>

namespace ascribe::attaching {
namespace {

constexpr auto mode = c10::DispatchKey::TESTING_ONLY_GenericMode;  // a key that nothing else in LibTorch uses

thread_local std::vector<std::shared_ptr<Interceptor>> interceptors;
thread_local std::optional<c10::impl::IncludeDispatchKeyGuard> included;

void intercept(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  Pause pause;
  // Inside a backward pass, autograd's own `add` and `sum` are nobody's layer; neither are those that an operator's
  // kernel is made of, which run below autograd.
  bool below_autograd = c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutogradCPU);
  if (interceptors.empty() || below_autograd || torch::autograd::get_current_graph_task_id() != -1)
    return op.callBoxed(stack);
  auto& name = op.operator_name();
  auto* row = find_layer_operator(name.name, name.overload_name);
  auto serving = interceptors.back();  // kept alive while it works
  serving->call(op, *row, *stack);
}

}  // namespace

Pause::Pause() : guard_(mode) {}

void switch_on(std::shared_ptr<Interceptor> interceptor) {
  interceptors.push_back(std::move(interceptor));
  if (!included) included.emplace(mode);
}

void switch_off(const Interceptor* interceptor) {
  std::erase_if(interceptors, [&](auto& each) { return each.get() == interceptor; });
  if (interceptors.empty()) included.reset();
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, library) { library.fallback(torch::CppFunction::makeFallthrough()); }

TORCH_LIBRARY_IMPL(aten, TESTING_ONLY_GenericMode, library) {
  for (auto& row : layer_operators()) {
    auto name = row.overload.empty() ? std::string(row.name) : fmt::format("{}.{}", row.name, row.overload);
    library.impl(name.c_str(), torch::CppFunction::makeFromBoxedFunction<&intercept>());
  }
}

}  // namespace ascribe::attaching
