#include "interpreter/evaluate/plan/program_text.hpp"

#include <cmath>

#include "grammar/filled_text.hpp"

namespace ascribe::evaluate::plan {
namespace {

// From what binds least to what binds most.
enum Binding { conditional, by_or, by_and, by_not, compared, summed, multiplied, negated, raised, whole };

Binding binding_of(Op op) {
  switch (op) {
    case Op::select:
      return conditional;
    case Op::logical_or:
      return by_or;
    case Op::logical_and:
      return by_and;
    case Op::logical_not:
      return by_not;
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
    case Op::equal:
      return compared;
    case Op::add:
    case Op::subtract:
      return summed;
    case Op::multiply:
    case Op::divide:
      return multiplied;
    case Op::power:
      return raised;
    case Op::abs:
    case Op::sign:
    case Op::sqrt:
    case Op::exp:
    case Op::log:
    case Op::tanh:
    case Op::sigmoid:
    case Op::minimum:
    case Op::maximum:
      break;
  }
  return whole;
}

// The program as a graph again: registers are written to more than once.
class Formulas {
 public:
  Formulas(const Program& program, const std::function<std::string(const Source&)>& name) {
    std::vector<std::size_t> place(program.registers);
    std::size_t next = 0;
    auto add = [&](Node node) {
      nodes_.push_back(std::move(node));
      return nodes_.size() - 1;
    };
    for (auto& source : program.sources) place[next++] = add({.text = name(source), .binds = whole});
    for (auto number : program.numbers)
      place[next++] =
          add({.text = filled("{}", number), .binds = std::signbit(number) ? negated : whole, .number = number});
    for (auto& each : program.instructions) {
      Node node{.op = each.op, .binds = binding_of(each.op)};
      std::uint16_t registers[] = {each.a, each.b, each.c};
      for (std::size_t i = 0; i < static_cast<std::size_t>(info(each.op).operands); ++i)
        node.operands[i] = place[registers[i]];
      place[each.out] = add(std::move(node));
    }
    for (auto each : program.outputs) outputs_.push_back(place[each]);
  }

  std::vector<std::string> outputs() const {
    std::vector<std::string> out;
    for (auto each : outputs_) out.push_back(text(each, conditional));
    return out;
  }

 private:
  struct Node {
    std::string text{};  // of what is not computed
    Op op{};
    Binding binds{};
    std::optional<double> number{};
    std::array<std::size_t, 3> operands{};
    bool is(Op other) const { return text.empty() && op == other; }
  };

  // z + ε·sign(z), which `stabilize` gives: its z and ε.
  std::optional<std::pair<std::size_t, std::size_t>> stabilized(const Node& sum) const {
    if (!sum.is(Op::add)) return {};
    auto& product = nodes_[sum.operands[1]];
    if (!product.is(Op::multiply)) return {};
    auto& sign = nodes_[product.operands[1]];
    if (!sign.is(Op::sign) || sign.operands[0] != sum.operands[0]) return {};
    return std::pair(sum.operands[0], product.operands[0]);
  }

  std::string text(std::size_t place, int least) const {
    auto& node = nodes_[place];
    if (auto found = stabilized(node))
      return filled("stabilize({}, {})", text(found->first, conditional), text(found->second, conditional));
    bool negative = node.is(Op::subtract) && nodes_[node.operands[0]].number == 0.0;
    int binds = negative ? negated : node.binds;
    auto out = !node.text.empty() ? node.text : negative ? "-" + text(node.operands[1], negated) : computed(node);
    return binds < least ? filled("({})", out) : out;
  }

  std::string computed(const Node& node) const {
    auto name = info(node.op).name;
    auto& [a, b, c] = node.operands;
    int binds = node.binds;
    if (node.op == Op::select)
      return filled("if {} then {} else {}", text(c, by_or), text(a, by_or), text(b, conditional));
    if (node.op == Op::logical_not) return filled("not {}", text(a, by_not));
    if (binds == whole && info(node.op).operands == 1) return filled("{}({})", name, text(a, conditional));
    if (binds == whole) return filled("{}({}, {})", name, text(a, conditional), text(b, conditional));
    bool alone = node.op == Op::power || binds == compared;  // a ^ b ^ c and a < b < c are something else
    return filled("{} {} {}", text(a, alone ? binds + 1 : binds), name, text(b, binds + 1));
  }

  std::vector<Node> nodes_;
  std::vector<std::size_t> outputs_;
};

}  // namespace

std::vector<std::string> formulas(const Program& program, const std::function<std::string(const Source&)>& name) {
  return Formulas(program, name).outputs();
}

}  // namespace ascribe::evaluate::plan
