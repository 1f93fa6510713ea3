#include "ascribe/model.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "interpreter/model/failure.hpp"
#include "interpreter/model/model_state.hpp"

namespace ascribe {

Model Model::load(const std::filesystem::path& path) {
  c10::InferenceMode normal(false);  // tensors that gradients may go through, wherever it is called
  auto module = model::load_torchscript(path);
  try {
    return Model(std::make_shared<const State>(State{model::TorchScriptGraph(std::move(module))}));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(evaluate::describe(failure, fmt::format("'{}'", path.string()), Code::wrong_model, "cannot be run",
                                   "save it again with torch.jit.save"));
  }
}

Model Model::to(const std::string& device) const {
  try {
    c10::InferenceMode normal(false);
    at::NoGradGuard no_grad;  // copies of parameters are parameters, not results
    auto module = state_->graph.module().clone();
    module.to(c10::Device(device));
    return Model(std::make_shared<const State>(State{model::TorchScriptGraph(std::move(module))}));
  } catch (const std::exception& failure) {
    throw Error({.code = Code::usage,
                 .message = fmt::format("cannot use device '{}': {}", device, model::reason(failure)),
                 .help = "write `cpu` or `cuda:0`"});
  }
}

at::Tensor Model::forward(const at::Tensor& input) const {
  attaching::last_error() = nullptr;
  try {
    return state_->graph.run(input);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    auto shape = fmt::format("[{}]", fmt::join(input.sizes().begin(), input.sizes().end(), ", "));
    if (auto own = std::exchange(attaching::last_error(), nullptr)) try {
        std::rethrow_exception(own);
      } catch (const Error& error) {
        auto diagnostics = error.diagnostics();
        if (diagnostics.front().code == Code::model_failed)
          diagnostics.front().note = fmt::format("the model was given an input of shape {}", shape);
        throw Error(diagnostics);
      }
    throw Error(evaluate::describe(failure, "the model", Code::model_failed,
                                   fmt::format("cannot run on an input of shape {}", shape),
                                   "give it the shape and type that it was made for"));
  }
}

at::TensorOptions Model::options() const {
  for (const auto& parameter : state_->graph.module().parameters())
    if (parameter.is_floating_point()) return parameter.options().requires_grad(false);
  if (auto constant = state_->graph.floating_constant(); constant.defined())
    return constant.options().requires_grad(false);
  return at::TensorOptions().dtype(at::kFloat);
}

}  // namespace ascribe
