#include "interpreter/language/checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "grammar/limits.hpp"
#include "interpreter/language/binding.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/mentions.hpp"
#include "interpreter/language/names.hpp"
#include "interpreter/language/rule_checker.hpp"
#include "interpreter/language/suggest.hpp"

namespace ascribe::language {
namespace {

constexpr std::string_view engine_words[] = {"merge", "refuse"};

// A definition is checked when something first needs it, so that the order in a file does not matter.
template <typename Result>
struct Pending {
  const syntax::Item* item;
  SourcePointer source;
  enum { untouched, open, done } state = untouched;
  Result result{};
};

class FileChecker {
 public:
  FileChecker(const Definitions* standard, std::vector<Diagnostic>& diagnostics)
      : standard_(standard), diagnostics_(diagnostics) {}

  void add(const syntax::File& file) {
    broken_.insert(file.broken.begin(), file.broken.end());
    for (auto& item : file.items) {
      if (auto* rule = std::get_if<syntax::Rule>(&item.node))
        declare(targets_, rule->name, item, file.source);
      else if (auto* composite = std::get_if<syntax::Composite>(&item.node))
        declare(targets_, composite->name, item, file.source);
      else if (auto* function = std::get_if<syntax::Function>(&item.node))
        declare(functions_, function->name, item, file.source);
      else
        not_yet(item, file.source);
    }
  }

  Definitions run() {
    Definitions out;
    for (auto& name : order_) {
      if (auto found = targets_.find(name); found != targets_.end())
        if (auto result = target_definition(found->second, found->first, {}, nullptr))
          out.targets.emplace(name, *result);
      if (auto found = functions_.find(name); found != functions_.end())
        if (auto result = function_definition(found->second, found->first, {}, nullptr))
          out.functions.emplace(name, result);
    }
    return out;
  }

  // Names that were defined before, as when a command line's call is checked against files already loaded.
  void add(const Definitions& own) { own_ = &own; }

  std::optional<Target> target(const syntax::Call& call, const Reporter& reporter, LocalNames& local) {
    auto& name = call.path.name.text;
    if (!call.path.qualifier &&
        std::find(std::begin(engine_words), std::end(engine_words), name) != std::end(engine_words)) {
      if (!call.has_arguments) return Target{name == "merge" ? Engine::merge : Engine::refuse, {}, call.span};
      reporter.report(Code::engine_target, call.span, fmt::format("`{}` takes no arguments", name),
                      fmt::format("write `{}`", name));
      return {};
    }
    auto definition = find_target(call.path, reporter);
    if (!definition) return {};
    auto& parameters = std::visit(
        [](auto& each) -> auto& { return each->parameters; }, *definition);
    NameResolver resolver(reporter, local, function_finder(reporter), function_names());
    auto arguments = resolver.resolve_arguments(call, name, parameters, Clause::argument);
    if (!arguments) return {};
    std::vector<Type> own_types;
    if (local.parameters)
      for (auto& parameter : *local.parameters) own_types.push_back(parameter.type);
    SpaceChecker spaces(reporter, std::move(own_types));
    bool sound = true;
    for (std::size_t i = 0; i < arguments->size(); ++i) {
      if ((*arguments)[i] == parameters[i].default_expression) continue;
      auto type = spaces.infer(*(*arguments)[i]);
      if (accepts(parameters[i].type, type)) {
        sound = sound && type.form != Form::unknown && well_shaped(*(*arguments)[i], reporter);
        continue;
      }
      reporter.report(Code::wrong_type, (*arguments)[i]->span,
                      fmt::format("`{}` of `{}` takes {}, not {}", parameters[i].name, name,
                                  describe(parameters[i].type), describe(type)));
      sound = false;
    }
    if (!sound) return {};
    Target out{{}, std::move(*arguments), call.span};
    std::visit([&](auto& each) { out.definition = each; }, *definition);
    return out;
  }

 private:
  template <typename Result>
  void declare(std::map<std::string, Pending<Result>, std::less<>>& scope, const syntax::Name& name,
               const syntax::Item& item, const SourcePointer& source) {
    Reporter reporter(source, diagnostics_);
    if (is_protected(name.text) || name.text == "std" ||
        std::find(std::begin(engine_words), std::end(engine_words), name.text) != std::end(engine_words) ||
        (std::holds_alternative<syntax::Function>(item.node) && find_builtin(name.text))) {
      reporter.report(Code::protected_name, name.span,
                      fmt::format("`{}` means something already and cannot be redefined", name.text),
                      "choose another name");
      return;
    }
    auto [found, fresh] = scope.try_emplace(name.text, Pending<Result>{&item, source});
    if (fresh) {
      order_.push_back(name.text);
      return;
    }
    auto& diagnostic = reporter.report(Code::duplicate_name, name.span, fmt::format("`{}` is defined twice", name.text),
                                       "rename one of them");
    diagnostic.others.push_back({found->second.source, name_of(*found->second.item).span, "first here"});
  }

  static const syntax::Name& name_of(const syntax::Item& item) {
    if (auto* rule = std::get_if<syntax::Rule>(&item.node)) return rule->name;
    if (auto* composite = std::get_if<syntax::Composite>(&item.node)) return composite->name;
    return std::get<syntax::Function>(item.node).name;
  }

  void not_yet(const syntax::Item& item, const SourcePointer& source) {
    const char* word = std::holds_alternative<syntax::Test>(item.node)   ? "test"
                       : std::holds_alternative<syntax::Pack>(item.node) ? "pack"
                                                                         : "import";
    Reporter(source, diagnostics_)
        .report(Code::not_yet, {item.span.begin, item.span.begin + std::string_view(word).size()},
                fmt::format("`{}` is not supported yet", word), "leave it out for now");
  }

  // ---------------------------------------------------------------------------------------------------- look-up

  std::optional<Definition> find_target(const syntax::Path& path, const Reporter& reporter) {
    auto& name = path.name.text;
    bool standard_only = path.qualifier && path.qualifier->text == "std";
    if (!path.qualifier) {
      if (auto found = targets_.find(name); found != targets_.end())
        return target_definition(found->second, found->first, path.span, &reporter);
      if (broken_.contains(name)) return {};
      if (own_)
        if (auto found = own_->targets.find(name); found != own_->targets.end()) return found->second;
    }
    if (!path.qualifier || standard_only) {
      if (standard_)
        if (auto found = standard_->targets.find(name); found != standard_->targets.end()) return found->second;
      // The standard pack's own files reach themselves by the same name.
      if (!standard_ && standard_only)
        if (auto found = targets_.find(name); found != targets_.end())
          return target_definition(found->second, found->first, path.span, &reporter);
    }
    if (path.qualifier && !standard_only) {
      reporter.report(Code::unknown_rule, path.qualifier->span, fmt::format("unknown pack `{}`", path.qualifier->text),
                      "`std.name` reaches the standard pack");
      return {};
    }
    std::vector<std::string> known;
    auto collect = [&](auto& scope) {
      for (auto& [each, value] : scope) known.push_back(each);
    };
    if (!standard_only) {
      collect(targets_);
      if (own_) collect(own_->targets);
      for (auto word : engine_words) known.emplace_back(word);
    }
    if (standard_) collect(standard_->targets);
    reporter.report(
        Code::unknown_rule, path.span,
        fmt::format("unknown rule or composite `{}`", path.qualifier ? "std." + name : name),
        did_you_mean(name, known,
                     "`ascribe check` takes the file that defines it; `--load` brings it to `ascribe run`"));
    return {};
  }

  FindFunction function_finder(const Reporter& reporter) {
    return [this, reporter](const syntax::Path& path) -> std::shared_ptr<const Function> {
      auto& name = path.name.text;
      if (path.qualifier && path.qualifier->text != "std") return nullptr;
      if (!path.qualifier || !standard_) {
        if (auto found = functions_.find(name); found != functions_.end())
          return function_definition(found->second, found->first, path.span, &reporter);
        if (broken_.contains(name)) return nullptr;
        if (own_)
          if (auto found = own_->functions.find(name); found != own_->functions.end()) return found->second;
      }
      if (standard_)
        if (auto found = standard_->functions.find(name); found != standard_->functions.end()) return found->second;
      return nullptr;
    };
  }

  std::vector<std::string> function_names() const {
    std::vector<std::string> names;
    for (auto& [name, pending] : functions_) names.push_back(name);
    names.insert(names.end(), broken_.begin(), broken_.end());
    if (own_)
      for (auto& [name, function] : own_->functions) names.push_back(name);
    if (standard_)
      for (auto& [name, function] : standard_->functions) names.push_back(name);
    return names;
  }

  // Checks a definition once. A definition that is reached while it is still being checked is made of itself.
  template <typename Result, typename Check>
  Result once(Pending<Result>& pending, const std::string& name, Span use, const Reporter* user, Check check) {
    if (pending.state == Pending<Result>::done) return pending.result;
    if (pending.state == Pending<Result>::open || depth_ >= limits.let_depth) {
      bool cycle = pending.state == Pending<Result>::open;
      user->report(cycle ? Code::cycle : Code::too_deep, use,
                   cycle ? fmt::format("`{}` is made of itself", name)
                         : fmt::format("definitions lead to definitions more than {} deep", limits.let_depth),
                   cycle ? "let one of the definitions say what it is" : "write it flatter");
      return {};
    }
    pending.state = Pending<Result>::open;
    ++depth_;
    auto before = error_count();
    auto result = check();
    --depth_;
    if (error_count() == before) pending.result = std::move(result);
    pending.state = Pending<Result>::done;
    return pending.result;
  }

  std::size_t error_count() const {
    return static_cast<std::size_t>(
        std::count_if(diagnostics_.begin(), diagnostics_.end(), [](auto& d) { return d.severity == Severity::error; }));
  }

  std::optional<Definition> target_definition(Pending<std::optional<Definition>>& pending, const std::string& name,
                                              Span use, const Reporter* user) {
    return once(pending, name, use, user, [&]() -> std::optional<Definition> {
      auto& item = *pending.item;
      Place place{pending.source, item.span};
      if (auto* written = std::get_if<syntax::Rule>(&item.node)) return rule(*written, item.documentation, place);
      return composite(std::get<syntax::Composite>(item.node), item.documentation, place);
    });
  }

  std::shared_ptr<const Function> function_definition(Pending<std::shared_ptr<const Function>>& pending,
                                                      const std::string& name, Span use, const Reporter* user) {
    return once(pending, name, use, user, [&]() -> std::shared_ptr<const Function> {
      auto& written = std::get<syntax::Function>(pending.item->node);
      Reporter reporter(pending.source, diagnostics_);
      auto before = reporter.count();
      auto out = std::make_shared<Function>();
      out->name = written.name.text;
      out->place = {pending.source, pending.item->span};
      out->parameters = parameters(written.parameters, reporter, /*of_function=*/true);
      LocalNames local{.parameters = &out->parameters};
      NameResolver resolver(reporter, local, function_finder(reporter), function_names());
      out->body = resolver.resolve(*written.body, Clause::function);
      if (!out->body) return nullptr;
      out->operations = resolver.operations();
      std::vector<Type> types;
      for (auto& parameter : out->parameters) types.push_back(parameter.type);
      SpaceChecker(reporter, std::move(types)).infer(*out->body);
      Mentions mentions;
      collect_mentions(*written.body, mentions);
      if (reporter.count() == before) report_unused(mentions, written.parameters, reporter);
      return out;
    });
  }

  // ------------------------------------------------------------------------------------------------- definitions

  std::vector<Parameter> parameters(const std::vector<syntax::Parameter>& written, const Reporter& reporter,
                                    bool of_function) {
    std::vector<Parameter> out;
    for (auto& each : written) {
      if (is_protected(each.name.text))
        reporter.report(Code::protected_name, each.name.span, fmt::format("`{}` cannot be redefined", each.name.text),
                        "choose another name");
      if (std::any_of(out.begin(), out.end(), [&](auto& other) { return other.name == each.name.text; }))
        reporter.report(Code::duplicate_name, each.name.span,
                        fmt::format("the parameter `{}` is there twice", each.name.text), "rename one of them");
      out.push_back(parameter(each, reporter, of_function));
    }
    return out;
  }

  Parameter parameter(const syntax::Parameter& written, const Reporter& reporter, bool of_function) {
    Parameter out{written.name.text, of_function && !written.type ? unknown : scalar, {}, nullptr};
    auto* list = written.default_value ? std::get_if<syntax::List>(&written.default_value->node) : nullptr;
    if (written.type) {
      static const std::vector<std::pair<std::string, Type>> words{{"scalar", scalar},
                                                                   {"names", names},
                                                                   {"stabilizer", stabilizer},
                                                                   {"input", Type::number(Space::input)},
                                                                   {"output", Type::number(Space::output)},
                                                                   {"param", Type::number(Space::param)}};
      auto found = std::find_if(words.begin(), words.end(), [&](auto& row) { return row.first == written.type->text; });
      if (found == words.end()) {
        std::vector<std::string> known;
        for (auto& [word, type] : words) known.push_back(word);
        reporter.report(
            Code::unknown_name, written.type->span, fmt::format("unknown type `{}`", written.type->text),
            did_you_mean(written.type->text, known, "the types are scalar, names, stabilizer, input, output, param"));
        out.type = unknown;
      } else {
        out.type = found->second;
      }
    } else if (list) {
      bool strings = std::all_of(list->elements.begin(), list->elements.end(),
                                 [](auto& each) { return std::holds_alternative<syntax::StringLiteral>(each.node); });
      if (strings)
        out.type = names;
      else {
        reporter.report(Code::wrong_type, written.span, fmt::format("of which space is `{}`?", written.name.text),
                        fmt::format("write `{}: input = …`", written.name.text));
        out.type = unknown;
      }
    }
    if (!written.default_value) return out;
    LocalNames nothing;
    NameResolver resolver(reporter, nothing, function_finder(reporter), function_names());
    auto resolved = resolver.resolve_argument(*written.default_value, out, Clause::argument);
    if (!resolved) {
      out.type = unknown;
      return out;
    }
    auto type = SpaceChecker(reporter, {}).infer(*resolved);
    if (!accepts(out.type, type) || !well_shaped(*resolved, reporter)) {
      if (!accepts(out.type, type))
        reporter.report(Code::wrong_type, resolved->span,
                        fmt::format("`{}` is {}, its default is {}", out.name, describe(out.type), describe(type)));
      return out;
    }
    if (type.form == Form::unknown) return out;
    out.default_expression = resolved;
    out.default_value = evaluate_argument(*resolved, {}, out.type);
    return out;
  }

  std::optional<Definition> rule(const syntax::Rule& written, const std::string& documentation, const Place& place) {
    Reporter reporter(place.source, diagnostics_);
    auto before = reporter.count();
    auto out = std::make_shared<Rule>();
    out->name = written.name.text;
    out->documentation = documentation;
    out->place = place;
    out->parameters = parameters(written.parameters, reporter, false);
    LocalNames local{.parameters = &out->parameters};
    if (written.alias) {
      auto leads = target(*written.alias, reporter, local);
      if (leads && !std::holds_alternative<std::shared_ptr<const Rule>>(leads->definition)) {
        reporter.report(Code::unknown_rule, written.alias->path.span,
                        fmt::format("`{}` is no rule", written.alias->path.name.text),
                        "a composite's alias is written `composite a = b`");
        leads.reset();
      }
      out->alias = std::move(leads);
      if (out->alias) check_constant_call(*out->alias, reporter);
    } else {
      RuleChecker(reporter, local, function_finder(reporter), function_names()).check(written, *out);
    }
    auto mentions = collect_mentions(written).names;
    if (written.alias) collect_mentions(*written.alias, mentions);
    if (reporter.count() == before) report_unused(mentions, written.parameters, reporter);
    if (written.alias && !out->alias) return {};  // what it leads to has its message already
    return out;
  }

  std::optional<Definition> composite(const syntax::Composite& written, const std::string& documentation,
                                      const Place& place) {
    Reporter reporter(place.source, diagnostics_);
    auto before = reporter.count();
    auto out = std::make_shared<Composite>();
    out->name = written.name.text;
    out->documentation = documentation;
    out->place = place;
    out->parameters = parameters(written.parameters, reporter, false);
    LocalNames local{.parameters = &out->parameters};
    bool sound = true;  // a definition that leads to an unsound one is unsound, too: that one has its message already
    if (written.alias) {
      out->alias = target(*written.alias, reporter, local);
      sound = out->alias.has_value();
      if (out->alias && !std::holds_alternative<std::shared_ptr<const Composite>>(out->alias->definition))
        reporter.report(Code::unknown_rule, written.alias->path.span,
                        fmt::format("`{}` is no composite", written.alias->path.name.text),
                        "a rule's alias is written `rule a = b`");
    }
    Mentions mentions;
    if (written.alias) collect_mentions(*written.alias, mentions);
    for (auto& each : written.entries) {
      collect_mentions(each.target, mentions);
      if (auto checked = entry(each, reporter, local))
        out->entries.push_back(std::move(*checked));
      else
        sound = false;
    }
    if (out->alias) out->all_entries = count_entries(*out->alias);
    for (auto& each : out->entries) out->all_entries += count_entries(each.target);
    if (out->all_entries > limits.composite_entries)
      reporter.report(Code::too_large, written.name.span,
                      fmt::format("the composite `{}` has {} entries, those that it leads to included; {} is the limit",
                                  written.name.text, out->all_entries, limits.composite_entries),
                      "let fewer entries lead to composites");
    if (reporter.count() == before) report_unused(mentions, written.parameters, reporter);
    if (!sound) return {};
    return out;
  }

  static std::size_t count_entries(const Target& target) {
    auto* composite = std::get_if<std::shared_ptr<const Composite>>(&target.definition);
    return 1 + (composite ? (*composite)->all_entries : 0);
  }

  std::optional<Entry> entry(const syntax::Entry& written, const Reporter& reporter, LocalNames& local) {
    Entry out;
    out.span = written.span;
    bool sound = true;
    if (written.count) {
      out.count = written.count->last ? Entry::Count::last : Entry::Count::first;
      out.number = written.count->number.value_or(1);
      if (written.count->last)
        reporter.report(Code::not_yet, written.count->span, "`last` is not supported yet",
                        "name the layer by a glob: `linear \"classifier.*\"`");
      if (out.number == 0)
        reporter.report(Code::bad_count, written.count->span, "a count is at least 1",
                        "leave the entry out, or write `first 1`");
      sound = out.number > 0 && !written.count->last;
    }
    for (auto& each : written.layers) {
      LayerSelector selector;
      if (each.kind) {
        selector.kind = each.kind->text;
        if (!is_kind_word(selector.kind)) {
          std::vector<std::string> known;
          for (auto word : kind_words()) known.emplace_back(word);
          reporter.report(Code::unknown_kind, each.kind->span, fmt::format("unknown layer kind `{}`", selector.kind),
                          did_you_mean(selector.kind, known,
                                       "kinds are `linear`, `convolution`, `activation`, `any`, …; a module is named "
                                       "by a string: `\"features.*\"`"));
          sound = false;
        }
      }
      if (each.glob) selector.glob = each.glob->value;
      out.layers.push_back(std::move(selector));
    }
    auto leads = target(written.target, reporter, local);
    if (!leads || !sound) return {};
    out.target = std::move(*leads);
    check_constant_call(out.target, reporter);
    return out;
  }

  // A call whose arguments are all written out is tried at once: a requirement that it violates is found before
  // anything runs.
  void check_constant_call(const Target& target, const Reporter& reporter) {
    if (!std::all_of(target.arguments.begin(), target.arguments.end(), [](auto& each) { return is_constant(*each); }))
      return;
    try {
      if (!std::holds_alternative<Engine>(target.definition)) bind(target);
    } catch (const Error& error) {
      auto found = error.diagnostics().front();
      auto& diagnostic = reporter.report(found.code, target.span, found.message, found.help);
      diagnostic.others = found.others.empty() ? std::vector{found.primary} : found.others;
    }
  }

  // Only where there is no other mistake, which may be the cause.
  static void report_unused(const Mentions& mentions, const std::vector<syntax::Parameter>& written,
                            const Reporter& reporter) {
    for (auto& each : written)
      if (!mentions.contains(each.name.text) && !is_protected(each.name.text))
        reporter.report(Code::unused, each.name.span, fmt::format("the parameter `{}` is never used", each.name.text),
                        "use it or leave it out");
  }

  const Definitions* standard_;
  const Definitions* own_ = nullptr;
  std::vector<Diagnostic>& diagnostics_;
  std::map<std::string, Pending<std::optional<Definition>>, std::less<>> targets_;
  std::map<std::string, Pending<std::shared_ptr<const Function>>, std::less<>> functions_;
  std::set<std::string, std::less<>> broken_;  // names whose definitions could not be read: they have their message
  std::vector<std::string> order_;
  std::size_t depth_ = 0;
};

}  // namespace

Definitions check(const std::vector<syntax::File>& files, const Definitions* standard,
                  std::vector<Diagnostic>& diagnostics) {
  FileChecker checker(standard, diagnostics);
  for (auto& file : files) checker.add(file);
  auto out = checker.run();
  put_in_order(diagnostics);
  return out;
}

std::optional<Target> check_call(const syntax::Call& call, const SourcePointer& source, const Definitions& own,
                                 const Definitions* standard, std::vector<Diagnostic>& diagnostics) {
  FileChecker checker(standard, diagnostics);
  checker.add(own);
  LocalNames nothing;
  auto target = checker.target(call, Reporter(source, diagnostics), nothing);
  if (target && std::holds_alternative<Engine>(target->definition)) {
    Reporter(source, diagnostics)
        .report(Code::engine_target, call.span, "`merge` and `refuse` stand in composites only",
                "name a rule or a composite");
    return {};
  }
  return target;
}

}  // namespace ascribe::language
