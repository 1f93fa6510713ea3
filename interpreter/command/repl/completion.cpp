#include "interpreter/command/repl/completion.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "grammar/characters.hpp"
#include "interpreter/command/repl/assistance.hpp"
#include "interpreter/command/repl/calls.hpp"
#include "interpreter/command/repl/commands.hpp"
#include "interpreter/command/repl/help.hpp"
#include "interpreter/command/repl/home.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"

namespace ascribe::repl {
namespace {

namespace fs = std::filesystem;
using Words = std::map<std::string, std::string>;  // with their details

// As it is to be written: what has to follow a word comes with it.
std::string spelling(const assist::Offer& offer) {
  using SymbolSort = assist::Symbol::Sort;
  if (offer.sort == assist::Offer::Sort::word) return offer.text + " ";
  if (!offer.symbol || offer.sort == assist::Offer::Sort::argument) return offer.text;
  auto sort = offer.symbol->sort;
  if (sort == SymbolSort::import || sort == SymbolSort::standard_pack) return offer.text + ".";
  bool called = sort == SymbolSort::builtin || sort == SymbolSort::function;
  if (sort == SymbolSort::layer)
    called =
        !language::find_buildable_layer(offer.symbol->name)->arguments.empty() && !language::find_builtin(offer.text);
  return called ? offer.text + "(" : offer.text;
}

void add_offers(Words& out, const State& state, std::string_view before, std::string_view text) {
  for (auto& each : offers(state, std::string(before) + std::string(text))) out.emplace(spelling(each), each.detail);
}

void add_values(Words& out, const State& state, bool models_only) {
  for (auto& [name, value] : state.values)
    if (!models_only || std::holds_alternative<ModelValue>(value)) out.emplace(name, type_of(value));
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
    out.emplace(folder + found + (is_folder ? "/" : ""), "");
  }
  return out;
}

Completion among(const Words& words, std::string_view begun, std::size_t begin) {
  Completion out{begin, {}};
  for (auto& [word, detail] : words)
    if (std::string_view(word).starts_with(begun)) out.words.push_back({word, detail});
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

// The brackets that are open at the end of a text, and where the argument that is being written begins in each.
struct OpenBracket {
  std::size_t at, argument;
};
std::vector<OpenBracket> open_brackets(std::string_view text) {
  std::vector<OpenBracket> out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"' && text[i] != '\n'; ++i)
        if (text[i] == '\\') ++i;
    } else if (text[i] == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (std::string_view("([{").find(text[i]) != std::string_view::npos) {
      out.push_back({i, i + 1});
    } else if (std::string_view(")]}").find(text[i]) != std::string_view::npos && !out.empty()) {
      out.pop_back();
    } else if (text[i] == ',' && !out.empty()) {
      out.back().argument = i + 1;
    }
  }
  return out;
}

std::string_view name_before(std::string_view text, std::size_t end) {
  auto begin = end;
  while (begin > 0 && is_name_character(text[begin - 1])) --begin;
  return text.substr(begin, end - begin);
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && std::string_view(" \t\r\n").find(text.front()) != std::string_view::npos)
    text.remove_prefix(1);
  return text;
}

// What stands behind `name =`, if it begins so.
std::optional<std::string_view> behind_equals(std::string_view text) {
  text = without_blanks(text);
  auto end = std::find_if_not(text.begin(), text.end(), is_name_character) - text.begin();
  auto rest = without_blanks(text.substr(static_cast<std::size_t>(end)));
  if (end == 0 || !rest.starts_with('=') || rest.starts_with("==") || rest.starts_with("=>")) return {};
  return rest.substr(1);
}

bool is_definition(std::string_view text) {
  text = without_blanks(text);
  constexpr std::string_view beginnings[] = {"rule ", "composite ", "fn ", "test ", "import ", "pack ", "##"};
  return std::any_of(std::begin(beginnings), std::end(beginnings), [&](auto each) { return text.starts_with(each); });
}

constexpr std::string_view in_a_test = "test \"\" { let _ = ", as_a_model = "test \"\" { model = ",
                           as_rules = "rule _ = ", in_relevance = "test \"\" { let _ = relevance(";

// What an expression could go on with.
void add_expression(Words& out, const State& state, std::string_view text) {
  auto brackets = open_brackets(text);
  auto call = std::find_if(brackets.rbegin(), brackets.rend(), [&](auto& each) {
    return text[each.at] == '(' && find_session_call(name_before(text, each.at));
  });
  if (call == brackets.rend()) {
    add_offers(out, state, in_a_test, text);
    add_offers(out, state, as_a_model, text);
    add_offers(out, state, as_rules, text);
    add_values(out, state, /*models_only=*/false);
    for (auto& each : session_calls()) out[std::string(each.name) + "("] = each.signature;
    return;
  }
  auto& session = *find_session_call(name_before(text, call->at));
  auto argument = text.substr(call->argument);
  if (auto value = behind_equals(argument)) {
    add_offers(out, state, in_a_test, *value);
    return add_values(out, state, /*models_only=*/false);
  }
  add_offers(out, state, in_relevance, argument);
  if (brackets.back().at != call->at) return;  // within a rule's own arguments
  add_values(out, state, /*models_only=*/true);
  for (auto each : session.named) out.emplace(std::string(each) + " = ", "");
}

// The last statement of what was entered, or the definition.
void add_input(Words& out, const State& state, std::string_view text) {
  bool open = !open_brackets(text).empty();
  for (auto end = text.size(); end != std::string_view::npos;) {
    auto begin = end == 0 ? 0 : text.rfind('\n', end - 1) + 1;
    if (is_definition(text.substr(begin))) return add_offers(out, state, "", text.substr(begin));
    if (begin == 0 || !open) break;  // otherwise a line further above began it
    end = begin - 1;
  }
  if (!open) text.remove_prefix(text.find_last_of(";\n") + 1);
  if (auto value = behind_equals(text)) return add_expression(out, state, *value);
  add_expression(out, state, text);
  auto first = without_blanks(text);
  if (std::all_of(first.begin(), first.end(), is_name_character)) add_offers(out, state, "", text);
}

Completion in_input(const State& state, std::string_view before, std::string_view line) {
  auto begin = line.size();
  while (begin > 0 && is_name_character(line[begin - 1])) --begin;
  auto begun = line.substr(begin);
  auto text = std::string(before) + std::string(line);
  if (without_blanks(text).empty()) return {begin, {}};
  Words words;
  add_input(words, state, text);
  // With nothing written yet, the arguments' names say more than all that there is.
  auto is_argument = [](auto& each) { return each.first.ends_with(" = "); };
  if (begun.empty() && std::any_of(words.begin(), words.end(), is_argument))
    std::erase_if(words, [&](auto& each) { return !is_argument(each); });
  else if (begun.empty() && !is_definition(text))
    words.clear();
  return among(words, begun, begin);
}

void add_topics(Words& words, const State& state, bool all) {
  if (all) {
    for (auto& each : help_topics()) words.emplace(each, "");
    for (auto& each : commands()) words.emplace(std::string(each.name), each.summary);
    for (auto& each : session_calls()) words.emplace(std::string(each.name), each.signature);
    for (auto before : {in_a_test, as_a_model, std::string_view("composite _ { "), std::string_view("rule _ { map = ")})
      for (auto& each : offers(state, before))
        if (each.symbol) words.emplace(each.text, each.detail);
  }
  for (auto before : {as_rules, in_a_test})
    for (auto& each : offers(state, before))
      if (each.symbol && each.symbol->is_written()) words.emplace(each.text, each.detail);
}

// Nothing where an input stands behind the command.
std::optional<Completion> of_command(const State& state, std::string_view text, std::size_t colon) {
  auto end = text.find(' ', colon);
  Words words;
  if (end == std::string_view::npos) {
    for (auto& each : commands())
      words.emplace(":" + std::string(each.name) + (each.arguments.empty() ? "" : " "), each.summary);
    return among(words, text.substr(colon), colon);
  }
  auto typed = text.substr(colon + 1, end - colon - 1);
  auto table = commands();
  auto command = std::find_if(table.begin(), table.end(), [&](auto& each) { return each.name.starts_with(typed); });
  if (command == table.end()) return Completion{text.size(), {}};
  auto begin = text.find_last_of(" \"") + 1;
  auto begun = text.substr(begin);
  bool first = without_blanks(text.substr(end, begin - end)).empty();
  auto rules = [&] {
    add_offers(words, state, as_rules, text.substr(end));
    auto name = begun.size();
    while (name > 0 && is_name_character(begun[name - 1])) --name;
    return among(words, begun.substr(name), begin + name);
  };
  switch (command->argument) {
    case Command::Argument::rule_file:
      return among(files(std::string(begun), Wanted::rules), begun, begin);
    case Command::Argument::file:
      return among(files(std::string(begun), Wanted::all), begun, begin);
    case Command::Argument::file_and_expression:
      if (first) return among(files(std::string(begun), Wanted::all), begun, begin);
      add_values(words, state, /*models_only=*/false);
      return among(words, begun, begin);
    case Command::Argument::topic:
      add_topics(words, state, command->id == Command::Id::help);
      return among(words, begun, begin);
    case Command::Argument::rule_and_kind:
      if (first || !open_brackets(text).empty()) return rules();
      for (auto& each : offers(state, "composite _ { ")) words.emplace(each.text, each.detail);
      words.emplace("nonnegative", "");
      return among(words, begun, begin);
    case Command::Argument::rules_and_tree:
      words.emplace("--tree", "");
      return begun.starts_with('-') ? among(words, begun, begin) : rules();
    case Command::Argument::name:
      add_values(words, state, /*models_only=*/false);
      for (auto& each : state.definitions.entered()) words.emplace(each->name, "");
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
  auto out = words.front().text;
  for (auto& each : words) {
    auto end = std::mismatch(out.begin(), out.end(), each.text.begin(), each.text.end()).first;
    out.erase(end, out.end());
  }
  return out;
}

Completion complete(const State& state, std::string_view before, std::string_view line, std::size_t cursor) {
  auto text = line.substr(0, cursor);
  if (auto end = text.rfind('\n'); end != std::string_view::npos) {  // the editor holds several lines
    auto out = complete(state, std::string(before) + std::string(text.substr(0, end + 1)), line.substr(end + 1),
                        cursor - end - 1);
    out.begin += end + 1;
    return out;
  }
  auto colon = text.find_first_not_of(" \t");
  bool command = before.empty() && colon != std::string_view::npos && text[colon] == ':';
  if (command)
    if (auto found = of_command(state, text, colon)) return *found;
  if (auto begin = open_string(text)) {
    auto begun = std::string(text.substr(*begin));
    bool imports = text.find("import") != std::string_view::npos;
    auto found = among(files(begun, imports ? Wanted::imported_rules : Wanted::all), begun, *begin);
    // A file that was found whole ends its string.
    for (auto& each : found.words)
      if (!each.text.ends_with('/')) each.text += '"';
    return found;
  }
  if (!command) return in_input(state, before, text);
  auto expression = std::min(text.find(' ', colon) + 1, text.size());
  auto out = in_input(state, "", text.substr(expression));
  out.begin += expression;
  return out;
}

}  // namespace ascribe::repl
