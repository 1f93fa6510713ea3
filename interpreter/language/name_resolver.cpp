#include "interpreter/language/name_resolver.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "grammar/characters.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"
#include "grammar/overloaded.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/habits.hpp"
#include "interpreter/language/kinds.hpp"

namespace ascribe::language {
namespace {

struct QuantityName {
  std::string_view name;
  Quantity quantity;
};
constexpr QuantityName quantity_names[] = {
    {"x", Quantity::x}, {"w", Quantity::w},       {"y", Quantity::y},           {"v", Quantity::v},
    {"R", Quantity::R}, {"grad", Quantity::grad}, {"inputs", Quantity::inputs}, {"other", Quantity::other}};

const QuantityName* find_quantity(std::string_view name) {
  auto found =
      std::find_if(std::begin(quantity_names), std::end(quantity_names), [&](auto& row) { return row.name == name; });
  return found == std::end(quantity_names) ? nullptr : found;
}

bool contains(std::initializer_list<Quantity> list, Quantity quantity) {
  return std::find(list.begin(), list.end(), quantity) != list.end();
}

// Whether a string holds a number as one writes it here: "1e-6".
bool written_number(const std::string& text) {
  bool plain = !text.empty() && is_digit(text.front()) && text.find_first_not_of("0123456789.e-") == std::string::npos;
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return plain && *end == '\0' && is_digit(text.back());
}

// Help that says which values of a term a clause sees, and each as an edit.
void offer_members(Diagnostic& diagnostic, std::string_view term, Span place, Clause clause) {
  std::vector<std::string> members;
  auto reduced = clause == Clause::map ? Quantity::x : Quantity::y;  // they are seen as one number per sample
  for (auto each : sight(clause).terms)
    for (auto& row : quantity_names)
      if (row.quantity == each && each != reduced) members.push_back(filled("{}.{}", term, row.name));
  if (members.empty()) {
    diagnostic.help = filled("{} sees nothing of terms", describe(clause));
    return;
  }
  diagnostic.help = filled("write `{}`", fmt::join(members, "` or `"));
  for (auto& each : members) diagnostic.fixes.push_back({filled("write `{}`", each), {{place, each}}});
}

}  // namespace

std::vector<std::string_view> quantity_words() {
  std::vector<std::string_view> out;
  for (auto& row : quantity_names) out.push_back(row.name);
  return out;
}

std::string shown(const syntax::Path& path) {
  return path.qualifier ? filled("{}.{}", path.qualifier->text, path.name.text) : path.name.text;
}

bool is_protected(std::string_view name) { return find_quantity(name) || name == "layer"; }

ExpressionPointer NameResolver::make(Span span, decltype(Expression::node) node, std::size_t operations) {
  functions_.spend(operations, span);
  bool within = operations_ < limits.rule_operations;
  operations_ += operations;
  if (operations_ >= limits.rule_operations) {
    if (within)
      reporter_.report(Code::too_large, span,
                       filled("the definition has more than {} operations", limits.rule_operations),
                       "use fewer lets inside lets, fewer functions inside functions");
    return nullptr;
  }
  return std::make_shared<const Expression>(Expression{std::move(node), span});
}

ExpressionPointer NameResolver::resolve(const syntax::Expression& expression, Clause clause) {
  auto resolved = [&](const syntax::ExpressionPointer& inner) { return resolve(*inner, clause); };
  auto span = expression.span;
  if (operations_ >= limits.rule_operations) return nullptr;
  auto as_value = overloaded{
      [&](const syntax::Number& node) { return make(span, Constant{node.value}); },
      [&](const syntax::StringLiteral& node) -> ExpressionPointer {
        auto number = written_number(node.value);
        auto& diagnostic = reporter_.report(Code::wrong_type, span, "a string is no value here",
                                            number ? filled("write `{}`", node.value)
                                            : clause == Clause::argument
                                                ? filled("a list of names is written `[\"{}\"]`", node.value)
                                                : "strings name parameters and modules: `param \"bias\" = 0`");
        if (number) diagnostic.fixes = {{diagnostic.help, {{span, node.value}}}};
        return nullptr;
      },
      [&](const syntax::List&) -> ExpressionPointer {
        if (is_in_test(clause)) return tensor(expression, clause);
        reporter_.report(Code::wrong_type, span, "a list is no value here",
                         clause == Clause::argument
                             ? "a list is an argument by itself: write its numbers as they shall be, `low = [2, 4]`"
                             : "give it to a parameter: `rule box(low: input) { … }`, `box(low = [-1, -2])`");
        return nullptr;
      },
      [&](const syntax::Group& node) { return resolved(node.inner); },
      [&](const syntax::Call& node) { return call(node, clause); },
      [&](const syntax::Chain& node) -> ExpressionPointer {
        Chain out{{}, node.operators};
        for (auto& operand : node.operands) out.operands.push_back(resolve(operand, clause));
        bool sound =
            std::none_of(out.operands.begin(), out.operands.end(), [](auto& operand) { return operand == nullptr; });
        return sound ? make(span, std::move(out)) : nullptr;
      },
      [&](const syntax::Comparison& node) -> ExpressionPointer {
        if (node.within && node.op != Operator::equal && node.op != Operator::not_equal) {
          reporter_.report(Code::wrong_type, node.within->span, "`within` belongs to `==` and `!=`",
                           "write `a == b within 1e-6`");
          return nullptr;
        }
        auto left = resolved(node.left), right = resolved(node.right);
        auto within = node.within ? resolved(node.within) : nullptr;
        bool sound = left && right && (within || !node.within);
        return sound ? make(span, Comparison{node.op, left, right, within}) : nullptr;
      },
      [&](const syntax::Power& node) -> ExpressionPointer {
        auto base = resolved(node.base), exponent = resolved(node.exponent);
        return base && exponent ? make(span, Power{base, exponent}) : nullptr;
      },
      [&](const syntax::Unary& node) -> ExpressionPointer {
        auto operand = resolved(node.operand);
        return operand ? make(span, Unary{node.op, operand}) : nullptr;
      },
      [&](const syntax::Conditional& node) -> ExpressionPointer {
        auto condition = resolved(node.condition), consequence = resolved(node.consequence),
             alternative = resolved(node.alternative);
        bool sound = condition && consequence && alternative;
        return sound ? make(span, Conditional{condition, consequence, alternative}) : nullptr;
      }};
  return std::visit(as_value, expression.node);
}

// ------------------------------------------------------------------------------------------------------------- names

ExpressionPointer NameResolver::call(const syntax::Call& call, Clause clause) {
  if (!call.has_arguments)
    return call.path.qualifier ? qualified_name(call.path, clause) : value_name(call.path, clause);
  if (!call.path.qualifier)
    if (auto* info = find_builtin(call.path.name.text)) return builtin_call(call, *info, clause);
  auto found = function(call);
  if (!found) return nullptr;
  auto arguments = resolve_arguments(call, found->name, found->parameters, clause);
  return arguments ? make(call.span, FunctionCall{found, std::move(*arguments)}, 1 + found->operations) : nullptr;
}

ExpressionPointer NameResolver::value_name(const syntax::Path& path, Clause clause) {
  auto& name = path.name.text;
  if (auto found = local_.values.find(name); found != local_.values.end()) return session_value(path, found->second);
  bool redefined = parameter_index(name) || local_.lets.contains(name) || is_term(name);
  if (is_protected(name) && redefined) return nullptr;  // that has its message
  if (auto* found = find_quantity(name)) return quantity(path, found->quantity, this_term, clause);
  if (auto index = parameter_index(name)) return make(path.span, ParameterReference{*index});
  if (auto found = local_.lets.find(name); found != local_.lets.end()) return let(*found->second, path.span, clause);
  if (is_term(name)) {
    auto& diagnostic = reporter_.report(Code::wrong_type, path.span, filled("`{}` is a term, not a value", name));
    offer_members(diagnostic, name, path.span, clause);
    return nullptr;
  }
  if (name == "layer") {
    reporter_.report(Code::wrong_type, path.span, "`layer` is not a value", "write `layer.x` or `layer.y`");
    return nullptr;
  }
  if (find_builtin(name) || functions_.is_function(name)) {
    reporter_.report(Code::wrong_type, path.span, filled("`{}` is a function, not a value", name),
                     filled("call it: `{}(…)`", name));
    return nullptr;
  }
  std::vector<std::string> candidates{local_.terms};
  for (auto& each : sight(clause).quantities)
    for (auto& row : quantity_names)
      if (row.quantity == each) candidates.emplace_back(row.name);
  if (local_.parameters)
    for (auto& parameter : *local_.parameters) candidates.push_back(parameter.name);
  for (auto& [let_name, written] : local_.lets) candidates.push_back(let_name);
  for (auto& [value_name, value] : local_.values)
    if (!find_quantity(value_name)) candidates.push_back(value_name);
  std::string help(help_for_foreign_name(name));
  if (help.empty()) help = did_you_mean(name, candidates);
  if (help.empty() && !candidates.empty()) help = filled("known here: {}", listed(candidates));
  if (help.empty() && is_in_test(clause)) help = "numbers, lists and lets can stand here";
  if (help.empty() && clause == Clause::require)
    help = filled("only parameters can stand here: `rule name({} = 1) {{ … }}`", name);
  if (help.empty()) help = "numbers, strings and lists can stand here; defaults see no parameters";
  reporter_.report(Code::unknown_name, path.span, filled("unknown name `{}`", name), help);
  return nullptr;
}

ExpressionPointer NameResolver::session_value(const syntax::Path& path, const SessionValue& value) {
  if (value.type.form == Form::unknown) {
    reporter_.report(Code::wrong_type, path.span, filled("`{}` is a model, not a value", path.name.text),
                     "`y` is the output of the current model for x, `relevance(epsilon)` the relevance of x");
    return nullptr;
  }
  if (!value.one) return make(path.span, NamedValue{path.name.text, value.type});
  auto number = make(path.span, Constant{*value.one});
  if (!number || value.type.form == Form::number) return number;
  auto one = make(path.span, Constant{1});
  return one ? make(path.span, Comparison{Operator::equal, number, one, nullptr}) : nullptr;
}

ExpressionPointer NameResolver::qualified_name(const syntax::Path& path, Clause clause) {
  auto& qualifier = path.qualifier->text;
  auto& name = path.name.text;
  if (qualifier == "layer") {
    if (name == "x" || name == "y")
      return quantity(path, name == "x" ? Quantity::layer_x : Quantity::layer_y, this_term, clause);
    reporter_.report(Code::unknown_name, path.name.span, filled("a layer has no `{}`", name),
                     "write `layer.x` or `layer.y`");
    return nullptr;
  }
  auto term = std::find(local_.terms.begin(), local_.terms.end(), qualifier);
  if (term == local_.terms.end() && functions_.is_pack(qualifier)) {
    reporter_.report(Code::wrong_type, path.span, filled("`{}` is no value", shown(path)),
                     filled("a pack's functions are called: `{}(…)`", shown(path)));
    return nullptr;
  }
  if (term == local_.terms.end() && clause == Clause::session && !find_quantity(qualifier) &&
      !local_.values.contains(qualifier)) {
    reporter_.report(Code::unknown_name, path.qualifier->span, filled("unknown pack `{}`", qualifier),
                     filled("`import \"{0}\" as {0}` makes it known", qualifier));
    return nullptr;
  }
  if (term == local_.terms.end()) {
    if (find_quantity(qualifier) || parameter_index(qualifier) || local_.lets.contains(qualifier) ||
        local_.values.contains(qualifier)) {
      reporter_.report(Code::unknown_name, path.span, filled("`{}` is a value and has no `{}`", qualifier, name),
                       "terms have parts, `positive.y`; functions stand in front of their values: `abs(x)`");
      return nullptr;
    }
    auto candidates = local_.terms;
    candidates.emplace_back("layer");
    auto help = is_foreign_qualifier(qualifier) && find_quantity(name) ? filled("write `{}`", name)
                                                                       : std::string(help_for_foreign_name(qualifier));
    reporter_.report(Code::unknown_name, path.qualifier->span, filled("unknown term `{}`", qualifier),
                     help.empty() ? did_you_mean(qualifier, candidates) : help);
    return nullptr;
  }
  auto* found = find_quantity(name);
  if (!found || !(name == "x" || name == "y" || name == "v")) {
    auto& diagnostic = reporter_.report(Code::unknown_name, path.name.span, filled("a term has no `{}`", name));
    offer_members(diagnostic, qualifier, path.span, clause);
    return nullptr;
  }
  return quantity(path, found->quantity, static_cast<int>(term - local_.terms.begin()), clause);
}

ExpressionPointer NameResolver::quantity(const syntax::Path& path, Quantity wanted, int term, Clause clause) {
  auto& seen = sight(clause);
  if (!contains(term == this_term ? seen.quantities : seen.terms, wanted)) {
    std::vector<std::string> visible;
    for (auto each : seen.quantities) {
      if (each == Quantity::layer_x)
        visible.emplace_back("layer.x");
      else if (each == Quantity::layer_y)
        visible.emplace_back("layer.y");
      else
        for (auto& row : quantity_names)
          if (row.quantity == each) visible.emplace_back(row.name);
    }
    reporter_.report(Code::not_visible, path.span, filled("{} does not see `{}`", describe(clause), shown(path)),
                     visible.empty() ? filled("{} sees {} only", describe(clause),
                                              is_in_test(clause) ? "numbers and lets" : "parameters")
                                     : filled("{} sees {}", describe(clause), fmt::join(visible, ", ")));
    return nullptr;
  }
  bool ambiguous = term == this_term && !local_.terms.empty() && (clause == Clause::reduce || !open_lets_.empty()) &&
                   (wanted == Quantity::x || wanted == Quantity::y || wanted == Quantity::v);
  if (ambiguous) {
    reporter_.report(Code::not_visible, path.span, filled("which term's `{}`?", shown(path)),
                     filled("write `{}.{}`", local_.terms.front(), shown(path)));
    return nullptr;
  }
  return make(path.span, QuantityReference{wanted, term});
}

ExpressionPointer NameResolver::let(const syntax::Let& let, Span use, Clause clause) {
  auto key = std::pair(let.name.text, clause);
  auto found = lets_.find(key);
  if (found == lets_.end()) {
    if (std::find(open_lets_.begin(), open_lets_.end(), let.name.text) != open_lets_.end()) {
      reporter_.report(Code::cycle, let.name.span, filled("the let `{}` uses itself", let.name.text),
                       "a let is made of values that are already there");
      return nullptr;
    }
    if (open_lets_.size() >= limits.let_depth) {
      reporter_.report(Code::too_deep, use, filled("lets use lets more than {} deep", limits.let_depth),
                       "write it flatter");
      return nullptr;
    }
    open_lets_.push_back(let.name.text);
    auto before = operations_;
    auto value = resolve(*let.value, clause);
    open_lets_.pop_back();
    if (value) sizes_[value.get()] = operations_ - before;
    found = lets_.emplace(std::move(key), value).first;
  } else if (found->second) {
    return make(use, LetReference{found->second}, 1 + sizes_[found->second.get()]);
  }
  return found->second ? make(use, LetReference{found->second}) : nullptr;
}

}  // namespace ascribe::language
