#include "interpreter/testing/built_program.hpp"

#include "grammar/filled_text.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/model/model_state.hpp"

namespace ascribe::testing {
namespace {

class BuiltProgram : public model::Program {
 public:
  explicit BuiltProgram(std::shared_ptr<const BuiltModel> built) : built_(std::move(built)) {}

  std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs) const override {
    if (inputs.size() != 1)
      throw Error({.code = Code::wrong_input,
                   .message = filled("the model takes one input, not {}", inputs.size()),
                   .help = "layers in sequence have one input"});
    return {built_->forward(inputs.front())};
  }

  libtorch::ParameterNames parameter_names() const override {
    libtorch::ParameterNames out;
    for (auto& [name, parameter] : built_->parameters()) out.add(name, parameter);
    return out;
  }

  at::TensorOptions options() const override { return at::TensorOptions(at::kDouble); }
  // Parameters are made on the CPU, and layers hold them: there is no other place for them.
  std::unique_ptr<const model::Program> on(c10::Device) const override {
    return std::make_unique<BuiltProgram>(built_);
  }
  Inputs inputs() const override { return {}; }
  std::string_view format() const override { return "layers in sequence"; }
  std::optional<at::ScalarType> declared_type(std::size_t) const override { return {}; }
  bool looks_up_integers() const override { return false; }

 private:
  std::shared_ptr<const BuiltModel> built_;
};

}  // namespace

Model as_model(std::shared_ptr<const BuiltModel> built) {
  return Inside::make<Model>(std::make_shared<const Model::State>(std::make_unique<BuiltProgram>(std::move(built))));
}

}  // namespace ascribe::testing
