#include "interpreter/language/call_checker.hpp"

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/overloaded.hpp"
#include "interpreter/language/binding.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/rule_checker.hpp"
#include "interpreter/language/spaces.hpp"

namespace ascribe::language {

std::optional<Target> check_target_call(const syntax::Call& call, FileScope& file, LocalNames& local, Clause clause,
                                        const Reporter& reporter) {
  auto& name = call.path.name.text;
  if (auto engine = call.path.qualifier ? std::nullopt : find_engine(name)) {
    if (!call.has_arguments) return Target{*engine, {}, call.span};
    reporter.report(Code::engine_target, call.span, filled("`{}` takes no arguments", name),
                    filled("write `{}`", name));
    return {};
  }
  auto definition = file.find_target(call.path, reporter);
  if (!definition) return {};
  auto& parameters = std::visit(
      [](auto& each) -> auto& { return each->parameters; }, *definition);
  NameResolver resolver(reporter, local, file);
  auto arguments = resolver.resolve_arguments(call, name, parameters, clause);
  if (!arguments) return {};
  std::vector<Type> own_types;
  if (local.parameters)
    for (auto& parameter : *local.parameters) own_types.push_back(parameter.type);
  SpaceChecker spaces(reporter, own_types, is_in_test(clause) ? Moment::backward : Moment::before_layer);
  bool sound = true;
  for (std::size_t i = 0; i < arguments->size(); ++i) {
    if ((*arguments)[i] == parameters[i].default_expression) continue;
    auto type = spaces.infer(*(*arguments)[i]);
    // A test has no spaces: whether its tensors fit is seen when the rule meets them.
    if (is_in_test(clause) && type.form == Form::number && parameters[i].type.space != Space::scalar) continue;
    if (accepts(parameters[i].type, type)) {
      sound = sound && type.form != Form::unknown && well_shaped(*(*arguments)[i], reporter);
      continue;
    }
    reporter.report(
        Code::wrong_type, (*arguments)[i]->span,
        filled("`{}` of `{}` takes {}, not {}", parameters[i].name, name, describe(parameters[i].type), describe(type)),
        filled("write `{} = {}`", parameters[i].name, example(parameters[i].type)));
    sound = false;
  }
  if (!sound) return {};
  Target out{{}, std::move(*arguments), call.span};
  std::visit([&](auto& each) { out.definition = each; }, *definition);
  file.spend((1 + call.arguments.size()) * operations_of(out), call.span);
  if (!file.stabilizer_uses().check(out, own_types, reporter)) return {};
  return out;
}

std::size_t operations_of(const Target& target) {
  return std::visit(
      overloaded{[](Engine) { return std::size_t{1}; }, [](auto& definition) { return 1 + definition->operations; }},
      target.definition);
}

void check_constant_call(const Target& target, const Reporter& reporter) {
  if (std::holds_alternative<Engine>(target.definition)) return;
  bool constant =
      std::all_of(target.arguments.begin(), target.arguments.end(), [](auto& each) { return is_constant(*each); });
  try {
    if (constant)
      bind(target);
    else
      try_known_arguments(target);
  } catch (const Error& error) {
    auto found = error.diagnostics().front();
    auto& diagnostic = reporter.report(found.code, target.span, found.message, found.help);
    diagnostic.others = found.others.empty() ? std::vector{found.primary} : found.others;
  }
}

}  // namespace ascribe::language
