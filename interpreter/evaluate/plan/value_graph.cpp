#include "interpreter/evaluate/plan/value_graph.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "grammar/filled_text.hpp"
#include "grammar/overloaded.hpp"

namespace ascribe::evaluate::plan {
namespace {

double truth(bool holds) { return holds ? 1 : 0; }

constexpr OpInfo table[] = {
    {Op::abs, "abs", 1, [](double a, double, double) { return std::abs(a); }},
    {Op::sign, "sign", 1, [](double a, double, double) { return language::on_numbers::sign(a); }},
    {Op::sqrt, "sqrt", 1, [](double a, double, double) { return std::sqrt(a); }},
    {Op::exp, "exp", 1, [](double a, double, double) { return std::exp(a); }},
    {Op::log, "log", 1, [](double a, double, double) { return std::log(a); }},
    {Op::tanh, "tanh", 1, [](double a, double, double) { return std::tanh(a); }},
    {Op::sigmoid, "sigmoid", 1, [](double a, double, double) { return 1 / (1 + std::exp(-a)); }},
    {Op::add, "+", 2, [](double a, double b, double) { return a + b; }},
    {Op::subtract, "-", 2, [](double a, double b, double) { return a - b; }},
    {Op::multiply, "*", 2, [](double a, double b, double) { return a * b; }},
    {Op::divide, "/", 2, [](double a, double b, double) { return a / b; }},
    {Op::power, "^", 2, [](double a, double b, double) { return std::pow(a, b); }},
    {Op::minimum, "min", 2, [](double a, double b, double) { return language::on_numbers::smaller(a, b); }},
    {Op::maximum, "max", 2, [](double a, double b, double) { return language::on_numbers::larger(a, b); }},
    {Op::less, "<", 2, [](double a, double b, double) { return truth(a < b); }},
    {Op::less_equal, "<=", 2, [](double a, double b, double) { return truth(a <= b); }},
    {Op::greater, ">", 2, [](double a, double b, double) { return truth(a > b); }},
    {Op::greater_equal, ">=", 2, [](double a, double b, double) { return truth(a >= b); }},
    {Op::equal, "==", 2, [](double a, double b, double) { return truth(a == b); }},
    {Op::logical_and, "and", 2, [](double a, double b, double) { return truth(a != 0 && b != 0); }},
    {Op::logical_or, "or", 2, [](double a, double b, double) { return truth(a != 0 || b != 0); }},
    {Op::logical_not, "not", 1, [](double a, double, double) { return truth(a == 0); }},
    {Op::select, "select", 3, [](double a, double b, double c) { return c != 0 ? a : b; }},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(table); ++i)
    if (static_cast<std::size_t>(table[i].op) != i) return false;
  return true;
}
static_assert(std::size(table) == op_count, "every operation has a row");
static_assert(in_order(), "rows stand in the order of the operations");

}  // namespace

const OpInfo& info(Op op) { return table[static_cast<std::size_t>(op)]; }

std::string describe(const Source& source) {
  using Of = Source::Of;
  switch (source.of) {
    case Of::x:
      return "x";
    case Of::input:
      return filled("x{}", source.index + 1);
    case Of::other:
      return "other";
    case Of::R:
      return "R";
    case Of::layer_y:
      return "y";
    case Of::y:
      return filled("y{}", source.index + 1);
    case Of::v:
      return filled("v{}", source.index + 1);
    case Of::bias:
      return filled("bias{}", source.index + 1);
    case Of::argument:
    case Of::argument_on_output:
      return filled("argument {}", source.index + 1);
    case Of::reduced:
      return filled("reduction {}", source.index + 1);
  }
  return {};
}

Value ValueGraph::add(Key key, Node node) {
  auto [found, fresh] = known_.emplace(std::move(key), static_cast<Value>(nodes_.size()));
  if (fresh) nodes_.push_back(node);
  return found->second;
}

Value ValueGraph::number(double value) {
  // Told apart by their bits, so that -0 stays -0.
  return add({0,
              {},
              0,
              {static_cast<Value>(std::bit_cast<std::uint64_t>(value) >> 32),
               static_cast<Value>(std::bit_cast<std::uint64_t>(value)), 0}},
             Number{value});
}
Value ValueGraph::source(const Source& source) { return add({1, source, 0, {}}, source); }

Value ValueGraph::reduction(const Reduction& reduction) {
  auto found = std::find(reductions_.begin(), reductions_.end(), reduction);
  auto index = static_cast<std::size_t>(found - reductions_.begin());
  if (found == reductions_.end()) reductions_.push_back(reduction);
  return source({Source::Of::reduced, index});
}

const double* ValueGraph::as_number(Value value) const {
  auto* found = std::get_if<Number>(&nodes_[value]);
  return found ? &found->value : nullptr;
}

bool ValueGraph::is(Value value, double number) const {
  auto* found = as_number(value);
  return found && *found == number;
}

bool ValueGraph::never_negative(Value value) const {
  if (auto* found = as_source(value)) return x_is_not_negative_ && found->of == Source::Of::x;
  if (auto* found = as_number(value)) return *found >= 0;
  auto& node = std::get<Computed>(nodes_[value]);
  auto both = [&] { return never_negative(node.operands[0]) && never_negative(node.operands[1]); };
  if (node.op == Op::minimum || node.op == Op::maximum) return both();
  return false;  // sums and products may become inf - inf, 0 * inf
}

// Only what holds for NaN and infinity, too, but for the sign of zero.
Value ValueGraph::operation(Op op, Value a, Value b, Value c) {
  auto operands = info(op).operands;
  auto *p = as_number(a), *q = operands > 1 ? as_number(b) : nullptr, *r = operands > 2 ? as_number(c) : nullptr;
  if (p && (q || operands < 2) && (r || operands < 3)) return number(info(op).number(*p, q ? *q : 0, r ? *r : 0));
  if (op == Op::select && r) return *r != 0 ? a : b;
  if (op == Op::add && p && *p == 0) return b;
  if ((op == Op::add || op == Op::subtract) && q && *q == 0) return a;
  if (op == Op::multiply && p && *p == 1) return b;
  if ((op == Op::multiply || op == Op::divide || op == Op::power) && q && *q == 1) return a;
  if (op == Op::power && q && *q == 2) return operation(Op::multiply, a, a);
  if (op == Op::abs && never_negative(a)) return a;
  if (op == Op::maximum && p && *p == 0 && never_negative(b)) return b;
  if (op == Op::maximum && q && *q == 0 && never_negative(a)) return a;
  if (op == Op::minimum && ((q && *q == 0 && never_negative(a)) || (p && *p == 0 && never_negative(b))))
    return number(0);
  if (operands < 2) b = 0;
  if (operands < 3) c = 0;
  return add({2, {}, static_cast<int>(op), {a, b, c}}, Computed{op, {a, b, c}});
}

std::string ValueGraph::describe(Value value) const {
  auto inner = [&](Value operand) {
    auto* node = std::get_if<Computed>(&nodes_[operand]);
    auto text = describe(operand);
    return node && info(node->op).operands == 2 && node->op != Op::minimum && node->op != Op::maximum
               ? filled("({})", text)
               : text;
  };
  return std::visit(overloaded{[](const Number& node) { return filled("{}", node.value); },
                               [](const Source& node) { return plan::describe(node); },
                               [&](const Computed& node) {
                                 auto& row = info(node.op);
                                 auto& [a, b, c] = node.operands;
                                 if (row.operands == 1) return filled("{}({})", row.name, describe(a));
                                 if (node.op == Op::select)
                                   return filled("if {} then {} else {}", describe(c), describe(a), describe(b));
                                 if (node.op == Op::minimum || node.op == Op::maximum)
                                   return filled("{}({}, {})", row.name, describe(a), describe(b));
                                 return filled("{} {} {}", inner(a), row.name, inner(b));
                               }},
                    nodes_[value]);
}

}  // namespace ascribe::evaluate::plan
