#include "interpreter/attach/index_operators.hpp"

#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::attaching {
namespace {

// What goes to zeros around a tensor, or to constants beside it, reaches no input: it has a row, so that sums add up.
std::uint64_t watch_indices(const layering::OperatorCall& call, torch::jit::Stack& stack, LayerServer& server) {
  auto whole = layering::whole_operator(call);
  Pass pass;
  for (auto& each : whole.inputs) pass = ForwardPasses::join(pass, server.passes.of(each));
  auto& row = server.ledger.add(pass, name_of(whole, *pass), whole.kind_name);
  row.report->inputs = whole.inputs.size();
  server.recorder.keep_gradient(call.op, stack, whole, row);
  row.report->rule = "indices";
  return row.number;
}

}  // namespace

std::uint64_t run_index_operator(const layering::OperatorCall& call, torch::jit::Stack& stack, LayerServer& server) {
  std::size_t tensors = 0;
  for (auto& argument : call.arguments)
    libtorch::for_each_tensor(argument, [&](const at::Tensor& tensor) { tensors += tensor.requires_grad(); });
  bool in_place = libtorch::writes_in_place(call.op.operator_name().name);
  if (server.recorder.watch().sums && layering::puts_constants(call)) return watch_indices(call, stack, server);
  auto plain = [&](const at::Tensor& tensor) {
    return !tensor.defined() || server.passes.depends(tensor) ? tensor : tensor.detach();
  };
  auto arguments = stack.end() - static_cast<std::ptrdiff_t>(call.arguments.size());
  for (std::size_t i = in_place ? 1 : 0; i < call.arguments.size() && tensors > 1; ++i) {
    auto& argument = arguments[static_cast<std::ptrdiff_t>(i)];
    if (libtorch::is_tensor(argument)) {
      argument = plain(argument.toTensor());
    } else if (argument.isTensorList()) {
      std::vector<at::Tensor> list;
      for (const at::Tensor& each : argument.toTensorVector()) list.push_back(plain(each));
      argument = list;
    }
  }
  call.op.callBoxed(stack);
  return 0;
}

}  // namespace ascribe::attaching
