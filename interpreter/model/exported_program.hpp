// Exported programs (`.pt2`), as torch.export.save writes them: a straight list of operators, run one by one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "interpreter/model/archive.hpp"
#include "interpreter/model/exported_graph.hpp"
#include "interpreter/model/exported_weights.hpp"
#include "interpreter/model/model_program.hpp"
#include "interpreter/model/strict_json.hpp"
#include "interpreter/model/symbols.hpp"

namespace ascribe::model {

class ExportedProgram : public Program {
 public:
  /// Reads the one program in an archive. Buffers that the program writes into are what the file says at the beginning
  /// of each run. Throws Refusal, c10::Error.
  explicit ExportedProgram(const Archive& archive);

  std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs) const override;
  libtorch::ParameterNames parameter_names() const override;
  at::TensorOptions options() const override;
  std::unique_ptr<const Program> on(c10::Device device) const override;
  Inputs inputs() const override;
  std::string_view format() const override { return "an exported program"; }
  std::optional<at::ScalarType> declared_type(std::size_t input) const override;
  bool looks_up_integers() const override { return looks_up_integers_; }

  struct Dimension {
    std::int64_t size = 0;
    bool fixed = true;
    std::shared_ptr<const SizeExpression> expression{};  ///< of another size; null: any size will do
  };
  struct Input {
    std::string name;
    at::ScalarType type;
    std::vector<Dimension> dimensions{};
  };
  struct Range {
    std::optional<std::int64_t> low, high;
  };

 private:
  struct Weight {
    std::string name;
    at::Tensor tensor;
    bool is_parameter;
    bool is_overwritten = false;
  };
  void read_inputs(const Json& program, ExportedWeights& weights, std::vector<std::string>& names);
  void check(const std::vector<at::Tensor>& inputs) const;
  void check_sizes(const std::vector<at::Tensor>& inputs) const;

  std::shared_ptr<const Graph> graph_;
  std::vector<Weight> weights_;
  std::vector<Input> inputs_;
  std::map<std::string, Range, std::less<>> ranges_;
  c10::Device device_ = c10::kCPU;
  bool looks_up_integers_ = false;
};

}  // namespace ascribe::model
