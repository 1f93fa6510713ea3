// Divisions that nothing keeps from dividing by zero: section 9 of the language warns of them.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "grammar/overloaded.hpp"
#include "interpreter/language/reporter.hpp"
#include "interpreter/language/resolved.hpp"
#include "interpreter/language/signs.hpp"

namespace ascribe::language {

/// Follows which signs the values of an expression can have. A scalar is the author's business: as a divisor it is
/// fine, and as an addend it is taken to be positive. Lets and functions are looked into.
class DivisionChecker {
 public:
  /// `parameters` are the rule's.
  DivisionChecker(Reporter reporter, const std::vector<Parameter>& parameters);

  /// Warns of the divisions in a clause of a rule. A function that divides by what it is given is fine in itself: the
  /// call that gives it something unstable is warned of.
  void check(const Expression& clause);

  /// Warns of the divisions in a function's body that nothing given to it could stabilize.
  static void check(const Function& function, const Reporter& reporter);

 private:
  /// Which signs a value can have, and where it lives.
  struct Fact {
    signs::Signs signs;
    Space space = Space::scalar;
  };
  /// A division, or a call that leads to one.
  struct Finding {
    Span where;
    const Function* callee = nullptr;  ///< null: the division itself
    Span inside{};                     ///< of the callee's source
  };
  /// The body of the rule, or of a function that it calls.
  struct Frame {
    std::vector<Fact> parameters;
    std::map<const Expression*, Fact> lets{};
    std::vector<Finding> findings{};
  };

  explicit DivisionChecker(Reporter reporter) : reporter_(std::move(reporter)) {}

  Fact follow(const Expression& expression, Frame& frame);
  Fact follow_node(const Constant&, const Expression&, Frame&);
  Fact follow_node(const ParameterReference&, const Expression&, Frame&);
  Fact follow_node(const QuantityReference&, const Expression&, Frame&);
  Fact follow_node(const LetReference&, const Expression&, Frame&);
  Fact follow_node(const BuiltinCall&, const Expression&, Frame&);
  Fact follow_node(const StabilizerFunction&, const Expression&, Frame&);
  Fact follow_node(const Stabilize&, const Expression&, Frame&);
  Fact follow_node(const FunctionCall&, const Expression&, Frame&);
  Fact follow_node(const Chain&, const Expression&, Frame&);
  Fact follow_node(const Comparison&, const Expression&, Frame&);
  Fact follow_node(const Power&, const Expression&, Frame&);
  Fact follow_node(const Unary&, const Expression&, Frame&);
  Fact follow_node(const Conditional&, const Expression&, Frame&);
  /// What is no number, and lists: nothing is known of them. Tests and sessions, which have values of their own, are
  /// not looked into.
  Fact follow_node(const OneOf<List, NameList, HasParameter, Tensor, Random, Relevance, NamedValue> auto&,
                   const Expression&, Frame&) {
    return {signs::any, Space::input};
  }
  Fact product(const Chain& chain, Frame& frame);
  void report(const std::vector<Finding>& findings) const;
  /// The divisions of a function that warn whatever it is given; they are warned of where the function is defined.
  const std::set<std::size_t>& always_unstable(const Function& function);

  static Fact combine(Fact a, Fact b, signs::Signs (*one)(signs::Signs, signs::Signs));

  Reporter reporter_;
  Frame rule_{};
  std::map<const Function*, std::set<std::size_t>> always_unstable_;
};

}  // namespace ascribe::language
