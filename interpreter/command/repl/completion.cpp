#include "interpreter/command/repl/completion.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "grammar/characters.hpp"
#include "grammar/parser.hpp"
#include "interpreter/command/repl/calls.hpp"
#include "interpreter/command/repl/commands.hpp"
#include "interpreter/command/repl/help.hpp"
#include "interpreter/command/repl/home.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/language/scope.hpp"

namespace ascribe::repl {
namespace {

namespace fs = std::filesystem;
using Words = std::set<std::string>;

void add_definitions(Words& out, const language::Definitions& definitions) {
  for (auto& [name, each] : definitions.targets) out.insert(name);
  for (auto& [name, each] : definitions.functions) out.insert(name + "(");
}

void add_all_definitions(Words& out, const State& state) {
  add_definitions(out, state.definitions.visible());
  add_definitions(out, Inside::definitions(Pack::standard()));
}

// Everything that an input may name.
Words names(const State& state) {
  Words out;
  for (auto& [name, value] : state.values) out.insert(name);
  for (auto name : {"x", "y", "R"}) out.insert(name);
  for (auto& each : session_calls()) out.insert(std::string(each.name) + "(");
  for (auto& each : language::builtins())
    if (each.place != language::BuiltinPlace::require) out.insert(std::string(each.name) + "(");
  for (auto& each : language::buildable_layers())
    out.insert(std::string(each.name) + (each.arguments.empty() || language::find_builtin(each.name) ? "" : "("));
  for (auto& [name, import] : state.definitions.imports()) out.insert(name + ".");
  add_all_definitions(out, state);
  for (auto word : reserved_words())
    if (word.size() > 2) out.insert(std::string(word) + " ");
  return out;
}

// What the clauses of a rule, or the entries of a composite, name besides.
void add_words_of_definition(Words& out, std::string_view text) {
  auto begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return;
  text.remove_prefix(begin);
  if (text.starts_with("rule ")) {
    for (auto each : language::quantity_words()) out.insert(std::string(each));
    out.insert("layer.");
  } else if (text.starts_with("composite ")) {
    for (auto each : language::kind_words()) out.insert(std::string(each));
    for (auto each : language::module_words) out.insert(std::string(each) + " \"");
    for (auto each : language::engine_words()) out.insert(std::string(each));
  }
}

// What may stand in `relevance(…)`, `explain(…)` and `compare(…)`: rules, composites and models.
bool takes_rules(std::string_view called) {
  return called == "relevance" || called == "explain" || called == "compare";
}

Words rules(const State& state) {
  Words out{"std."};
  for (auto* place : {&state.definitions.visible(), &Inside::definitions(Pack::standard())})
    for (auto& [name, each] : place->targets) out.insert(name);
  for (auto& [name, import] : state.definitions.imports()) out.insert(name + ".");
  for (auto& [name, value] : state.values)
    if (std::holds_alternative<ModelValue>(value)) out.insert(name);
  return out;
}

// What stands behind `acme.`.
Words names_of(const State& state, const std::string& pack) {
  Words out;
  if (pack == "std") add_definitions(out, Inside::definitions(Pack::standard()));
  auto& imports = state.definitions.imports();
  if (auto found = imports.find(pack); found != imports.end()) add_definitions(out, *found->second);
  return out;
}

// The name in front of the innermost parenthesis that is open.
std::optional<std::string> open_call(std::string_view text) {
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"' && text[i] != '\n'; ++i)
        if (text[i] == '\\') ++i;
    } else if (text[i] == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (std::string_view("([{").find(text[i]) != std::string_view::npos) {
      open.push_back(i);
    } else if (std::string_view(")]}").find(text[i]) != std::string_view::npos && !open.empty()) {
      open.pop_back();
    }
  }
  if (open.empty() || text[open.back()] != '(') return {};
  auto end = open.back(), begin = end;
  while (begin > 0 && (is_name_character(text[begin - 1]) || text[begin - 1] == '.')) --begin;
  return std::string(text.substr(begin, end - begin));
}

// `epsilon = `, for what is called.
Words argument_names(const State& state, std::string called) {
  Words out;
  if (auto* call = find_session_call(called))
    for (auto each : call->named) out.insert(std::string(each) + " = ");
  if (auto* layer = language::find_buildable_layer(called); layer && !language::find_builtin(called))
    for (auto& each : layer->arguments) out.insert(std::string(each.name) + " = ");
  if (called == "random") out.insert("seed = ");
  std::vector<const language::Definitions*> places{&state.definitions.visible(),
                                                   &Inside::definitions(Pack::standard())};
  if (auto dot = called.find('.'); dot != std::string::npos) {
    auto pack = called.substr(0, dot);
    called.erase(0, dot + 1);
    auto& imports = state.definitions.imports();
    auto found = imports.find(pack);
    places = {found != imports.end() ? found->second.get() : &Inside::definitions(Pack::standard())};
  }
  for (auto* place : places) {
    if (auto found = place->targets.find(called); found != place->targets.end()) {
      std::visit(
          [&](auto& each) {
            for (auto& parameter : each->parameters) out.insert(parameter.name + " = ");
          },
          found->second);
      return out;
    }
    if (auto found = place->functions.find(called); found != place->functions.end()) {
      for (auto& parameter : found->second->parameters) out.insert(parameter.name + " = ");
      return out;
    }
  }
  return out;
}

// Files whose path begins so; folders end with `/`. An import's path has no home.
enum class Wanted { rules, imported_rules, all };
Words files(const std::string& begun, Wanted wanted) {
  Words out;
  auto slash = begun.rfind('/');
  auto folder = slash == std::string::npos ? std::string() : begun.substr(0, slash + 1);
  auto name = begun.substr(folder.size());
  auto place = folder.empty() ? fs::path(".") : wanted == Wanted::imported_rules ? fs::path(folder) : with_home(folder);
  std::error_code error;
  constexpr std::size_t most = 10'000;  // entries of a folder that are looked at
  std::size_t seen = 0;
  for (fs::directory_iterator entry(place, error), end; !error && entry != end && seen < most;
       entry.increment(error), ++seen) {
    auto found = entry->path().filename().string();
    if (!found.starts_with(name) || (found.starts_with('.') && !name.starts_with('.'))) continue;
    std::error_code unknown;
    bool is_folder = entry->is_directory(unknown);
    if (wanted != Wanted::all && !is_folder && entry->path().extension() != ".rule") continue;
    if (std::any_of(found.begin(), found.end(), [](unsigned char c) { return c < 0x20 || c == '"' || c == '\\'; }))
      continue;
    out.insert(folder + found + (is_folder ? "/" : ""));
  }
  return out;
}

Completion among(const Words& words, std::string_view begun, std::size_t begin) {
  Completion out{begin, {}};
  for (auto& each : words)
    if (std::string_view(each).starts_with(begun)) out.words.push_back(each);
  return out;
}

// Where the string that is open at the end of the text begins, behind its quote.
std::optional<std::size_t> open_string(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '#') return {};
    if (text[i] != '"') continue;
    auto begin = ++i;
    for (; i < text.size() && text[i] != '"'; ++i)
      if (text[i] == '\\') ++i;
    if (i >= text.size()) return begin;
  }
  return {};
}

// Nothing where an expression stands behind the command.
std::optional<Completion> of_command(const State& state, std::string_view text, std::size_t colon) {
  auto end = text.find(' ', colon);
  Words words;
  if (end == std::string_view::npos) {
    for (auto& each : commands()) words.insert(":" + std::string(each.name) + (each.arguments.empty() ? "" : " "));
    return among(words, text.substr(colon), colon);
  }
  auto typed = text.substr(colon + 1, end - colon - 1);
  auto table = commands();
  auto command = std::find_if(table.begin(), table.end(), [&](auto& each) { return each.name.starts_with(typed); });
  if (command == table.end()) return Completion{text.size(), {}};
  auto begin = text.find_last_of(" \"") + 1;
  auto begun = text.substr(begin);
  switch (command->argument) {
    case Command::Argument::rule_file:
      return among(files(std::string(begun), Wanted::rules), begun, begin);
    case Command::Argument::topic:
      if (command->id == Command::Id::help) {
        for (auto& each : help_topics()) words.insert(each);
        for (auto& each : commands()) words.insert(std::string(each.name));
        for (auto& each : session_calls()) words.insert(std::string(each.name));
        for (auto& each : language::builtins()) words.insert(std::string(each.name));
        for (auto& each : language::buildable_layers()) words.insert(std::string(each.name));
      }
      for (auto* place : {&state.definitions.visible(), &Inside::definitions(Pack::standard())}) {
        for (auto& [name, each] : place->targets) words.insert(name);
        for (auto& [name, each] : place->functions) words.insert(name);
      }
      return among(words, begun, begin);
    case Command::Argument::rule_and_kind: {
      auto so_far = text.substr(end);
      if (auto called = open_call(so_far); called && !called->empty()) return {};  // its arguments
      if (so_far.substr(0, begin - end).find_first_not_of(' ') == std::string_view::npos) {
        if (begun.find('.') != std::string_view::npos) return {};  // what stands behind `std.`
        words = rules(state);
        std::erase_if(words, [&](auto& each) { return state.values.contains(each); });  // models
      } else {
        for (auto each : language::kind_words()) words.insert(std::string(each));
        words.insert("nonnegative");
      }
      return among(words, begun, begin);
    }
    case Command::Argument::name:
      for (auto& [name, each] : state.values) words.insert(name);
      for (auto& each : state.definitions.entered()) words.insert(each->name);
      return among(words, begun, begin);
    case Command::Argument::expression:
      return {};
    case Command::Argument::none:
      break;
  }
  return Completion{text.size(), {}};
}

}  // namespace

std::string Completion::common() const {
  if (words.empty()) return "";
  auto out = words.front();
  for (auto& each : words) {
    auto end = std::mismatch(out.begin(), out.end(), each.begin(), each.end()).first;
    out.erase(end, out.end());
  }
  return out;
}

Completion complete(const State& state, std::string_view before, std::string_view line, std::size_t cursor) {
  auto text = line.substr(0, cursor);
  auto colon = text.find_first_not_of(" \t");
  if (before.empty() && colon != std::string_view::npos && text[colon] == ':')
    if (auto found = of_command(state, text, colon)) return *found;
  if (auto begin = open_string(text)) {
    auto begun = std::string(text.substr(*begin));
    bool imports = text.find("import") != std::string_view::npos;
    auto found = among(files(begun, imports ? Wanted::imported_rules : Wanted::all), begun, *begin);
    // A file that was found whole ends its string.
    for (auto& each : found.words)
      if (!each.ends_with('/')) each += '"';
    return found;
  }
  auto begin = cursor;
  while (begin > 0 && is_name_character(text[begin - 1])) --begin;
  auto begun = text.substr(begin);
  if (begin > 0 && text[begin - 1] == '.') {
    auto pack_end = begin - 1, pack_begin = pack_end;
    while (pack_begin > 0 && is_name_character(text[pack_begin - 1])) --pack_begin;
    return among(names_of(state, std::string(text.substr(pack_begin, pack_end - pack_begin))), begun, begin);
  }
  auto words = names(state);
  auto so_far = std::string(before) + std::string(text.substr(0, begin));
  add_words_of_definition(words, so_far);
  if (auto called = open_call(so_far); called && !called->empty()) {
    auto last = so_far.find_last_not_of(" \t\n");
    bool at_argument = last != std::string::npos && (so_far[last] == '(' || so_far[last] == ',');
    if (at_argument && takes_rules(*called)) words = rules(state);
    if (at_argument) words.merge(argument_names(state, *called));
    // With nothing written yet, the arguments' names say more than all names that there are.
    if (at_argument && begun.empty())
      if (auto own = argument_names(state, *called); !own.empty()) return among(own, begun, begin);
  }
  if (begun.empty()) return {begin, {}};
  return among(words, begun, begin);
}

}  // namespace ascribe::repl
