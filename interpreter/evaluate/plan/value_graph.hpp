// What rules compute element by element, as data: a graph of values without duplicates, simplified while it grows.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "interpreter/evaluate/plan/op.hpp"
#include "interpreter/language/builtins.hpp"

namespace ascribe::evaluate::plan {

struct OpInfo {
  Op op;
  std::string_view name;
  int operands;
  double (*number)(double a, double b, double c);
};
const OpInfo& info(Op op);

/// Where numbers come from that differ from call to call.
struct Source {
  enum class Of : std::uint8_t {
    x,                   ///< the layer's input
    input,               ///< of several inputs, the one of this index
    other,               ///< the other one of two
    R,                   ///< the relevance of the output
    layer_y,             ///< the layer's own output
    y,                   ///< y_k of a term
    v,                   ///< v_k of a term; where several share one operator, of the first of them
    bias,                ///< of a term's modified parameters, along the outputs: what a term with zeros for x gives
    argument,            ///< of the rule: numbers with a shape, laid on an input
    argument_on_output,  ///< the same, laid on an output
    reduced              ///< what goes over whole samples, or along dimensions: computed before
  } of;
  std::size_t index = 0;  ///< of the term, the input, the argument, or the reduction
  auto operator<=>(const Source&) const = default;
};
std::string describe(const Source& source);

using Value = std::uint32_t;  ///< an index into the graph's values

struct Number {
  double value;
};
struct Computed {
  Op op;
  std::array<Value, 3> operands;  ///< as many as the operation has
};

/// A sum, a mean, a quantile.
struct Reduction {
  language::Builtin builtin;
  std::vector<std::int64_t> dimensions;
  double share;
  Value of;
  bool operator==(const Reduction&) const = default;
};

class ValueGraph {
 public:
  /// What is known of the layer's input: that it has no negative number in it, and no NaN.
  explicit ValueGraph(bool x_is_not_negative = false) : x_is_not_negative_(x_is_not_negative) {}

  Value number(double value);
  Value source(const Source& source);
  /// The operation, or what it is for these operands: a number, one of them.
  Value operation(Op op, Value a, Value b = 0, Value c = 0);
  Value reduction(const Reduction& reduction);

  const std::vector<Reduction>& reductions() const { return reductions_; }

  using Node = std::variant<Number, Source, Computed>;
  const Node& at(Value value) const { return nodes_[value]; }
  std::size_t size() const { return nodes_.size(); }
  const double* as_number(Value value) const;
  const Source* as_source(Value value) const { return std::get_if<Source>(&nodes_[value]); }
  bool is(Value value, double number) const;
  /// Whether it is computed from such a source.
  template <typename Accepts>
  bool depends_on(Value value, const Accepts& accepts) const {
    if (auto* found = as_source(value))
      return accepts(*found) || (found->of == Source::Of::reduced && depends_on(reductions_[found->index].of, accepts));
    auto* inner = std::get_if<Computed>(&nodes_[value]);
    if (!inner) return false;
    for (int i = 0; i < info(inner->op).operands; ++i)
      if (depends_on(inner->operands[static_cast<std::size_t>(i)], accepts)) return true;
    return false;
  }
  /// As it would be written: `R / (y + 1e-06 * sign(y))`.
  std::string describe(Value value) const;

 private:
  using Key = std::tuple<int, Source, int, std::array<Value, 3>>;
  Value add(Key key, Node node);
  /// Whether the value can have no negative number, and no NaN, in it.
  bool never_negative(Value value) const;

  std::vector<Node> nodes_;
  std::vector<Reduction> reductions_;
  std::map<Key, Value> known_;
  bool x_is_not_negative_;
};

}  // namespace ascribe::evaluate::plan
