#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "ascribe/host_model.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/model/model_state.hpp"

namespace ascribe {
namespace {

class HostProgram : public model::Program {
 public:
  explicit HostProgram(HostModel model) : model_(std::move(model)) {}

  std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs) const override {
    try {
      return model_.run(inputs);
    } catch (const Error& error) {  // ours, with whatever the host's language has made of it on the way
      if (!libtorch::last_error()) libtorch::last_error() = std::current_exception();
      throw std::runtime_error(error.what());
    } catch (...) {
      libtorch::last_error() = nullptr;
      throw;
    }
  }
  libtorch::ParameterNames parameter_names() const override {
    libtorch::ParameterNames out;
    for (auto& [name, tensor] : model_.tensors) out.add(name, tensor);
    return out;
  }
  at::TensorOptions options() const override {
    for (auto& [name, tensor] : model_.tensors)
      if (tensor.defined() && tensor.is_floating_point())
        return at::TensorOptions().dtype(tensor.dtype()).device(tensor.device());
    return at::TensorOptions().device(model_.tensors.empty() ? at::kCPU : model_.tensors.front().second.device());
  }
  std::unique_ptr<const Program> on(c10::Device) const override {
    throw std::runtime_error("the model belongs to the host, which moves it itself");
  }
  Inputs inputs() const override { return {.least = 1, .most = any_number}; }
  std::string_view format() const override { return "a model of the host's"; }
  std::optional<at::ScalarType> declared_type(std::size_t) const override { return {}; }
  bool looks_up_integers() const override { return model_.looks_up_integers; }
  const HostModel* host() const override { return &model_; }

 private:
  HostModel model_;
};

}  // namespace

Model host_model(HostModel model) {
  if (!model.run)
    throw Error({.code = Code::wrong_model,
                 .message = "the host's model has nothing that runs it",
                 .help = "set `run`, or attach() to it"});
  return Inside::make<Model>(std::shared_ptr<const Model::State>(
      std::make_shared<const Model::State>(std::make_unique<const HostProgram>(std::move(model)))));
}

}  // namespace ascribe
