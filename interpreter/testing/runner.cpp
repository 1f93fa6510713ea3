#include "interpreter/testing/runner.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <chrono>
#include <optional>

#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/attach/attachment.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/testing/built_model.hpp"
#include "interpreter/testing/comparison.hpp"
#include "interpreter/testing/evaluation.hpp"

namespace ascribe::testing {
namespace {

using namespace language;
using evaluate::ExpressionEvaluator;
using evaluate::Operand;

class TestRun {
 public:
  explicit TestRun(const Test& test) : test_(test) {}

  void run(std::vector<Diagnostic>& failures) {
    if (!guarded(failures, [&] { prepare(); })) return;
    for (auto& expectation : test_.expectations) {
      if (!expectation.condition) continue;  // the checker has refused it, as expected
      if (expectation.fails)
        expect_failure(expectation, failures);
      else
        guarded(failures, [&] { expect(*expectation.condition, failures); });
    }
  }

 private:
  Label label(Span span, std::string text = "") const { return {test_.place.source, span, std::move(text)}; }

  // Whether it went through; otherwise the failure is in the list, with a place inside the test.
  template <typename Step>
  bool guarded(std::vector<Diagnostic>& failures, Step step) {
    try {
      step();
      return true;
    } catch (const Error& error) {
      for (auto& each : error.diagnostics()) failures.push_back(each);
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& failure) {
      failures.push_back({.code = Code::model_failed, .message = libtorch::reason(failure)});
    }
    // What is wrong may stand elsewhere, in the rule; that this test has met it, stands here.
    if (auto& last = failures.back(); !last.primary.source)
      last.primary = label(here_);
    else if (last.primary.source != test_.place.source || last.primary.span.begin < test_.place.span.begin ||
             last.primary.span.begin >= test_.place.span.end)
      last.others.push_back(label(here_, "met by this test"));
    return false;
  }

  void prepare() {
    std::vector<LayerDescription> layers;
    for (auto& written : test_.model) {
      here_ = written.span;
      layers.push_back(evaluation_.layer(written));
    }
    model_.emplace(layers);
    here_ = test_.x->span;
    x_ = as_tensor(evaluation_.evaluate(*test_.x));
    if (x_.dim() == 0)
      throw Error({.code = Code::wrong_input,
                   .message = "the input is a number, not a tensor with a batch",
                   .help = "write `x = [[1]]`: one sample with one value"});
    here_ = test_.model.front().span;
    {
      at::NoGradGuard no_grad;
      y_ = model_->forward(x_);
    }
    if (!test_.R) return;
    here_ = test_.R->span;
    R_ = start(evaluation_.evaluate(*test_.R));
  }

  at::Tensor start(const Operand& operand) const {
    if (auto* number = std::get_if<double>(&operand.value)) return at::full_like(y_, *number);
    auto& given = std::get<at::Tensor>(operand.value);
    if (given.sizes() != y_.sizes())
      throw Error({.code = Code::bad_target,
                   .message = filled("R has the shape {}, the model's output {}", shown_shape(given.sizes()),
                                     shown_shape(y_.sizes())),
                   .help = "give one value for each output, or one number for all"});
    return given;
  }

  at::Tensor quantity(Quantity quantity) const {
    return quantity == Quantity::x ? x_ : quantity == Quantity::y || !R_.defined() ? y_ : R_;
  }

  // -------------------------------------------------------------------------------------------------- relevance

  at::Tensor relevance(const ascribe::Composite& rules) const {
    attaching::refuse_module_entries(Inside::bound(rules));
    auto names = std::make_shared<libtorch::ParameterNames>();
    for (auto& [name, parameter] : model_->parameters()) names->add(name, parameter);
    auto leaf = x_.detach().clone().requires_grad_();
    at::AutoGradMode record(true);
    auto attached = Inside::make<Attachment>(attaching::make_state(rules, std::move(names), {.has_input = true}));
    auto y = model_->forward(leaf);
    attached.remove();
    auto R = R_.defined() ? R_ : y.detach().clone();
    if (R.sizes() != y.sizes())
      throw Error({.code = Code::bad_target,
                   .message = filled("R has the shape {}, the model's output {}", shown_shape(R.sizes()),
                                     shown_shape(y.sizes())),
                   .help = "give one value for each output"});
    if (!y.requires_grad()) return at::zeros_like(x_);
    auto found = torch::autograd::grad({y}, {leaf}, {R}, {}, false, /*allow_unused=*/true).front();
    return found.defined() ? found.detach() : at::zeros_like(x_);
  }

  // ----------------------------------------------------------------------------------------------- expectations

  void expect(const Expression& condition, std::vector<Diagnostic>& failures) {
    here_ = condition.span;
    auto evaluation = evaluation_.evaluator();
    if (evaluation.holds(condition)) return;
    auto& part = failing_part(condition, evaluation);
    Diagnostic diagnostic{
        .code = Code::expectation_failed, .message = "the expectation does not hold", .primary = label(part.span)};
    if (auto* comparison = std::get_if<Comparison>(&part.node)) {
      auto left = evaluation.evaluate(*comparison->left), right = evaluation.evaluate(*comparison->right);
      diagnostic.note = describe_difference(*comparison, left, right);
    }
    failures.push_back(std::move(diagnostic));
  }

  // Of `a and b`, the first that does not hold.
  static const Expression& failing_part(const Expression& condition, ExpressionEvaluator& evaluation) {
    if (auto* let = std::get_if<LetReference>(&condition.node)) return failing_part(*let->value, evaluation);
    auto* chain = std::get_if<Chain>(&condition.node);
    if (!chain || chain->operators.front() != Operator::logical_and) return condition;
    for (auto& operand : chain->operands)
      if (!evaluation.holds(*operand)) return failing_part(*operand, evaluation);
    return condition;
  }

  void expect_failure(const Expectation& expectation, std::vector<Diagnostic>& failures) {
    here_ = expectation.condition->span;
    std::vector<Diagnostic> found;
    auto wanted = code_name(*expectation.fails);
    bool failed = !guarded(found, [&] { evaluation_.evaluate(*expectation.condition); });
    if (failed && found.front().code == *expectation.fails) return;
    Diagnostic diagnostic{.code = Code::expectation_failed,
                          .message = filled("{} is expected, and nothing failed", wanted),
                          .primary = label(here_)};
    if (failed) {
      diagnostic.message = filled("{} is expected, {} came", wanted, code_name(found.front().code));
      diagnostic.note = found.front().message;
    }
    failures.push_back(std::move(diagnostic));
  }

  const Test& test_;
  Evaluation evaluation_{{.source = test_.place.source,
                          .quantity = [this](Quantity each) { return quantity(each); },
                          .relevance = [this](const ascribe::Composite& rules) { return relevance(rules); },
                          .only_kind = [this] { return model_->only_kind(); }}};
  std::optional<BuiltModel> model_;
  at::Tensor x_, y_, R_;
  Span here_;  // what is being evaluated
};

}  // namespace

TestResult run(const std::shared_ptr<const Test>& test) {
  TestResult out{test, {}};
  auto begin = std::chrono::steady_clock::now();
  TestRun(*test).run(out.failures);
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return out;
}

}  // namespace ascribe::testing
