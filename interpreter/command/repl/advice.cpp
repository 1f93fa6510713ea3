#include "interpreter/command/repl/advice.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "grammar/characters.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/parser.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/command/repl/calls.hpp"
#include "interpreter/command/repl/commands.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/name_resolver.hpp"

namespace ascribe::repl {
namespace {

namespace fs = std::filesystem;

std::string_view without_outer_blanks(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  auto begin = std::min(text.find_first_not_of(blanks), text.size());
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

bool is_name(std::string_view text) {
  auto words = reserved_words();
  return !text.empty() && is_letter(text[0]) && std::all_of(text.begin(), text.end(), is_name_character) &&
         std::find(words.begin(), words.end(), text) == words.end();
}

// ------------------------------------------------------------------------------------ words that need brackets or
// colons

// `explain zplus` as the call that is meant.
std::string as_call(const SessionCall& call, std::string_view arguments) {
  bool file = call.id == SessionCall::Id::load || call.id == SessionCall::Id::image;
  if (file && !arguments.starts_with('"')) return filled("{}(\"{}\")", call.name, arguments);
  auto text = std::string(arguments);
  bool separated = text.find_first_of(",(=") != std::string::npos;
  for (auto at = text.find(' '); !separated && at != std::string::npos; at = text.find(' ', at + 2))
    text.replace(at, text.find_first_not_of(' ', at) - at, ", ");
  return filled("{}({})", call.name, text);
}

// What was meant by an input that the grammar does not know; empty: nobody knows.
std::string meant_input(std::string_view text) {
  text = without_outer_blanks(text);
  if (text.find_first_of("\n;`") != std::string_view::npos) return "";
  auto asked = text;
  while (asked.starts_with('?')) asked.remove_prefix(1);
  while (asked.ends_with('?')) asked.remove_suffix(1);
  asked = without_outer_blanks(asked);
  if (asked.size() < text.size())
    return asked.empty() || asked.find_first_of(" \t(") != std::string_view::npos ? ":help" : filled(":help {}", asked);
  // `x += 1`
  if (auto at = text.find('=');
      at != std::string_view::npos && at > 0 && std::string_view("+-*/").find(text[at - 1]) != std::string_view::npos) {
    auto name = without_outer_blanks(text.substr(0, at - 1)), by = without_outer_blanks(text.substr(at + 1));
    if (is_name(name) && !by.empty()) return filled("{0} = {0} {1} {2}", name, text[at - 1], by);
  }
  auto end = text.find_first_of(" \t");
  if (end == std::string_view::npos) return "";
  auto word = text.substr(0, end), rest = without_outer_blanks(text.substr(end));
  if (std::string_view("(=<>!+*/^,;:").find(rest[0]) != std::string_view::npos) return "";
  // Other languages have a word in front of what gets a name.
  if ((word == "let" || word == "var" || word == "auto" || word == "const") && rest.find('=') != std::string_view::npos)
    return std::string(rest);
  bool rules = rest.ends_with(".rule");
  auto* call = find_session_call(word);
  if (call && !(call->id == SessionCall::Id::load && rules)) return as_call(*call, rest);
  for (auto& each : commands())
    if (each.name == word && !each.arguments.empty()) return filled(":{} {}", each.name, rest);
  return "";
}

// --------------------------------------------------------------------------------------------------------- names in
// reach

bool defines(const language::Definitions& definitions, const std::string& name) {
  return !language::is_private(name) && (definitions.targets.contains(name) || definitions.functions.contains(name));
}

// How a rule of this name can be reached that lies in a pack: by its import, or by the line that imports it.
std::string from_a_pack(const std::string& name, const State& state, const LoadOptions& loading) {
  for (auto& [alias, definitions] : state.definitions.imports())
    if (defines(*definitions, name)) return filled("it is in a pack: write `{}.{}`", alias, name);
  constexpr int most = 64;  // packs that are looked into
  int seen = 0;
  auto folders = loading.path;
  folders.insert(folders.begin(), ".");
  for (auto& folder : folders) {
    std::error_code error;
    std::vector<fs::path> packs;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      std::error_code none;
      if (fs::is_regular_file(entry->path() / "pack.rule", none)) packs.push_back(entry->path());
    }
    std::sort(packs.begin(), packs.end());
    for (auto& each : packs) {
      auto file = each.filename().string();
      if (!is_name(file) || ++seen > most) continue;
      try {
        auto pack = Pack::load(each, loading);
        if (defines(Inside::definitions(pack), name))
          return filled("`import \"{0}\" as {0}` brings it, as {0}.{1}", file, name);
      } catch (const Error&) {
        // A pack with mistakes offers nothing.
      }
    }
  }
  return "";
}

struct InReach {
  std::vector<std::string> values, rules, functions;

  explicit InReach(const State& state) {
    for (auto& [name, value] : state.values)
      if (name != last_value) values.push_back(name);
    for (auto name : {"x", "y", "R"})
      if (!state.values.contains(name)) values.emplace_back(name);
    for (auto* place : {&state.definitions.visible(), &Inside::definitions(Pack::standard())}) {
      for (auto& [name, each] : place->targets) rules.push_back(name);
      for (auto& [name, each] : place->functions) functions.push_back(name);
    }
    for (auto& each : language::builtins())
      if (each.place != language::BuiltinPlace::require) functions.emplace_back(each.name);
    for (auto& each : session_calls()) functions.emplace_back(each.name);
    for (auto& each : language::buildable_layers()) functions.emplace_back(each.name);
  }
};

std::string help_for_name(const std::string& name, const State& state) {
  InReach reach(state);
  if (name == last_value) return "nothing was printed yet: `_` is the value that was printed last";
  if (name.size() < 2) return filled("there are: {}; `:rules` lists rules and functions", listed(reach.values));
  if (auto value = nearest(name, reach.values); !value.empty()) return filled("did you mean `{}`?", value);
  if (auto rule = nearest(name, reach.rules); !rule.empty())
    return filled("did you mean the rule `{0}`? `:help {0}` is about it, `explain({0})` shows it", rule);
  if (auto function = nearest(name, reach.functions); !function.empty()) return filled("did you mean `{}`?", function);
  return filled("there are: {}; `:rules` lists rules and functions", listed(reach.values));
}

// Whether a place is in a definition, which sees no values.
bool in_a_definition(const Source& source, std::size_t place) {
  auto text = without_outer_blanks(source.text());
  auto before = source.text().substr(0, place);
  return text.starts_with("fn ") || text.starts_with("rule ") || text.starts_with("composite ") ||
         std::count(before.begin(), before.end(), '{') > std::count(before.begin(), before.end(), '}');
}

}  // namespace

std::vector<Diagnostic> advised(std::vector<Diagnostic> mistakes, const State& state, const LoadOptions& loading) {
  for (auto& each : mistakes) {
    if (!each.primary.source || each.severity == Severity::warning) continue;
    auto& source = *each.primary.source;
    bool of_grammar = code_name(each.code).starts_with("A01");
    if (auto meant = of_grammar ? meant_input(source.text()) : std::string(); !meant.empty()) {
      each.help = filled("write `{}`", meant);
      continue;
    }
    if (each.code != Code::unknown_name && each.code != Code::unknown_rule && each.code != Code::unknown_function)
      continue;
    auto name = std::string(source.text(each.primary.span));
    if (!is_name(name)) continue;
    if (auto pack = from_a_pack(name, state, loading); !pack.empty())
      each.help = pack;
    else if (each.message.starts_with("unknown name") && !in_a_definition(source, each.primary.span.begin) &&
             (each.help.starts_with("known here") || name.size() < 2))
      each.help = help_for_name(name, state);
  }
  return mistakes;
}

}  // namespace ascribe::repl
