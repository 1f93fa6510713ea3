#include "interpreter/command/repl/definitions.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <deque>
#include <iterator>

#include "grammar/filled_text.hpp"
#include "grammar/formatter.hpp"
#include "grammar/limits.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/language/pack_checker.hpp"
#include "interpreter/language/scope.hpp"
#include "interpreter/language/test_checker.hpp"
#include "interpreter/pack/loader.hpp"

namespace ascribe::repl {
namespace {

namespace fs = std::filesystem;
using Sort = EnteredDefinition::Sort;

constexpr std::size_t most_definitions = 1'000;  // all of them are checked anew with each one that is entered

Sort sort_of(const syntax::Item& item) {
  if (std::holds_alternative<syntax::Function>(item.node)) return Sort::function;
  if (std::holds_alternative<syntax::Test>(item.node)) return Sort::test;
  return std::holds_alternative<syntax::Import>(item.node) ? Sort::import : Sort::target;
}

std::string name_of(const syntax::Item& item) {
  struct {
    std::string operator()(const syntax::Rule& it) const { return it.name.text; }
    std::string operator()(const syntax::Composite& it) const { return it.name.text; }
    std::string operator()(const syntax::Function& it) const { return it.name.text; }
    std::string operator()(const syntax::Test& it) const { return it.name.value; }
    std::string operator()(const syntax::Pack& it) const { return it.name.text; }
    std::string operator()(const syntax::Import& it) const { return it.name.text; }
  } name;
  return std::visit(name, item.node);
}

// From the doc comment's first line on.
std::string written(const syntax::Item& item, const SourcePointer& source) {
  std::string out;
  for (std::string_view rest = item.documentation; !rest.empty();) {
    auto line = rest.substr(0, rest.find('\n'));
    out += line.empty() ? "##\n" : filled("## {}\n", line);
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return out + std::string(source->text(item.span));
}

EnteredDefinition as_entered(syntax::Item item, const SourcePointer& source) {
  EnteredDefinition out{sort_of(item), name_of(item), written(item, source), {source, {}, {}, {}, true}};
  out.file.items.push_back(std::move(item));
  return out;
}

// The names that a definition sees; those that it lacks, a file may bring.
class SessionScope : public language::FileScope {
 public:
  using language::FileScope::FileScope;
  std::string help_for_unknown_target() const override { return unknown_target_help; }
};

// Mistakes in earlier inputs come from what was entered now (null: from what would go, or is loaded now): names that
// they use mean something else. What is near to a name is no help then.
std::vector<Diagnostic> explained(std::vector<Diagnostic> mistakes, const SourcePointer& added) {
  for (auto& each : mistakes) {
    if (!each.primary.source || each.primary.source == added || !each.note.empty()) continue;
    each.note = added ? "this was entered before, and needs what would be replaced: enter both as one input"
                      : "this was entered, and needs what would be gone or replaced";
    if (!added) each.help = "`:reset` it, too, or enter it anew first";
  }
  return mistakes;
}

}  // namespace

Definitions::Definitions()
    : loaded_(Pack::parse("")),
      own_(std::make_shared<const language::Definitions>()),
      visible_(std::make_shared<const language::Definitions>()) {}

Definitions Definitions::with(std::vector<syntax::Item> items, const SourcePointer& source, const LoadOptions& loading,
                              std::vector<Diagnostic>& warnings) const {
  auto out = *this;
  std::vector<Diagnostic> mistakes;
  std::map<std::pair<Sort, std::string>, Span> seen;
  bool imports = false;
  for (auto& item : items) {
    auto span = item.span;
    auto added = as_entered(std::move(item), source);
    language::refuse_packs(added.file, mistakes);
    auto [first, fresh] = seen.emplace(std::pair(added.sort, added.name), span);
    if (!fresh) {
      mistakes.push_back({.code = Code::duplicate_name,
                          .message = filled("`{}` is defined twice", added.name),
                          .primary = {source, span, ""},
                          .others = {{source, first->second, "first here"}},
                          .help = "rename one of them"});
      continue;
    }
    imports = imports || added.sort == Sort::import;
    std::erase_if(out.entered_, [&](auto& each) { return each->sort == added.sort && each->name == added.name; });
    out.entered_.push_back(std::make_shared<const EnteredDefinition>(std::move(added)));
  }
  if (!mistakes.empty()) throw Error(std::move(mistakes));
  if (out.entered_.size() > most_definitions)
    throw Error({.code = Code::too_large,
                 .message = filled("a session holds {} definitions at most", most_definitions),
                 .primary = {source, {0, 0}, ""},
                 .help = "`:save` them into a file, `:reset`, and `:load` it"});
  if (imports) out.load_imports(loading, warnings);
  out.check(source, warnings);
  return out;
}

Definitions Definitions::without(const std::set<std::string>& names) const {
  auto out = *this;
  std::erase_if(out.entered_, [&](auto& each) { return names.contains(each->name); });
  std::erase_if(out.imports_, [&](auto& each) { return names.contains(each.first); });
  std::vector<Diagnostic> warnings;
  out.check(nullptr, warnings);
  return out;
}

Definitions Definitions::with_loaded(std::vector<fs::path> paths, const LoadOptions& loading,
                                     std::vector<Diagnostic>& warnings) const {
  auto out = *this;
  out.loaded_ = paths.empty() ? Pack::parse("") : Pack::load(paths, loading);
  out.paths_ = std::move(paths);
  warnings.insert(warnings.end(), out.loaded_.warnings().begin(), out.loaded_.warnings().end());
  out.load_imports(loading, warnings);
  std::vector<Diagnostic> of_entered;
  out.check(nullptr, of_entered);
  return out;
}

// All of them at once: two packs of one name are a mistake whenever they were entered.
void Definitions::load_imports(const LoadOptions& loading, std::vector<Diagnostic>& warnings) {
  std::vector<const syntax::File*> files;
  for (auto& each : entered_)
    if (each->sort == Sort::import) files.push_back(&each->file);
  auto found = ascribe::load_imports(files, Inside::packs(loaded_), loading, Inside::definitions(Pack::standard()));
  imports_ = std::move(found.definitions);
  warnings.insert(warnings.end(), found.warnings.begin(), found.warnings.end());
}

bool Definitions::has(const std::string& name) const {
  return std::any_of(entered_.begin(), entered_.end(), [&](auto& each) { return each->name == name; });
}

std::shared_ptr<const language::Test> Definitions::test(const std::string& name) const {
  for (auto& each : own_->tests)
    if (each->name == name) return each;
  return nullptr;
}

void Definitions::check(const SourcePointer& added, std::vector<Diagnostic>& warnings) {
  // What was entered is in front of what was loaded.
  auto beside = Inside::definitions(loaded_);
  beside.tests.clear();
  for (auto& each : entered_) {
    if (each->sort == Sort::target) beside.targets.erase(each->name);
    if (each->sort == Sort::function) beside.functions.erase(each->name);
  }
  std::vector<Diagnostic> found;
  language::Surroundings surroundings{&Inside::definitions(Pack::standard()), &beside};
  language::Definitions own;
  language::Scope scope(surroundings, found);
  std::deque<SessionScope> views;  // what is declared points at them
  language::until_stopped(found, [&] {
    for (auto& each : entered_) {
      auto& view = views.emplace_back(scope, each->file.source);
      for (auto& [name, import] : imports_) view.add_alias(name, import);
      auto& item = each->file.items.front();
      if (each->sort == Sort::import) {
        auto& alias = std::get<syntax::Import>(item.node).name;
        if (alias.text == "std" || language::is_protected(alias.text) || language::find_engine(alias.text))
          view.reporter().report(Code::protected_name, alias.span,
                                 filled("`{}` means something already and cannot be an import's name", alias.text),
                                 "choose another name behind `as`");
      } else if (each->sort != Sort::test) {
        scope.declare(item, view);
      }
    }
    own = scope.check_all();
    for (std::size_t i = 0; i < entered_.size(); ++i) {
      if (entered_[i]->sort != Sort::test) continue;
      auto& item = entered_[i]->file.items.front();
      if (auto test =
              language::TestChecker(views[i]).check(std::get<syntax::Test>(item.node), {views[i].source(), item.span}))
        own.tests.push_back(std::move(test));
    }
  });
  put_in_order(found);
  cut(found);
  if (has_errors(found)) throw Error(explained(std::move(found), added));
  for (auto& each : found)
    if (each.primary.source == added) warnings.push_back(std::move(each));
  for (auto& [name, definition] : own.targets) beside.targets.insert_or_assign(name, definition);
  for (auto& [name, definition] : own.functions) beside.functions.insert_or_assign(name, definition);
  own_ = std::make_shared<const language::Definitions>(std::move(own));
  visible_ = std::make_shared<const language::Definitions>(std::move(beside));
}

std::string counted(std::size_t count, const char* word) {
  return filled("{} {}{}", count, word, count == 1 ? "" : "s");
}

std::string content_of(const language::Definitions& definitions) {
  auto rules =
      static_cast<std::size_t>(std::count_if(definitions.targets.begin(), definitions.targets.end(), [](auto& each) {
        return std::holds_alternative<std::shared_ptr<const language::Rule>>(each.second);
      }));
  std::vector<std::string> parts;
  if (rules > 0) parts.push_back(counted(rules, "rule"));
  if (auto composites = definitions.targets.size() - rules; composites > 0)
    parts.push_back(counted(composites, "composite"));
  if (!definitions.functions.empty()) parts.push_back(counted(definitions.functions.size(), "function"));
  if (!definitions.tests.empty()) parts.push_back(counted(definitions.tests.size(), "test"));
  return parts.empty() ? "nothing" : filled("{}", fmt::join(parts, ", "));
}

EnteredDefinitions for_rule_file(const EnteredDefinitions& entered) {
  auto is_in_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  auto names = [&](const std::string& text, const std::string& alias) {  // `acme.` as a word of its own
    for (auto at = text.find(alias + "."); at != std::string::npos; at = text.find(alias + ".", at + 1))
      if (at == 0 || !is_in_name(text[at - 1])) return true;
    return false;
  };
  EnteredDefinitions out;
  std::copy_if(entered.begin(), entered.end(), std::back_inserter(out), [&](auto& each) {
    return each->sort != Sort::import || std::any_of(entered.begin(), entered.end(), [&](auto& other) {
             return other->sort != Sort::import && names(other->text, each->name);
           });
  });
  return out;
}

std::string as_rule_file(const EnteredDefinitions& entered, const fs::path& folder) {
  std::string text;
  for (auto& each : entered) {
    if (!text.empty()) text += "\n";
    auto* import = std::get_if<syntax::Import>(&each->file.items.front().node);
    std::error_code error;
    auto path = import ? fs::path(import->path.value) : fs::path();
    bool moved = import && fs::exists(path, error) && path.is_relative();
    if (moved) {  // an import's path begins at the folder of its file
      auto from_there = fs::relative(path, folder.empty() ? fs::path(".") : folder, error);
      if (!error && !from_there.empty()) path = from_there;
      std::string quoted;
      for (char c : path.string()) quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
      text += filled("import \"{}\" as {}\n", quoted, import->name.text);
    } else {
      text += each->text + "\n";
    }
  }
  std::vector<Diagnostic> mistakes;
  auto source = std::make_shared<Source>("session", text);
  return format_source(source, mistakes).value_or(text);
}

}  // namespace ascribe::repl
