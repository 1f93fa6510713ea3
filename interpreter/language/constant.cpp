#include "interpreter/language/constant.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include "grammar/error.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"
#include "grammar/overloaded.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/language/elementwise.hpp"
#include "interpreter/language/holds.hpp"
#include "interpreter/language/traverse.hpp"

namespace ascribe::language {
namespace {

using Operation = double (*)(double, double);

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
    case Operator::power:
      return [](double a, double b) { return std::pow(a, b); };
    case Operator::equal:
    case Operator::not_equal:
    case Operator::less:
    case Operator::less_equal:
    case Operator::greater:
    case Operator::greater_equal:
    case Operator::logical_and:
    case Operator::logical_or:
    case Operator::negate:
    case Operator::logical_not:
      break;
  }
  throw std::logic_error("no operator of arithmetic");
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
    case Operator::equal:
    case Operator::not_equal:  // where the sides are equal: the callers turn it around
      return [](double a, double b) -> double { return a == b; };
    case Operator::add:
    case Operator::subtract:
    case Operator::multiply:
    case Operator::divide:
    case Operator::power:
    case Operator::logical_and:
    case Operator::logical_or:
    case Operator::negate:
    case Operator::logical_not:
      break;
  }
  throw std::logic_error("no comparison");
}

std::string shown(const NumberOrArray& value) {
  auto* tensor = std::get_if<Array>(&value);
  return tensor ? shown_shape(tensor->shape) : "[]";
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
    return holds(expression, [&](const Expression& inner) {
      if (auto* it = std::get_if<FunctionCall>(&inner.node))
        return inside(*it->function, given(*it), [&](Evaluation& body) { return body.truth(*it->function->body); });
      auto& comparison = std::get<Comparison>(inner.node);  // the checker let nothing else through
      return all(compared(comparison, inner.span)) == (comparison.op != Operator::not_equal);
    });
  }

  Value argument(const Expression& expression, Type type) {
    auto as_wanted = [&](NumberOrArray value) -> Value {
      if (auto* tensor = std::get_if<Array>(&value)) return *tensor;
      auto plain = std::get<double>(value);
      if (type.form != Form::stabilizer) return plain;
      if (auto problem = problem_of_stabilizer(plain))
        refuse(Code::wrong_type, expression.span, std::move(*problem), example_of_stabilizer);
      return Stabilizer{plain, nullptr, {}};
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
    return visit_sort(node.builtin, overloaded{[&](const EachElement& each) {
                                                 count(size(z), where);
                                                 return each_element(z, each.number);
                                               },
                                               [&](const Fold& fold) {
                                                 for (std::size_t i = 1; i < node.arguments.size(); ++i)
                                                   z = joined(z, number(*node.arguments[i]), where, fold.number);
                                                 return z;
                                               },
                                               [&](const Reduction& to) { return reduced(to, node, z, where); }});
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
    return chosen(node, where, [&](const Expression& each) { return number(each); });
  }
  // What only clauses can hold, or what is no number: the checker let none of it through.
  NumberOrArray number_of(const OneOf<QuantityReference, NameList, StabilizerFunction, HasParameter, Comparison, Tensor,
                                      Random, Relevance, NamedValue> auto&,
                          Span where) {
    refuse(Code::wrong_type, where, "this is known only where a layer is met",
           "requirements and arguments compute with parameters and numbers");
  }

  NumberOrArray stabilized(const NumberOrArray& z, const NumberOrArray& epsilon, Span where) {
    return joined(z, epsilon, where, [](double a, double b) { return a + b * (a >= 0 ? 1 : -1); });
  }

  // Of a parameter's numbers: of a whole one, or along dimensions.
  NumberOrArray reduced(const Reduction& reduction, const BuiltinCall& node, const NumberOrArray& z, Span where) {
    auto name = info(node.builtin).name;
    auto* tensor = std::get_if<Array>(&z);
    if (!tensor) {
      if (reduction.of_equal_is_it) return z;
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
    auto share = reduction.takes_share ? share_of(node) : 0;
    auto out = reduce_along(*tensor, dimensions,
                            [&](std::vector<double> values) { return reduction.number(std::move(values), share); });
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
    return std::visit([&](auto& node) { return elements_of_node(node, expression.span); }, expression.node);
  }
  static double inverted(double each) { return each == 0 ? 1.0 : 0.0; }

  NumberOrArray elements_of_node(const LetReference& node, Span) { return elements_of(*node.value); }
  NumberOrArray elements_of_node(const Unary& node, Span) { return each_element(elements_of(*node.operand), inverted); }
  NumberOrArray elements_of_node(const Comparison& node, Span where) {
    auto equal = compared(node, where);
    return node.op == Operator::not_equal ? each_element(equal, inverted) : equal;
  }
  NumberOrArray elements_of_node(const FunctionCall& node, Span) {
    return inside(*node.function, given(node),
                  [&](Evaluation& body) { return body.elements_of(*node.function->body); });
  }
  NumberOrArray elements_of_node(const Conditional& node, Span where) {
    return chosen(node, where, [&](const Expression& each) { return elements_of(each); });
  }
  NumberOrArray elements_of_node(const Chain& node, Span where) {
    bool conjunction = node.operators.front() == Operator::logical_and;
    auto out = elements_of(*node.operands.front());
    for (std::size_t i = 1; i < node.operands.size(); ++i)
      out = joined(out, elements_of(*node.operands[i]), where,
                   [&](double a, double b) -> double { return conjunction ? a != 0 && b != 0 : a != 0 || b != 0; });
    return out;
  }
  // What is no truth value: the checker let none of it through.
  NumberOrArray elements_of_node(
      const OneOf<Constant, ParameterReference, QuantityReference, List, NameList, BuiltinCall, StabilizerFunction,
                  Stabilize, HasParameter, Power, Tensor, Random, Relevance, NamedValue> auto&,
      Span where) {
    refuse(Code::wrong_type, where, "this is no truth value", "compare: `a > 0`");
  }

  // One side where the condition is one answer, else element by element.
  template <typename Side>
  NumberOrArray chosen(const Conditional& node, Span where, const Side& side) {
    auto condition = elements_of(*node.condition);
    if (auto* known = std::get_if<double>(&condition)) return side(*known != 0 ? *node.consequence : *node.alternative);
    auto yes = side(*node.consequence), no = side(*node.alternative);
    auto both = fitted(yes, no, where);
    fitted(condition, both.empty() ? NumberOrArray(0.0) : NumberOrArray(Array{both, {}}), where);
    return choose(condition, yes, no);
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

std::optional<std::string> problem_of_stabilizer(double epsilon) {
  if (epsilon >= 0) return {};
  return filled("a stabilizer is at least 0, this is {}", std::isnan(epsilon) ? "NaN" : filled("{}", epsilon));
}

bool is_share(double value) { return value >= 0 && value <= 1; }

bool is_known(const Expression& expression, std::span<const std::optional<Value>> parameters) {
  bool known = true;
  auto is_known_itself = overloaded{
      [&](const ParameterReference& node) {
        return node.index < parameters.size() && parameters[node.index].has_value();
      },
      [](const OneOf<QuantityReference, Tensor, Random, Relevance, NamedValue> auto&) { return false; },
      [](const OneOf<Constant, LetReference, List, NameList, BuiltinCall, StabilizerFunction, Stabilize, HasParameter,
                     FunctionCall, Chain, Comparison, Power, Unary, Conditional> auto&) { return true; }};
  traverse(expression, [&](const Expression& inner) { known = known && std::visit(is_known_itself, inner.node); });
  return known;
}

bool is_constant(const Expression& expression) { return is_known(expression, {}); }

}  // namespace ascribe::language
