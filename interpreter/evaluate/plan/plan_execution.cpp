// Runs plans. Whatever has none, or is to have a history, is for the reference.
#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>

#include <algorithm>
#include <utility>

#include "grammar/filled_text.hpp"
#include "interpreter/evaluate/clauses.hpp"
#include "interpreter/evaluate/plan/compiled_rule.hpp"
#include "interpreter/evaluate/reference/expression.hpp"
#include "interpreter/layers/held.hpp"
#include "interpreter/layers/transposed.hpp"

namespace ascribe::evaluate {
namespace {

using layering::Tensors;
using plan::Plan;
using plan::Program;
using plan::Source;
using Of = Source::Of;

// One layer's relevance by a plan. Gives nothing where it turns out that only the reference can tell.
class Run {
 public:
  Run(const language::BoundRule& rule, plan::CompiledRule& compiled, const Plan& plan,
      const layering::Transposed* transposed, const Layer& layer, const at::Tensor& R)
      : bound_(rule), compiled_(compiled), plan_(plan), transposed_(transposed), layer_(layer), R_(R) {}

  std::optional<Tensors> run(Shares* shares) {
    if (plan_.backward) return backward();
    if (plan_.whole) return whole(shares);
    y_.resize(bound_.rule->terms.size());
    v_.resize(bound_.rule->terms.size());
    for (auto& run : plan_.runs) run_layer(run);
    if (!find_gammas(shares)) return {};
    for (std::size_t i = 0; i < plan_.groups.size(); ++i)
      if (!hand_back(plan_.groups[i], gammas_[i])) return {};
    Tensors out(layer_.inputs.size());
    for (input_ = 0; input_ < out.size(); ++input_)
      if (layer_.gets_relevance[input_]) out[input_] = share_of_input(shares);
    return out;
  }

 private:
  // Where it was not kept, it is computed once more.
  const at::Tensor& own_output() {
    if (layer_.output.defined() && !(transposed_ && transposed_->holds)) return layer_.output;
    if (own_output_.defined()) return own_output_;
    layering::Tensors parameters;
    for (auto& [name, w] : layer_.parameters) parameters.push_back(w);
    return own_output_ = layering::run_held(*layer_.operation, layer_.inputs, parameters, layer_.inputs);
  }

  std::optional<Tensors> whole(Shares* shares) {
    Tensors out;
    for (auto& x : layer_.inputs) out.push_back(at::empty_like(x));
    auto passed = run_program(*plan_.whole, out, shares != nullptr);
    if (shares && plan_.sums_up) take_shares(passed, *shares);
    if (shares) shares->below = passed.of_outputs[0] + passed.of_outputs[1];
    return out;
  }

  void take_shares(const plan::Passed& passed, Shares& shares) const {
    // Each factor of a product gets γ·y.
    auto* kind = layer_.operation->kind;
    auto times = kind->name == "matmul" || kind->name == "product" ? static_cast<double>(receivers(layer_)) : 1;
    shares.above = passed.sums[0];
    shares.stabilizer = passed.sums[0] - times * passed.sums[1];
    shares.bias = times * passed.sums[2];
  }

  // ------------------------------------------------------------------------------------------------------- operands

  at::Tensor operand(const Source& source) {
    switch (source.of) {
      case Of::x:
        return layer_.inputs[input_];
      case Of::input:
        return layer_.inputs.at(source.index);
      case Of::other:
        return layer_.inputs.at(1 - input_);
      case Of::R:
        return R_;
      case Of::layer_y:
        return own_output();
      case Of::y:
        return y_.at(source.index);
      case Of::v:
        return v_.at(source.index).at(input_);
      case Of::bias:
        return bias_of(source.index);
      case Of::argument:
        return argument(source.index, layer_.inputs[input_], language::Space::input);
      case Of::argument_on_output:
        return argument(source.index, R_, language::Space::output);
      case Of::reduced:
        return reduced_values(source.index);
    }
    return {};
  }

  // One number for each sample, or what is left along dimensions, laid out so that it spreads over the rest.
  at::Tensor reduced_values(std::size_t index) {
    auto& graph = plan_.graph;
    auto& reduction = graph.reductions()[index];
    bool of_output = !graph.depends_on(reduction.of, [](auto& source) {
      return source.of == Of::x || source.of == Of::input || source.of == Of::other || source.of == Of::v ||
             source.of == Of::argument;
    });
    auto known = std::find_if(reduced_.begin(), reduced_.end(),
                              [&](auto& each) { return each.index == index && (of_output || each.input == input_); });
    if (known != reduced_.end()) return known->value;
    auto& like = of_output ? R_ : layer_.inputs[input_];
    // What is spread over the rest counts once; an argument counts everywhere.
    Tensors operands;
    auto shape = std::vector<std::int64_t>(static_cast<std::size_t>(like.dim()), 1);
    for (auto& source : plan_.reduced[index].sources) {
      auto each = operand(source);
      if (source.of == Of::argument || source.of == Of::argument_on_output) each = each.expand_as(like);
      shape = at::infer_size(shape, each.sizes());
      operands.push_back(std::move(each));
    }
    auto values = shape == like.sizes() ? at::empty_like(like) : at::empty(shape, like.options());
    plan::run(plan_.reduced[index], operands, std::vector{values});
    auto& places = layer_.samples;
    auto place = of_output ? places.output : places.inputs.empty() ? layering::SamplePlace{} : places.inputs.at(input_);
    auto space = of_output ? language::Space::output : language::Space::input;
    auto found = reduced({reduction.builtin, {}, reduction.dimensions}, {values, space, place}, reduction.share);
    return reduced_.emplace_back(Reduced{index, input_, spread(tensor(found), found.space, like.dim(), place)}).value;
  }

  at::Tensor argument(std::size_t index, const at::Tensor& like, language::Space space) const {
    return laid_on(std::get<language::Array>(bound_.arguments[index]), like, space,
                   bound_.rule->parameters[index].name);
  }

  // Of a term's parameters, along the outputs.
  at::Tensor bias_of(std::size_t term) {
    auto bias = std::find_if(layer_.parameters.begin(), layer_.parameters.end(),
                             [](auto& each) { return each.first == "bias"; });
    auto place = static_cast<std::size_t>(bias - layer_.parameters.begin());
    auto value = theta(bound_.rule->terms[term], place);
    std::vector<std::int64_t> shape(static_cast<std::size_t>(R_.dim()), 1);
    shape.at(static_cast<std::size_t>(layering::output_dimension(*layer_.operation, R_))) = -1;
    return value.reshape(shape);
  }

  plan::Passed run_program(const Program& program, const Tensors& outputs, bool sums_outputs = false) {
    Tensors operands;
    for (auto& source : program.sources) operands.push_back(operand(source));
    return plan::run(program, operands, outputs, sums_outputs);
  }

  // What a program gives as it is; undefined where it computes.
  at::Tensor untouched(const Program& program, std::size_t output = 0) {
    auto place = program.outputs[output];
    return place < program.sources.size() ? operand(program.sources[place]) : at::Tensor();
  }

  // ----------------------------------------------------------------------------------------------------- parameters

  // θ_k, from its own clauses.
  at::Tensor theta(const language::Term& term, std::size_t place) const {
    auto& name = layer_.parameters[place].first;
    auto& w = layer_.parameters[place].second;
    for (auto& planned : plan_.terms)
      if (&bound_.rule->terms[planned.term] == &term) return modified(w, planned.theta[place]);
    return modified(w, clause_for(bound_, term, name));  // of a term of which nothing else is left
  }

  at::Tensor modified(const at::Tensor& w, const language::Expression* clause) const {
    if (!clause) return w;
    ExpressionEvaluator evaluator({.arguments = bound_.arguments,
                                   .quantity = [&](language::Quantity, int) { return w; },
                                   .like = [&](language::Space) { return w; },
                                   .parameters = bound_.rule->parameters});
    auto value = evaluator.evaluate_as(*clause, w, language::Space::param);
    return value.is_non_overlapping_and_dense() ? value : value.contiguous();
  }

  // The parameters of several terms, stacked along the outputs; those of one, as they are.
  Tensors parameters(const std::vector<std::size_t>& terms) const {
    Tensors out;
    for (std::size_t place = 0; place < layer_.parameters.size(); ++place) {
      auto& name = layer_.parameters[place].first;
      auto& w = layer_.parameters[place].second;
      auto& first = plan_.terms[terms.front()].theta[place];
      if (terms.size() == 1 && !first) {
        out.push_back(w);
        continue;
      }
      auto purpose = name;
      for (auto each : terms) purpose += filled("/{}", plan_.terms[each].term);
      auto make = [&]() -> Tensors {
        Tensors each;
        for (auto term : terms) each.push_back(modified(w, plan_.terms[term].theta[place]));
        return {each.size() == 1 ? each[0] : at::cat(each, 0)};
      };
      out.push_back(
          libtorch::ParameterCache::instance().get(compiled_.owner, purpose, {w}, layer_.written, make).front());
    }
    return out;
  }

  // ------------------------------------------------------------------------------------------------- the layer again

  // y_k of terms with one x_k, side by side in one tensor.
  void run_layer(const std::vector<std::size_t>& terms) {
    auto y = layer_.operation->run({term_input(plan_.terms[terms.front()].x)}, parameters(terms));
    stacked_y_.push_back(y);
    auto dimension = layering::output_dimension(*layer_.operation, y);
    auto size = y.size(dimension) / static_cast<std::int64_t>(terms.size());
    for (std::size_t k = 0; k < terms.size(); ++k)
      y_[plan_.terms[terms[k]].term] =
          terms.size() == 1 ? y : y.narrow(dimension, static_cast<std::int64_t>(k) * size, size);
  }

  at::Tensor term_input(plan::Value value) {
    auto& x = layer_.inputs[0];
    auto found =
        std::find_if(plan_.inputs.begin(), plan_.inputs.end(), [&](auto& each) { return each.first == value; });
    if (found == plan_.inputs.end()) return x;
    // What is the same for every sample is computed for one.
    auto shape = x.sizes().vec();
    bool same = shape.size() > 1 &&
                std::all_of(found->second.sources.begin(), found->second.sources.end(),
                            [&](auto& source) { return source.of == Of::argument && operand(source).size(0) == 1; });
    if (same && shape[0] > 0) shape[0] = 1;
    auto out = same ? at::empty(shape, x.options()) : at::empty_like(x);
    run_program(found->second, {out});
    return out;
  }

  // --------------------------------------------------------------------------------------------------------- γ and v

  // The γ of each group; false where some are not finite, and more than zeros was left out.
  bool find_gammas(Shares* shares) {
    auto& program = shares && plan_.gamma_with_sums ? *plan_.gamma_with_sums : plan_.gamma;
    if (program.instructions.empty() && !shares && take_untouched(program))
      return !plan_.needs_finite || std::all_of(gammas_.begin(), gammas_.end(),
                                                [](auto& each) { return each.isfinite().all().template item<bool>(); });
    Tensors outputs;
    for (auto& group : plan_.groups) {
      gammas_.push_back(room_for(group));
      auto dimension = layering::output_dimension(*layer_.operation, R_);
      for (std::size_t k = 0; k < group.stacked; ++k)
        outputs.push_back(group.stacked == 1
                              ? gammas_.back()
                              : gammas_.back().narrow(dimension, static_cast<std::int64_t>(k) * R_.size(dimension),
                                                      R_.size(dimension)));
    }
    auto passed = run_program(program, outputs);
    if (shares && plan_.gamma_with_sums) take_shares(passed, *shares);
    return passed.finite || !plan_.needs_finite;
  }

  // Where each γ is something that is there already.
  bool take_untouched(const Program& program) {
    Tensors found;
    for (auto& group : plan_.groups) {
      auto same = group.stacked == 1 ? untouched(program, found.size()) : at::Tensor();
      if (!same.defined() || same.sizes() != R_.sizes()) return false;
      found.push_back(same);
    }
    gammas_ = std::move(found);
    return true;
  }

  // Memory for a group's γ, side by side: where its y_k lie, as long as nobody else needs these.
  at::Tensor room_for(const plan::Group& group) {
    for (std::size_t i = 0; i < plan_.runs.size(); ++i) {
      auto& y = stacked_y_[i];
      auto shape = R_.sizes().vec();
      auto dimension = static_cast<std::size_t>(layering::output_dimension(*layer_.operation, R_));
      shape[dimension] *= static_cast<std::int64_t>(group.stacked);
      if (plan_.runs[i] == group.terms && y.defined() && y.sizes() == at::IntArrayRef(shape) &&
          y.scalar_type() == R_.scalar_type() && y.is_non_overlapping_and_dense())
        return std::exchange(y, {});
    }
    auto& like = layer_.output.defined()                          ? layer_.output
                 : !stacked_y_.empty() && stacked_y_[0].defined() ? stacked_y_[0]
                                                                  : R_;
    if (group.stacked == 1) return like.sizes() == R_.sizes() ? at::empty_like(like) : at::empty_like(R_);
    auto shape = R_.sizes().vec();
    shape[static_cast<std::size_t>(layering::output_dimension(*layer_.operation, R_))] *=
        static_cast<std::int64_t>(group.stacked);
    return at::empty(shape, R_.options(), like.suggest_memory_format());
  }

  bool hand_back(const plan::Group& group, at::Tensor& gamma) {
    std::vector<std::size_t> distinct(group.stacked);
    for (std::size_t k = group.terms.size(); k-- > 0;) distinct[group.places[k]] = group.terms[k];
    auto own = parameters(distinct);
    auto found =
        transposed_->run({*layer_.operation, layer_.inputs, own,
                          transposed_->needs_output ? own_output() : layer_.output, gamma, layer_.gets_relevance});
    gamma.reset();
    if (!found) return false;
    v_[plan_.terms[group.terms.front()].term] = std::move(*found);
    return true;
  }

  at::Tensor share_of_input(Shares* shares) {
    auto& program = plan_.relevance;
    auto& x = layer_.inputs[input_];
    if (auto same = untouched(program); same.defined() && same.sizes() == x.sizes()) return same;
    // Where one of the v lies, if it is nobody else's.
    at::Tensor out;
    if (transposed_->takes_weights && layer_.inputs.size() == 1)
      for (auto& source : program.sources)
        if (auto v = source.of == Of::v ? operand(source) : at::Tensor(); v.defined() && v.sizes() == x.sizes() &&
                                                                          v.is_non_overlapping_and_dense() &&
                                                                          v.scalar_type() == x.scalar_type())
          out = v;
    if (!out.defined()) out = at::empty_like(x);
    auto passed = run_program(program, {out}, shares != nullptr);
    if (shares && layer_.inputs.size() == 1) shares->below = passed.of_outputs[0];
    return out;
  }

  std::optional<Tensors> backward() {
    Tensors out(layer_.inputs.size());
    for (input_ = 0; input_ < out.size(); ++input_) {
      auto& x = layer_.inputs[input_];
      if (!layer_.gets_relevance[input_]) continue;
      if (x.sizes() != R_.sizes() || x.scalar_type() != R_.scalar_type()) return {};
      out[input_] = untouched(plan_.relevance);
      if (out[input_].defined() && out[input_].sizes() == x.sizes()) continue;
      out[input_] = at::empty_like(R_);
      for (auto& source : plan_.relevance.sources)
        if (!operand(source).defined()) return {};
      run_program(plan_.relevance, {out[input_]});
    }
    return out;
  }

  const language::BoundRule& bound_;
  plan::CompiledRule& compiled_;
  const Plan& plan_;
  const layering::Transposed* transposed_;
  const Layer& layer_;
  const at::Tensor& R_;
  at::Tensor own_output_;
  Tensors y_, stacked_y_, gammas_;
  std::vector<Tensors> v_;
  struct Reduced {
    std::size_t index, input;
    at::Tensor value;
  };
  std::vector<Reduced> reduced_;
  std::size_t input_ = 0;
};

// Whether a layer with weights has a matrix of them, or a kernel, and no bias but one for each output: what can be
// stacked along the outputs.
bool has_plain_parameters(const Layer& layer, const at::Tensor& R) {
  bool is_linear = layer.operation->kind->name == "linear";
  return std::all_of(layer.parameters.begin(), layer.parameters.end(), [&](auto& each) {
    auto& [name, w] = each;
    if (name != "bias") return is_linear ? w.dim() == 2 : w.dim() > 2;
    return R.dim() > 0 && w.dim() == 1 && w.size(0) == R.size(layering::output_dimension(*layer.operation, R));
  });
}

// By what a sum multiplies its inputs; empty for everything else.
std::vector<double> factors_of(const layering::Transposed* transposed, const layering::Operation& operation) {
  if (!transposed || operation.kind->name != "add") return {};
  auto factors = operation.coefficient.value.to(at::kCPU, at::kDouble);
  std::vector<double> out{factors.const_data_ptr<double>(), factors.const_data_ptr<double>() + factors.numel()};
  // Others are rounded otherwise by LibTorch, which fuses product and sum.
  bool rounds_alike = std::all_of(out.begin(), out.end(), [](double each) { return std::abs(each) == 1; });
  return rounds_alike ? out : std::vector<double>();
}

class PlanExecution : public Execution {
 public:
  PlanExecution(const language::BoundRule& rule, const layering::Operation& operation)
      : rule_(rule),
        compiled_(plan::CompiledRule::of(rule)),
        reference_(reference().compile(rule, operation)),
        transposed_(rule.rule->terms.empty() ? nullptr : layering::find_transposed(operation)),
        can_be_stacked_(transposed_ && layering::can_be_stacked(*transposed_, operation)),
        factors_(factors_of(transposed_, operation)) {}

  void check_fit(const Layer& layer, at::IntArrayRef output_shape) const override {
    reference_->check_fit(layer, output_shape);
  }
  bool needs_output() const override {
    plan::Facts facts{.has_transposed = transposed_ != nullptr,
                      .needs_output = transposed_ && transposed_->needs_output,
                      .factors = factors_};
    return plan::needs_output(rule_, facts);
  }
  bool needs_inputs() const override { return compiled_->uses_inputs; }
  at::Tensor forward(const Layer& layer) const override { return reference_->forward(layer); }
  std::vector<at::Tensor> differentiable_relevance(const Layer& layer, const at::Tensor& R) const override {
    return reference_->differentiable_relevance(layer, R);
  }
  std::vector<at::Tensor> gradient(const Layer& layer, const at::Tensor& R, bool differentiable) const override {
    return reference_->gradient(layer, R, differentiable);
  }

  std::vector<at::Tensor> relevance(const Layer& layer, const at::Tensor& R, Shares* shares) const override {
    {
      at::NoGradGuard no_grad;
      at::AutoDispatchBelowADInplaceOrView below;
      if (auto found = planned(layer, R, shares)) return std::move(*found);
    }
    if (shares) *shares = {};
    return reference_->relevance(layer, R, shares);
  }

 private:
  std::optional<Tensors> planned(const Layer& layer, const at::Tensor& R, Shares* shares) const {
    auto type = R.scalar_type();
    bool alike = at::isFloatingType(type) && R.layout() == at::kStrided &&
                 (!layer.output.defined() || layer.output.scalar_type() == type);
    for (auto& x : layer.inputs)
      alike = alike && x.scalar_type() == type && x.device() == R.device() && x.layout() == at::kStrided;
    for (auto& [name, w] : layer.parameters) alike = alike && w.defined() && w.scalar_type() == type;
    auto gets = receivers(layer);
    // What a bias took is known of layers with weights only.
    bool biased = !layer.parameters.empty() && layer.parameters.back().first == "bias" && transposed_ &&
                  !transposed_->takes_weights;
    if (!alike || (shares && (gets != layer.inputs.size() || biased))) return {};
    plan::Facts facts{.has_transposed = transposed_ != nullptr,
                      .takes_weights = transposed_ && transposed_->takes_weights,
                      .can_be_stacked = can_be_stacked_,
                      .needs_output = transposed_ && transposed_->needs_output,
                      .inputs = layer.inputs.size(),
                      .receivers = gets};
    if (facts.takes_weights && !has_plain_parameters(layer, R)) return {};
    for (auto& [name, w] : layer.parameters) facts.parameters.push_back(name);
    facts.x_is_not_negative =
        facts.takes_weights && compiled_->looks_at_signs && plan::never_negative(layer.inputs.front());
    if (gets == layer.inputs.size() &&
        std::all_of(layer.inputs.begin(), layer.inputs.end(), [&](auto& x) { return x.sizes() == R.sizes(); }))
      facts.factors = factors_;
    auto& plan = compiled_->plan(rule_, facts);
    if (!plan.obstacle.empty()) return {};
    return Run(rule_, *compiled_, plan, transposed_, layer, R).run(shares);
  }

  const language::BoundRule& rule_;
  std::shared_ptr<plan::CompiledRule> compiled_;
  std::shared_ptr<const Execution> reference_;
  const layering::Transposed* transposed_;
  bool can_be_stacked_;
  std::vector<double> factors_;  // of a sum
};

class PlanEvaluator : public Evaluator {
 public:
  std::string_view name() const override { return "plan"; }
  std::shared_ptr<const Execution> compile(const language::BoundRule& rule,
                                           const layering::Operation& operation) const override {
    return std::make_shared<PlanExecution>(rule, operation);
  }
};

}  // namespace

const Evaluator& planner() {
  static const PlanEvaluator evaluator;
  return evaluator;
}

}  // namespace ascribe::evaluate
