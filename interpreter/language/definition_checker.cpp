#include "interpreter/language/definition_checker.hpp"

#include "grammar/filled_text.hpp"
#include "interpreter/language/call_checker.hpp"
#include "interpreter/language/composite_checker.hpp"
#include "interpreter/language/declared_parameters.hpp"
#include "interpreter/language/mentions.hpp"
#include "interpreter/language/rule_checker.hpp"
#include "interpreter/language/scope.hpp"
#include "interpreter/language/stabilization.hpp"

namespace ascribe::language {

namespace {

std::optional<Definition> check_rule(const syntax::Rule& written, const std::string& documentation, const Place& place,
                                     FileScope& file) {
  auto reporter = file.reporter();
  auto before = file.error_count();
  auto out = with_head<Rule>(written, documentation, place, file);
  LocalNames local{.parameters = &out->parameters};
  if (written.alias) {
    auto leads = check_target_call(*written.alias, file, local, Clause::argument, file.reporter());
    if (leads && std::holds_alternative<std::shared_ptr<const Rule>>(leads->definition)) {
      check_constant_call(*leads, reporter);
      out->alias = std::move(leads);
    } else if (leads) {
      reporter.report(
          Code::unknown_rule, written.alias->path.span, filled("`{}` is no rule", written.alias->path.name.text),
          std::holds_alternative<Engine>(leads->definition) ? engine_help
                                                            : "a composite's alias is written `composite a = b`");
    }
  } else {
    RuleChecker(reporter, local, file).check(written, *out);
  }
  auto mentions = collect_mentions(written).names;
  if (written.alias) collect_argument_mentions(*written.alias, mentions);
  if (file.error_count() == before) report_unused(mentions, written.name, written.parameters, reporter);
  if (written.alias && !out->alias) return {};  // what it leads to has its message already
  if (out->alias) out->operations = operations_of(*out->alias);
  file.stabilizer_uses().check_defaults(out, reporter);
  out->depth = file.depth();
  return out;
}

}  // namespace

std::optional<Definition> check_target(const syntax::Item& item, FileScope& file) {
  Place place{file.source(), item.span};
  if (auto* written = std::get_if<syntax::Rule>(&item.node))
    return check_rule(*written, item.documentation, place, file);
  return check_composite(std::get<syntax::Composite>(item.node), item.documentation, place, file);
}

std::shared_ptr<const Function> check_function(const syntax::Item& item, FileScope& file) {
  auto& written = std::get<syntax::Function>(item.node);
  auto reporter = file.reporter();
  auto before = file.error_count();
  auto out = std::make_shared<Function>();
  out->name = written.name.text;
  out->place = {file.source(), item.span};
  out->parameters = check_parameters(written.parameters, file, /*of_function=*/true);
  LocalNames local{.parameters = &out->parameters};
  NameResolver resolver(reporter, local, file);
  out->body = resolver.resolve(*written.body, Clause::function);
  if (!out->body) return nullptr;
  out->operations = resolver.operations();
  out->depth = file.depth();
  std::vector<Type> types;
  for (auto& parameter : out->parameters) types.push_back(parameter.type);
  SpaceChecker(reporter, types).infer(*out->body);
  if (file.error_count() == before) DivisionChecker::check(*out, reporter);
  Mentions mentions;
  collect_mentions(*written.body, mentions);
  if (file.error_count() == before) report_unused(mentions, written.name, written.parameters, reporter);
  return out;
}

}  // namespace ascribe::language
