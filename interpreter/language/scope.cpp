#include "interpreter/language/scope.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/definition_checker.hpp"
#include "interpreter/language/habits.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/name_resolver.hpp"

namespace ascribe::language {
namespace {

struct EngineWord {
  std::string_view word;
  Engine engine;
};
constexpr EngineWord engines[] = {{"merge", Engine::merge}, {"refuse", Engine::refuse}, {"stop", Engine::stop}};

const syntax::Name& name_of(const syntax::Item& item) {
  if (auto* rule = std::get_if<syntax::Rule>(&item.node)) return rule->name;
  if (auto* composite = std::get_if<syntax::Composite>(&item.node)) return composite->name;
  return std::get<syntax::Function>(item.node).name;
}

std::size_t depth_of(const std::shared_ptr<const Function>& function) { return function->depth; }
std::size_t depth_of(const std::optional<Definition>& definition) {
  return std::visit([](auto& each) { return each->depth; }, *definition);
}

template <typename Named>
void collect(const std::map<std::string, Named, std::less<>>& named, std::vector<std::string>& out) {
  for (auto& [name, value] : named) out.push_back(name);
}

void report_private(const std::string& written, const Place& place, Span use, const Reporter& reporter) {
  auto& diagnostic = reporter.report(Code::private_name, use, filled("`{}` stays inside its pack", written),
                                     "names that begin with `_` are for the pack's own files: use a name without it");
  diagnostic.others.push_back({place.source, place.span, "defined here"});
}

std::string names_in(const std::string& pack, const std::vector<std::string>& known) {
  constexpr std::size_t most = 8;
  if (known.empty()) return filled("`{}` has none", pack);
  return known.size() > most ? "" : filled("`{}` has: {}", pack, fmt::join(known, ", "));
}

// "did you mean `acme.relative`?"
std::string did_you_mean_in(const std::string& pack, const std::string& written, const std::vector<std::string>& known,
                            const std::string& otherwise) {
  auto best = nearest(written, known);
  return best.empty() ? otherwise : filled("did you mean `{}.{}`?", pack, best);
}

}  // namespace

std::vector<std::string_view> engine_words() {
  std::vector<std::string_view> out;
  for (auto& row : engines) out.push_back(row.word);
  return out;
}

std::optional<Engine> find_engine(std::string_view name) {
  for (auto& [word, engine] : engines)
    if (word == name) return engine;
  return {};
}

// --------------------------------------------------------------------------------------------------------
// definitions

void Scope::declare(const syntax::Item& item, FileScope& file) {
  auto reporter = file.reporter();
  auto& name = name_of(item);
  bool function = std::holds_alternative<syntax::Function>(item.node);
  if (is_protected(name.text) || name.text == "std" || find_engine(name.text) ||
      (function && find_builtin(name.text))) {
    reporter.report(Code::protected_name, name.span,
                    filled("`{}` means something already and cannot be redefined", name.text), "choose another name");
    return;
  }
  auto before = function ? declare(functions_, &Definitions::functions, name.text, item, file)
                         : declare(targets_, &Definitions::targets, name.text, item, file);
  if (!before) return;
  auto& diagnostic = reporter.report(Code::duplicate_name, name.span, filled("`{}` is defined twice", name.text),
                                     "rename one of them");
  diagnostic.others.push_back({before->source, before->span, "first here"});
}

template <typename Result, typename Beside>
std::optional<Place> Scope::declare(Names<Result>& own, Beside beside, const std::string& name,
                                    const syntax::Item& item, FileScope& file) {
  if (surroundings_.beside)
    if (auto found = (surroundings_.beside->*beside).find(name); found != (surroundings_.beside->*beside).end())
      return place_of(found->second);
  auto [found, fresh] = own.try_emplace(name, Pending<Result>{&item, &file});
  if (!fresh) return Place{found->second.file->source(), name_of(*found->second.item).span};
  order_.push_back(name);
  return {};
}

Definitions Scope::check_all() {
  Definitions out;
  for (auto& name : order_) {
    if (auto found = targets_.find(name); found != targets_.end()) {
      auto result = check(found->second, found->first, {}, nullptr);
      out.complete = out.complete && result;
      if (result) out.targets.emplace(name, *result);
    }
    if (auto found = functions_.find(name); found != functions_.end()) {
      auto result = check(found->second, found->first, {}, nullptr);
      out.complete = out.complete && result;
      if (result) out.functions.emplace(name, result);
    }
  }
  return out;
}

// Checks a definition once. A definition that is reached while it is still being checked is made of itself.
template <typename Result, typename Check>
Result Scope::once(Pending<Result>& pending, const std::string& name, Span use, const Reporter* user, Check check) {
  if (pending.state == Pending<Result>::done) return pending.result;
  if (pending.state == Pending<Result>::open) {
    user->report(Code::cycle, use, filled("`{}` is made of itself", name), "let one of the definitions say what it is");
    return {};
  }
  if (user && too_deep(deepest_.size(), use, *user)) return {};
  pending.state = Pending<Result>::open;
  deepest_.push_back(0);
  auto before = pending.file->error_count();
  auto result = check();
  deepest_.pop_back();
  if (pending.file->error_count() == before) pending.result = std::move(result);
  pending.state = Pending<Result>::done;
  return pending.result;
}

std::optional<Definition> Scope::check(Pending<std::optional<Definition>>& pending, const std::string& name, Span use,
                                       const Reporter* user) {
  return once(pending, name, use, user, [&] { return check_target(*pending.item, *pending.file); });
}

std::shared_ptr<const Function> Scope::check(Pending<std::shared_ptr<const Function>>& pending, const std::string& name,
                                             Span use, const Reporter* user) {
  return once(pending, name, use, user, [&] { return check_function(*pending.item, *pending.file); });
}

bool Scope::too_deep(std::size_t depth, Span use, const Reporter& user) const {
  if (depth < limits.let_depth) return false;
  user.report(Code::too_deep, use, filled("definitions lead to definitions more than {} deep", limits.let_depth),
              "write it flatter");
  return true;
}

// ------------------------------------------------------------------------------------------------------------
// look-up

// Nothing where no definition has that name; a null result where it has a mistake or cannot be reached: reported.
template <typename Result, typename Named>
std::optional<Result> FileScope::look_up(const syntax::Path& path, const Reporter& reporter, Scope::Names<Result>& own,
                                         Named named) {
  auto& name = path.name.text;
  auto reached = [&](Result result) -> Result {
    if (!result || scope_.too_deep(depth_of(result), path.span, reporter)) return {};
    if (!scope_.deepest_.empty()) scope_.deepest_.back() = std::max(scope_.deepest_.back(), depth_of(result));
    return result;
  };
  bool standard_only = path.qualifier && path.qualifier->text == "std";
  // The standard pack's own files reach themselves as `std`, too.
  if (!path.qualifier || (standard_only && !standard()))
    if (auto found = own.find(name); found != own.end())
      return reached(scope_.check(found->second, found->first, path.span, &reporter));
  if (!path.qualifier && scope_.broken_.contains(name)) return Result{};
  std::vector<const Definitions*> places;
  if (!path.qualifier) places.push_back(scope_.surroundings_.beside);
  if (!path.qualifier || standard_only) places.push_back(standard());
  auto alias = path.qualifier ? aliases_.find(path.qualifier->text) : aliases_.end();
  if (alias != aliases_.end()) places.push_back(alias->second.get());
  for (auto* place : places) {
    if (!place) continue;
    if (auto found = (place->*named).find(name); found != (place->*named).end()) return reached(found->second);
    if (auto found = place->hidden.find(name); found != place->hidden.end()) {
      report_private(shown(path), found->second, path.span, reporter);
      return Result{};
    }
  }
  // What an import lacks because of mistakes has its message where they were made.
  if (alias != aliases_.end() && !(alias->second && alias->second->complete)) return Result{};
  return {};
}

std::optional<Definition> FileScope::find_target(const syntax::Path& path, const Reporter& reporter) {
  if (auto found = look_up(path, reporter, scope_.targets_, &Definitions::targets)) return *found;
  auto& name = path.name.text;
  std::vector<std::string> known;
  if (path.qualifier) {
    auto& pack = path.qualifier->text;
    if (!is_pack(pack)) {
      auto* beside = scope_.surroundings_.beside;
      if (beside && beside->targets.contains(name))
        reporter.report(Code::unknown_rule, path.qualifier->span, filled("unknown pack `{}`", pack),
                        filled("what is loaded is called by its own name: write `{}`", name));
      else
        report_unknown_pack(*path.qualifier, Code::unknown_rule, packs(), reporter);
      return {};
    }
    if (auto* there = behind(pack)) collect(there->targets, known);
    reporter.report(Code::unknown_rule, path.span, filled("unknown rule or composite `{}`", shown(path)),
                    did_you_mean_in(pack, name, known, names_in(pack, known)));
    return {};
  }
  auto otherwise = help_for_unknown_target();
  if (is_kind_word(name)) otherwise = filled("`{0}` is a layer kind, which stands in front: `{0} => epsilon`", name);
  if (is_pack(name)) otherwise = filled("`{0}` is an import: write `{0}.name`", name);
  for (auto& [alias, there] : aliases_)
    if (there && there->targets.contains(name)) otherwise = filled("did you mean `{}.{}`?", alias, name);
  collect(scope_.targets_, known);
  for (auto& row : engines) known.emplace_back(row.word);
  for (auto* there : {scope_.surroundings_.beside, standard()})
    if (there) collect(there->targets, known);
  if (auto foreign = help_for_foreign_rule(name); !foreign.empty() && !otherwise.starts_with("did")) {
    reporter.report(Code::unknown_rule, path.span, filled("unknown rule or composite `{}`", name),
                    std::string(foreign));
    return {};
  }
  reporter.report(Code::unknown_rule, path.span, filled("unknown rule or composite `{}`", name),
                  otherwise.starts_with("did") ? otherwise : did_you_mean(name, known, otherwise));
  return {};
}

std::optional<std::shared_ptr<const Function>> FileScope::find(const syntax::Path& path, const Reporter& reporter) {
  auto found = look_up(path, reporter, scope_.functions_, &Definitions::functions);
  if (found || !path.qualifier || !is_pack(path.qualifier->text)) return found;
  auto& pack = path.qualifier->text;
  std::vector<std::string> known;
  if (auto* there = behind(pack)) collect(there->functions, known);
  reporter.report(Code::unknown_function, path.span, filled("unknown function `{}`", shown(path)),
                  did_you_mean_in(pack, path.name.text, known, names_in(pack, known)));
  return std::shared_ptr<const Function>();
}

bool FileScope::is_function(std::string_view name) const {
  auto has = [&](const Definitions* there) { return there && there->functions.contains(name); };
  return scope_.functions_.contains(name) || scope_.broken_.contains(name) || has(scope_.surroundings_.beside) ||
         has(standard());
}

bool FileScope::is_target(std::string_view name) const {
  auto has = [&](const Definitions* there) { return there && there->targets.contains(name); };
  return scope_.targets_.contains(name) || scope_.broken_.contains(name) || has(scope_.surroundings_.beside) ||
         has(standard());
}

std::vector<std::string> FileScope::function_names() const {
  std::vector<std::string> found;
  collect(scope_.functions_, found);
  found.insert(found.end(), scope_.broken_.begin(), scope_.broken_.end());
  for (auto* there : {scope_.surroundings_.beside, standard()})
    if (there) collect(there->functions, found);
  return found;
}

void FileScope::spend(std::size_t operations, Span where) {
  scope_.operations_ += operations;
  if (scope_.operations_ <= limits.all_operations) return;
  throw StopChecking{
      Diagnostic{.code = Code::too_large,
                 .message = filled("the definitions have more than {} operations together", limits.all_operations),
                 .primary = {source_, where, ""},
                 .help = "use fewer functions inside functions, fewer composites inside composites"}};
}

std::vector<std::string> FileScope::packs() const {
  std::vector<std::string> found{"std"};
  collect(aliases_, found);
  return found;
}

const Definitions* FileScope::behind(const std::string& pack) const {
  auto alias = aliases_.find(pack);
  return alias == aliases_.end() ? standard() : alias->second.get();
}

}  // namespace ascribe::language
