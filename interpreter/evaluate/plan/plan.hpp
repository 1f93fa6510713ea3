// What a rule comes to on a kind of layer: which operators, which passes over memory. Data, made by passes that each do
// one thing (make_plan.cpp), run by plan_execution.cpp, printed by describe_plan.cpp.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "interpreter/evaluate/plan/program.hpp"
#include "interpreter/evaluate/plan/value_graph.hpp"
#include "interpreter/language/binding.hpp"
#include "interpreter/language/kinds.hpp"

namespace ascribe::evaluate::plan {

/// What is known of a layer before there is a call of it.
struct Facts {
  bool has_transposed = false;  ///< an operator hands back what comes from above (layering::find_transposed)
  bool takes_weights = false;   ///< and it does so for any parameters and inputs
  bool can_be_stacked = false;  ///< several of them can be one
  bool needs_output = false;    ///< the operator needs the layer's own output
  std::vector<std::string> parameters{};
  std::size_t inputs = 1, receivers = 1;  ///< how many inputs there are, and how many of them get relevance
  /// Of a layer that adds up its inputs, all of one shape and all with relevance: by what it multiplies each.
  std::vector<double> factors{};
  bool x_is_not_negative = false;
  bool operator==(const Facts&) const = default;
};

/// A term of the rule that has something to compute.
struct PlannedTerm {
  std::size_t term;  ///< of the rule
  Value x;           ///< x_k
  /// For each parameter, the expression that is put in its place; null: it stays.
  std::vector<const language::Expression*> theta;
  enum class Output {
    own,      ///< the layer's, as it ran
    nothing,  ///< x_k is zero: only the bias is left
    computed  ///< another run of the layer's operator
  } y;
  bool y_is_needed = false;     ///< by some map that is needed
  double weight = 1;            ///< a_k, where relevance is Σ a_k·x_k·v_k
  bool for_its_output = false;  ///< nothing comes back through it
};

/// A term of the rule of which nothing is computed, but for what its bias gives.
struct LeftOut {
  std::size_t term;  ///< of the rule
  enum class Why {
    zero_input,   ///< x_k is zero
    zero_weight,  ///< a_k is zero
    not_reduced   ///< relevance does not depend on its v_k
  } why;
};

/// One transposed operator, for terms whose x_k are the same: their parameters stacked, one γ each, where there are
/// several.
struct Group {
  Value x;
  std::vector<std::size_t> terms;   ///< of the plan; those with the same parameters share a γ
  std::vector<std::size_t> places;  ///< for each of them, which γ of the stack is its
  std::size_t stacked = 1;          ///< how many γ there are
};

struct Plan {
  std::string obstacle;  ///< why only the reference can do it; empty: the rest counts
  ValueGraph graph;
  std::vector<PlannedTerm> terms;
  std::vector<LeftOut> left_out;
  /// Terms that one run of the layer's operator computes y_k for.
  std::vector<std::vector<std::size_t>> runs;
  std::vector<Group> groups;
  bool sums_up = false;  ///< relevance is Σ a_k·x_k·v_k: the weights are in γ
  /// Whether something was left out or put together that counts where numbers are not finite: then the reference does.
  bool needs_finite = false;
  std::optional<Value> backward;  ///< instead of terms
  /// Of runs whose x_k is not the layer's own: how it is computed.
  std::vector<std::pair<Value, Program>> inputs;
  std::vector<Program> reduced;  ///< of each of the graph's reductions, what is reduced
  Program gamma;                 ///< from R and y to the γ of all groups, in order
  /// The same, and the sums of R, of Σ a_k·γ_k·y_k and of Σ a_k·γ_k·bias_k; where relevance is Σ a_k·x_k·v_k.
  std::optional<Program> gamma_with_sums;
  Program relevance;  ///< from x and v to the relevance of one input, or `backward`
  /// Instead of all else, where the layer itself is computed element by element: from R and the inputs to the relevance
  /// of each of them.
  std::optional<Program> whole;
};

/// Whether a term leaves inputs and parameters as they are, so that its output is the layer's own.
bool is_unmodified(const language::BoundRule& rule, const language::Term& term);

/// Whether what the rule hands down depends on the numbers of the layer's inputs; `backward = R` does not.
bool uses_inputs(const language::BoundRule& rule);

/// Whether the rule's terms look at the sign of the layer's input.
bool looks_at_signs(const language::BoundRule& rule);

/// Whether the layer's own output is kept for the backward pass.
bool needs_output(const language::BoundRule& rule, const Facts& facts);

Plan make_plan(const language::BoundRule& rule, const Facts& facts);

/// Of a layer as its kind mostly is: with all parameters that it may have, without groups, each input with relevance.
Facts facts_of(const language::Kind& kind, bool x_is_not_negative = false);

/// For people: the plan's operators and passes, or what stands in its way.
std::string describe(const Plan& plan, const language::BoundRule& rule, const Facts& facts);

}  // namespace ascribe::evaluate::plan
