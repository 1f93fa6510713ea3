// The part of NameResolver that resolves calls: which function or built-in, and what each argument is for.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/habits.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/name_resolver.hpp"

namespace ascribe::language {
namespace {

// A call with more arguments behind those that it has.
Fix fill_in(const syntax::Call& call, const std::string& missing, const Source& source) {
  auto title = filled("give it `{}`", missing);
  if (!call.has_arguments) return {title, {{{call.span.end, call.span.end}, filled("({})", missing)}}};
  auto end = call.span.end - 1;
  auto before = source.text({call.span.begin, end});
  auto last = before.find_last_not_of(" \t\r\n");
  bool open = last == std::string_view::npos || before[last] == '(' || before[last] == ',';
  return {title, {{{end, end}, filled("{}{}", open ? "" : ", ", missing)}}};
}

// Of a number that is written there, perhaps with a sign.
std::optional<double> plain_number(const Expression& expression) {
  if (auto* constant = std::get_if<Constant>(&expression.node)) return constant->value;
  auto* unary = std::get_if<Unary>(&expression.node);
  auto inner = unary && unary->op == Operator::negate ? plain_number(*unary->operand) : std::nullopt;
  return inner ? std::optional(-*inner) : std::nullopt;
}

}  // namespace

bool NameResolver::is_term(std::string_view name) const {
  return std::find(local_.terms.begin(), local_.terms.end(), name) != local_.terms.end();
}

std::shared_ptr<const Function> NameResolver::function(const syntax::Call& call) {
  auto& path = call.path;
  if (auto found = functions_.find(path, reporter_)) return *found;
  auto foreign = help_for_foreign_call(call, *reporter_.source());
  // `x.clamp(0)` is another language's method, `acme.clipped(y)` lacks its import.
  if (path.qualifier && !is_foreign_qualifier(path.qualifier->text) && foreign.help.empty() &&
      !is_protected(path.qualifier->text) && !is_term(path.qualifier->text) && !parameter_index(path.qualifier->text) &&
      !local_.lets.contains(path.qualifier->text)) {
    report_unknown_pack(*path.qualifier, Code::unknown_function, functions_.packs(), reporter_);
    return nullptr;
  }
  auto& name = path.name.text;
  bool is_value =
      (is_protected(name) && name != "layer") || parameter_index(name) || local_.lets.contains(name) || is_term(name);
  if (!path.qualifier && foreign.help.empty() && is_value) {
    reporter_.report(Code::wrong_type, path.span, filled("`{}` is no function", name),
                     is_term(name) ? filled("its values are `{0}.x`, `{0}.y`, …", name)
                                   : filled("write `{0}`, or `{0} * (…)` for a product", name));
    return nullptr;
  }
  auto known = functions_.function_names();
  for (auto& row : builtins()) known.emplace_back(row.name);
  auto help = foreign.help;
  if (help.empty()) help = did_you_mean(path.name.text, known, filled("define it: `fn {}(z) = …`", path.name.text));
  auto& diagnostic =
      reporter_.report(Code::unknown_function, path.span, filled("unknown function `{}`", shown(path)), help);
  if (!foreign.written.empty())
    diagnostic.fixes = {
        {filled("write `{}`", foreign.written), {in_place_of(call, foreign.written, *reporter_.source())}}};
  return nullptr;
}

ExpressionPointer NameResolver::builtin_call(const syntax::Call& call, const BuiltinInfo& info, Clause clause) {
  auto named = std::find_if(call.arguments.begin(), call.arguments.end(),
                            [](auto& argument) { return argument.name.has_value(); });
  if (info.place == BuiltinPlace::require && clause != Clause::require) {
    reporter_.report(Code::not_visible, call.span, filled("`{}` belongs to `require`", info.name),
                     "write `require has(\"weight\")`");
    return nullptr;
  }
  if (info.place == BuiltinPlace::test && !is_in_test(clause)) {
    reporter_.report(Code::not_visible, call.span, filled("`{}` belongs to tests", info.name),
                     "a rule is tried in a block of its own: `test \"…\" { model = …; x = …; expect … }`");
    return nullptr;
  }
  auto* own = std::get_if<OwnNode>(&info.sort);
  if (own && *own == OwnNode::has) return has_call(call);
  if (own && *own == OwnNode::random) return random_call(call, clause);
  if (named != call.arguments.end() &&
      !(own && *own == OwnNode::stabilize && (named->name->text == "e" || named->name->text == "z"))) {
    auto written = by_position(call, info, {}, clause == Clause::param, *reporter_.source());
    auto& diagnostic =
        reporter_.report(Code::unknown_argument, named->name->span, filled("`{}` takes no argument by name", info.name),
                         filled("write `{}`", written));
    diagnostic.fixes = {{filled("write `{}`", written), {{call.span, written}}}};
    return nullptr;
  }
  auto count = call.arguments.size();
  if (count < info.least || count > info.most) {
    bool extremum = std::holds_alternative<Fold>(info.sort) && count == 1;
    auto of_all = filled("quantile({}, {})", extremum ? reporter_.source()->text(call.arguments[0].value->span) : "",
                         info.name == "max" ? 1 : 0);
    auto& diagnostic = reporter_.report(
        Code::wrong_argument_count, call.span,
        filled("`{}` takes {}, not {}", info.name,
               info.most == any_number   ? filled("{} arguments or more", info.least)
               : info.least == info.most ? filled("{} argument{}", info.least, info.least == 1 ? "" : "s")
                                         : filled("{} or {} arguments", info.least, info.most),
               count),
        extremum ? filled("`{}(x, 0)` compares element by element; for each sample's own write `{}`", info.name, of_all)
                 : filled("it is called as `{}`", info.signature));
    if (extremum) diagnostic.fixes = {{filled("write `{}`", of_all), {{call.span, of_all}}}};
    return nullptr;
  }
  if (own) return own_node(*own, call, clause);
  auto* reduction = std::get_if<Reduction>(&info.sort);
  BuiltinCall out{info.id, {}, {}};
  for (std::size_t i = 0; i < count; ++i) {
    auto& argument = *call.arguments[i].value;
    if (reduction && i >= reduction->before_dimensions()) {
      auto d = dimension(argument);
      if (!d) return nullptr;
      if (std::find(out.dimensions.begin(), out.dimensions.end(), *d) != out.dimensions.end()) {
        reporter_.report(Code::bad_dimension, argument.span, filled("dimension {} is there twice", *d),
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

ExpressionPointer NameResolver::own_node(OwnNode node, const syntax::Call& call, Clause clause) {
  switch (node) {
    case OwnNode::stabilize:
      return stabilize_call(call, clause);
    case OwnNode::has:
      return has_call(call);
    case OwnNode::random:
      return random_call(call, clause);
    case OwnNode::relevance:
      return relevance_call(call, clause);
  }
  return nullptr;
}

std::optional<std::int64_t> NameResolver::dimension(const syntax::Expression& expression) {
  auto* unary = std::get_if<syntax::Unary>(&expression.node);
  auto* number =
      std::get_if<syntax::Number>(unary && unary->op == Operator::negate ? &unary->operand->node : &expression.node);
  constexpr double most = 64;  // dimensions of a LibTorch tensor
  if (number && number->value > most) {
    reporter_.report(Code::bad_dimension, expression.span,
                     filled("no tensor has more than {} dimensions", static_cast<int>(most)),
                     "write `sum(x, 1)` or `sum(x, -1)`");
    return {};
  }
  if (!number || number->value != std::floor(number->value)) {
    auto* list = std::get_if<syntax::List>(&expression.node);
    bool several = list && !list->elements.empty();
    auto written = several
                       ? reporter_.source()->text({list->elements.front().span.begin, list->elements.back().span.end})
                       : std::string_view("1");
    auto& diagnostic = reporter_.report(
        Code::bad_dimension, expression.span, "a dimension is a whole number, written out",
        several ? filled("dimensions stand one by one: `sum(x, {})`", written) : "write `sum(x, 1)` or `sum(x, -1)`");
    if (several) diagnostic.fixes = {{filled("write `{}`", written), {{expression.span, std::string(written)}}, true}};
    return {};
  }
  return static_cast<std::int64_t>(unary ? -number->value : number->value);
}

ExpressionPointer NameResolver::stabilize_call(const syntax::Call& call, Clause clause) {
  static const std::vector<Parameter> parameters{
      {"z", unknown, {}, nullptr},
      {"e", stabilizer, Value(default_epsilon),
       std::make_shared<const Expression>(Expression{Constant{default_epsilon}, {}})}};
  auto arguments = resolve_arguments(call, "stabilize", parameters, clause);
  if (!arguments) return nullptr;
  auto& epsilon = arguments->at(1);
  bool by_stabilizer = std::holds_alternative<StabilizerFunction>(epsilon->node);
  if (auto* reference = std::get_if<ParameterReference>(&epsilon->node))
    by_stabilizer = local_.parameters->at(reference->index).type == stabilizer;
  if (auto number = plain_number(*epsilon))
    if (auto problem = problem_of_stabilizer(*number)) {
      reporter_.report(Code::wrong_type, epsilon->span, std::move(*problem), example_of_stabilizer);
      return nullptr;
    }
  return make(call.span, Stabilize{arguments->at(0), epsilon, by_stabilizer});
}

bool check_parameter_name(const syntax::StringLiteral& name, const Reporter& reporter) {
  auto help = refused_parameter_name(name.value);
  if (help)
    reporter.report(Code::unknown_parameter_name, name.span, filled("no layer has a parameter \"{}\"", name.value),
                    *help);
  return !help;
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
  if (!check_parameter_name(*name, reporter_)) return nullptr;
  return make(call.span, HasParameter{name->value});
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
                         filled("`{}` has no parameter `{}`", name, argument.name->text),
                         did_you_mean(argument.name->text, known,
                                      known.empty() ? filled("`{}` takes no arguments", name)
                                                    : filled("it has: {}", listed(known))));
        sound = false;
        continue;
      }
    }
    if (index >= parameters.size()) {
      reporter_.report(
          Code::wrong_argument_count, argument.span,
          filled("`{}` takes {} argument{}, not {}", name, most, most == 1 ? "" : "s", call.arguments.size()),
          known.empty() ? "" : filled("it has: {}", listed(known)));
      return {};
    }
    if (given[index]) {
      auto& diagnostic = reporter_.report(Code::repeated_argument, argument.span,
                                          filled("`{}` is given twice", parameters[index].name), "leave one out");
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
      auto& diagnostic =
          reporter_.report(Code::missing_argument, call.span, filled("`{}` needs `{}`", name, parameter.name),
                           filled("write `{}({} = …)`", name, parameter.name));
      std::string missing;
      for (auto k = i; k < parameters.size(); ++k)
        if (!given[k] && !parameters[k].default_expression)
          missing += filled("{}{} = {}", missing.empty() ? "" : ", ", parameters[k].name,
                            example(parameters[k].type.form == Form::unknown ? scalar : parameters[k].type));
      diagnostic.fixes = {fill_in(call, missing, *reporter_.source())};
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
                       filled("`{}` takes {}, not a list of names", parameter.name,
                              parameter.type.form == Form::unknown ? "a number" : describe(parameter.type)),
                       filled("a parameter for names is declared as `{}: names`", parameter.name));
      return nullptr;
    }
    if (strings && parameter.type.form == Form::names) {
      NameList chosen;
      for (auto& element : list->elements) {
        auto& name = std::get<syntax::StringLiteral>(element.node);
        if (!check_parameter_name(name, reporter_)) return nullptr;
        chosen.names.push_back(name.value);
      }
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
                     filled("`{}` takes a list of names, not one string", parameter.name),
                     filled("write `[\"{}\"]`", string->value));
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
                    local_.values.contains(call->path.name.text) || is_protected(call->path.name.text));
  if (!own_value && !call->path.qualifier && !call->has_arguments && find_builtin(call->path.name.text)) {
    auto& name = call->path.name.text;
    reporter_.report(Code::wrong_type, call->span, filled("`{}` is built in, and no stabilizer by itself", name),
                     filled("make a function of it: `fn mine(z) = {}(z)`, then `mine`", name));
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
  bool is_function = call->has_arguments || call->path.qualifier || functions_.is_function(call->path.name.text);
  if (!is_function) return resolve(expression, clause);
  auto found = function(*call);
  if (!found) return nullptr;
  if (found->parameters.empty()) {
    reporter_.report(Code::wrong_type, call->span, filled("`{}` takes no value to stabilize", found->name),
                     "a stabilizer is a function whose first parameter is the value");
    return nullptr;
  }
  auto rest = resolve_arguments(*call, found->name, found->parameters, clause, 1);
  return rest ? make(expression.span, StabilizerFunction{found, std::move(*rest)}, 1 + found->operations) : nullptr;
}

}  // namespace ascribe::language
