#include "interpreter/language/constant.hpp"

#include <algorithm>
#include <cmath>

#include "grammar/diagnostic.hpp"
#include "interpreter/language/traverse.hpp"

namespace ascribe::language {
namespace {

double stabilized(double z, const Value& epsilon);

double call(const Function& function, std::vector<Value> arguments) {
  return evaluate_number(*function.body, arguments);
}

double builtin(const BuiltinCall& node, std::span<const Value> arguments) {
  auto at = [&](std::size_t i) { return evaluate_number(*node.arguments[i], arguments); };
  auto z = at(0);
  auto extremum = [&](auto better) {
    for (std::size_t i = 1; i < node.arguments.size(); ++i)
      if (auto other = at(i); std::isnan(other) || better(other, z)) z = other;
    return z;
  };
  switch (node.builtin) {
    case Builtin::abs:
      return std::abs(z);
    case Builtin::sign:
      return z >= 0 ? 1 : z < 0 ? -1 : z;
    case Builtin::sqrt:
      return std::sqrt(z);
    case Builtin::exp:
      return std::exp(z);
    case Builtin::log:
      return std::log(z);
    case Builtin::tanh:
      return std::tanh(z);
    case Builtin::sigmoid:
      return 1 / (1 + std::exp(-z));
    case Builtin::min:
      return extremum(std::less<>());
    case Builtin::max:
      return extremum(std::greater<>());
    default:
      throw Error({.code = Code::wrong_type,
                   .message = "a number has nothing to reduce",
                   .help = "sum and mean are for what a layer sees"});
  }
}

double join(Operator op, double a, double b) {
  switch (op) {
    case Operator::add:
      return a + b;
    case Operator::subtract:
      return a - b;
    case Operator::multiply:
      return a * b;
    default:
      return a / b;
  }
}

bool compare(const Comparison& node, double a, double b, double tolerance) {
  switch (node.op) {
    case Operator::equal:
    case Operator::not_equal: {
      bool equal = node.within ? std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b)) : a == b;
      return equal == (node.op == Operator::equal);
    }
    case Operator::less:
      return a < b;
    case Operator::less_equal:
      return a <= b;
    case Operator::greater:
      return a > b;
    default:
      return a >= b;
  }
}

double stabilized(double z, const Value& epsilon) {
  if (auto* number = std::get_if<double>(&epsilon)) return z + *number * (z >= 0 ? 1 : -1);
  auto& stabilizer = std::get<Stabilizer>(epsilon);
  if (!stabilizer.function) return stabilized(z, stabilizer.epsilon);
  std::vector<Value> all{z};
  all.insert(all.end(), stabilizer.rest.begin(), stabilizer.rest.end());
  return call(*stabilizer.function, std::move(all));
}

void fill(const Expression& expression, std::span<const Value> arguments, std::size_t depth, Array& out,
          std::vector<double>& values) {
  auto* list = std::get_if<List>(&expression.node);
  if (!list) {
    values.push_back(evaluate_number(expression, arguments));
    return;
  }
  if (out.shape.size() <= depth) out.shape.push_back(static_cast<std::int64_t>(list->elements.size()));
  for (auto& element : list->elements) fill(*element, arguments, depth + 1, out, values);
}

}  // namespace

bool evaluate_truth(const Expression& expression, std::span<const Value> arguments) {
  if (auto* node = std::get_if<LetReference>(&expression.node)) return evaluate_truth(*node->value, arguments);
  if (auto* node = std::get_if<Unary>(&expression.node)) return !evaluate_truth(*node->operand, arguments);
  if (auto* node = std::get_if<Comparison>(&expression.node))
    return compare(*node, evaluate_number(*node->left, arguments), evaluate_number(*node->right, arguments),
                   node->within ? evaluate_number(*node->within, arguments) : 0);
  if (auto* node = std::get_if<Conditional>(&expression.node))
    return evaluate_truth(evaluate_truth(*node->condition, arguments) ? *node->consequence : *node->alternative,
                          arguments);
  auto& chain = std::get<Chain>(expression.node);
  bool all = chain.operators.front() == Operator::logical_and;
  for (auto& operand : chain.operands)
    if (evaluate_truth(*operand, arguments) != all) return !all;
  return all;
}

double evaluate_number(const Expression& expression, std::span<const Value> arguments) {
  auto number = [&](const ExpressionPointer& inner) { return evaluate_number(*inner, arguments); };
  auto& node = expression.node;
  if (auto* it = std::get_if<Constant>(&node)) return it->value;
  if (auto* it = std::get_if<ParameterReference>(&node)) {
    if (auto* value = std::get_if<double>(&arguments[it->index])) return *value;
    throw Error({.code = Code::wrong_type,
                 .message = "a tensor cannot be computed with before a layer is met",
                 .help = "give the tensor itself; requirements and arguments compute with numbers"});
  }
  if (auto* it = std::get_if<LetReference>(&node)) return number(it->value);
  if (auto* it = std::get_if<BuiltinCall>(&node)) return builtin(*it, arguments);
  if (auto* it = std::get_if<Power>(&node)) return std::pow(number(it->base), number(it->exponent));
  if (auto* it = std::get_if<Unary>(&node)) return -number(it->operand);
  if (auto* it = std::get_if<Conditional>(&node))
    return number(evaluate_truth(*it->condition, arguments) ? it->consequence : it->alternative);
  if (auto* it = std::get_if<Stabilize>(&node))
    return stabilized(number(it->z),
                      evaluate_argument(*it->epsilon, arguments, it->by_stabilizer ? stabilizer : scalar));
  if (auto* it = std::get_if<FunctionCall>(&node)) {
    std::vector<Value> values;
    for (std::size_t i = 0; i < it->arguments.size(); ++i)
      values.push_back(evaluate_argument(*it->arguments[i], arguments, it->function->parameters[i].type));
    return call(*it->function, std::move(values));
  }
  auto& chain = std::get<Chain>(node);
  auto value = number(chain.operands.front());
  for (std::size_t i = 0; i < chain.operators.size(); ++i)
    value = join(chain.operators[i], value, number(chain.operands[i + 1]));
  return value;
}

Value evaluate_argument(const Expression& expression, std::span<const Value> arguments, Type type) {
  if (auto* it = std::get_if<ParameterReference>(&expression.node)) {
    auto value = arguments[it->index];
    if (type.form == Form::stabilizer && std::holds_alternative<double>(value))
      return Stabilizer{std::get<double>(value), nullptr, {}};
    return value;
  }
  if (auto* it = std::get_if<NameList>(&expression.node)) return it->names;
  if (auto* it = std::get_if<StabilizerFunction>(&expression.node)) {
    Stabilizer out{0, it->function, {}};
    for (std::size_t i = 0; i < it->rest.size(); ++i)
      out.rest.push_back(evaluate_argument(*it->rest[i], arguments, it->function->parameters[i + 1].type));
    return out;
  }
  if (std::holds_alternative<List>(expression.node)) {
    Array out;
    std::vector<double> values;
    fill(expression, arguments, 0, out, values);
    out.values = std::make_shared<const std::vector<double>>(std::move(values));
    return out;
  }
  auto number = evaluate_number(expression, arguments);
  if (type.form == Form::stabilizer) return Stabilizer{number, nullptr, {}};
  return number;
}

bool is_constant(const Expression& expression) {
  bool constant = true;
  traverse(expression, [&](const Expression& inner) {
    constant = constant && !std::holds_alternative<ParameterReference>(inner.node) &&
               !std::holds_alternative<QuantityReference>(inner.node) && !std::holds_alternative<Tensor>(inner.node) &&
               !std::holds_alternative<Random>(inner.node);
  });
  return constant;
}

}  // namespace ascribe::language
