// Drawn cases: each rule of the standard pack on each kind of layer, in float32 and float64, on layers, inputs and
// arguments that chance made. What the rule does when it is attached to a model of that layer is compared with what the
// reference evaluator makes of the layer alone.
//
// Every case has a name, `zplus conv2d float32 17`, which is the seed of all that is drawn for it; a failure prints it.
//     ASCRIBE_DRAWN_CASE='zplus conv2d float32 17' drawn_tests        that case again, and described
//     ASCRIBE_DRAWN_SEED=1000 drawn_tests                             other cases: their numbers begin there
//     ASCRIBE_DRAWN_SECONDS=60 drawn_tests                            as many as there is time for, in any order
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <set>
#include <tuple>

#include "ascribe/attach.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/kinds.hpp"
#include "tests/catch.hpp"
#include "tests/drawn/kinds.hpp"
#include "tests/drawn/rules.hpp"
#include "tests/evaluators.hpp"

namespace ascribe::drawn {
namespace {

// Layers this small are done before a second thread has woken up.
const bool single_threaded = (at::set_num_threads(1), true);

// What a type is compared with, and by. Relevance in float32 is compared with the reference in double precision, on the
// same numbers: what the reference itself makes of float32 would hide what evaluators share. That asks for cases in
// which nothing magnifies rounding. So each case is worked out once more with all numbers, and the layer's outputs, off
// by a few units in the last place; and by the reference in the model's type, for what is rounded on the way (the
// gradient of a saturated tanh, 1 - y²). It is drawn anew where either comes to a quarter of the tolerance. Such draws
// are few, and the test counts them: a reference that is wrong in float32 would have no other.
struct Type {
  const char* name;
  at::ScalarType type;
  double tolerance, unit;
};
const Type types[] = {{"float64", at::kDouble, 1e-10, 0x1p-52}, {"float32", at::kFloat, 1e-4, 0x1p-23}};
constexpr double units = 3;

const Type& type_named(const std::string& name) { return name == types[0].name ? types[0] : types[1]; }

// max |a - b| / max(1, max |b|), over what is finite; infinite where one is finite and the other is not, or they are
// infinite in different ways. (ε = 0 is drawn, too, and R / 0 is not repaired.)
double difference(const at::Tensor& a, const at::Tensor& b) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (a.defined() != b.defined()) return infinite;
  if (!a.defined()) return 0;
  if (a.sizes() != b.sizes()) return infinite;
  auto found = a.to(at::kDouble), wanted = b.to(at::kDouble);
  if (!at::equal(found.isnan(), wanted.isnan())) return infinite;
  auto finite = wanted.isfinite();
  if (!at::equal(found.isfinite(), finite)) return infinite;
  auto infinite_ones = wanted.isinf();
  if (!at::equal(found.masked_select(infinite_ones), wanted.masked_select(infinite_ones))) return infinite;
  found = found.masked_select(finite);
  wanted = wanted.masked_select(finite);
  if (wanted.numel() == 0) return 0;
  return (found - wanted).abs().max().item<double>() / std::max(1.0, wanted.abs().max().item<double>());
}

double difference(const Tensors& a, const Tensors& b) {
  double out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) out = std::max(out, difference(a[i], b[i]));
  return out;
}

// Relevance of the inputs, or why there is none.
struct Outcome {
  Tensors relevance;
  std::string refused{};  ///< a code
};

// In double precision, of numbers that the type holds.
struct Values {
  Tensors x, theta;
  at::Tensor R;  ///< undefined: the output
};

struct Case {
  std::string name, rule, kind;
  const Type* type;
};

struct Drawn {
  Layer layer;
  DrawnRule rule;
  Values values;
  Tensors leaves;  ///< as the model gets its inputs: of the type, in any memory format
  at::Tensor R;    ///< as the backward pass gets it
  at::Tensor y;
  std::string shown;
};

// The same numbers in other places of the memory.
at::Tensor laid_out(Draw& draw, const at::Tensor& tensor) {
  auto rank = tensor.dim();
  switch (draw.integer(0, 5)) {
    case 0:
      if (rank == 4) return tensor.contiguous(at::MemoryFormat::ChannelsLast);
      if (rank == 5) return tensor.contiguous(at::MemoryFormat::ChannelsLast3d);
      [[fallthrough]];
    case 1: {
      auto a = draw.integer(0, rank - 1), b = draw.integer(0, rank - 1);
      return tensor.transpose(a, b).contiguous().transpose(a, b);
    }
    case 2:  // every second number of a larger tensor, and not from its beginning
      return at::stack({at::full_like(tensor, 1e3), tensor}, -1).select(-1, 1);
    default:
      return tensor;
  }
}

at::Tensor input(Draw& draw, const Shape& shape) {
  auto x = draw.normal(shape);
  if (draw.chance(0.3)) x = x.clamp_min(0);  // as after a ReLU
  if (draw.chance(0.3)) x = draw.with_zeros(x, 0.3);
  if (draw.chance(0.05)) x[0].zero_();
  if (draw.chance(0.1)) x = x * 10;
  return x;
}

Drawn drawn(const Case& each, Draw& draw, const Kind& kind) {
  Source source{draw, each.type->type};
  auto layer = kind.draw(source);
  auto to_type = [&](const at::Tensor& t) { return t.to(each.type->type); };
  Values values;
  Tensors leaves;
  for (auto& shape : layer.shapes) {
    auto x = to_type(input(draw, shape));
    leaves.push_back(laid_out(draw, x).detach());
    values.x.push_back(x.to(at::kDouble));
  }
  for (auto& [name, parameter] : layer.parameters) values.theta.push_back(parameter);
  auto all = values.x;
  all.insert(all.end(), layer.constants.begin(), layer.constants.end());
  auto y = layer.apply(all, values.theta);
  at::Tensor R;
  if (draw.chance(0.6)) {
    R = to_type(draw.chance(0.2) ? draw.with_zeros(draw.normal(y.sizes()), 0.3) : draw.normal(y.sizes()));
    values.R = R.to(at::kDouble);
    R = laid_out(draw, R);
  }
  std::optional<Shape> weight;
  if (!layer.parameters.empty()) weight = layer.parameters.front().second.sizes().vec();
  auto rule = rule_of(ArgumentDraw(draw, {layer.shapes, y.sizes().vec(), weight}).call(definition_of(each.rule)));
  auto shown = fmt::format("{}\n{}\n", rule.call, layer.shown);
  for (auto& leaf : leaves) shown += fmt::format("x {}, strides {}\n", leaf.sizes().vec(), leaf.strides().vec());
  shown += fmt::format("y {}, R {}", y.sizes().vec(), R.defined() ? "drawn" : "is y");
  return {std::move(layer), std::move(rule), std::move(values), std::move(leaves), R, y, std::move(shown)};
}

// ---------------------------------------------------------------------------------------------------- the two outcomes

Outcome by_reference(const Drawn& it, const Values& values, const Function& apply) {
  auto operation = std::make_shared<layering::Operation>(*layering::as_operation(apply));
  if (it.layer.shown == "a @ b")
    operation->kind = language::find_kind("matmul");  // whose elements do not belong together
  evaluate::Layer layer{operation, values.x, std::vector<bool>(values.x.size(), true), {}, {}};
  for (auto& constant : it.layer.constants) layer.inputs.push_back(constant.to(values.x[0].scalar_type()));
  layer.gets_relevance.resize(layer.inputs.size(), false);
  for (std::size_t i = 0; i < values.theta.size(); ++i)
    layer.parameters.emplace_back(it.layer.parameters[i].first, values.theta[i]);
  {
    at::NoGradGuard no_grad;
    layer.output = apply(layer.inputs, values.theta);
  }
  try {
    auto& bound = Inside::bound(it.rule.rule);
    auto execution = evaluate::reference().compile(bound, *layer.operation);
    execution->check_fit(layer, layer.output.sizes());
    auto out = execution->relevance(layer, values.R.defined() ? values.R : layer.output);
    out.resize(values.x.size());
    return {std::move(out)};
  } catch (const Error& error) {
    return {{}, code_name(error.diagnostics().at(0).code)};
  }
}

// f as the rule sees it: what uses the layer's own gradient sees what it computes.
Function function_of(const Drawn& it, const Values& values) {
  if (!it.layer.held || Inside::bound(it.rule.rule).rule->uses_gradient) return it.layer.apply;
  return [held = it.layer.held, own = values.x[0]](const Tensors& x, const Tensors& theta) {
    return held(x[0], theta, own);
  };
}

Outcome by_reference(const Drawn& it) { return by_reference(it, it.values, function_of(it, it.values)); }

// With everything off by a few units in the last place; what is 0 stays 0.
Outcome by_reference_with_rounding(const Drawn& it, Draw& draw, double size) {
  auto off = [&](const at::Tensor& t) { return t.defined() ? t * (1 + size * draw.uniform(t.sizes())) : t; };
  Values values;
  for (auto& x : it.values.x) values.x.push_back(off(x));
  for (auto& w : it.values.theta) values.theta.push_back(off(w));
  values.R = off(it.values.R);
  auto apply = [&, f = function_of(it, values)](const Tensors& x, const Tensors& theta) {
    auto y = f(x, theta);
    at::NoGradGuard no_grad;
    auto rounding = size * draw.uniform(y.sizes()) * (1 + y.abs()) * (y != 0);
    at::AutoGradMode record(true);
    return y + rounding;
  };
  return by_reference(it, values, apply);
}

// In the type of the model, on the very tensors that it gets.
Outcome by_reference_in_its_type(const Drawn& it) {
  Values values{it.leaves, it.values.theta, it.R};
  for (auto& each : values.theta) each = each.to(it.leaves[0].scalar_type());
  return by_reference(it, values, function_of(it, values));
}

// Whether rounding alone comes near to the tolerance.
bool magnifies_rounding(const Drawn& it, const Type& type, const Outcome& exact, Draw& draw) {
  auto differs = [&](const Outcome& near) {
    return near.refused != exact.refused || !(difference(near.relevance, exact.relevance) <= type.tolerance / 4);
  };
  for (int i = 0; i < 2; ++i)
    if (differs(by_reference_with_rounding(it, draw, units * type.unit))) return true;
  return differs(by_reference_in_its_type(it));
}

// As a user would.
Outcome by_attachment(const Drawn& it, const evaluate::Evaluator& evaluator, std::vector<LayerReport>& report) {
  evaluate::UsingEvaluator using_it(evaluator);
  Tensors leaves, inputs;
  for (auto& leaf : it.leaves) {
    leaves.push_back(leaf.detach().requires_grad_());
    // What a model writes into is no leaf.
    inputs.push_back(it.layer.in_place ? leaves.back().clone() : leaves.back());
  }
  try {
    auto attached = attach(it.rule.everywhere, *it.layer.model);
    auto y = it.layer.model->forward(inputs);
    report = attached.report();
    attached.remove();
    return {torch::autograd::grad({y}, leaves, {it.R.defined() ? it.R : y.detach()})};
  } catch (const Error& error) {
    return {{}, code_name(error.diagnostics().at(0).code)};
  }
}

// ----------------------------------------------------------------------------------------------------------- the cases

struct Tally {
  std::size_t cases = 0, refused = 0, drawn_anew = 0, failures = 0;
  std::set<std::tuple<std::string, std::string, std::string>> reached;  // rule, kind, type
  std::set<std::string> served;                                         // rules that fitted a layer
  double largest[2] = {0, 0}, apart[2] = {0, 0};
};

// Other evaluators give what the reference gives on the very same tensors, and NaN and infinity where it does: within
// this much, or what the reference itself is off by on this machine, whose kernels round in their own ways.
constexpr double between_evaluators[] = {1e-12, 1e-6};

double largest_magnitude(const at::Tensor& tensor) {
  auto finite = tensor.masked_select(tensor.isfinite()).abs();
  return finite.numel() == 0 ? 0 : finite.max().item<double>();
}

// In relation to the largest relevance, be it of the output: where all of it cancels, what is left is rounding.
double largest_difference(const Tensors& a, const Tensors& b, const at::Tensor& R) {
  double out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto largest = std::max(largest_magnitude(b[i]), largest_magnitude(R));
    out = std::max(out, difference(a[i] / largest, b[i] / largest));
  }
  return out;
}

// One case by one evaluator, against the reference on the layer alone, and attached.
void check(const Drawn& it, const Case& each, const evaluate::Evaluator& evaluator, const Outcome& wanted,
           Outcome& by_attached_reference, Tally& tally, bool tell) {
  INFO("evaluator " << evaluator.name());
  auto& type = *each.type;
  std::vector<LayerReport> report;
  auto found = by_attachment(it, evaluator, report);
  if (by_attached_reference.relevance.empty()) by_attached_reference = found;
  if (found.refused.empty() && by_attached_reference.refused.empty()) {
    auto& start = it.R.defined() ? it.R : it.y;
    auto apart = largest_difference(found.relevance, by_attached_reference.relevance, start);
    auto bound = between_evaluators[type.type == at::kFloat];
    if (wanted.refused.empty() && type.type == at::kFloat)
      bound = std::max(bound, largest_difference(by_attached_reference.relevance, wanted.relevance, start));
    if (tell) fmt::print("{} and reference: difference {}\n", evaluator.name(), apart);
    tally.apart[type.type == at::kFloat] = std::max(tally.apart[type.type == at::kFloat], apart);
    CHECK(apart <= bound);
    tally.failures += !(apart <= bound);
  }
  CHECK(found.refused == wanted.refused);
  if (!wanted.refused.empty() || !found.refused.empty()) {
    tally.failures += found.refused != wanted.refused;
    return;
  }
  tally.served.insert(each.rule);
  auto off = difference(found.relevance, wanted.relevance);
  if (tell) fmt::print("difference {}\n", off);
  tally.largest[type.type == at::kFloat] = std::max(tally.largest[type.type == at::kFloat], off);
  CHECK(off <= type.tolerance);
  // It was this rule, on a layer of this kind, and on nothing else.
  auto rows = report.size();
  CHECK(rows == 1);
  bool served = rows == 1 && (report[0].kind == each.kind || each.kind == "operator") &&
                report[0].rule.starts_with(definition_of(each.rule).name);
  CHECK(served);
  tally.failures += !(off <= type.tolerance) || !served;
}

void run(const Case& each, const Kind& kind, Tally& tally, bool tell) {
  INFO("once more: ASCRIBE_DRAWN_CASE='" << each.name << "' drawn_tests");
  Draw draw(each.name);
  constexpr int attempts = 200;
  auto& type = *each.type;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    auto it = drawn(each, draw, kind);
    auto wanted = by_reference(it);
    if (wanted.refused.empty() && magnifies_rounding(it, type, wanted, draw)) {
      ++tally.drawn_anew;
      continue;
    }
    INFO(it.shown);
    if (tell) {
      fmt::print("{}\n", it.shown);
      std::fflush(stdout);  // the case may end the program
    }
    ++tally.cases;
    tally.reached.emplace(each.rule, each.kind, type.name);
    tally.refused += !wanted.refused.empty();
    Outcome by_attached_reference;
    for (auto* evaluator : evaluate::evaluators())
      check(it, each, *evaluator, wanted, by_attached_reference, tally, tell);
    return;
  }
  FAIL_CHECK("no draw of this case is free of magnified rounding");
  ++tally.failures;
}

std::string setting(const char* name) {
  auto* value = std::getenv(name);
  return value ? value : "";
}

Case case_of(const std::string& rule, const std::string& kind, const Type& type, std::uint64_t number) {
  return {fmt::format("{} {} {} {}", rule, kind, type.name, number), rule, kind, &type};
}

TEST_CASE("layers of every kind are drawn") {
  std::set<std::string> names;
  for (auto& kind : kinds()) names.insert(kind.name);
  for (auto& kind : language::kinds()) {
    // The one's input is indices, which get no relevance; the other's rounding grows beyond all bounds near zero.
    if (kind.name == "embedding" || kind.name == "statistic") continue;
    INFO(kind.name);
    CHECK(names.contains(std::string(kind.name)));
  }
}

TEST_CASE("attached rules equal the reference on layers that are drawn") {
  auto all_kinds = kinds();
  auto kind_named = [&](const std::string& name) -> const Kind& {
    auto found = std::find_if(all_kinds.begin(), all_kinds.end(), [&](auto& each) { return each.name == name; });
    REQUIRE(found != all_kinds.end());
    return *found;
  };
  Tally tally;
  if (auto name = setting("ASCRIBE_DRAWN_CASE"); !name.empty()) {
    std::vector<std::string> words;
    for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
      end = name.find(' ', begin);
      words.push_back(name.substr(begin, end - begin));
    }
    REQUIRE(words.size() == 4);
    run({name, words[0], words[1], &type_named(words[2])}, kind_named(words[1]), tally, true);
    return;
  }

  auto seed = setting("ASCRIBE_DRAWN_SEED"), seconds = setting("ASCRIBE_DRAWN_SECONDS");
  std::uint64_t number = seed.empty() ? 1 : std::stoull(seed);
  auto round = [&](std::uint64_t first) {
    std::vector<std::pair<Case, const Kind*>> out;
    for (auto& rule : rule_names())
      for (auto& kind : all_kinds)
        for (auto& type : types)
          for (int i = 0; i < kind.share; ++i)
            out.emplace_back(case_of(rule, kind.name, type, first + static_cast<std::uint64_t>(i)), &kind);
    return out;
  };
  constexpr std::size_t least = 2000, patience = 10;
  constexpr std::uint64_t apart = 100;  // more than any kind's share
  auto begin = std::chrono::steady_clock::now();
  auto over = [&] {
    if (tally.failures >= patience) return true;  // one mistake has shown itself often enough
    return !seconds.empty() &&
           std::chrono::steady_clock::now() - begin > std::chrono::duration<double>(std::stod(seconds));
  };
  for (; !over() && (!seconds.empty() || tally.cases < least); number += apart) {
    auto cases = round(number);
    if (!seconds.empty()) {
      Draw order(std::to_string(number));
      for (std::size_t i = cases.size(); i > 1; --i)
        std::swap(cases[i - 1], cases[static_cast<std::size_t>(order.integer(0, static_cast<std::int64_t>(i) - 1))]);
    }
    for (auto& [each, kind] : cases) {
      if (over()) break;
      run(each, *kind, tally, false);
    }
  }
  fmt::print(
      "{} cases, {} of them refused by both, {} draws left out as they magnify rounding; largest difference in "
      "float64 {:.1e}, in float32 {:.1e}; between evaluators {:.1e} and {:.1e} of the largest relevance\n",
      tally.cases, tally.refused, tally.drawn_anew, tally.largest[0], tally.largest[1], tally.apart[0], tally.apart[1]);
  CHECK(tally.failures == 0);
  if (!seconds.empty() || tally.failures > 0) return;
  CHECK(tally.cases >= least);
  CHECK(tally.drawn_anew <= tally.cases / 20);
  for (auto& rule : rule_names()) {
    INFO(rule);
    CHECK(tally.served.contains(rule));
    for (auto& kind : all_kinds)
      for (auto& type : types) {
        INFO(kind.name << " " << type.name);
        CHECK(tally.reached.contains({rule, kind.name, type.name}));
      }
  }
}

}  // namespace
}  // namespace ascribe::drawn
