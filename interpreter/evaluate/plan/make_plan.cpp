// Passes over a rule, each of which adds to the plan.
#include <algorithm>
#include <cmath>

#include "grammar/filled_text.hpp"
#include "interpreter/evaluate/clauses.hpp"
#include "interpreter/evaluate/plan/plan.hpp"
#include "interpreter/evaluate/plan/translation.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/reduction.hpp"
#include "interpreter/language/traverse.hpp"

namespace ascribe::evaluate::plan {
namespace {

using language::Expression;
using language::Quantity;
using Of = Source::Of;
using Output = PlannedTerm::Output;

struct Refusal {
  std::string obstacle;
};

// Whether a layer that adds up its inputs is computed together with the rule. What goes over whole samples has to know
// where the sum holds them, not where an input does.
bool is_one_pass(const language::BoundRule& rule, const Facts& facts) {
  return !facts.factors.empty() && !language::reduces(rule);
}

class Planner {
 public:
  Planner(const language::BoundRule& bound, const Facts& facts)
      : bound_(bound), rule_(*bound.rule), facts_(facts), graph_(plan_.graph) {
    if (!is_one_pass(bound, facts)) facts_.factors.clear();
    graph_ = ValueGraph(facts.x_is_not_negative);
  }

  Plan make() try {
    refuse();
    if (rule_.backward) {
      read_backward();
    } else {
      read_terms();
      read_maps();
      read_reduce();
      if (!facts_.factors.empty()) {
        compile_whole();
        compile_reductions();
        return std::move(plan_);
      }
      choose_terms();
      put_together();
      if (plan_.sums_up && plan_.groups.empty()) refuse("nothing of it is handed back");
      compile_passes();
    }
    compile_reductions();
    return std::move(plan_);
  } catch (const Refusal& refusal) {
    Plan out;
    out.obstacle = refusal.obstacle;
    return out;
  }

 private:
  // A rule's term, whether anything is left of it or not.
  struct Read {
    Value x{}, y{}, gamma{};
    std::vector<const Expression*> theta;
    Output output = Output::computed;
    double weight = 1;
    bool counts = false;  // its γ·y takes part in the sums
  };

  [[noreturn]] static void refuse(std::string obstacle) { throw Refusal{std::move(obstacle)}; }

  void refuse() const {
    if (rule_.forward) refuse("the rule replaces the layer's output");
    if (rule_.uses_gradient) refuse("the rule uses the layer's gradient");
    if (rule_.backward) return;
    if (rule_.terms.empty()) refuse("the rule is the layer's gradient");
    if (!facts_.has_transposed) refuse("what the layer hands back is only known to autograd");
    for (auto& term : rule_.terms) {
      if (term.output) refuse("a term changes the layer's output");
      if (!facts_.takes_weights && !is_unmodified(bound_, term))
        refuse("a term changes inputs or coefficients of a layer without weights");
      if (facts_.inputs > 1 && term.input) refuse("a term changes the inputs of a layer that has several");
    }
  }

  std::optional<Value> quantity(Quantity quantity, int term, bool in_map) const {
    auto k = term == language::this_term ? current_ : static_cast<std::size_t>(term);
    auto of_layer = [&](Of of) { return graph_.source({of, 0}); };
    switch (quantity) {
      case Quantity::x:
        if (in_map) refuse("a map uses the layer's input");
        return terms_.empty() ? of_layer(Of::x) : input_ ? of_input(*input_) : terms_.at(k).x;
      case Quantity::layer_x:
        if (in_map) refuse("a map uses the layer's input");
        return input_ ? of_input(*input_) : of_layer(Of::x);
      case Quantity::y:
        return terms_.empty() ? of_layer(Of::layer_y) : terms_.at(k).y;
      case Quantity::layer_y:
        return own_output();
      case Quantity::v:
        if (input_) return scaled(terms_.at(k).gamma, facts_.factors[*input_]);
        return graph_.source({Of::v, k});
      case Quantity::R:
        return of_layer(Of::R);
      case Quantity::other:
        if (in_map) refuse("a map uses the layer's input");
        return input_ ? of_input(1 - *input_) : of_layer(Of::other);
      case Quantity::w:
      case Quantity::grad:
      case Quantity::inputs:  // a number, which is translated
        break;
    }
    return {};
  }

  Value of_input(std::size_t i) const { return graph_.source({Of::input, i}); }
  Value scaled(Value value, double factor) const {
    return graph_.operation(Op::multiply, value, graph_.number(factor));
  }

  // y as it ran; of a layer that adds up its inputs, their sum.
  Value own_output() const {
    if (facts_.factors.empty()) return graph_.source({Of::layer_y});
    std::optional<Value> sum;
    for (std::size_t i = 0; i < facts_.factors.size(); ++i) {
      auto summand = scaled(of_input(i), facts_.factors[i]);
      sum = sum ? graph_.operation(Op::add, *sum, summand) : summand;
    }
    return *sum;
  }

  void compile_whole() {
    std::vector<Value> outputs;
    for (std::size_t i = 0; i < facts_.factors.size(); ++i) {
      input_ = i;
      if (!plan_.sums_up) {
        outputs.push_back(translate(*rule_.reduce));
        continue;
      }
      std::optional<Value> gamma;
      for (auto& each : terms_) {
        auto part = scaled(each.gamma, each.weight);
        gamma = gamma ? graph_.operation(Op::add, *gamma, part) : part;
      }
      outputs.push_back(graph_.operation(Op::multiply, of_input(i), scaled(*gamma, facts_.factors[i])));
    }
    for (auto& each : terms_) each.counts = plan_.sums_up;
    plan_.whole = compile(graph_, outputs, plan_.sums_up ? what_is_summed() : std::vector<Value>());
  }

  Value translate(const Expression& expression, bool in_map = false) {
    Translation translation(graph_, {rule_.parameters, bound_.arguments, static_cast<double>(facts_.receivers),
                                     [&](Quantity each, int term) { return quantity(each, term, in_map); }});
    if (auto value = translation.translate(expression)) return *value;
    refuse(translation.obstacle());
  }

  void read_backward() {
    plan_.backward = translate(*rule_.backward);
    Value outputs[] = {*plan_.backward};
    plan_.relevance = compile(graph_, outputs);
  }

  // x_k, θ_k, and where y_k comes from.
  void read_terms() {
    std::vector<Read> read;
    for (current_ = 0; current_ < rule_.terms.size(); ++current_) {
      auto& term = rule_.terms[current_];
      Read each;
      each.x = term.input ? translate(*term.input) : graph_.source({Of::x});
      if (graph_.depends_on(each.x, [](const Source& source) { return source.of == Of::other; }))
        refuse("a term's input is made of the other input");
      bool modified = false;
      for (auto& name : facts_.parameters) {
        each.theta.push_back(clause_for(bound_, term, name));
        modified = modified || each.theta.back();
      }
      bool own_x = graph_.as_source(each.x) && graph_.as_source(each.x)->of == Of::x;
      if (own_x && !modified) {
        each.output = Output::own;
        each.y = own_output();
      } else if (graph_.is(each.x, 0)) {
        each.output = Output::nothing;
        each.y = value_of_bias(each.theta);
      } else {
        auto same = std::find_if(read.begin(), read.end(),
                                 [&](auto& other) { return other.x == each.x && other.theta == each.theta; });
        each.y = same != read.end() ? same->y : graph_.source({Of::y, current_});
      }
      read.push_back(std::move(each));
    }
    terms_ = std::move(read);
  }

  // What a layer makes of zeros.
  Value value_of_bias(const std::vector<const Expression*>& theta) {
    auto bias = std::find(facts_.parameters.begin(), facts_.parameters.end(), "bias");
    if (bias == facts_.parameters.end()) return graph_.number(0);
    auto* clause = theta[static_cast<std::size_t>(bias - facts_.parameters.begin())];
    auto* constant = clause ? std::get_if<language::Constant>(&clause->node) : nullptr;
    if (constant && constant->value == 0) return graph_.number(0);
    return graph_.source({Of::bias, current_});
  }

  void read_maps() {
    for (current_ = 0; current_ < terms_.size(); ++current_) {
      auto& map = rule_.terms[current_].map;
      auto R = graph_.source({Of::R});
      auto y = terms_[current_].y;
      auto stabilized = [&] {
        auto epsilon = graph_.number(language::default_epsilon);
        return graph_.operation(Op::add, y, graph_.operation(Op::multiply, epsilon, graph_.operation(Op::sign, y)));
      };
      terms_[current_].gamma = map ? translate(*map, /*in_map=*/true) : graph_.operation(Op::divide, R, stabilized());
    }
  }

  void read_reduce() {
    current_ = 0;
    auto weights = language::term_weights(rule_, bound_.arguments);
    plan_.sums_up = weights.has_value();
    if (weights)
      for (std::size_t k = 0; k < terms_.size(); ++k) terms_[k].weight = (*weights)[k];
    else
      reduce_ = translate(*rule_.reduce);
  }

  // Terms that relevance depends on, and the outputs that these depend on.
  void choose_terms() {
    auto uses = [&](Value value, Of of, std::size_t index) {
      return graph_.depends_on(value, [&](const Source& source) { return source == Source{of, index}; });
    };
    std::vector<Value> maps;
    for (std::size_t k = 0; k < terms_.size(); ++k) {
      auto& each = terms_[k];
      bool vanishes = plan_.sums_up && (each.weight == 0 || each.output == Output::nothing) && is_harmless(each);
      if (plan_.sums_up ? !vanishes : uses(*reduce_, Of::v, k))
        plan_.terms.push_back({k, each.x, each.theta, each.output, false, each.weight});
      else
        note_left_out(k);
      plan_.needs_finite = plan_.needs_finite || vanishes || each.weight != 1;
      each.counts = plan_.sums_up && each.weight != 0 && !graph_.is(each.y, 0);
      if (each.counts) maps.push_back(each.y);
      if (each.counts || (!plan_.terms.empty() && plan_.terms.back().term == k)) maps.push_back(each.gamma);
    }
    auto is_needed = [&](std::size_t k) {
      return std::any_of(maps.begin(), maps.end(), [&](auto map) { return uses(map, Of::y, k); });
    };
    for (std::size_t k = 0; k < terms_.size(); ++k) {
      auto& each = terms_[k];
      if (each.output != Output::computed || each.y != graph_.source({Of::y, k}) || !is_needed(k)) continue;
      auto found =
          std::find_if(plan_.terms.begin(), plan_.terms.end(), [&](auto& planned) { return planned.term == k; });
      if (found == plan_.terms.end())
        found = plan_.terms.insert(found, {k, each.x, each.theta, each.output, false, each.weight, true});
      found->y_is_needed = true;
    }
  }

  void note_left_out(std::size_t k) {
    using Why = LeftOut::Why;
    auto& each = terms_[k];
    plan_.left_out.push_back({k, each.output == Output::nothing ? Why::zero_input
                                 : plan_.sums_up                ? Why::zero_weight
                                                                : Why::not_reduced});
  }

  // Zero times its γ is zero: that is finite if what it is divided by is stabilized by a number, or if γ is looked at
  // for a term that counts.
  bool is_harmless(const Read& term) const {
    bool shared = std::any_of(terms_.begin(), terms_.end(), [&](auto& other) {
      return other.gamma == term.gamma && other.weight != 0 && other.output != Output::nothing;
    });
    if (shared || graph_.as_number(term.gamma)) return true;
    auto* quotient = std::get_if<Computed>(&graph_.at(term.gamma));
    if (!quotient || quotient->op != Op::divide || !graph_.as_source(quotient->operands[0])) return false;
    auto* stabilized = std::get_if<Computed>(&graph_.at(quotient->operands[1]));
    if (!stabilized || stabilized->op != Op::add) return false;
    auto* part = std::get_if<Computed>(&graph_.at(stabilized->operands[1]));
    if (!part || part->op != Op::multiply) return false;
    auto* epsilon = graph_.as_number(part->operands[0]);
    auto* sign = std::get_if<Computed>(&graph_.at(part->operands[1]));
    return epsilon && *epsilon > 0 && sign && sign->op == Op::sign && sign->operands[0] == stabilized->operands[0];
  }

  // Terms of one x share their operators.
  void put_together() {
    for (std::size_t i = 0; i < plan_.terms.size(); ++i) {
      auto& term = plan_.terms[i];
      if (term.y_is_needed) {
        auto run = std::find_if(plan_.runs.begin(), plan_.runs.end(), [&](auto& others) {
          return facts_.can_be_stacked && plan_.terms[others.front()].x == term.x;
        });
        if (run == plan_.runs.end()) run = plan_.runs.insert(run, std::vector<std::size_t>());
        run->push_back(i);
      }
      if (!term.for_its_output) add_to_groups(i);
    }
    for (auto& group : plan_.groups) plan_.needs_finite = plan_.needs_finite || group.terms.size() > 1;
  }

  void add_to_groups(std::size_t i) {
    auto& term = plan_.terms[i];
    for (auto& group : plan_.groups) {
      if (!plan_.sums_up || group.x != term.x) continue;
      for (std::size_t k = 0; k < group.terms.size(); ++k)
        if (plan_.terms[group.terms[k]].theta == term.theta) {
          group.terms.push_back(i);
          group.places.push_back(group.places[k]);
          return;
        }
      if (!facts_.can_be_stacked) continue;
      group.terms.push_back(i);
      group.places.push_back(group.stacked++);
      return;
    }
    plan_.groups.push_back({term.x, {i}, {0}});
  }

  void compile_reductions() {
    for (auto& each : graph_.reductions()) {
      Value of[] = {each.of};
      plan_.reduced.push_back(compile(graph_, of));
    }
  }

  void compile_passes() {
    for (auto& run : plan_.runs) {
      Value x[] = {plan_.terms[run.front()].x};
      if (!graph_.as_source(x[0]) || graph_.as_source(x[0])->of != Of::x)
        plan_.inputs.emplace_back(x[0], compile(graph_, x));
    }
    std::vector<Value> gammas;
    for (auto& group : plan_.groups) {
      std::vector<std::optional<Value>> stack(group.stacked);
      for (std::size_t k = 0; k < group.terms.size(); ++k) {
        auto& term = plan_.terms[group.terms[k]];
        auto gamma = graph_.operation(Op::multiply, terms_[term.term].gamma, graph_.number(term.weight));
        auto& place = stack[group.places[k]];
        place = place ? graph_.operation(Op::add, *place, gamma) : gamma;
      }
      for (auto& each : stack) gammas.push_back(*each);
    }
    plan_.gamma = compile(graph_, gammas);
    if (plan_.sums_up) {
      auto sums = what_is_summed();
      plan_.gamma_with_sums = compile(graph_, gammas, sums);
    }
    Value outputs[] = {relevance()};
    plan_.relevance = compile(graph_, outputs);
  }

  Value relevance() {
    if (!plan_.sums_up) return *reduce_;
    std::optional<Value> out;
    for (auto& group : plan_.groups) {
      auto v = graph_.source({Of::v, plan_.terms[group.terms.front()].term});
      auto share = graph_.operation(Op::multiply, group.x, v);
      out = out ? graph_.operation(Op::add, *out, share) : share;
    }
    return out ? *out : graph_.number(0);
  }

  // R, Σ a_k·γ_k·y_k and Σ a_k·γ_k·bias_k. An output of ±∞ (a masked summand) has taken nothing.
  std::vector<Value> what_is_summed() {
    auto zero = graph_.number(0);
    auto taken = zero, by_bias = zero;
    for (current_ = 0; current_ < terms_.size(); ++current_) {
      auto& each = terms_[current_];
      if (!each.counts) continue;
      auto infinite = graph_.operation(Op::equal, graph_.operation(Op::abs, each.y), graph_.number(INFINITY));
      auto add = [&](Value& sum, Value what) {
        if (graph_.is(what, 0)) return;  // also where γ is infinite
        auto part = graph_.operation(Op::multiply, each.gamma, what);
        part = graph_.operation(Op::select, zero, part, infinite);
        sum = graph_.operation(Op::add, sum, graph_.operation(Op::multiply, part, graph_.number(each.weight)));
      };
      add(taken, each.y);
      if (facts_.takes_weights) add(by_bias, value_of_bias(each.theta));
    }
    return {graph_.source({Of::R}), taken, by_bias};
  }

  const language::BoundRule& bound_;
  const language::Rule& rule_;
  Facts facts_;
  Plan plan_;
  ValueGraph& graph_;
  std::vector<Read> terms_;
  std::optional<Value> reduce_;
  std::size_t current_ = 0;
  std::optional<std::size_t> input_;  // of a layer that is computed element by element
};

}  // namespace

bool is_unmodified(const language::BoundRule& rule, const language::Term& term) {
  return !term.input && !term.output && std::all_of(term.params.begin(), term.params.end(), [&](auto& clause) {
    auto* names = selected_names(rule, clause.selector);
    return names && names->empty();
  });
}

bool uses_inputs(const language::BoundRule& rule) {
  if (!rule.rule->backward || rule.rule->forward) return true;
  bool found = false;
  language::traverse(*rule.rule->backward, [&](const Expression& each) {
    auto* quantity = std::get_if<language::QuantityReference>(&each.node);
    auto* parameter = std::get_if<language::ParameterReference>(&each.node);  // laid on an input, perhaps
    found = found || (quantity && quantity->quantity != Quantity::R) || parameter;
  });
  return found;
}

bool looks_at_signs(const language::BoundRule& rule) {
  Facts facts{.has_transposed = true, .takes_weights = true, .can_be_stacked = true};
  auto plan = make_plan(rule, facts);
  facts.x_is_not_negative = true;
  auto other = make_plan(rule, facts);
  if (!plan.obstacle.empty()) return false;
  return plan.terms.size() != other.terms.size() || plan.groups.size() != other.groups.size() ||
         plan.runs.size() != other.runs.size();
}

bool needs_output(const language::BoundRule& rule, const Facts& facts) {
  auto& terms = rule.rule->terms;
  if (rule.rule->backward) return rule.rule->uses_layer_output;
  if (is_one_pass(rule, facts) && !rule.rule->uses_layer_output) return false;  // computed with all else
  return rule.rule->uses_layer_output ||
         (facts.has_transposed && (facts.needs_output || std::any_of(terms.begin(), terms.end(), [&](auto& term) {
                                     return is_unmodified(rule, term);
                                   })));
}

Plan make_plan(const language::BoundRule& rule, const Facts& facts) { return Planner(rule, facts).make(); }

}  // namespace ascribe::evaluate::plan
