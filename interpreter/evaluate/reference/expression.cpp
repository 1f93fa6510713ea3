#include "interpreter/evaluate/reference/expression.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>

#include "grammar/error.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/overloaded.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/evaluate/reference/builtins.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/holds.hpp"

namespace ascribe::evaluate {
namespace {

using namespace language;

// The dimensions of a reduction, counted from the front.
std::vector<std::int64_t> counted_dimensions(const BuiltinCall& node, const at::Tensor& t, Space space) {
  auto dimensions = node.dimensions;
  for (auto& d : dimensions) {
    auto counted = d < 0 ? d + t.dim() : d;
    if (counted < 0 || counted >= t.dim() || (counted == 0 && space != Space::param))
      throw Error({.code = Code::rule_does_not_fit,
                   .message = filled("`{}` over dimension {} of a tensor of shape {}", info(node.builtin).name, d,
                                     shown_shape(t.sizes())),
                   .help = counted == 0 ? "dimension 0 is the batch: no sample influences another"
                                        : "the tensor has no such dimension"});
    if (std::find(node.dimensions.begin(), node.dimensions.end(), counted) != node.dimensions.end() && d != counted)
      throw Error({.code = Code::rule_does_not_fit,
                   .message = filled("`{}` names dimension {} of a tensor of shape {} twice", info(node.builtin).name,
                                     counted, shown_shape(t.sizes())),
                   .help = "name each dimension once"});
    d = counted;
  }
  return dimensions;
}

ExpressionPointer constant(Constant number) { return std::make_shared<const Expression>(Expression{number, {}}); }

}  // namespace

at::Tensor laid_on(const Array& array, const at::Tensor& like, Space space, const std::string& name) {
  auto shape = array.shape;
  auto rank = static_cast<std::size_t>(like.dim());
  auto refuse = [&] {
    throw Error({.code = Code::rule_does_not_fit,
                 .message = filled("`{}` has the shape {}, which does not fit {} of shape {}", name,
                                   shown_shape(array.shape), language::describe(space), shown_shape(like.sizes())),
                 .help = space == Space::param
                             ? "a tensor for a parameter has the parameter's shape"
                             : "give one value per channel, one per element of a sample, or a shape that broadcasts"});
  };
  if (space == Space::param) {
    if (at::IntArrayRef(shape) != like.sizes()) refuse();
  } else {
    if (shape.size() > rank) refuse();
    if (shape.size() < rank) {  // laid on one sample, from the front
      shape.insert(shape.begin(), 1);
      shape.resize(rank, 1);
    }
    for (std::size_t i = 0; i < rank; ++i)
      if (shape[i] != 1 && shape[i] != like.size(static_cast<std::int64_t>(i))) refuse();
  }
  auto values = at::from_blob(const_cast<double*>(array.values->data()), shape, at::kDouble);
  return values.to(like.options().requires_grad(false), false, /*copy=*/true);
}

at::Tensor stabilized(const at::Tensor& z, double epsilon) { return z + epsilon * sign_of(z); }

Operand ExpressionEvaluator::evaluate(const Expression& expression) {
  return std::visit([&](auto& node) { return evaluate_node(node, expression); }, expression.node);
}

Operand ExpressionEvaluator::evaluate_node(const Constant& node, const Expression&) { return {node.value}; }
Operand ExpressionEvaluator::evaluate_node(const ParameterReference& node, const Expression&) {
  return argument(node.index);
}
Operand ExpressionEvaluator::evaluate_node(const QuantityReference& node, const Expression&) {
  if (node.quantity == Quantity::inputs) return {environment_.inputs};
  auto space = space_of(node.quantity);
  return {environment_.quantity(node.quantity, node.term), space, samples(space)};
}
Operand ExpressionEvaluator::evaluate_node(const LetReference& node, const Expression&) {
  auto found = lets_.find(node.value.get());
  if (found == lets_.end()) {
    auto value = evaluate(*node.value);
    found = lets_.emplace(node.value.get(), std::move(value)).first;
  }
  return found->second;
}
Operand ExpressionEvaluator::evaluate_node(const OneOf<language::Tensor, Random, Relevance> auto&,
                                           const Expression& expression) {
  return {environment_.test_value(expression), Space::input};
}
Operand ExpressionEvaluator::evaluate_node(const NamedValue& node, const Expression& expression) {
  return {environment_.test_value(expression), node.type.space};
}
Operand ExpressionEvaluator::evaluate_node(const BuiltinCall& node, const Expression&) { return call(node); }
Operand ExpressionEvaluator::evaluate_node(const FunctionCall& node, const Expression&) { return call(node); }
Operand ExpressionEvaluator::evaluate_node(const Stabilize& node, const Expression&) { return stabilize(node); }
Operand ExpressionEvaluator::evaluate_node(const Conditional& node, const Expression&) { return choose(node); }
Operand ExpressionEvaluator::evaluate_node(const Power& node, const Expression&) {
  auto base = evaluate(*node.base);
  return arithmetic(Operator::power, base, evaluate(*node.exponent));
}
Operand ExpressionEvaluator::evaluate_node(const Unary& node, const Expression&) {
  auto operand = evaluate(*node.operand);
  if (node.op == Operator::negate) return arithmetic(Operator::subtract, {0.0}, operand);
  if (is_tensor(operand)) return {tensor(operand).logical_not(), operand.space};
  return {!std::get<bool>(operand.value)};
}
Operand ExpressionEvaluator::evaluate_node(const Comparison& node, const Expression&) {
  auto left = evaluate(*node.left), right = evaluate(*node.right);
  if (!node.within) return compare(node.op, left, right, nullptr);
  auto tolerance = evaluate(*node.within);
  return compare(node.op, left, right, &tolerance);
}
Operand ExpressionEvaluator::evaluate_node(const Chain& node, const Expression&) {
  auto value = evaluate(*node.operands.front());
  for (std::size_t i = 0; i < node.operators.size(); ++i) {
    auto op = node.operators[i];
    auto next = evaluate(*node.operands[i + 1]);
    value = op == Operator::logical_and || op == Operator::logical_or ? logical(op, value, next)
                                                                      : arithmetic(op, value, next);
  }
  return value;
}
// What is bound where it is given to a parameter (bind), and has() of requirements: the checker lets none of it
// through to here.
Operand ExpressionEvaluator::evaluate_node(const OneOf<List, NameList, StabilizerFunction, HasParameter> auto&,
                                           const Expression&) {
  throw std::logic_error("no value where a rule meets a layer");
}

bool ExpressionEvaluator::holds(const Expression& expression) {
  return language::holds(expression, [&](const Expression& inner) { return decide(inner); });
}

bool ExpressionEvaluator::decide(const Expression& expression) {
  auto* comparison = std::get_if<Comparison>(&expression.node);
  auto every = [](const Operand& truth) {
    return is_tensor(truth) ? tensor(truth).all().item<bool>() : std::get<bool>(truth.value);
  };
  if (!comparison) return every(evaluate(expression));
  auto left = evaluate(*comparison->left), right = evaluate(*comparison->right);
  std::optional<Operand> tolerance;
  if (comparison->within) tolerance = evaluate(*comparison->within);
  bool values = is_tensor(left) && is_tensor(right) && left.space != Space::sample && right.space != Space::sample;
  if (values && tensor(left).sizes() != tensor(right).sizes())  // spread, they could be equal by chance
    throw Error({.code = Code::rule_does_not_fit,
                 .message = filled("a tensor of shape {} is compared with one of shape {}",
                                   shown_shape(tensor(left).sizes()), shown_shape(tensor(right).sizes())),
                 .help = "tensors are compared with tensors of their shape, or with one number"});
  bool negated = comparison->op == Operator::not_equal;
  return every(compare(negated ? Operator::equal : comparison->op, left, right, tolerance ? &*tolerance : nullptr)) !=
         negated;
}

layering::SamplePlace ExpressionEvaluator::samples(Space space) const {
  bool of_batch = space == Space::input || space == Space::output;
  return of_batch && environment_.samples ? environment_.samples(space) : layering::SamplePlace{};
}

at::Tensor ExpressionEvaluator::evaluate_as(const Expression& expression, const at::Tensor& like, Space space) {
  auto operand = evaluate(expression);
  if (auto* number = std::get_if<double>(&operand.value)) return at::full_like(like, *number);
  auto value = spread(tensor(operand), operand.space, like.dim(), samples(space));
  return value.sizes() == like.sizes() ? value : value.expand_as(like);
}

Operand ExpressionEvaluator::argument(std::size_t index) {
  const Value* value = nullptr;
  if (!frame_.empty()) {
    if (auto* operand = std::get_if<Operand>(&frame_[index])) return *operand;
    value = &std::get<Value>(frame_[index]);
  } else {
    value = &environment_.arguments[index];
  }
  auto& parameter = environment_.parameters[index];
  auto* number = std::get_if<double>(value);
  if (number && (parameter.type.form != Form::number || parameter.type.space == Space::scalar)) return {*number};
  // A value of a larger space is that value everywhere: what reduces it must see all of it.
  auto like = environment_.like(parameter.type.space);
  if (number)
    return {at::full({}, *number, like.options().requires_grad(false)).expand_as(like), parameter.type.space,
            samples(parameter.type.space)};
  return {laid_on(std::get<Array>(*value), like, parameter.type.space, parameter.name).expand_as(like),
          parameter.type.space, samples(parameter.type.space)};
}

Operand ExpressionEvaluator::call(const BuiltinCall& node) {
  auto z = evaluate(*node.arguments.front());
  auto& tensors = on_tensors(node.builtin);
  return visit_sort(node.builtin,
                    overloaded{[&](const language::EachElement& each) -> Operand {
                                 if (!is_tensor(z)) return {each.number(std::get<double>(z.value))};
                                 return {std::get<EachElement>(tensors).tensor(tensor(z)), z.space, z.samples};
                               },
                               [&](const language::Fold& fold) {
                                 for (std::size_t i = 1; i < node.arguments.size(); ++i)
                                   z = combine(z, evaluate(*node.arguments[i]), fold.number,
                                               std::get<Fold>(tensors).tensor);
                                 return z;
                               },
                               [&](const language::Reduction& reduction) -> Operand {
                                 if (is_tensor(z))
                                   return reduced(node, z, reduction.takes_share ? share(*node.arguments[1]) : 0);
                                 Constant number{std::get<double>(z.value)};
                                 return {evaluate_number({BuiltinCall{node.builtin, {constant(number)}, {}}, {}}, {})};
                               }});
}

Operand reduced(const BuiltinCall& node, const Operand& z, double share) {
  auto& t = tensor(z);
  bool whole = z.space == Space::param;
  auto& place = z.samples;
  if (!whole && place.dimension == layering::SamplePlace::unknown)
    throw Error({.code = Code::rule_does_not_fit,
                 .message = filled("`{}` goes over each sample, and where a tensor of shape {} holds them cannot be "
                                   "told behind the operators before it",
                                   info(node.builtin).name, shown_shape(t.sizes())),
                 .help = "explain one sample at a time (a batch of 1), or give the layer a rule that reduces nothing"});
  auto dimensions = counted_dimensions(node, t, z.space);
  auto& reduction = std::get<Reduction>(on_tensors(node.builtin));
  if (!dimensions.empty()) {
    if (!whole && std::find(dimensions.begin(), dimensions.end(), place.dimension) != dimensions.end())
      throw Error({.code = Code::rule_does_not_fit,
                   .message = filled("`{}` over dimension {} of a tensor of shape {}, which counts the samples here",
                                     info(node.builtin).name, place.dimension, shown_shape(t.sizes())),
                   .help = "no sample influences another: name another dimension, or none for all of a sample"});
    return {reduction.tensor(t, share, dimensions, true), z.space, place};
  }
  if (t.dim() == 0) return {t, whole ? Space::scalar : Space::sample};
  auto of = t;
  if (!whole) {
    auto shape = t.sizes().vec();
    auto along = shape.begin() + place.dimension;
    std::int64_t split[] = {place.outer, layering::samples_of(t, place), place.inner};
    along = shape.erase(along);
    shape.insert(along, std::begin(split), std::end(split));
    of = t.reshape(shape);
  }
  for (std::int64_t d = 0; d < of.dim(); ++d)
    if (whole || d != place.dimension + 1) dimensions.push_back(d);
  return {reduction.tensor(of, share, dimensions, false), whole ? Space::scalar : Space::sample};
}

double ExpressionEvaluator::share(const Expression& expression) {
  auto scalar = evaluate(expression);
  auto value = is_tensor(scalar) ? tensor(scalar).item<double>() : std::get<double>(scalar.value);
  if (language::is_share(value)) return value;
  throw Error({.code = Code::rule_does_not_fit,
               .message = filled("the share of `quantile` lies between 0 and 1, here it is {}", value),
               .help = "let the rule refuse such arguments: `require share >= 0 and share <= 1`"});
}

Operand ExpressionEvaluator::stabilize(const Stabilize& node) {
  auto z = evaluate(*node.z);
  if (auto* function = std::get_if<StabilizerFunction>(&node.epsilon->node)) {
    std::vector<Bound> arguments{std::move(z)};
    for (std::size_t i = 0; i < function->rest.size(); ++i)
      arguments.push_back(bind(*function->rest[i], function->function->parameters[i + 1]));
    return run(*function->function, std::move(arguments));
  }
  if (node.by_stabilizer) {
    auto& index = std::get<ParameterReference>(node.epsilon->node).index;
    auto& value = frame_.empty() ? environment_.arguments[index] : std::get<Value>(frame_[index]);
    return stabilize_by(std::move(z), std::get<Stabilizer>(value));
  }
  auto epsilon = evaluate(*node.epsilon);
  auto signs = is_tensor(z) ? Operand{sign_of(tensor(z)), z.space, z.samples}
                            : Operand{std::get<double>(z.value) >= 0 ? 1.0 : -1.0};
  return arithmetic(Operator::add, z, arithmetic(Operator::multiply, epsilon, signs));
}

Operand ExpressionEvaluator::stabilize_by(Operand z, const Stabilizer& stabilizer) {
  if (stabilizer.function) {
    std::vector<Bound> arguments{std::move(z)};
    for (auto& each : stabilizer.rest) arguments.emplace_back(each);
    return run(*stabilizer.function, std::move(arguments));
  }
  if (is_tensor(z)) return {stabilized(tensor(z), stabilizer.epsilon), z.space, z.samples};
  auto number = std::get<double>(z.value);
  return {number + stabilizer.epsilon * (number >= 0 ? 1 : -1)};
}

ExpressionEvaluator::Bound ExpressionEvaluator::bind(const Expression& expression, const Parameter& parameter) {
  if (std::holds_alternative<List>(expression.node))
    return evaluate_argument(expression, environment_.arguments, parameter.type);
  if (parameter.type != stabilizer) return evaluate(expression);
  auto number = [](const Operand& operand) {
    if (auto* value = std::get_if<double>(&operand.value)) return *value;
    throw Error({.code = Code::rule_does_not_fit,
                 .message = "a stabilizer is given a tensor",
                 .help = "its arguments are numbers"});
  };
  if (auto* it = std::get_if<ParameterReference>(&expression.node)) {
    auto* value = frame_.empty() ? &environment_.arguments[it->index] : std::get_if<Value>(&frame_[it->index]);
    if (value && std::holds_alternative<Stabilizer>(*value)) return *value;
  }
  if (auto* it = std::get_if<StabilizerFunction>(&expression.node)) {
    Stabilizer out{0, it->function, {}};
    for (std::size_t i = 0; i < it->rest.size(); ++i) {
      auto bound = bind(*it->rest[i], it->function->parameters[i + 1]);
      if (auto* value = std::get_if<Value>(&bound))
        out.rest.push_back(*value);
      else
        out.rest.emplace_back(number(std::get<Operand>(bound)));
    }
    return Value(std::move(out));
  }
  return Value(Stabilizer{number(evaluate(expression)), nullptr, {}});
}

Operand ExpressionEvaluator::run(const Function& function, std::vector<Bound> arguments) {
  ExpressionEvaluator body(environment_);
  body.environment_.parameters = function.parameters;
  body.frame_ = std::move(arguments);
  return body.evaluate(*function.body);
}

Operand ExpressionEvaluator::call(const FunctionCall& node) {
  std::vector<Bound> arguments;
  for (std::size_t i = 0; i < node.arguments.size(); ++i)
    arguments.push_back(bind(*node.arguments[i], node.function->parameters[i]));
  return run(*node.function, std::move(arguments));
}

Operand ExpressionEvaluator::choose(const Conditional& node) {
  auto condition = evaluate(*node.condition);
  if (auto* known = std::get_if<bool>(&condition.value))
    return evaluate(*known ? *node.consequence : *node.alternative);
  auto consequence = evaluate(*node.consequence), alternative = evaluate(*node.alternative);
  if (std::holds_alternative<bool>(consequence.value) && std::holds_alternative<bool>(alternative.value)) {
    auto yes = logical(Operator::logical_and, condition, consequence);
    auto no = logical(Operator::logical_and, {tensor(condition).logical_not(), condition.space, condition.samples},
                      alternative);
    return logical(Operator::logical_or, yes, no);
  }
  if (!is_tensor(consequence) &&
      !is_tensor(alternative)) {  // numbers take the type of the layer, not of the truth values
    auto options = environment_
                       .like(condition.space == Space::scalar   ? Space::input
                             : condition.space == Space::sample ? Space::input
                                                                : condition.space)
                       .options();
    consequence = {at::scalar_tensor(std::get<double>(consequence.value), options), Space::scalar};
  }
  auto all = aligned({&condition, &consequence, &alternative});
  auto both = joined(consequence.space, alternative.space);
  Operand chosen{all[1], both, place_of_both(consequence, alternative)};
  return {at::where(all[0], all[1], all[2]), joined(condition.space, both), place_of_both(condition, chosen)};
}

}  // namespace ascribe::evaluate
