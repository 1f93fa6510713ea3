#include "interpreter/evaluate/reference/expression.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "grammar/diagnostic.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/libtorch/shape.hpp"

namespace ascribe::evaluate {
namespace {

using namespace language;

at::Tensor sign_of(const at::Tensor& z) {
  return at::where(z >= 0, at::ones({}, z.options()), at::where(z < 0, at::full({}, -1, z.options()), z));
}

// Between the two nearest values, in proportion; NaN where one is. (at::quantile refuses large tensors and halves.)
at::Tensor quantile(const at::Tensor& z, double share, at::IntArrayRef dimensions, bool keep) {
  std::vector<std::int64_t> order, shape = z.sizes().vec();
  for (std::int64_t d = 0; d < z.dim(); ++d)
    if (std::find(dimensions.begin(), dimensions.end(), d) == dimensions.end()) order.push_back(d);
  auto kept = order.size();
  order.insert(order.end(), dimensions.begin(), dimensions.end());
  auto rows = z.permute(order).flatten(static_cast<std::int64_t>(kept), -1);
  auto values = std::get<0>(rows.sort(-1));
  auto last = values.size(-1) - 1;
  auto place = share * static_cast<double>(last);
  auto below = static_cast<std::int64_t>(place);
  auto part = place - static_cast<double>(below);
  auto out = last < 0 ? values.mean(-1) : values.select(-1, below);
  if (part > 0) {  // never above the next value, and exactly it where both are equal
    auto next = values.select(-1, below + 1);
    out = at::where(out == next, out, at::minimum(out + part * (next - out), next));
  }
  out = at::where(rows.isnan().any(-1), at::full({}, NAN, z.options()), out);
  if (!keep) return out;
  for (auto d : dimensions) shape[static_cast<std::size_t>(d)] = 1;
  return out.reshape(shape);
}

at::Tensor reduce(const at::Tensor& z, Builtin builtin, double share, at::IntArrayRef dimensions, bool keep) {
  if (builtin == Builtin::quantile) return quantile(z, share, dimensions, keep);
  return builtin == Builtin::sum ? at::sum(z, dimensions, keep) : at::mean(z, dimensions, keep);
}

// The numbers of an argument as a tensor that broadcasts over what lives in its space (the language's law 9).
at::Tensor laid_on(const Array& array, const at::Tensor& like, Space space, const std::string& name) {
  auto shape = array.shape;
  auto rank = static_cast<std::size_t>(like.dim());
  auto refuse = [&] {
    throw Error({.code = Code::rule_does_not_fit,
                 .message = filled("`{}` has the shape {}, which does not fit {} of shape {}", name, shown(array.shape),
                                   language::describe(space), shown(like.sizes())),
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

}  // namespace

at::Tensor stabilized(const at::Tensor& z, double epsilon) { return z + epsilon * sign_of(z); }

Operand ExpressionEvaluator::evaluate(const Expression& expression) {
  auto& node = expression.node;
  if (auto* it = std::get_if<Constant>(&node)) return {it->value};
  if (auto* it = std::get_if<ParameterReference>(&node)) return argument(it->index);
  if (auto* it = std::get_if<QuantityReference>(&node)) {
    constexpr Space spaces[] = {Space::input,  Space::param, Space::output, Space::input,
                                Space::output, Space::input, Space::input,  Space::output};
    return {environment_.quantity(it->quantity, it->term), spaces[static_cast<std::size_t>(it->quantity)]};
  }
  if (auto* it = std::get_if<LetReference>(&node)) {
    auto found = lets_.find(it->value.get());
    if (found == lets_.end()) {
      auto value = evaluate(*it->value);
      found = lets_.emplace(it->value.get(), std::move(value)).first;
    }
    return found->second;
  }
  if (std::holds_alternative<language::Tensor>(node) || std::holds_alternative<Random>(node) ||
      std::holds_alternative<Relevance>(node))
    return {environment_.test_value(expression), Space::input};
  if (auto* it = std::get_if<NamedValue>(&node)) return {environment_.test_value(expression), it->type.space};
  if (auto* it = std::get_if<BuiltinCall>(&node)) return call(*it);
  if (auto* it = std::get_if<FunctionCall>(&node)) return call(*it);
  if (auto* it = std::get_if<Stabilize>(&node)) return stabilize(*it);
  if (auto* it = std::get_if<Conditional>(&node)) return choose(*it);
  if (auto* it = std::get_if<Power>(&node)) {
    auto base = evaluate(*it->base);
    return arithmetic(Operator::power, base, evaluate(*it->exponent));
  }
  if (auto* it = std::get_if<Unary>(&node)) {
    auto operand = evaluate(*it->operand);
    if (it->op == Operator::negate) return arithmetic(Operator::subtract, {0.0}, operand);
    if (is_tensor(operand)) return {tensor(operand).logical_not(), operand.space};
    return {!std::get<bool>(operand.value)};
  }
  if (auto* it = std::get_if<Comparison>(&node)) {
    auto left = evaluate(*it->left), right = evaluate(*it->right);
    if (!it->within) return compare(it->op, left, right, nullptr);
    auto tolerance = evaluate(*it->within);
    return compare(it->op, left, right, &tolerance);
  }
  auto& chain = std::get<Chain>(node);
  auto value = evaluate(*chain.operands.front());
  for (std::size_t i = 0; i < chain.operators.size(); ++i) {
    auto op = chain.operators[i];
    auto next = evaluate(*chain.operands[i + 1]);
    value = op == Operator::logical_and || op == Operator::logical_or ? logical(op, value, next)
                                                                      : arithmetic(op, value, next);
  }
  return value;
}

bool ExpressionEvaluator::holds(const Expression& expression) {
  auto& node = expression.node;
  if (auto* it = std::get_if<LetReference>(&node)) return holds(*it->value);
  if (auto* it = std::get_if<Unary>(&node)) return !holds(*it->operand);
  if (auto* it = std::get_if<Conditional>(&node))
    return holds(holds(*it->condition) ? *it->consequence : *it->alternative);
  if (auto* it = std::get_if<Chain>(&node)) {
    bool all = it->operators.front() == Operator::logical_and;
    for (auto& operand : it->operands)
      if (holds(*operand) != all) return !all;
    return all;
  }
  auto* comparison = std::get_if<Comparison>(&node);
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
                 .message = filled("a tensor of shape {} is compared with one of shape {}", shown(tensor(left).sizes()),
                                   shown(tensor(right).sizes())),
                 .help = "tensors are compared with tensors of their shape, or with one number"});
  bool negated = comparison->op == Operator::not_equal;
  return every(compare(negated ? Operator::equal : comparison->op, left, right, tolerance ? &*tolerance : nullptr)) !=
         negated;
}

at::Tensor ExpressionEvaluator::evaluate_as(const Expression& expression, const at::Tensor& like) {
  auto operand = evaluate(expression);
  if (auto* number = std::get_if<double>(&operand.value)) return at::full_like(like, *number);
  auto value = spread(tensor(operand), operand.space, like.dim());
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
  if (number) return {at::full({}, *number, like.options().requires_grad(false)).expand_as(like), parameter.type.space};
  return {laid_on(std::get<Array>(*value), like, parameter.type.space, parameter.name).expand_as(like),
          parameter.type.space};
}

Operand ExpressionEvaluator::call(const BuiltinCall& node) {
  auto z = evaluate(*node.arguments.front());
  if (node.builtin == Builtin::min || node.builtin == Builtin::max) {
    bool larger = node.builtin == Builtin::max;
    for (std::size_t i = 1; i < node.arguments.size(); ++i)
      z = combine(
          z, evaluate(*node.arguments[i]),
          [&](double s, double t) {
            return std::isnan(s) || std::isnan(t) ? NAN : larger ? std::max(s, t) : std::min(s, t);
          },
          [&](auto& s, auto& t) { return larger ? at::maximum(s, t) : at::minimum(s, t); });
    return z;
  }
  if (!is_tensor(z)) {
    BuiltinCall number{
        node.builtin, {std::make_shared<const Expression>(Expression{Constant{std::get<double>(z.value)}, {}})}, {}};
    return {evaluate_number(Expression{number, {}}, {})};
  }
  auto& t = tensor(z);
  switch (node.builtin) {
    case Builtin::abs:
      return {t.abs(), z.space};
    case Builtin::sign:
      return {sign_of(t), z.space};
    case Builtin::sqrt:
      return {t.sqrt(), z.space};
    case Builtin::exp:
      return {t.exp(), z.space};
    case Builtin::log:
      return {t.log(), z.space};
    case Builtin::tanh:
      return {t.tanh(), z.space};
    case Builtin::sigmoid:
      return {t.sigmoid(), z.space};
    default:
      break;
  }
  std::vector<std::int64_t> dimensions = node.dimensions;
  bool keep = !dimensions.empty();
  for (auto& d : dimensions) {
    auto counted = d < 0 ? d + t.dim() : d;
    if (counted < 0 || counted >= t.dim() || (counted == 0 && z.space != Space::param))
      throw Error({.code = Code::rule_does_not_fit,
                   .message = filled("`{}` over dimension {} of a tensor of shape {}", info(node.builtin).name, d,
                                     shown(t.sizes())),
                   .help = counted == 0 ? "dimension 0 is the batch: no sample influences another"
                                        : "the tensor has no such dimension"});
    if (std::find(node.dimensions.begin(), node.dimensions.end(), counted) != node.dimensions.end() && d != counted)
      throw Error({.code = Code::rule_does_not_fit,
                   .message = filled("`{}` names dimension {} of a tensor of shape {} twice", info(node.builtin).name,
                                     counted, shown(t.sizes())),
                   .help = "name each dimension once"});
    d = counted;
  }
  auto share = node.builtin == Builtin::quantile ? this->share(*node.arguments[1]) : 0;
  if (keep) return {reduce(t, node.builtin, share, dimensions, true), z.space};
  bool whole = z.space == Space::param;
  for (std::int64_t d = whole ? 0 : 1; d < t.dim(); ++d) dimensions.push_back(d);
  return {dimensions.empty() ? t : reduce(t, node.builtin, share, dimensions, false),
          whole ? Space::scalar : Space::sample};
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
  auto signs =
      is_tensor(z) ? Operand{sign_of(tensor(z)), z.space} : Operand{std::get<double>(z.value) >= 0 ? 1.0 : -1.0};
  return arithmetic(Operator::add, z, arithmetic(Operator::multiply, epsilon, signs));
}

Operand ExpressionEvaluator::stabilize_by(Operand z, const Stabilizer& stabilizer) {
  if (stabilizer.function) {
    std::vector<Bound> arguments{std::move(z)};
    for (auto& each : stabilizer.rest) arguments.emplace_back(each);
    return run(*stabilizer.function, std::move(arguments));
  }
  if (is_tensor(z)) return {stabilized(tensor(z), stabilizer.epsilon), z.space};
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
    auto no = logical(Operator::logical_and, {tensor(condition).logical_not(), condition.space}, alternative);
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
  return {at::where(all[0], all[1], all[2]), joined(condition.space, joined(consequence.space, alternative.space))};
}

}  // namespace ascribe::evaluate
