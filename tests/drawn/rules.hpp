// Every rule of the standard pack, with arguments of every type. A rule that is new needs nothing here, unless a number
// that it takes has to lie within bounds: then the table below has a row for it.
#pragma once

#include <fmt/ranges.h>

#include <optional>

#include "ascribe/pack.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/definitions.hpp"
#include "tests/drawn/draw.hpp"

namespace ascribe::drawn {

/// The range that numbers are drawn from, by the parameter's name. Other numbers are drawn around their default, or
/// from 0.1 to 2.
struct Range {
  const char* parameter;
  double low, high;
};
inline const Range ranges[] = {
    {"gamma", 0, 4}, {"low", -4, -1},    {"high", 1, 4},   {"beta_max", 0, 3},
    {"mu", -1, 1},   {"percent", 5, 95}, {"factor", 0, 1},
};

struct DrawnRule {
  std::string call;
  Rule rule;
  Composite everywhere;  ///< the rule for every kind of layer
};

inline std::vector<std::string> rule_names() {
  std::vector<std::string> out;
  for (auto& [name, definition] : Inside::definitions(Pack::standard()).targets)
    if (std::holds_alternative<std::shared_ptr<const language::Rule>>(definition)) out.push_back(name);
  return out;
}

inline const language::Rule& definition_of(const std::string& rule) {
  return *std::get<std::shared_ptr<const language::Rule>>(Inside::definitions(Pack::standard()).targets.at(rule));
}

/// `[[1.5, -2], [0.25, 3]]`
inline std::string written(const at::Tensor& tensor) {
  if (tensor.dim() == 0) return fmt::format("{}", tensor.item<double>());
  std::vector<std::string> parts;
  for (auto& each : tensor.unbind(0)) parts.push_back(written(each));
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

/// What tensors may be laid on.
struct Shapes {
  std::vector<Shape> inputs;  ///< those that get relevance
  Shape output;
  std::optional<Shape> weight;
};

class ArgumentDraw {
 public:
  /// Without `tensors`, numbers stand for them.
  ArgumentDraw(Draw& draw, Shapes shapes, bool tensors = true)
      : draw_(draw), shapes_(std::move(shapes)), tensors_(tensors) {}

  /// `gamma(gamma = 0.7, epsilon = relative(0.1))`
  std::string call(const language::Rule& rule) {
    std::vector<std::string> arguments;
    auto& parameters = rule.parameters;
    auto has = [&](const char* name) {
      return std::any_of(parameters.begin(), parameters.end(), [&](auto& each) { return each.name == name; });
    };
    // alpha - beta is 1 in every rule that has both.
    bool alpha_beta = has("alpha") && has("beta");
    auto beta = draw_.chance(0.3) ? 0.0 : draw_.number(0, 2);
    for (auto& parameter : parameters) {
      if (parameter.default_value && draw_.chance(0.2) && !alpha_beta) continue;
      auto text = alpha_beta && parameter.name == "alpha"  ? fmt::format("{:.3f}", 1 + beta)
                  : alpha_beta && parameter.name == "beta" ? fmt::format("{:.3f}", beta)
                                                           : argument(parameter);
      if (!text.empty()) arguments.push_back(parameter.name + " = " + text);
    }
    return arguments.empty() ? rule.name : fmt::format("{}({})", rule.name, fmt::join(arguments, ", "));
  }

 private:
  std::string argument(const language::Parameter& parameter) {
    using language::Space;
    if (parameter.type == language::names)
      return draw_.one_of<std::string>({"", "", "[\"bias\"]", "[\"bias\"]", "[\"weight\"]", "[\"weight\", \"bias\"]"});
    if (parameter.type == language::stabilizer)
      return draw_.one_of<std::string>({"0", "1e-12", "1e-6", "1e-3", "0.1", "0.5", "1", "relative", "relative(0.1)",
                                        "relative_unsigned(0.1)", "clipped(0.05)", "relative_clipped(0.1)",
                                        "relative_over_channels(0.1)"});
    auto [low, high] = range(parameter);
    auto space = parameter.type.space;
    if (!parameter.type.is_number() || space == Space::scalar || !tensors_ || draw_.chance(0.3))
      return fmt::format("{}", draw_.number(low, high));
    auto shape = space == Space::input ? sample(shapes_.inputs[0])
                 : space == Space::output
                     ? sample(shapes_.output)
                     : shapes_.weight.value_or(Shape{1});  // where there is no weight, nothing looks at it
    auto count = at::zeros(shape, at::kDouble).numel();
    std::vector<double> values;
    for (std::int64_t i = 0; i < count; ++i) values.push_back(draw_.number(low, high));
    return written(at::tensor(values, at::kDouble).reshape(shape));
  }

  std::pair<double, double> range(const language::Parameter& parameter) {
    for (auto& row : ranges)
      if (parameter.name == row.parameter) return {row.low, row.high};
    auto* number = parameter.default_value ? std::get_if<double>(&*parameter.default_value) : nullptr;
    if (number && *number != 0) return {0.5 * *number, 2 * *number};
    if (parameter.type.space == language::Space::param) return {-2, 2};
    return {0.1, 2};
  }

  // By channel, by element of a sample, or by element; of an input that is not alone, a single number.
  Shape sample(const Shape& whole) {
    if (shapes_.inputs.size() > 1) return {1};
    switch (draw_.integer(0, 2)) {
      case 0:
        return whole.size() > 1 ? Shape{whole[1]} : Shape{1};
      case 1:
        return Shape(whole.begin() + 1, whole.end());
      default:
        return whole;
    }
  }

  Draw& draw_;
  Shapes shapes_;
  bool tensors_;
};

inline DrawnRule rule_of(const std::string& call) {
  auto pack = Pack::parse(fmt::format("rule drawn = {0}\ncomposite everywhere {{ any => {0} }}", call), "drawn");
  return {call, pack.rule("drawn"), pack.composite("everywhere")};
}

}  // namespace ascribe::drawn
