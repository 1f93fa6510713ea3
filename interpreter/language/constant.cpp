#include "interpreter/language/constant.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "grammar/diagnostic.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"
#include "interpreter/language/elementwise.hpp"
#include "interpreter/language/traverse.hpp"

namespace ascribe::language {
namespace {

using Operation = double (*)(double, double);

double sign_of(double z) { return z >= 0 ? 1 : z < 0 ? -1 : z; }

Operation arithmetic(Operator op) {
  switch (op) {
    case Operator::add:
      return [](double a, double b) { return a + b; };
    case Operator::subtract:
      return [](double a, double b) { return a - b; };
    case Operator::multiply:
      return [](double a, double b) { return a * b; };
    case Operator::divide:
      return [](double a, double b) { return a / b; };
    default:
      return [](double a, double b) { return std::pow(a, b); };
  }
}

Operation comparison(Operator op) {
  switch (op) {
    case Operator::less:
      return [](double a, double b) -> double { return a < b; };
    case Operator::less_equal:
      return [](double a, double b) -> double { return a <= b; };
    case Operator::greater:
      return [](double a, double b) -> double { return a > b; };
    case Operator::greater_equal:
      return [](double a, double b) -> double { return a >= b; };
    default:
      return [](double a, double b) -> double { return a == b; };
  }
}

double of_one(Builtin builtin, double z) {
  switch (builtin) {
    case Builtin::abs:
      return std::abs(z);
    case Builtin::sign:
      return sign_of(z);
    case Builtin::sqrt:
      return std::sqrt(z);
    case Builtin::exp:
      return std::exp(z);
    case Builtin::log:
      return std::log(z);
    case Builtin::tanh:
      return std::tanh(z);
    default:
      return 1 / (1 + std::exp(-z));
  }
}

std::string shown(const NumberOrArray& value) {
  auto* tensor = std::get_if<Array>(&value);
  return tensor ? filled("[{}]", fmt::join(tensor->shape, ", ")) : "[]";
}

// Between the two nearest values, in proportion; NaN where one is.
double quantile(std::vector<double> values, double share) {
  if (values.empty() || std::any_of(values.begin(), values.end(), [](double each) { return std::isnan(each); }))
    return NAN;
  std::sort(values.begin(), values.end());
  auto place = share * static_cast<double>(values.size() - 1);
  auto below = static_cast<std::size_t>(place);
  auto above = std::min(below + 1, values.size() - 1);
  auto part = place - static_cast<double>(below);
  if (part == 0 || values[below] == values[above]) return values[below];
  return std::min(values[below] + part * (values[above] - values[below]), values[above]);  // never above it
}

[[noreturn]] void refuse(Code code, Span where, std::string message, std::string help) {
  throw Error({.code = code, .message = std::move(message), .primary = {nullptr, where, ""}, .help = std::move(help)});
}

// One evaluation; functions that are called get their own, which share the budget.
class Evaluation {
 public:
  Evaluation(std::span<const Value> arguments, Budget& budget) : arguments_(arguments), budget_(budget) {}

  NumberOrArray number(const Expression& expression) {
    return std::visit([&](auto& node) { return number_of(node, expression.span); }, expression.node);
  }

  // Comparisons of arrays hold as a whole.
  bool truth(const Expression& expression) {
    auto& node = expression.node;
    if (auto* it = std::get_if<LetReference>(&node)) return truth(*it->value);
    if (auto* it = std::get_if<Unary>(&node)) return !truth(*it->operand);
    if (auto* it = std::get_if<Comparison>(&node)) {
      bool equal = all(compared(*it, expression.span));
      return equal == (it->op != Operator::not_equal);
    }
    if (auto* it = std::get_if<Conditional>(&node))
      return truth(truth(*it->condition) ? *it->consequence : *it->alternative);
    if (auto* it = std::get_if<FunctionCall>(&node))
      return inside(*it->function, given(*it), [&](Evaluation& body) { return body.truth(*it->function->body); });
    auto& chain = std::get<Chain>(node);
    bool conjunction = chain.operators.front() == Operator::logical_and;
    for (auto& operand : chain.operands)
      if (truth(*operand) != conjunction) return !conjunction;
    return conjunction;
  }

  Value argument(const Expression& expression, Type type) {
    auto as_wanted = [&](NumberOrArray value) -> Value {
      if (auto* tensor = std::get_if<Array>(&value)) return *tensor;
      auto plain = std::get<double>(value);
      return type.form == Form::stabilizer ? Value(Stabilizer{plain, nullptr, {}}) : Value(plain);
    };
    if (auto* it = std::get_if<ParameterReference>(&expression.node)) {
      auto& value = arguments_[it->index];
      auto* plain = std::get_if<double>(&value);
      return plain ? as_wanted(*plain) : value;
    }
    if (auto* it = std::get_if<NameList>(&expression.node)) return it->names;
    if (auto* it = std::get_if<StabilizerFunction>(&expression.node)) {
      Stabilizer out{0, it->function, {}};
      for (std::size_t i = 0; i < it->rest.size(); ++i)
        out.rest.push_back(argument(*it->rest[i], it->function->parameters[i + 1].type));
      return out;
    }
    return as_wanted(number(expression));
  }

 private:
  // ---------------------------------------------------------------------------------------------------------- numbers

  NumberOrArray number_of(const Constant& node, Span) { return node.value; }
  NumberOrArray number_of(const ParameterReference& node, Span) {
    auto& value = arguments_[node.index];
    if (auto* tensor = std::get_if<Array>(&value)) return *tensor;
    return std::get<double>(value);
  }
  NumberOrArray number_of(const LetReference& node, Span) {
    auto found = lets_.find(node.value.get());
    if (found == lets_.end()) found = lets_.emplace(node.value.get(), number(*node.value)).first;
    return found->second;
  }
  NumberOrArray number_of(const List& node, Span) {
    Array out;
    std::vector<double> values;
    fill(node, 0, out, values);
    out.values = std::make_shared<const std::vector<double>>(std::move(values));
    return out;
  }
  NumberOrArray number_of(const BuiltinCall& node, Span where) {
    auto z = number(*node.arguments.front());
    if (info(node.builtin).reduces()) return reduced(node, z, where);
    if (node.arguments.size() == 1) {
      count(size(z), where);
      return each_element(z, [&](double each) { return of_one(node.builtin, each); });
    }
    bool larger = node.builtin == Builtin::max;
    for (std::size_t i = 1; i < node.arguments.size(); ++i)
      z = joined(z, number(*node.arguments[i]), where, [&](double a, double b) {
        return std::isnan(a) || std::isnan(b) ? NAN : larger ? std::max(a, b) : std::min(a, b);
      });
    return z;
  }
  NumberOrArray number_of(const Stabilize& node, Span where) {
    auto z = number(*node.z);
    if (!node.by_stabilizer) return stabilized(z, number(*node.epsilon), where);
    auto by = std::get<Stabilizer>(argument(*node.epsilon, stabilizer));
    if (!by.function) return stabilized(z, by.epsilon, where);
    std::vector<Value> all{std::visit([](auto& each) -> Value { return each; }, z)};
    all.insert(all.end(), by.rest.begin(), by.rest.end());
    return inside(*by.function, std::move(all), [&](Evaluation& body) { return body.number(*by.function->body); });
  }
  NumberOrArray number_of(const FunctionCall& node, Span) {
    return inside(*node.function, given(node), [&](Evaluation& body) { return body.number(*node.function->body); });
  }
  NumberOrArray number_of(const Chain& node, Span) {
    auto value = number(*node.operands.front());
    for (std::size_t i = 0; i < node.operators.size(); ++i)
      value =
          joined(value, number(*node.operands[i + 1]),
                 {node.operands.front()->span.begin, node.operands[i + 1]->span.end}, arithmetic(node.operators[i]));
    return value;
  }
  NumberOrArray number_of(const Power& node, Span where) {
    auto base = number(*node.base);
    return joined(base, number(*node.exponent), where, arithmetic(Operator::power));
  }
  NumberOrArray number_of(const Unary& node, Span where) {
    auto operand = number(*node.operand);
    count(size(operand), where);
    return each_element(operand, [](double each) { return -each; });
  }
  NumberOrArray number_of(const Conditional& node, Span where) {
    auto condition = elements_of(*node.condition);
    if (auto* known = std::get_if<double>(&condition))
      return number(*known != 0 ? *node.consequence : *node.alternative);
    auto yes = number(*node.consequence), no = number(*node.alternative);
    auto both = fitted(yes, no, where);
    fitted(condition, both.empty() ? NumberOrArray(0.0) : NumberOrArray(Array{both, {}}), where);
    return choose(condition, yes, no);
  }
  // What only clauses can hold: the checker let none of it through.
  template <typename Node>
  NumberOrArray number_of(const Node&, Span where) {
    refuse(Code::wrong_type, where, "this is known only where a layer is met",
           "requirements and arguments compute with parameters and numbers");
  }

  NumberOrArray stabilized(const NumberOrArray& z, const NumberOrArray& epsilon, Span where) {
    return joined(z, epsilon, where, [](double a, double b) { return a + b * (a >= 0 ? 1 : -1); });
  }

  // Of a parameter's numbers: of a whole one, or along dimensions.
  NumberOrArray reduced(const BuiltinCall& node, const NumberOrArray& z, Span where) {
    auto name = info(node.builtin).name;
    auto* tensor = std::get_if<Array>(&z);
    if (!tensor) {
      if (node.builtin != Builtin::sum) return z;
      refuse(Code::wrong_type, where, "how many elements are summed is known only where a layer is met",
             "give a tensor, or take the mean: `mean(…)`");
    }
    count(size(z), where);
    auto rank = static_cast<std::int64_t>(tensor->shape.size());
    std::vector<std::size_t> dimensions;
    for (auto d : node.dimensions) {
      auto counted = d < 0 ? d + rank : d;
      if (counted < 0 || counted >= rank ||
          std::find(dimensions.begin(), dimensions.end(), static_cast<std::size_t>(counted)) != dimensions.end())
        refuse(Code::bad_dimension, where, filled("`{}` over dimension {} of a tensor of shape {}", name, d, shown(z)),
               "name dimensions that it has, each once");
      dimensions.push_back(static_cast<std::size_t>(counted));
    }
    bool whole = dimensions.empty();
    for (std::size_t d = 0; whole && d < tensor->shape.size(); ++d) dimensions.push_back(d);
    auto share = node.builtin == Builtin::quantile ? share_of(node) : 0;
    auto out = reduce_along(*tensor, dimensions, [&](std::vector<double> values) {
      if (node.builtin == Builtin::quantile) return quantile(std::move(values), share);
      auto sum = std::accumulate(values.begin(), values.end(), 0.0);
      return node.builtin == Builtin::mean ? sum / static_cast<double>(values.size()) : sum;
    });
    if (whole) return out.values->front();
    return out;
  }

  double share_of(const BuiltinCall& node) {
    auto& written = *node.arguments[1];
    auto share = std::get<double>(number(written));  // the checker let no tensor through
    if (!is_share(share))
      refuse(Code::wrong_type, written.span, filled("a share lies between 0 and 1, this is {}", share),
             "for the largest tenth write `quantile(z, 0.9)`");
    return share;
  }

  // The numbers of a list, in order; lists inside it are rows.
  void fill(const List& list, std::size_t depth, Array& out, std::vector<double>& values) {
    if (out.shape.size() <= depth) out.shape.push_back(static_cast<std::int64_t>(list.elements.size()));
    for (auto& element : list.elements) {
      if (auto* row = std::get_if<List>(&element->node))
        fill(*row, depth + 1, out, values);
      else
        values.push_back(std::get<double>(number(*element)));
    }
  }

  // ------------------------------------------------------------------------------------------------------------ truth

  // Element by element, as `if` needs it. `!=` compares elements here, too.
  NumberOrArray elements_of(const Expression& expression) {
    auto& node = expression.node;
    if (auto* it = std::get_if<LetReference>(&node)) return elements_of(*it->value);
    auto inverted = [](double each) { return each == 0 ? 1.0 : 0.0; };
    if (auto* it = std::get_if<Unary>(&node)) return each_element(elements_of(*it->operand), inverted);
    if (auto* it = std::get_if<Comparison>(&node)) {
      auto holds = compared(*it, expression.span);
      return it->op == Operator::not_equal ? each_element(holds, inverted) : holds;
    }
    if (auto* it = std::get_if<FunctionCall>(&node))
      return inside(*it->function, given(*it), [&](Evaluation& body) { return body.elements_of(*it->function->body); });
    if (auto* it = std::get_if<Conditional>(&node)) {
      auto condition = elements_of(*it->condition);
      if (auto* known = std::get_if<double>(&condition))
        return elements_of(*known != 0 ? *it->consequence : *it->alternative);
      auto yes = elements_of(*it->consequence), no = elements_of(*it->alternative);
      auto both = fitted(yes, no, expression.span);
      fitted(condition, both.empty() ? NumberOrArray(0.0) : NumberOrArray(Array{both, {}}), expression.span);
      return choose(condition, yes, no);
    }
    auto& chain = std::get<Chain>(node);
    bool conjunction = chain.operators.front() == Operator::logical_and;
    auto out = elements_of(*chain.operands.front());
    for (std::size_t i = 1; i < chain.operands.size(); ++i)
      out = joined(out, elements_of(*chain.operands[i]), expression.span,
                   [&](double a, double b) -> double { return conjunction ? a != 0 && b != 0 : a != 0 || b != 0; });
    return out;
  }

  // Of `!=`, where the sides are equal.
  NumberOrArray compared(const Comparison& node, Span where) {
    auto left = number(*node.left), right = number(*node.right);
    if (!node.within) return joined(left, right, where, comparison(node.op));
    auto magnitude = [](double each) { return std::abs(each); };
    auto difference = each_element(joined(left, right, where, arithmetic(Operator::subtract)), magnitude);
    auto largest = each_element(right, [](double each) { return std::max(1.0, std::abs(each)); });
    auto allowed = joined(number(*node.within), largest, where, arithmetic(Operator::multiply));
    return joined(difference, allowed, where, comparison(Operator::less_equal));
  }

  // ------------------------------------------------------------------------------------------------ shapes and calls

  std::vector<std::int64_t> fitted(const NumberOrArray& a, const NumberOrArray& b, Span where) {
    auto shape = common_shape(a, b);
    if (!shape)
      refuse(Code::wrong_type, where, filled("tensors of shape {} and {} do not fit", shown(a), shown(b)),
             "they have as many dimensions, and in each the same size, or 1");
    double elements = 1;
    for (auto each : *shape) elements *= static_cast<double>(each);
    if (elements > static_cast<double>(std::max({limits.spread_elements, size_of(a), size_of(b)})))
      refuse(Code::too_large, where,
             filled("tensors of shape {} and {} make one that is too large", shown(a), shown(b)),
             filled("the limit is {} elements", limits.spread_elements));
    count(static_cast<std::size_t>(elements), where);
    return std::move(*shape);
  }

  static std::size_t size_of(const NumberOrArray& value) {
    auto* tensor = std::get_if<Array>(&value);
    return tensor && tensor->values ? tensor->values->size() : 1;
  }

  NumberOrArray joined(const NumberOrArray& a, const NumberOrArray& b, Span where,
                       const std::function<double(double, double)>& operation) {
    fitted(a, b, where);
    return each_element(a, b, operation);
  }

  void count(std::size_t elements, Span where) {
    bool enough = elements <= budget_.elements;
    budget_.elements -= enough ? elements : budget_.elements;
    if (!enough)
      refuse(Code::too_large, where, "too much is computed before a layer is met",
             filled("the limit is {} elements, those of every operation counted", limits.constant_elements));
  }

  std::vector<Value> given(const FunctionCall& node) {
    std::vector<Value> out;
    for (std::size_t i = 0; i < node.arguments.size(); ++i)
      out.push_back(argument(*node.arguments[i], node.function->parameters[i].type));
    return out;
  }

  template <typename Evaluate>
  std::invoke_result_t<Evaluate, Evaluation&> inside(const Function& function, std::vector<Value> arguments,
                                                     Evaluate evaluate) {
    Evaluation body(arguments, budget_);
    try {
      return evaluate(body);
    } catch (const Error& error) {
      auto diagnostic = error.diagnostics().front();
      if (diagnostic.primary.source) throw;
      diagnostic.primary.source = function.place.source;
      throw Error(diagnostic);
    }
  }

  std::span<const Value> arguments_;
  Budget& budget_;
  std::map<const Expression*, NumberOrArray> lets_;
};

template <typename Evaluate>
auto evaluate(std::span<const Value> arguments, Budget* budget, Evaluate what) {
  Budget own;
  Evaluation evaluation(arguments, budget ? *budget : own);
  return what(evaluation);
}

}  // namespace

bool evaluate_truth(const Expression& expression, std::span<const Value> arguments, Budget* budget) {
  return evaluate(arguments, budget, [&](Evaluation& it) { return it.truth(expression); });
}

double evaluate_number(const Expression& expression, std::span<const Value> arguments) {
  auto value = evaluate(arguments, nullptr, [&](Evaluation& it) { return it.number(expression); });
  if (auto* number = std::get_if<double>(&value)) return *number;
  refuse(Code::wrong_type, expression.span, "a number is needed here, this is a tensor", "give one number");
}

Value evaluate_argument(const Expression& expression, std::span<const Value> arguments, Type type, Budget* budget) {
  return evaluate(arguments, budget, [&](Evaluation& it) { return it.argument(expression, type); });
}

bool is_share(double value) { return value >= 0 && value <= 1; }

bool is_known(const Expression& expression, std::span<const std::optional<Value>> parameters) {
  bool known = true;
  traverse(expression, [&](const Expression& inner) {
    auto* parameter = std::get_if<ParameterReference>(&inner.node);
    known = known && (!parameter || (parameter->index < parameters.size() && parameters[parameter->index])) &&
            !std::holds_alternative<QuantityReference>(inner.node) && !std::holds_alternative<Tensor>(inner.node) &&
            !std::holds_alternative<Random>(inner.node) && !std::holds_alternative<Relevance>(inner.node) &&
            !std::holds_alternative<NamedValue>(inner.node);
  });
  return known;
}

bool is_constant(const Expression& expression) { return is_known(expression, {}); }

}  // namespace ascribe::language
