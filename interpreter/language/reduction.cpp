#include "interpreter/language/reduction.hpp"

#include <functional>

#include "grammar/error.hpp"
#include "grammar/overloaded.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/traverse.hpp"

namespace ascribe::language {
namespace {

// A number, a number times one term's x or v, or a sum of products of both: what a_k·x_k·v_k is put together from.
struct Part {
  enum class Kind { number, x, v, sum } kind;
  double factor = 1;  // of a number, x and v
  std::size_t term = 0;
  std::vector<double> weights{};  // of a sum
};

class Reader {
 public:
  Reader(std::size_t terms, std::span<const Value> arguments) : terms_(terms), arguments_(arguments) {}

  std::optional<Part> read(const Expression& expression) const {
    if (!has_quantities(expression)) return number(expression);
    using Found = std::optional<Part>;
    return std::visit(
        overloaded{
            [](const QuantityReference& node) -> Found {
              auto term = node.term == this_term ? 0 : static_cast<std::size_t>(node.term);
              if (node.quantity == Quantity::x) return Part{Part::Kind::x, 1, term};
              if (node.quantity == Quantity::v) return Part{Part::Kind::v, 1, term};
              return {};
            },
            [&](const LetReference& node) { return read(*node.value); },
            [&](const Unary& node) { return node.op == Operator::negate ? scaled(read(*node.operand), -1) : Found{}; },
            [&](const Chain& node) {
              auto part = read(*node.operands.front());
              for (std::size_t i = 0; part && i < node.operators.size(); ++i)
                part = joined(*part, node.operators[i], read(*node.operands[i + 1]));
              return part;
            },
            [](const OneOf<Constant, ParameterReference, List, NameList, BuiltinCall, StabilizerFunction, Stabilize,
                           HasParameter, FunctionCall, Comparison, Power, Conditional, Tensor, Random, Relevance,
                           NamedValue> auto&) { return Found{}; }},
        expression.node);
  }

 private:
  static bool has_quantities(const Expression& expression) {
    bool found = false;
    traverse(expression, [&](auto& each) { found = found || std::holds_alternative<QuantityReference>(each.node); });
    return found;
  }

  std::optional<Part> number(const Expression& expression) const {
    try {
      return Part{Part::Kind::number, evaluate_number(expression, arguments_)};
    } catch (const Error&) {  // an array
      return {};
    }
  }

  static std::optional<Part> scaled(std::optional<Part> part, double factor) {
    if (!part) return {};
    part->factor *= factor;
    for (auto& weight : part->weights) weight *= factor;
    return part;
  }

  std::optional<Part> joined(Part left, Operator op, const std::optional<Part>& right) const {
    if (!right) return {};
    if (op == Operator::divide) {
      if (right->kind != Part::Kind::number) return {};
      return scaled(std::move(left), 1 / right->factor);
    }
    if (op == Operator::multiply) {
      if (left.kind == Part::Kind::number) return scaled(*right, left.factor);
      if (right->kind == Part::Kind::number) return scaled(std::move(left), right->factor);
      bool product = (left.kind == Part::Kind::x && right->kind == Part::Kind::v) ||
                     (left.kind == Part::Kind::v && right->kind == Part::Kind::x);
      if (!product || left.term != right->term) return {};
      Part sum{Part::Kind::sum, 1, 0, std::vector<double>(terms_)};
      sum.weights[left.term] = left.factor * right->factor;
      return sum;
    }
    if (left.kind != Part::Kind::sum || right->kind != Part::Kind::sum) return {};
    for (std::size_t k = 0; k < terms_; ++k)
      left.weights[k] += op == Operator::subtract ? -right->weights[k] : right->weights[k];
    return left;
  }

  std::size_t terms_;
  std::span<const Value> arguments_;
};

}  // namespace

std::optional<std::vector<double>> term_weights(const Rule& rule, std::span<const Value> arguments) {
  if (rule.terms.empty()) return {};
  if (!rule.reduce) return std::vector<double>(rule.terms.size(), 1);
  auto part = Reader(rule.terms.size(), arguments).read(*rule.reduce);
  if (!part || part->kind != Part::Kind::sum) return {};
  return part->weights;
}

bool reduces(const BoundRule& bound) {
  bool found = false;
  std::function<void(const Expression&)> look;
  std::function<void(const Value&)> look_at_value = [&](const Value& value) {
    auto* stabilizer = std::get_if<Stabilizer>(&value);
    if (!stabilizer || !stabilizer->function) return;
    look(*stabilizer->function->body);
    for (auto& each : stabilizer->rest) look_at_value(each);
  };
  look = [&](const Expression& expression) {
    traverse(expression, [&](const Expression& inner) {
      if (found) return;
      if (auto* call = std::get_if<BuiltinCall>(&inner.node))
        found = std::holds_alternative<Reduction>(info(call->builtin).sort);
      else if (auto* function = std::get_if<FunctionCall>(&inner.node))
        look(*function->function->body);
      else if (auto* stabilizer = std::get_if<StabilizerFunction>(&inner.node))
        look(*stabilizer->function->body);
    });
  };
  auto clause = [&](const ExpressionPointer& expression) {
    if (expression) look(*expression);
  };
  auto& rule = *bound.rule;
  clause(rule.reduce), clause(rule.forward), clause(rule.backward);
  for (auto& term : rule.terms) {
    clause(term.input), clause(term.output), clause(term.map);
    for (auto& each : term.params) clause(each.value);
  }
  for (auto& each : bound.arguments) look_at_value(each);
  return found;
}

}  // namespace ascribe::language
