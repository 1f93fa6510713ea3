// Rules on single layers, by every evaluator that there is: all have to say the same.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "ascribe/pack.hpp"
#include "interpreter/evaluate/evaluator.hpp"
#include "tests/catch.hpp"

namespace test {
using namespace ascribe;

/// Throws where the rule does not fit the layer.
inline void check_fit(const language::BoundRule& rule, const evaluate::Layer& layer, at::IntArrayRef output_shape) {
  for (auto* evaluator : evaluate::evaluators())
    evaluator->compile(rule, *layer.operation)->check_fit(layer, output_shape);
}

/// What goes on in the place of the layer's output.
inline at::Tensor forward(const language::BoundRule& rule, const evaluate::Layer& layer) {
  auto out = evaluate::reference().compile(rule, *layer.operation)->forward(layer);
  for (auto* evaluator : evaluate::evaluators())
    CHECK(at::equal(evaluator->compile(rule, *layer.operation)->forward(layer), out));
  return out;
}

/// How far other evaluators may be from it: 1e-12 (float32: 1e-6) of its largest finite magnitude.
inline double tolerance(const at::Tensor& reference) {
  auto finite = reference.masked_select(reference.isfinite());
  auto largest = finite.numel() == 0 ? 0 : finite.abs().max().item<double>();
  return (reference.scalar_type() == at::kDouble ? 1e-12 : 1e-6) * largest;
}

/// The relevance of every input by the reference; the others have to agree, to 1e-12 of the largest magnitude.
inline std::vector<at::Tensor> relevance(const language::BoundRule& rule, const evaluate::Layer& layer,
                                         const at::Tensor& R) {
  auto out = evaluate::reference().compile(rule, *layer.operation)->relevance(layer, R);
  for (auto* evaluator : evaluate::evaluators()) {
    if (evaluator == &evaluate::reference()) continue;
    auto other = evaluator->compile(rule, *layer.operation)->relevance(layer, R);
    INFO("evaluator " << evaluator->name());
    for (std::size_t i = 0; i < out.size(); ++i) {
      REQUIRE(other.at(i).defined() == out[i].defined());
      if (!out[i].defined() || out[i].numel() == 0) continue;
      CHECK(at::allclose(other[i], out[i], 0, tolerance(out[i]), /*equal_nan=*/true));
    }
  }
  return out;
}

/// A relevance that attached rules give, by each evaluator; all have to agree. `run` attaches, and gives a tensor.
template <typename Run>
at::Tensor by_each_evaluator(const Run& run) {
  at::Tensor out;
  for (auto* evaluator : evaluate::evaluators()) {
    evaluate::UsingEvaluator using_it(*evaluator);
    auto found = run();
    INFO("evaluator " << evaluator->name());
    if (out.defined()) CHECK(at::allclose(found, out, 0, tolerance(out), /*equal_nan=*/true));
    out = found;
  }
  return out;
}

}  // namespace test
