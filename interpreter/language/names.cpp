#include "interpreter/language/names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "grammar/limits.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/habits.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/suggest.hpp"

namespace ascribe::language {
namespace {

struct QuantityName {
  std::string_view name;
  Quantity quantity;
};
constexpr QuantityName quantity_names[] = {{"x", Quantity::x}, {"w", Quantity::w}, {"y", Quantity::y},
                                           {"v", Quantity::v}, {"R", Quantity::R}, {"grad", Quantity::grad}};

const QuantityName* find_quantity(std::string_view name) {
  auto found =
      std::find_if(std::begin(quantity_names), std::end(quantity_names), [&](auto& row) { return row.name == name; });
  return found == std::end(quantity_names) ? nullptr : found;
}

// What each clause sees; `terms`: x, y and v of named terms.
struct Sight {
  Clause clause;
  std::string_view word;
  std::initializer_list<Quantity> quantities;
  std::initializer_list<Quantity> terms;
};
const Sight sights[] = {
    {Clause::input, "input", {Quantity::x}, {}},
    {Clause::param, "param", {Quantity::w}, {}},
    {Clause::output, "output", {Quantity::y}, {}},
    {Clause::map, "map", {Quantity::R, Quantity::y, Quantity::x, Quantity::layer_y}, {Quantity::y, Quantity::x}},
    {Clause::reduce,
     "reduce",
     {Quantity::x, Quantity::v, Quantity::y, Quantity::R, Quantity::layer_x},
     {Quantity::x, Quantity::v, Quantity::y}},
    {Clause::forward, "forward", {Quantity::y, Quantity::x, Quantity::layer_y}, {}},
    {Clause::backward, "backward", {Quantity::x, Quantity::y, Quantity::R, Quantity::grad}, {}},
    {Clause::require, "require", {}, {}},
    {Clause::argument, "an argument", {}, {}},
    {Clause::function, "a function", {}, {}},
    {Clause::test, "a test", {Quantity::x, Quantity::y, Quantity::R}, {}},
    {Clause::test_model, "model", {}, {}},
    {Clause::test_x, "the input x", {}, {}},
    {Clause::test_R, "the start R", {Quantity::x, Quantity::y}, {}},
};

const Sight& sight(Clause clause) { return sights[static_cast<std::size_t>(clause)]; }

bool contains(std::initializer_list<Quantity> list, Quantity quantity) {
  return std::find(list.begin(), list.end(), quantity) != list.end();
}

std::string shown(const syntax::Path& path) {
  return path.qualifier ? fmt::format("{}.{}", path.qualifier->text, path.name.text) : path.name.text;
}

}  // namespace

bool is_in_test(Clause clause) { return clause >= Clause::test; }
bool is_protected(std::string_view name) { return find_quantity(name) || name == "layer"; }

std::string describe(Clause clause) {
  auto word = sight(clause).word;
  return word.find(' ') == std::string_view::npos ? fmt::format("`{}`", word) : std::string(word);
}

Diagnostic& Reporter::report(Code code, Span where, std::string message, std::string help) const {
  diagnostics_->push_back(
      {.code = code, .message = std::move(message), .primary = {source_, where, ""}, .help = std::move(help)});
  return diagnostics_->back();
}

std::size_t Reporter::error_count() const {
  return static_cast<std::size_t>(
      std::count_if(diagnostics_->begin(), diagnostics_->end(), [](auto& d) { return d.severity == Severity::error; }));
}

Diagnostic& Reporter::warn(Code code, Span where, std::string message, std::string help) const {
  auto& diagnostic = report(code, where, std::move(message), std::move(help));
  diagnostic.severity = Severity::warning;
  return diagnostic;
}

void report_unknown_pack(const syntax::Name& qualifier, Code code, const std::vector<std::string>& known,
                         const Reporter& reporter) {
  reporter.report(code, qualifier.span, fmt::format("unknown pack `{}`", qualifier.text),
                  did_you_mean(qualifier.text, known,
                               fmt::format("`import \"../{0}\" as {0}` makes it known in this file", qualifier.text)));
}

ExpressionPointer NameResolver::make(Span span, decltype(Expression::node) node, std::size_t operations) {
  bool within = operations_ < limits.rule_operations;
  operations_ += operations;
  if (operations_ >= limits.rule_operations) {
    if (within)
      reporter_.report(Code::too_large, span,
                       fmt::format("the definition has more than {} operations", limits.rule_operations),
                       "use fewer lets inside lets, fewer functions inside functions");
    return nullptr;
  }
  return std::make_shared<const Expression>(Expression{std::move(node), span});
}

ExpressionPointer NameResolver::resolve(const syntax::Expression& expression, Clause clause) {
  auto resolved = [&](const syntax::ExpressionPointer& inner) { return resolve(*inner, clause); };
  auto span = expression.span;
  auto& node = expression.node;
  if (operations_ >= limits.rule_operations) return nullptr;
  if (auto* it = std::get_if<syntax::Number>(&node)) return make(span, Constant{it->value});
  if (auto* it = std::get_if<syntax::Group>(&node)) return resolved(it->inner);
  if (auto* it = std::get_if<syntax::Call>(&node)) return call(*it, clause);
  if (auto* it = std::get_if<syntax::StringLiteral>(&node)) {
    reporter_.report(Code::wrong_type, span, "a string is no value here",
                     fmt::format("strings name parameters and modules: `param \"{}\" = 0`", it->value));
    return nullptr;
  }
  if (std::holds_alternative<syntax::List>(node)) {
    if (is_in_test(clause)) return tensor(expression, clause);
    reporter_.report(Code::wrong_type, span, "a list is no value here",
                     clause == Clause::argument
                         ? "a list is an argument by itself: write its numbers as they shall be, `low = [2, 4]`"
                         : "give it to a parameter: `rule box(low: input) { … }`, `box(low = [-1, -2])`");
    return nullptr;
  }
  if (auto* it = std::get_if<syntax::Unary>(&node)) {
    auto operand = resolved(it->operand);
    return operand ? make(span, Unary{it->op, operand}) : nullptr;
  }
  if (auto* it = std::get_if<syntax::Power>(&node)) {
    auto base = resolved(it->base), exponent = resolved(it->exponent);
    return base && exponent ? make(span, Power{base, exponent}) : nullptr;
  }
  if (auto* it = std::get_if<syntax::Comparison>(&node)) {
    auto left = resolved(it->left), right = resolved(it->right);
    auto within = it->within ? resolved(it->within) : nullptr;
    if (it->within && it->op != Operator::equal && it->op != Operator::not_equal) {
      reporter_.report(Code::wrong_type, it->within->span, "`within` belongs to `==` and `!=`",
                       "write `a == b within 1e-6`");
      return nullptr;
    }
    return left && right && (within || !it->within) ? make(span, Comparison{it->op, left, right, within}) : nullptr;
  }
  if (auto* it = std::get_if<syntax::Conditional>(&node)) {
    auto condition = resolved(it->condition), consequence = resolved(it->consequence),
         alternative = resolved(it->alternative);
    return condition && consequence && alternative ? make(span, Conditional{condition, consequence, alternative})
                                                   : nullptr;
  }
  auto& chain = std::get<syntax::Chain>(node);
  Chain out{{}, chain.operators};
  for (auto& operand : chain.operands) out.operands.push_back(resolve(operand, clause));
  bool sound = std::none_of(out.operands.begin(), out.operands.end(), [](auto& operand) { return operand == nullptr; });
  return sound ? make(span, std::move(out)) : nullptr;
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
  if (auto* found = find_quantity(name)) return quantity(path, found->quantity, this_term, clause);
  if (auto index = parameter_index(name)) return make(path.span, ParameterReference{*index});
  if (auto found = local_.lets.find(name); found != local_.lets.end()) return let(*found->second, path.span, clause);
  if (is_term(name)) {
    reporter_.report(Code::wrong_type, path.span, fmt::format("`{}` is a term, not a value", name),
                     fmt::format("write `{0}.x`, `{0}.y` or `{0}.v`", name));
    return nullptr;
  }
  if (name == "layer") {
    reporter_.report(Code::wrong_type, path.span, "`layer` is not a value", "write `layer.x` or `layer.y`");
    return nullptr;
  }
  if (find_builtin(name) || std::find(function_names_.begin(), function_names_.end(), name) != function_names_.end()) {
    reporter_.report(Code::wrong_type, path.span, fmt::format("`{}` is a function, not a value", name),
                     fmt::format("call it: `{}(…)`", name));
    return nullptr;
  }
  std::vector<std::string> candidates{local_.terms};
  for (auto& each : sight(clause).quantities)
    for (auto& row : quantity_names)
      if (row.quantity == each) candidates.emplace_back(row.name);
  if (local_.parameters)
    for (auto& parameter : *local_.parameters) candidates.push_back(parameter.name);
  for (auto& [let_name, written] : local_.lets) candidates.push_back(let_name);
  std::string help(help_for_foreign_name(name));
  if (help.empty()) help = did_you_mean(name, candidates);
  if (help.empty())
    help = candidates.empty() ? is_in_test(clause)
                                    ? "numbers, lists and lets can stand here"
                                    : "numbers, strings and lists can stand here; defaults see no parameters"
                              : fmt::format("known here: {}", fmt::join(candidates, ", "));
  reporter_.report(Code::unknown_name, path.span, fmt::format("unknown name `{}`", name), help);
  return nullptr;
}

ExpressionPointer NameResolver::qualified_name(const syntax::Path& path, Clause clause) {
  auto& qualifier = path.qualifier->text;
  auto& name = path.name.text;
  if (qualifier == "layer") {
    if (name == "x" || name == "y")
      return quantity(path, name == "x" ? Quantity::layer_x : Quantity::layer_y, this_term, clause);
    reporter_.report(Code::unknown_name, path.name.span, fmt::format("a layer has no `{}`", name),
                     "write `layer.x` or `layer.y`");
    return nullptr;
  }
  auto term = std::find(local_.terms.begin(), local_.terms.end(), qualifier);
  if (term == local_.terms.end() && functions_.is_pack(qualifier)) {
    reporter_.report(Code::wrong_type, path.span, fmt::format("`{}` is no value", shown(path)),
                     fmt::format("a pack's functions are called: `{}(…)`", shown(path)));
    return nullptr;
  }
  if (term == local_.terms.end()) {
    if (find_quantity(qualifier) || parameter_index(qualifier) || local_.lets.contains(qualifier)) {
      reporter_.report(Code::unknown_name, path.span, fmt::format("`{}` is a value and has no `{}`", qualifier, name),
                       "terms have parts, `positive.y`; functions stand in front of their values: `abs(x)`");
      return nullptr;
    }
    auto candidates = local_.terms;
    candidates.push_back("layer");
    auto help = is_foreign_qualifier(qualifier) && find_quantity(name) ? fmt::format("write `{}`", name)
                                                                       : std::string(help_for_foreign_name(qualifier));
    reporter_.report(Code::unknown_name, path.qualifier->span, fmt::format("unknown term `{}`", qualifier),
                     help.empty() ? did_you_mean(qualifier, candidates) : help);
    return nullptr;
  }
  auto* found = find_quantity(name);
  if (!found || !(name == "x" || name == "y" || name == "v")) {
    reporter_.report(Code::unknown_name, path.name.span, fmt::format("a term has no `{}`", name),
                     fmt::format("write `{0}.x`, `{0}.y` or `{0}.v`", qualifier));
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
        visible.push_back("layer.x");
      else if (each == Quantity::layer_y)
        visible.push_back("layer.y");
      else
        for (auto& row : quantity_names)
          if (row.quantity == each) visible.emplace_back(row.name);
    }
    reporter_.report(Code::not_visible, path.span, fmt::format("{} does not see `{}`", describe(clause), shown(path)),
                     visible.empty() ? fmt::format("{} sees {} only", describe(clause),
                                                   is_in_test(clause) ? "numbers and lets" : "parameters")
                                     : fmt::format("{} sees {}", describe(clause), fmt::join(visible, ", ")));
    return nullptr;
  }
  bool ambiguous = term == this_term && !local_.terms.empty() && (clause == Clause::reduce || !open_lets_.empty()) &&
                   (wanted == Quantity::x || wanted == Quantity::y || wanted == Quantity::v);
  if (ambiguous) {
    reporter_.report(Code::not_visible, path.span, fmt::format("which term's `{}`?", shown(path)),
                     fmt::format("write `{}.{}`", local_.terms.front(), shown(path)));
    return nullptr;
  }
  return make(path.span, QuantityReference{wanted, term});
}

ExpressionPointer NameResolver::let(const syntax::Let& let, Span use, Clause clause) {
  auto key = std::pair(let.name.text, clause);
  auto found = lets_.find(key);
  if (found == lets_.end()) {
    if (std::find(open_lets_.begin(), open_lets_.end(), let.name.text) != open_lets_.end()) {
      reporter_.report(Code::cycle, let.name.span, fmt::format("the let `{}` uses itself", let.name.text),
                       "a let is made of values that are already there");
      return nullptr;
    }
    if (open_lets_.size() >= limits.let_depth) {
      reporter_.report(Code::too_deep, use, fmt::format("lets use lets more than {} deep", limits.let_depth),
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

// --------------------------------------------------------------------------------------------------------- functions

bool NameResolver::is_term(std::string_view name) const {
  return std::find(local_.terms.begin(), local_.terms.end(), name) != local_.terms.end();
}

std::shared_ptr<const Function> NameResolver::function(const syntax::Call& call) {
  auto& path = call.path;
  if (auto found = functions_.find(path, reporter_)) return *found;
  // `x.clamp(0)` is another language's method, `acme.clipped(y)` lacks its import.
  if (path.qualifier && help_for_foreign_call(call, *reporter_.source()).empty() &&
      !is_protected(path.qualifier->text) && !is_term(path.qualifier->text) && !parameter_index(path.qualifier->text) &&
      !local_.lets.contains(path.qualifier->text)) {
    report_unknown_pack(*path.qualifier, Code::unknown_function, functions_.packs(), reporter_);
    return nullptr;
  }
  auto known = functions_.function_names();
  for (auto& row : builtins()) known.emplace_back(row.name);
  auto help = help_for_foreign_call(call, *reporter_.source());
  if (help.empty())
    help = did_you_mean(path.name.text, known, fmt::format("define it: `fn {}(z) = …`", path.name.text));
  reporter_.report(Code::unknown_function, path.span, fmt::format("unknown function `{}`", shown(path)), help);
  return nullptr;
}

ExpressionPointer NameResolver::builtin_call(const syntax::Call& call, const BuiltinInfo& info, Clause clause) {
  auto named = std::find_if(call.arguments.begin(), call.arguments.end(),
                            [](auto& argument) { return argument.name.has_value(); });
  if (info.place == BuiltinPlace::require && clause != Clause::require) {
    reporter_.report(Code::not_visible, call.span, fmt::format("`{}` belongs to `require`", info.name),
                     "write `require has(\"weight\")`");
    return nullptr;
  }
  if (info.place == BuiltinPlace::test && !is_in_test(clause)) {
    reporter_.report(Code::not_visible, call.span, fmt::format("`{}` belongs to tests", info.name),
                     "a rule is tried in a block of its own: `test \"…\" { model = …; x = …; expect … }`");
    return nullptr;
  }
  if (info.id == Builtin::has) return has_call(call);
  if (info.id == Builtin::random) return random_call(call, clause);
  if (named != call.arguments.end() &&
      !(info.id == Builtin::stabilize && (named->name->text == "e" || named->name->text == "z"))) {
    std::vector<std::string_view> values;
    for (auto& argument : call.arguments) values.push_back(reporter_.source()->text(argument.value->span));
    reporter_.report(Code::unknown_argument, named->name->span,
                     fmt::format("`{}` takes no argument by name", info.name),
                     fmt::format("write `{}({})`", info.name, fmt::join(values, ", ")));
    return nullptr;
  }
  auto count = call.arguments.size();
  if (count < info.least || count > info.most) {
    bool extremum = (info.id == Builtin::min || info.id == Builtin::max) && count == 1;
    reporter_.report(
        Code::wrong_argument_count, call.span,
        fmt::format("`{}` takes {}, not {}", info.name,
                    info.most == SIZE_MAX     ? fmt::format("{} arguments or more", info.least)
                    : info.least == info.most ? fmt::format("{} argument{}", info.least, info.least == 1 ? "" : "s")
                                              : fmt::format("{} or {} arguments", info.least, info.most),
                    count),
        extremum
            ? fmt::format("`{0}(x, 0)` compares element by element; there is no {0} over a whole tensor", info.name)
            : fmt::format("it is called as `{}`", info.signature));
    return nullptr;
  }
  if (info.id == Builtin::stabilize) return stabilize_call(call, clause);
  if (info.id == Builtin::relevance) return relevance_call(call, clause);
  BuiltinCall out{info.id, {}, {}};
  bool reduces = info.id == Builtin::sum || info.id == Builtin::mean;
  for (std::size_t i = 0; i < count; ++i) {
    auto& argument = *call.arguments[i].value;
    if (reduces && i > 0) {
      auto d = dimension(argument);
      if (!d) return nullptr;
      if (std::find(out.dimensions.begin(), out.dimensions.end(), *d) != out.dimensions.end()) {
        reporter_.report(Code::bad_dimension, argument.span, fmt::format("dimension {} is there twice", *d),
                         "name each dimension once");
        return nullptr;
      }
      out.dimensions.push_back(*d);
    } else {
      out.arguments.push_back(resolve(argument, clause));
    }
  }
  bool sound = std::none_of(out.arguments.begin(), out.arguments.end(), [](auto& each) { return each == nullptr; });
  return sound ? make(call.span, std::move(out)) : nullptr;
}

std::optional<std::int64_t> NameResolver::dimension(const syntax::Expression& expression) {
  auto* unary = std::get_if<syntax::Unary>(&expression.node);
  auto* number =
      std::get_if<syntax::Number>(unary && unary->op == Operator::negate ? &unary->operand->node : &expression.node);
  constexpr double most = 64;  // dimensions of a LibTorch tensor
  if (number && number->value > most) {
    reporter_.report(Code::bad_dimension, expression.span,
                     fmt::format("no tensor has more than {} dimensions", static_cast<int>(most)),
                     "write `sum(x, 1)` or `sum(x, -1)`");
    return {};
  }
  if (!number || number->value != std::floor(number->value)) {
    reporter_.report(Code::bad_dimension, expression.span, "a dimension is a whole number, written out",
                     "write `sum(x, 1)` or `sum(x, -1)`");
    return {};
  }
  return static_cast<std::int64_t>(unary ? -number->value : number->value);
}

ExpressionPointer NameResolver::stabilize_call(const syntax::Call& call, Clause clause) {
  static const std::vector<Parameter> parameters{
      {"z", unknown, {}, nullptr},
      {"e", stabilizer, Value(1e-6), std::make_shared<const Expression>(Expression{Constant{1e-6}, {}})}};
  auto arguments = resolve_arguments(call, "stabilize", parameters, clause);
  if (!arguments) return nullptr;
  auto& epsilon = arguments->at(1);
  bool by_stabilizer = std::holds_alternative<StabilizerFunction>(epsilon->node);
  if (auto* reference = std::get_if<ParameterReference>(&epsilon->node))
    by_stabilizer = local_.parameters->at(reference->index).type == stabilizer;
  return make(call.span, Stabilize{arguments->at(0), epsilon, by_stabilizer});
}

ExpressionPointer NameResolver::has_call(const syntax::Call& call) {
  auto* name = call.arguments.size() == 1 && !call.arguments[0].name
                   ? std::get_if<syntax::StringLiteral>(&call.arguments[0].value->node)
                   : nullptr;
  if (!name) {
    reporter_.report(Code::wrong_argument_count, call.span, "`has` takes the name of one parameter",
                     "write `has(\"weight\")`");
    return nullptr;
  }
  if (!is_parameter_name(name->value)) {
    std::vector<std::string> known;
    for (auto each : parameter_names()) known.emplace_back(each);
    reporter_.report(Code::unknown_parameter_name, name->span,
                     fmt::format("no layer has a parameter \"{}\"", name->value),
                     did_you_mean(name->value, known, "layers have \"weight\" and \"bias\""));
    return nullptr;
  }
  return make(call.span, HasParameter{name->value});
}

// ------------------------------------------------------------------------------------------------- values of tests

// `[[1, 2], [3, 4]]`: the rows of a list have one length.
ExpressionPointer NameResolver::tensor(const syntax::Expression& written, Clause clause) {
  Tensor out;
  bool sound = true;
  auto fill = [&](auto& self, const syntax::Expression& each, std::size_t depth) -> void {
    auto* list = std::get_if<syntax::List>(&each.node);
    if (list && out.elements.empty() && out.shape.size() == depth)
      out.shape.push_back(static_cast<std::int64_t>(list->elements.size()));
    bool fits = list ? depth < out.shape.size() && static_cast<std::int64_t>(list->elements.size()) == out.shape[depth]
                     : depth == out.shape.size();
    if (!sound) return;
    if (!fits) {
      reporter_.report(Code::wrong_type, each.span, "the rows of a list differ in length",
                       "a list of lists is a matrix: all rows have one length");
      sound = false;
      return;
    }
    if (list) {
      for (auto& element : list->elements) self(self, element, depth + 1);
      return;
    }
    out.elements.push_back(resolve(each, clause));
    sound = sound && out.elements.back();
  };
  fill(fill, written, 0);
  return sound ? make(written.span, std::move(out)) : nullptr;
}

ExpressionPointer NameResolver::random_call(const syntax::Call& call, Clause clause) {
  Random out;
  bool sound = true;
  for (auto& argument : call.arguments) {
    if (argument.name && (argument.name->text != "seed" || out.seed)) {
      bool twice = argument.name->text == "seed";
      reporter_.report(
          twice ? Code::repeated_argument : Code::unknown_argument, argument.name->span,
          twice ? "`seed` is given twice" : fmt::format("`random` has no parameter `{}`", argument.name->text),
          "write `random(2, 3, seed = 1)`");
      return nullptr;
    }
    auto value = resolve(*argument.value, clause);
    sound = sound && value;
    if (argument.name)
      out.seed = value;
    else
      out.sizes.push_back(value);
  }
  if (!sound) return nullptr;
  if (out.sizes.empty()) {
    reporter_.report(Code::wrong_argument_count, call.span, "`random` needs the sizes of a tensor",
                     "write `random(2, 3, seed = 1)`");
    return nullptr;
  }
  return make(call.span, std::move(out));
}

ExpressionPointer NameResolver::relevance_call(const syntax::Call& call, Clause clause) {
  if (clause != Clause::test) {
    reporter_.report(Code::not_visible, call.span, fmt::format("{} does not see `relevance`", describe(clause)),
                     "relevance is what a test expects: `expect relevance(epsilon) == R`");
    return nullptr;
  }
  auto* rules = std::get_if<syntax::Call>(&call.arguments.front().value->node);
  if (!rules) {
    reporter_.report(Code::wrong_type, call.arguments.front().span, "`relevance` takes a rule or a composite",
                     "write `relevance(epsilon(0.1))`");
    return nullptr;
  }
  auto target = local_.find_target(*rules, clause);
  if (!target) return nullptr;
  return make(call.span, Relevance{std::make_shared<const Target>(std::move(*target))});
}

// --------------------------------------------------------------------------------------------------------- arguments

std::optional<std::size_t> NameResolver::parameter_index(std::string_view name) const {
  if (!local_.parameters) return {};
  for (std::size_t i = 0; i < local_.parameters->size(); ++i)
    if (local_.parameters->at(i).name == name) return i;
  return {};
}

std::optional<std::vector<ExpressionPointer>> NameResolver::resolve_arguments(const syntax::Call& call,
                                                                              const std::string& name,
                                                                              const std::vector<Parameter>& parameters,
                                                                              Clause clause, std::size_t first) {
  std::vector<ExpressionPointer> out(parameters.size());
  std::vector<const syntax::Argument*> given(parameters.size());
  bool sound = true;
  auto most = parameters.size() - std::min(first, parameters.size());
  std::vector<std::string> known;
  for (auto i = first; i < parameters.size(); ++i) known.push_back(parameters[i].name);
  auto position = first;
  for (auto& argument : call.arguments) {
    std::size_t index = position++;
    if (argument.name) {
      index =
          first + static_cast<std::size_t>(std::find(known.begin(), known.end(), argument.name->text) - known.begin());
      if (index == parameters.size()) {
        reporter_.report(Code::unknown_argument, argument.name->span,
                         fmt::format("`{}` has no parameter `{}`", name, argument.name->text),
                         did_you_mean(argument.name->text, known,
                                      known.empty() ? fmt::format("`{}` takes no arguments", name)
                                                    : fmt::format("it has: {}", fmt::join(known, ", "))));
        sound = false;
        continue;
      }
    }
    if (index >= parameters.size()) {
      reporter_.report(
          Code::wrong_argument_count, argument.span,
          fmt::format("`{}` takes {} argument{}, not {}", name, most, most == 1 ? "" : "s", call.arguments.size()),
          known.empty() ? "" : fmt::format("it has: {}", fmt::join(known, ", ")));
      return {};
    }
    if (given[index]) {
      auto& diagnostic = reporter_.report(Code::repeated_argument, argument.span,
                                          fmt::format("`{}` is given twice", parameters[index].name), "leave one out");
      diagnostic.others.push_back({reporter_.source(), given[index]->span, "first here"});
      sound = false;
      continue;
    }
    given[index] = &argument;
  }
  for (auto i = first; i < parameters.size(); ++i) {
    auto& parameter = parameters[i];
    if (given[i]) {
      out[i] = resolve_argument(*given[i]->value, parameter, clause);
      sound = sound && out[i];
    } else if (parameter.default_expression) {
      out[i] = parameter.default_expression;
    } else if (sound) {
      reporter_.report(Code::missing_argument, call.span, fmt::format("`{}` needs `{}`", name, parameter.name),
                       fmt::format("write `{}({} = …)`", name, parameter.name));
      sound = false;
    }
  }
  if (!sound) return {};
  return std::vector<ExpressionPointer>(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
}

ExpressionPointer NameResolver::resolve_argument(const syntax::Expression& expression, const Parameter& parameter,
                                                 Clause clause) {
  if (parameter.type.form == Form::stabilizer) return stabilizer_argument(expression, clause);
  if (auto* list = std::get_if<syntax::List>(&expression.node)) {
    if (is_in_test(clause) && parameter.type.form != Form::names) return tensor(expression, clause);
    auto other = std::find_if_not(list->elements.begin(), list->elements.end(),
                                  [](auto& each) { return std::holds_alternative<syntax::StringLiteral>(each.node); });
    bool strings = other == list->elements.end();
    if (!strings && parameter.type.form == Form::names) {
      reporter_.report(Code::wrong_type, other->span, "a list of names holds strings only",
                       "write `[\"weight\", \"bias\"]`");
      return nullptr;
    }
    if (strings && !list->elements.empty() && parameter.type.form != Form::names) {
      reporter_.report(Code::wrong_type, expression.span,
                       fmt::format("`{}` takes {}, not a list of names", parameter.name,
                                   parameter.type.form == Form::unknown ? "a number" : describe(parameter.type)),
                       fmt::format("a parameter for names is declared as `{}: names`", parameter.name));
      return nullptr;
    }
    if (strings && parameter.type.form == Form::names) {
      NameList chosen;
      for (auto& element : list->elements) chosen.names.push_back(std::get<syntax::StringLiteral>(element.node).value);
      return make(expression.span, std::move(chosen));
    }
    List numbers;
    for (auto& element : list->elements) numbers.elements.push_back(resolve_argument(element, parameter, clause));
    bool sound =
        std::none_of(numbers.elements.begin(), numbers.elements.end(), [](auto& each) { return each == nullptr; });
    // A list is made before any layer is met, and before any function is called.
    for (std::size_t i = 0; sound && clause == Clause::function && i < numbers.elements.size(); ++i) {
      if (is_constant(*numbers.elements[i])) continue;
      reporter_.report(Code::wrong_type, list->elements[i].span, "a list in a function holds written numbers only",
                       "let the function have the whole tensor as a parameter: `low: input`");
      return nullptr;
    }
    return sound ? make(expression.span, std::move(numbers)) : nullptr;
  }
  if (auto* string = std::get_if<syntax::StringLiteral>(&expression.node);
      string && parameter.type.form == Form::names) {
    reporter_.report(Code::wrong_type, expression.span,
                     fmt::format("`{}` takes a list of names, not one string", parameter.name),
                     fmt::format("write `[\"{}\"]`", string->value));
    return nullptr;
  }
  return resolve(expression, clause);
}

ExpressionPointer NameResolver::stabilizer_argument(const syntax::Expression& expression, Clause clause) {
  auto* call = std::get_if<syntax::Call>(&expression.node);
  if (std::holds_alternative<syntax::List>(expression.node)) {
    reporter_.report(Code::wrong_type, expression.span, "a stabilizer is a number or a function, not a list",
                     "write `1e-6`, or `clipped(1e-3)`");
    return nullptr;
  }
  if (!call) return resolve(expression, clause);
  bool own_value = !call->path.qualifier && !call->has_arguments &&
                   (parameter_index(call->path.name.text) || local_.lets.contains(call->path.name.text) ||
                    find_quantity(call->path.name.text));
  if (!own_value && !call->path.qualifier && !call->has_arguments && find_builtin(call->path.name.text)) {
    auto& name = call->path.name.text;
    reporter_.report(Code::wrong_type, call->span, fmt::format("`{}` is built in, and no stabilizer by itself", name),
                     fmt::format("make a function of it: `fn mine(z) = {}(z)`, then `mine`", name));
    return nullptr;
  }
  if (own_value || (!call->path.qualifier && call->has_arguments && find_builtin(call->path.name.text)))
    return resolve(expression, clause);
  // Without arguments `positive.y` is a value and `acme.relative` a function; terms come first.
  if (call->path.qualifier && !call->has_arguments) {
    auto& qualifier = call->path.qualifier->text;
    bool value =
        qualifier == "layer" || is_term(qualifier) || (!local_.terms.empty() && !functions_.is_pack(qualifier));
    if (value) return resolve(expression, clause);
  }
  bool is_function =
      call->has_arguments || call->path.qualifier ||
      std::find(function_names_.begin(), function_names_.end(), call->path.name.text) != function_names_.end();
  if (!is_function) return resolve(expression, clause);
  auto found = function(*call);
  if (!found) return nullptr;
  if (found->parameters.empty()) {
    reporter_.report(Code::wrong_type, call->span, fmt::format("`{}` takes no value to stabilize", found->name),
                     "a stabilizer is a function whose first parameter is the value");
    return nullptr;
  }
  auto rest = resolve_arguments(*call, found->name, found->parameters, clause, 1);
  return rest ? make(expression.span, StabilizerFunction{found, std::move(*rest)}, 1 + found->operations) : nullptr;
}

}  // namespace ascribe::language
