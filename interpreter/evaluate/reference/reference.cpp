// The reference evaluator: what a rule means, written down as the language's section 1 has it, for any layer function,
// with autograd. It is the oracle of everything faster, so it is short and does nothing clever.
#include "interpreter/evaluate/clauses.hpp"

#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>
#include <torch/csrc/autograd/autograd.h>

#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/evaluate/reference/expression.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/holds.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/reduction.hpp"
#include "interpreter/layers/held.hpp"

namespace ascribe::evaluate {
namespace {

using language::Expression;
using language::ExpressionPointer;
using language::Quantity;
using language::this_term;

struct TermValues {
  std::vector<at::Tensor> x;        // x_k, one for each input
  at::Tensor y;                     // y_k
  std::vector<at::Tensor> v;        // v_k, one for each input
  std::vector<at::Tensor> theta{};  // θ_k
};

// Whether a layer with several inputs spreads this one over its output, element by element.
bool is_spread(const Layer& layer, std::size_t input, at::IntArrayRef output_shape) {
  return layer.inputs.size() > 1 && (!layer.operation->kind || layer.operation->kind->name != "matmul") &&
         at::is_expandable_to(layer.inputs[input].sizes(), output_shape);
}

class Evaluation {
 public:
  Evaluation(const language::BoundRule& rule, const Layer& layer, at::Tensor R, bool keeps_history = false,
             Shares* shares = nullptr)
      : bound_(rule),
        rule_(*rule.rule),
        layer_(layer),
        R_(std::move(R)),
        keeps_history_(keeps_history),
        shares_(shares) {}

  std::vector<at::Tensor> run() {
    at::AutoGradMode record(true);
    if (rule_.forward && (rule_.backward || !rule_.terms.empty())) R_ = handed_to_output();
    if (rule_.backward) return backward();
    if (rule_.terms.empty()) return gradient();
    return terms();
  }

  // That of the layer's output, or of what `forward` replaces it with.
  std::vector<at::Tensor> gradient() {
    at::AutoGradMode record(true);
    return gradient_of_layer(R_, /*replaced=*/true);
  }

  at::Tensor replaced_output(const at::Tensor& y) {
    current_.y = y;
    current_.x = layer_.inputs;
    return evaluate(rule_.forward, y, Space::output);
  }

 private:
  // x_k = input_k(x), θ_k = param_k(θ), y_k = output_k(f(x_k; θ_k)), γ_k = map_k(R; y), v_k = (∂y_k/∂x_k)ᵀ γ_k, reduce.
  std::vector<at::Tensor> terms() {
    for (auto& term : rule_.terms) {
      current_ = {};
      for (input_ = 0; input_ < layer_.inputs.size(); ++input_) {
        current_.x = layer_.inputs;
        auto x = term.input ? evaluate(term.input, layer_.inputs[input_], Space::input) : layer_.inputs[input_];
        modified_.push_back(variable(x, layer_.gets_relevance[input_]));
      }
      input_ = 0;  // what follows looks at inputs outside of this loop: x in `map`, tensors that arguments are laid on
      current_.x = std::move(modified_);
      modified_.clear();
      auto theta = parameters(term);
      current_.y = layering::run_held(*layer_.operation, current_.x, theta, layer_.inputs);
      if (term.output) current_.y = evaluate(term.output, current_.y, Space::output);
      current_.theta = std::move(theta);
      done_.push_back(std::move(current_));
    }
    auto weights = shares_ ? language::term_weights(rule_, bound_.arguments) : std::nullopt;
    if (weights) *shares_ = {.bias = 0, .stabilizer = total(R_)};
    for (std::size_t k = 0; k < rule_.terms.size(); ++k) {
      current_ = done_[k];
      auto& map = rule_.terms[k].map;
      auto gamma = plain(map ? evaluate(map, plain(current_.y), Space::output)
                             : R_ / stabilized(plain(current_.y), language::default_epsilon));
      if (weights) add_shares(rule_.terms[k], done_[k], gamma, (*weights)[k]);
      done_[k].v = vector_jacobian_product(done_[k].y, done_[k].x, gamma);
    }
    std::vector<at::Tensor> out(layer_.inputs.size());
    for (input_ = 0; input_ < out.size(); ++input_) {
      if (!layer_.gets_relevance[input_]) continue;
      if (rule_.reduce) {
        current_ = done_.front();
        out[input_] = plain(evaluate(rule_.reduce, layer_.inputs[input_], Space::input));
        continue;
      }
      for (auto& term : done_) {
        auto share = plain(term.x[input_] * term.v[input_]);
        out[input_] = out[input_].defined() ? out[input_] + share : share;
      }
    }
    return out;
  }

  // What the layer spreads over its output is spread first, and gets the sum over its copies.
  std::vector<at::Tensor> backward() {
    current_.y = layer_.output;
    if (rule_.uses_gradient) gradient_ = gradient_of_layer(R_, /*replaced=*/false);
    std::vector<at::Tensor> out(layer_.inputs.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      bool spread = rule_.keeps_shape && !rule_.uses_gradient && is_spread(layer_, i, R_.sizes());
      current_.x.push_back(spread ? layer_.inputs[i].expand_as(R_) : layer_.inputs[i]);
    }
    for (input_ = 0; input_ < out.size(); ++input_)
      if (layer_.gets_relevance[input_])
        out[input_] = at::sum_to(plain(evaluate(rule_.backward, current_.x[input_], Space::input)),
                                 layer_.inputs[input_].sizes());
    return out;
  }

  bool is_product() const {
    auto* kind = layer_.operation->kind;
    return kind && (kind->name == "matmul" || kind->name == "product");
  }

  at::Tensor other_input() const {
    auto& inputs = rule_.backward ? current_.x : layer_.inputs;
    return inputs.at(1 - input_);
  }

  // What the bias took of term k's relevance, Σ a_k γ_k (y_k − y_k without bias), constant inputs counted as bias; and
  // what is left of ΣR for the stabilizer, − Σ a_k γ_k y_k.
  void add_shares(const language::Term& term, const TermValues& values, const at::Tensor& gamma, double weight) {
    at::NoGradGuard no_grad;
    // An output of ±∞ (a masked summand) has taken nothing. Each factor of a product gets γ·y.
    auto times = is_product() ? static_cast<double>(receivers(layer_)) : 1;
    auto taken = [&](const at::Tensor& y) {
      return times * total(at::where(values.y.isinf(), at::zeros({}, gamma.options()), gamma * y));
    };
    *shares_->stabilizer -= weight * taken(values.y);
    auto x = values.x;
    auto theta = values.theta;
    bool biased = false;
    auto leave_out = [&](at::Tensor& tensor) {
      if (at::count_nonzero(tensor).item<std::int64_t>() == 0) return;
      tensor = at::zeros_like(tensor);
      biased = true;
    };
    for (std::size_t i = 0; i < theta.size(); ++i)
      if (layer_.parameters[i].first == "bias" && theta[i].defined()) leave_out(theta[i]);
    for (std::size_t i = 0; i < x.size(); ++i)
      if (!layer_.gets_relevance[i]) leave_out(x[i]);
    if (!biased) return;
    current_ = {};
    current_.x = x;
    current_.y = layering::run_held(*layer_.operation, x, theta, layer_.inputs);
    if (term.output) current_.y = evaluate(term.output, current_.y, Space::output);
    *shares_->bias += weight * taken(values.y - current_.y);
  }

  // A value without history, unless the gradient of the relevance is wanted.
  at::Tensor plain(const at::Tensor& tensor) const { return keeps_history_ ? tensor : tensor.detach(); }

  // What a gradient is taken with respect to.
  at::Tensor variable(const at::Tensor& tensor, bool wanted) const {
    if (keeps_history_ && tensor.requires_grad()) return at::alias(tensor);
    return tensor.detach().requires_grad_(wanted && tensor.is_floating_point());
  }

  std::vector<at::Tensor> gradient_of_layer(const at::Tensor& R, bool replaced) {
    std::vector<at::Tensor> x;
    for (std::size_t i = 0; i < layer_.inputs.size(); ++i)
      x.push_back(variable(layer_.inputs[i], layer_.gets_relevance[i]));
    auto y = layer_.operation->run(x, parameters({}));
    if (replaced && rule_.forward) {
      current_.y = y;
      current_.x = x;
      y = evaluate(rule_.forward, y, Space::output);
    }
    return vector_jacobian_product(y, x, R);
  }

  // With `forward`, what arrives belongs to the replacement; its gradient hands it to y.
  at::Tensor handed_to_output() {
    auto y = variable(layer_.output, true);
    auto replacement = replaced_output(y);
    return vector_jacobian_product(replacement, {y}, R_).front();
  }

  std::vector<at::Tensor> vector_jacobian_product(const at::Tensor& y, const std::vector<at::Tensor>& x,
                                                  const at::Tensor& vector) {
    std::vector<at::Tensor> wanted, out;
    for (auto& each : x)
      if (each.requires_grad()) wanted.push_back(each);
    std::vector<at::Tensor> found(wanted.size());
    if (!wanted.empty() && y.requires_grad())
      found = torch::autograd::grad({y}, wanted, {laid_out_as(y, vector)}, /*retain_graph=*/{},
                                    /*create_graph=*/keeps_history_,
                                    /*allow_unused=*/true);
    std::size_t next = 0;
    for (auto& each : x) {
      if (!each.requires_grad()) {
        out.emplace_back();
        continue;
      }
      auto& gradient = found[next++];
      out.push_back(gradient.defined() ? gradient : at::zeros_like(each));
    }
    return out;
  }

  // Batch norm and instance norm of LibTorch 2.13 take a gradient in another memory format than their output's for one
  // in the same, where dimensions of one element leave the format open (on the CPU), and answer with other elements'.
  static at::Tensor laid_out_as(const at::Tensor& y, const at::Tensor& vector) {
    if (vector.sizes() != y.sizes() || vector.strides() == y.strides()) return vector;
    return at::empty_like(y.detach()).copy_(vector);
  }

  // θ_k: for each parameter, the first clause that is for it.
  std::vector<at::Tensor> parameters(const language::Term& term) {
    std::vector<at::Tensor> out;
    for (auto& [name, w] : layer_.parameters) {
      w_ = w.detach();
      auto value = w_;  // in the same memory: an operation can tell that its coefficients are as they were
      if (auto* clause = clause_for(bound_, term, name)) {
        value = evaluate(*clause, w_, Space::param).detach();
        // A number that was spread is one number in memory; some operators read their parameters' memory as it is.
        if (!value.is_non_overlapping_and_dense()) value = value.contiguous();
      }
      out.push_back(value);
    }
    return out;
  }

  // What the space holds at `input_`, and in the output.
  layering::SamplePlace samples(Space space) const {
    auto& places = layer_.samples;
    if (space == Space::output) return places.output;
    return places.inputs.empty() ? layering::SamplePlace{} : places.inputs.at(input_);
  }

  at::Tensor evaluate(const ExpressionPointer& expression, const at::Tensor& like, Space space) {
    return evaluate(*expression, like, space);
  }
  at::Tensor evaluate(const Expression& expression, const at::Tensor& like, Space space) {
    ExpressionEvaluator evaluator(
        {.arguments = bound_.arguments,
         .quantity = [this](Quantity quantity, int term) { return this->quantity(quantity, term); },
         .like = [this](Space each) { return this->like(each); },
         .samples = [this](Space each) { return this->samples(each); },
         .inputs = static_cast<double>(receivers(layer_)),
         .parameters = rule_.parameters});
    return evaluator.evaluate_as(expression, like, space);
  }

  at::Tensor quantity(Quantity quantity, int term) const {
    auto& values = term == this_term ? current_ : done_.at(static_cast<std::size_t>(term));
    switch (quantity) {
      case Quantity::x:
        return values.x.at(input_);
      case Quantity::y:
        return values.y;
      case Quantity::v:
        return values.v.at(input_);
      case Quantity::w:
        return w_;
      case Quantity::R:
        return R_;
      case Quantity::grad:
        return gradient_.at(input_);
      case Quantity::layer_x:
        return layer_.inputs.at(input_);
      case Quantity::layer_y:
        return layer_.output;
      case Quantity::inputs:
        break;  // a number
      case Quantity::other:
        return other_input();
    }
    return {};
  }

  at::Tensor like(Space space) const {
    if (space == Space::param) return w_;
    if (space == Space::output) return R_.defined() ? R_ : layer_.output;
    return rule_.backward && !current_.x.empty() ? current_.x.at(input_) : layer_.inputs.at(input_);
  }

  const language::BoundRule& bound_;
  const language::Rule& rule_;
  const Layer& layer_;
  at::Tensor R_;
  TermValues current_;            // of the term whose clause is being evaluated
  std::vector<TermValues> done_;  // of the terms, in order
  std::vector<at::Tensor> modified_;
  std::vector<at::Tensor> gradient_;
  std::size_t input_ = 0;  // the input that `x` and `v` stand for
  at::Tensor w_;
  bool keeps_history_;
  Shares* shares_;
};

Diagnostic misfit(const language::BoundRule& rule, std::string message, Span where, std::string help) {
  return {.code = Code::rule_does_not_fit,
          .message = std::move(message),
          .primary = {rule.rule->place.source, where, ""},
          .help = std::move(help)};
}

// has("weight") and parameters, joined by and, or, not.
bool holds_for(const Expression& expression, const Layer& layer, std::span<const language::Value> arguments) {
  return language::holds(expression, [&](const Expression& inner) {
    auto* it = std::get_if<language::HasParameter>(&inner.node);
    if (!it) return language::evaluate_truth(inner, arguments);
    return std::any_of(layer.parameters.begin(), layer.parameters.end(),
                       [&](auto& each) { return each.first == it->name; });
  });
}

// `weight` and `bias` may be missing; any other name is one module's.
void check_parameter(const language::BoundRule& bound, const Layer& layer, const std::string& name, Span where) {
  if (language::is_parameter_name(name)) return;
  std::vector<std::string> known;
  for (auto& [each, value] : layer.parameters) known.push_back(each);
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  throw Error(misfit(bound, filled("the layer has no parameter \"{}\"", name), where,
                     did_you_mean(name, known, known.empty() ? "it has none" : filled("it has: {}", listed(known)))));
}

void check_rule_fits(const language::BoundRule& bound, const Layer& layer, at::IntArrayRef output_shape) {
  auto& rule = *bound.rule;
  for (auto& requirement : rule.requirements)
    if (requirement.about_layer && !holds_for(*requirement.condition, layer, bound.arguments))
      throw Error(misfit(bound, requirement.message, requirement.span, "give this layer another rule"));
  for (auto& term : rule.terms)
    for (auto& clause : term.params)
      if (auto* names = selected_names(bound, clause.selector))
        for (auto& name : *names) check_parameter(bound, layer, name, clause.value->span);
  if (rule.uses_other && layer.inputs.size() != 2)
    throw Error(misfit(bound, filled("`other` is the other of two inputs, and this layer has {}", layer.inputs.size()),
                       (rule.backward ? rule.backward : rule.reduce)->span, "give this layer a rule without `other`"));
  if (rule.uses_other && !at::are_expandable(layer.inputs[0].sizes(), layer.inputs[1].sizes()))
    throw Error(misfit(bound,
                       filled("`other` has the shape {}, and x {}", shown_shape(layer.inputs[1].sizes()),
                              shown_shape(layer.inputs[0].sizes())),
                       (rule.backward ? rule.backward : rule.reduce)->span, "give this layer a rule without `other`"));
  if (!rule.backward) return;
  if (receivers(layer) > 1 && !rule.backward_per_input)
    throw Error(misfit(bound, "it would hand each of several inputs the whole relevance", rule.backward->span,
                       "divide by how many there are: `R / inputs`"));
  for (std::size_t i = 0; i < layer.inputs.size(); ++i)
    if (rule.keeps_shape && layer.gets_relevance[i] && layer.inputs[i].sizes() != output_shape &&
        (rule.uses_gradient || !is_spread(layer, i, output_shape)))
      throw Error(misfit(bound, "`backward` mixes input and output, but the layer does not keep its shape",
                         rule.backward->span, "use terms, or give this layer another rule"));
  if (rule.keeps_shape && layer.operation->kind && layer.operation->kind->name == "matmul")
    throw Error(misfit(bound, "`backward` mixes input and output, whose elements do not belong together in a matmul",
                       rule.backward->span, "use terms: `map = R / stabilize(inputs * y)`"));
}

class ReferenceExecution : public Execution {
 public:
  explicit ReferenceExecution(const language::BoundRule& rule) : rule_(rule) {}
  void check_fit(const Layer& layer, at::IntArrayRef output_shape) const override {
    check_rule_fits(rule_, layer, output_shape);
  }
  bool needs_output() const override { return rule_.rule->uses_layer_output; }
  bool needs_inputs() const override { return true; }
  at::Tensor forward(const Layer& layer) const override {
    return rule_.rule->forward ? Evaluation(rule_, layer, {}).replaced_output(layer.output) : layer.output;
  }
  std::vector<at::Tensor> relevance(const Layer& layer, const at::Tensor& R, Shares* shares) const override {
    return Evaluation(rule_, layer, R, /*keeps_history=*/false, shares).run();
  }
  std::vector<at::Tensor> differentiable_relevance(const Layer& layer, const at::Tensor& R) const override {
    return Evaluation(rule_, layer, R, /*keeps_history=*/true).run();
  }
  std::vector<at::Tensor> gradient(const Layer& layer, const at::Tensor& R, bool differentiable) const override {
    return Evaluation(rule_, layer, R, differentiable).gradient();
  }

 private:
  const language::BoundRule& rule_;
};

class ReferenceEvaluator : public Evaluator {
 public:
  std::string_view name() const override { return "reference"; }
  std::shared_ptr<const Execution> compile(const language::BoundRule& rule, const layering::Operation&) const override {
    return std::make_shared<ReferenceExecution>(rule);
  }
};

}  // namespace

const Evaluator& reference() {
  static const ReferenceEvaluator evaluator;
  return evaluator;
}

}  // namespace ascribe::evaluate
