#include "interpreter/language/stabilization.hpp"

#include <algorithm>
#include <cmath>

#include "grammar/filled_text.hpp"

namespace ascribe::language {
namespace {

using signs::negative, signs::positive, signs::zero;
constexpr auto any_sign = signs::any;

Space joined(Space a, Space b) { return join(a, b).value_or(Space::input); }

// Whether two expressions are written alike, as in `y * y`: enough to know a square.
bool same(const Expression& a, const Expression& b) {
  if (auto* s = std::get_if<QuantityReference>(&a.node), *t = std::get_if<QuantityReference>(&b.node); s && t)
    return s->quantity == t->quantity && s->term == t->term;
  if (auto* s = std::get_if<ParameterReference>(&a.node), *t = std::get_if<ParameterReference>(&b.node); s && t)
    return s->index == t->index;
  if (auto* s = std::get_if<LetReference>(&a.node), *t = std::get_if<LetReference>(&b.node); s && t)
    return s->value == t->value;
  return false;
}

std::optional<double> constant_exponent(const Expression& expression) {
  if (auto* it = std::get_if<Constant>(&expression.node)) return it->value;
  auto* unary = std::get_if<Unary>(&expression.node);
  if (!unary || unary->op != Operator::negate) return {};
  auto inner = constant_exponent(*unary->operand);
  return inner ? std::optional(-*inner) : std::nullopt;
}

}  // namespace

DivisionChecker::DivisionChecker(Reporter reporter, const std::vector<Parameter>& parameters)
    : reporter_(std::move(reporter)) {
  for (auto& each : parameters) {
    bool tensor = each.type.form == Form::number && each.type.space != Space::scalar;
    rule_.parameters.push_back(tensor ? Fact{any_sign, each.type.space} : Fact{positive});
  }
}

void DivisionChecker::check(const Expression& clause) {
  rule_.findings.clear();
  follow(clause, rule_);
  report(rule_.findings);
}

void DivisionChecker::check(const Function& function, const Reporter& reporter) {
  DivisionChecker checker(reporter);
  Frame best{std::vector<Fact>(function.parameters.size(), Fact{positive})};
  checker.follow(*function.body, best);
  checker.report(best.findings);
}

const std::set<std::size_t>& DivisionChecker::always_unstable(const Function& function) {
  if (auto found = always_unstable_.find(&function); found != always_unstable_.end()) return found->second;
  Frame best{std::vector<Fact>(function.parameters.size(), Fact{positive})};
  follow(*function.body, best);
  std::set<std::size_t> out;
  for (auto& each : best.findings) out.insert(each.where.begin);
  return always_unstable_.emplace(&function, std::move(out)).first->second;
}

void DivisionChecker::report(const std::vector<Finding>& findings) const {
  constexpr std::size_t longest = 60;  // of a divisor that the help repeats
  for (auto& each : findings) {
    if (each.callee) {
      reporter_.warn(Code::unstabilized_division, each.where,
                     filled("`{}` divides by what it is given here, and nothing stabilizes that", each.callee->name),
                     "stabilize what it is given: `stabilize(…)`",
                     {{each.callee->place.source, each.inside, "it divides by this"}});
      continue;
    }
    auto divisor = std::string(reporter_.source()->text(each.where));
    bool short_enough = divisor.size() <= longest && divisor.find('\n') == std::string::npos;
    reporter_.warn(Code::unstabilized_division, each.where, "nothing stabilizes this divisor: it may be zero",
                   filled("write `stabilize({})`", short_enough ? divisor : "…"));
  }
}

// ------------------------------------------------------------------------------------------------------- expressions

DivisionChecker::Fact DivisionChecker::combine(Fact a, Fact b, signs::Signs (*one)(signs::Signs, signs::Signs)) {
  signs::Signs found = 0;
  for (auto s : {negative, zero, positive})
    for (auto t : {negative, zero, positive})
      if ((a.signs & s) && (b.signs & t)) found |= one(s, t);
  return {found, joined(a.space, b.space)};
}

DivisionChecker::Fact DivisionChecker::follow(const Expression& expression, Frame& frame) {
  return std::visit([&](auto& node) { return follow_node(node, expression, frame); }, expression.node);
}

DivisionChecker::Fact DivisionChecker::follow_node(const Constant& node, const Expression&, Frame&) {
  return {signs::of(node.value)};
}

DivisionChecker::Fact DivisionChecker::follow_node(const ParameterReference& node, const Expression&, Frame& frame) {
  return frame.parameters.at(node.index);
}

DivisionChecker::Fact DivisionChecker::follow_node(const QuantityReference& node, const Expression&, Frame&) {
  return {node.quantity == Quantity::inputs ? positive : any_sign, space_of(node.quantity)};
}

DivisionChecker::Fact DivisionChecker::follow_node(const LetReference& node, const Expression&, Frame& frame) {
  auto found = frame.lets.find(node.value.get());
  if (found == frame.lets.end()) found = frame.lets.emplace(node.value.get(), follow(*node.value, frame)).first;
  return found->second;
}

DivisionChecker::Fact DivisionChecker::follow_node(const BuiltinCall& node, const Expression&, Frame& frame) {
  auto z = follow(*node.arguments.front(), frame);
  std::vector<Fact> others;
  for (std::size_t i = 1; i < node.arguments.size(); ++i) others.push_back(follow(*node.arguments[i], frame));
  return visit_sort(node.builtin, overloaded{[&](const EachElement& each) -> Fact {
                                               return {each.sign(z.signs), z.space};
                                             },
                                             [&](const Fold& fold) {
                                               for (auto& other : others) z = combine(z, other, fold.sign);
                                               return z;
                                             },
                                             [&](const Reduction& to) -> Fact {
                                               if (node.dimensions.empty())
                                                 z.space = z.space == Space::param ? Space::scalar : Space::sample;
                                               return {to.sign(z.signs), z.space};
                                             }});
}

DivisionChecker::Fact DivisionChecker::follow_node(const StabilizerFunction& node, const Expression&, Frame& frame) {
  for (auto& each : node.rest) follow(*each, frame);
  return {any_sign};
}

DivisionChecker::Fact DivisionChecker::follow_node(const Stabilize& node, const Expression&, Frame& frame) {
  auto z = follow(*node.z, frame);
  follow(*node.epsilon, frame);
  return {z.signs & negative ? negative | positive : positive, z.space};
}

DivisionChecker::Fact DivisionChecker::follow_node(const FunctionCall& node, const Expression& expression,
                                                   Frame& frame) {
  Frame body;
  for (auto& each : node.arguments) body.parameters.push_back(follow(*each, frame));
  auto result = follow(*node.function->body, body);
  auto& always = always_unstable(*node.function);
  auto own = std::find_if(body.findings.begin(), body.findings.end(),
                          [&](auto& finding) { return !always.contains(finding.where.begin); });
  if (own != body.findings.end()) frame.findings.push_back({expression.span, node.function.get(), own->where});
  return result;
}

DivisionChecker::Fact DivisionChecker::follow_node(const Chain& node, const Expression&, Frame& frame) {
  auto op = node.operators.front();
  if (op == Operator::multiply || op == Operator::divide) return product(node, frame);
  auto out = follow(*node.operands.front(), frame);
  for (std::size_t i = 0; i < node.operators.size(); ++i) {
    auto next = follow(*node.operands[i + 1], frame);
    if (node.operators[i] == Operator::subtract) next.signs = signs::negated(next.signs);
    out = combine(out, next, signs::added);
  }
  return out;
}

DivisionChecker::Fact DivisionChecker::product(const Chain& chain, Frame& frame) {
  constexpr std::size_t most = 16;  // factors among which squares are looked for
  std::vector<Fact> facts;
  std::vector<bool> squared(chain.operands.size());
  for (std::size_t i = 0; i < chain.operands.size(); ++i) {
    auto& fact = facts.emplace_back(follow(*chain.operands[i], frame));
    bool divides = i > 0 && chain.operators[i - 1] == Operator::divide;
    if (divides && (fact.signs & zero) && fact.space != Space::scalar)
      frame.findings.push_back({chain.operands[i]->span});
    if (divides || fact.space == Space::scalar)  // nobody scales by zero
      if (fact.signs != zero) fact.signs &= ~zero;
    for (std::size_t j = 0; j < i && i < most; ++j)
      if (!divides && !squared[j] && (j == 0 || chain.operators[j - 1] == Operator::multiply) &&
          same(*chain.operands[j], *chain.operands[i])) {
        squared[i] = squared[j] = true;
        facts[j].signs = (fact.signs & zero) | positive;
        fact.signs = positive;
        break;
      }
  }
  auto out = facts.front();
  for (std::size_t i = 1; i < facts.size(); ++i) out = combine(out, facts[i], signs::multiplied);
  return out;
}

DivisionChecker::Fact DivisionChecker::follow_node(const Comparison& node, const Expression&, Frame& frame) {
  follow(*node.left, frame);
  follow(*node.right, frame);
  if (node.within) follow(*node.within, frame);
  return {any_sign};
}

DivisionChecker::Fact DivisionChecker::follow_node(const Power& node, const Expression&, Frame& frame) {
  auto base = follow(*node.base, frame), exponent = follow(*node.exponent, frame);
  auto space = joined(base.space, exponent.space);
  auto number = constant_exponent(*node.exponent);
  bool even = number && std::fmod(*number, 2) == 0;
  bool odd = number && std::abs(std::fmod(*number, 2)) == 1;
  if (even) return {(base.signs & zero) | (base.signs & ~zero ? positive : 0), space};
  if (odd || !(base.signs & negative)) return {base.signs, space};
  return {any_sign, space};
}

DivisionChecker::Fact DivisionChecker::follow_node(const Unary& node, const Expression&, Frame& frame) {
  auto operand = follow(*node.operand, frame);
  return {node.op == Operator::negate ? signs::negated(operand.signs) : any_sign, operand.space};
}

DivisionChecker::Fact DivisionChecker::follow_node(const Conditional& node, const Expression&, Frame& frame) {
  auto condition = follow(*node.condition, frame);
  auto consequence = follow(*node.consequence, frame), alternative = follow(*node.alternative, frame);
  return {consequence.signs | alternative.signs, joined(condition.space, joined(consequence.space, alternative.space))};
}

}  // namespace ascribe::language
