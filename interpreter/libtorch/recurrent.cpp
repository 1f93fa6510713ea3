#include "interpreter/libtorch/recurrent.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/libtorch/operator_call.hpp"

namespace ascribe::libtorch {
namespace {

struct RecurrentOperator {
  std::string_view name;
  std::int64_t gates;  ///< a weight has so many rows for each hidden unit
};
constexpr RecurrentOperator recurrent_operators[] = {{"lstm", 4}, {"gru", 3}, {"rnn_tanh", 1}, {"rnn_relu", 1}};

using Shape = std::vector<std::int64_t>;

class Check {
 public:
  Check(const RecurrentOperator& kind, const c10::OperatorHandle& op, torch::jit::Stack& stack,
        const std::string& layer)
      : kind_(kind), op_(op), stack_(stack), layer_(layer) {}

  void run() {
    bool packed = op_.operator_name().overload_name == "data";
    auto input = argument(packed ? "data" : "input").toTensor();
    if (input.dim() != (packed ? 2 : 3)) refuse(filled("its input has {} dimensions", input.dim()));
    auto batch = packed                             ? first(argument("batch_sizes").toTensor())
                 : argument("batch_first").toBool() ? input.size(0)
                                                    : input.size(1);
    auto parameters = argument("params").toTensorVector();
    auto directions = argument("bidirectional").toBool() ? 2 : 1;
    auto layers = argument("num_layers").toInt();
    auto blocks = layers * directions;
    if (layers < 1 || parameters.empty() || static_cast<std::int64_t>(parameters.size()) % blocks != 0)
      refuse(filled("it has {} parameters for {} layers", parameters.size(), layers));
    bool biases = argument("has_biases").toBool();
    auto each = parameters.size() / static_cast<std::size_t>(blocks);
    std::size_t weights = biases ? 4 : 2;
    bool projects = kind_.name == "lstm" && each == weights + 1;
    if (each != weights && !projects) refuse(filled("it has {} parameters for each direction", each));
    if (parameters[0].dim() != 2 || parameters[0].size(0) % kind_.gates != 0)
      refuse(filled("its first weight has the shape {}", shown_shape(parameters[0].sizes())));
    auto hidden = parameters[0].size(0) / kind_.gates, rows = kind_.gates * hidden;
    if (projects && parameters[weights].dim() != 2) refuse("its projection is no matrix");
    auto given = projects ? parameters[weights].size(0) : hidden;

    for (std::size_t i = 0; i < parameters.size(); ++i) {
      auto place = i % each;
      bool below = i / each < static_cast<std::size_t>(directions);
      auto in = below ? input.size(-1) : given * directions;
      expect("a parameter", parameters[i],
             projects && place == weights ? Shape{given, hidden}
             : place == 0                 ? Shape{rows, in}
             : place == 1                 ? Shape{rows, given}
                                          : Shape{rows});
      parameters[i] = parameters[i].contiguous();
    }
    argument("params") = parameters;

    auto& states = argument("hx");
    std::size_t number = 0;
    for_each_tensor(states, [&](const at::Tensor& state) {
      expect("its state", state, {blocks, batch, number++ == 0 ? given : hidden});
    });
    if (number != (kind_.name == "lstm" ? 2 : 1)) refuse(filled("it has {} states", number));
  }

 private:
  c10::IValue& argument(const char* name) {
    auto place = op_.schema().argumentIndexWithName(name);
    if (!place) refuse(filled("it has no argument {}", name));
    return (stack_.end() - static_cast<std::ptrdiff_t>(op_.schema().arguments().size()))[*place];
  }

  static std::int64_t first(const at::Tensor& numbers) {
    return numbers.numel() == 0 ? 0 : numbers.flatten()[0].item<std::int64_t>();
  }
  void expect(const char* what, const at::Tensor& tensor, const Shape& shape) const {
    if (tensor.sizes() != at::IntArrayRef(shape))
      refuse(filled("{} has the shape {}, not {}", what, shown_shape(tensor.sizes()), shown_shape(shape)));
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(
        {.code = Code::model_failed,
         .message = filled("layer '{}' ({}) cannot run: {}", layer_.empty() ? kind_.name : layer_, kind_.name, why),
         .help = "give it the shape and type that it was made for"});
  }

  const RecurrentOperator& kind_;
  const c10::OperatorHandle& op_;
  torch::jit::Stack& stack_;
  const std::string& layer_;
};

}  // namespace

void check_recurrent(const c10::OperatorHandle& op, torch::jit::Stack& stack, const std::string& layer) {
  auto name = base_name(op.operator_name().name);
  auto found = std::find_if(std::begin(recurrent_operators), std::end(recurrent_operators),
                            [&](auto& each) { return each.name == name; });
  if (found != std::end(recurrent_operators)) Check(*found, op, stack, layer).run();
}

}  // namespace ascribe::libtorch
