#include "interpreter/evaluate/plan/program.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <unordered_map>

namespace ascribe::evaluate::plan {
namespace {

constexpr std::uint16_t nowhere = std::numeric_limits<std::uint16_t>::max();

class Compiler {
 public:
  Compiler(const ValueGraph& graph, std::span<const Value> outputs, std::span<const Value> sums) : graph_(graph) {
    for (auto each : outputs) ++uses_[each];
    for (auto each : sums) ++uses_[each];
    for (auto each : outputs) visit(each);
    for (auto each : sums) visit(each);
    for (auto each : order_)
      if (auto* source = graph.as_source(each)) place_[each] = next(), out_.sources.push_back(*source);
    for (auto each : order_)
      if (auto* number = graph.as_number(each)) place_[each] = next(), out_.numbers.push_back(*number);
    for (auto each : order_)
      if (auto* node = std::get_if<Computed>(&graph.at(each))) emit(each, *node);
    for (auto each : outputs) out_.outputs.push_back(place_.at(each));
    for (auto each : sums) out_.sums.push_back(place_.at(each));
  }

  Program take() { return std::move(out_); }

 private:
  // Operands before what is made of them; counts how often each value is read.
  void visit(Value value) {
    if (!seen_.emplace(value, true).second) return;
    if (auto* node = std::get_if<Computed>(&graph_.at(value)))
      for (auto operand : operands(*node)) {
        ++uses_[operand];
        visit(operand);
      }
    order_.push_back(value);
  }

  static std::span<const Value> operands(const Computed& node) {
    return {node.operands.data(), static_cast<std::size_t>(info(node.op).operands)};
  }

  void emit(Value value, const Computed& node) {
    Instruction it{node.op, 0, 0};
    std::uint16_t* places[] = {&it.a, &it.b, &it.c};
    for (std::size_t i = 0; i < operands(node).size(); ++i) *places[i] = place_.at(node.operands[i]);
    for (auto operand : operands(node))
      if (--uses_[operand] == 0 && std::holds_alternative<Computed>(graph_.at(operand)))
        free_.push_back(place_.at(operand));
    if (free_.empty()) {
      it.out = next();
    } else {
      it.out = free_.back();
      free_.pop_back();
    }
    place_[value] = it.out;
    out_.instructions.push_back(it);
  }

  std::uint16_t next() {
    if (out_.registers == nowhere) throw std::length_error("an expression with too many values");
    return static_cast<std::uint16_t>(out_.registers++);
  }

  const ValueGraph& graph_;
  std::unordered_map<Value, bool> seen_;
  std::unordered_map<Value, int> uses_;
  std::unordered_map<Value, std::uint16_t> place_;
  std::vector<Value> order_;
  std::vector<std::uint16_t> free_;
  Program out_;
};

}  // namespace

Program compile(const ValueGraph& graph, std::span<const Value> outputs, std::span<const Value> sums) {
  return Compiler(graph, outputs, sums).take();
}

}  // namespace ascribe::evaluate::plan
