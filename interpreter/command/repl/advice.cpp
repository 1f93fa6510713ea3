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
#include "interpreter/command/repl/evaluator.hpp"
#include "interpreter/command/repl/habits.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/name_resolver.hpp"

namespace ascribe::repl {
namespace {

namespace fs = std::filesystem;

// ----------------------------------------------------------------------------------------------------- names in reach

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
      if (!is_plain_name(file) || ++seen > most) continue;
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

std::string names_in_reach(const State& state) { return filled("there are: {}", listed(InReach(state).values)); }

std::string help_for_name(const std::string& name, const State& state) {
  InReach reach(state);
  if (name == last_value)
    return state.without_last.empty() ? "nothing was printed yet: `_` is the value that was printed last"
                                      : state.without_last;
  if (auto number = input_number(name))
    if (auto model = state.values.find(state.model); model != state.values.end()) {
      auto takes = most_inputs(std::get<ModelValue>(model->second));
      return *number > takes ? filled("the model takes {}; `:model` tells which", counted(takes, "input"))
                             : filled("it is an input of the model: `{} = random(1, 3, seed = 1)`", name);
    }
  if (name.size() < 2) return filled("there are: {}; `:rules` lists rules and functions", listed(reach.values));
  if (auto value = nearest(name, reach.values); !value.empty()) return filled("did you mean `{}`?", value);
  if (auto rule = nearest(name, reach.rules); !rule.empty())
    return filled("did you mean the rule `{0}`? `:help {0}` is about it, `explain({0})` shows it", rule);
  if (auto function = nearest(name, reach.functions); !function.empty()) return filled("did you mean `{}`?", function);
  std::vector<std::string> commanded;
  for (auto& each : commands()) commanded.emplace_back(each.name);
  if (auto command = nearest(name, commanded); !command.empty()) return filled("did you mean `:{}`?", command);
  return filled("there are: {}; `:rules` lists rules and functions", listed(reach.values));
}

// Whether a place is in a definition, which sees no values.
bool in_a_definition(const Source& source, std::size_t place) {
  auto text = trimmed(source.text());
  auto before = source.text().substr(0, place);
  return text.starts_with("fn ") || text.starts_with("rule ") || text.starts_with("composite ") ||
         std::count(before.begin(), before.end(), '{') > std::count(before.begin(), before.end(), '}');
}

bool begins_with_nothing_known(std::string_view text, const State& state) {
  text = trimmed(text);
  auto end = std::find_if_not(text.begin(), text.end(), is_name_character);
  std::string word(text.begin(), end);
  InReach reach(state);
  return !std::any_of(reach.values.begin(), reach.values.end(), [&](auto& each) { return each == word; }) &&
         is_plain_name(word) && !text.substr(word.size()).starts_with('(');
}

// A string by itself: `"zplus"` or `"net.pt2"`.
std::string help_for_string(std::string text, const State& state) {
  std::erase(text, '"');
  for (auto* place : {&state.definitions.visible(), &Inside::definitions(Pack::standard())})
    if (place->targets.contains(text)) return filled("write `relevance({})`, without the quotes", text);
  std::error_code error;
  if (fs::is_regular_file(text, error)) return filled("write `load(\"{}\")`", text);
  return "strings are names of files and outputs: `:help values` tells what has a value";
}

constexpr std::string_view has_no = " is a value and has no ";
constexpr const char* no_parts =
    "functions stand in front of their values, `abs(x)`, and brackets behind them, `x[0]`: `:help values`";

// What the library says about options of the command line, as the arguments that sessions have: `--target top3`, in C++
// `Target::largest(3)`, is `target = "top3"`.
void for_a_session(std::string& help) {
  for (auto* name : {"target", "against", "position", "of-output"}) {
    auto option = filled("`--{} ", name);
    for (auto at = help.find(option); at != std::string::npos; at = help.find(option, at + 1)) {
      auto begin = at + option.size(), end = help.find('`', begin);
      if (end == std::string::npos) return;
      auto value = help.substr(begin, end - begin);
      if (value.find(',') != std::string::npos)
        value = filled("[{}]", value);
      else if (value.find_first_not_of("-0123456789") != std::string::npos)
        value = filled("\"{}\"", value);
      auto argument = std::string(name);
      std::replace(argument.begin(), argument.end(), '-', '_');
      constexpr std::string_view in_another = "`, in C++ `";
      if (std::string_view(help).substr(end).starts_with(in_another))
        end = std::min(help.find('`', end + in_another.size()), help.size() - 1);
      help.replace(at, end - at, filled("`{} = {}", argument, value));
    }
  }
}

}  // namespace

std::vector<Diagnostic> advised(std::vector<Diagnostic> mistakes, const State& state, const LoadOptions& loading) {
  for (auto& each : mistakes) {
    for_a_session(each.help);
    if (!each.primary.source || each.severity == Severity::warning) continue;
    auto& source = *each.primary.source;
    auto& code = each.code;
    bool of_grammar = code_name(code).starts_with("A01");
    bool no_command = code == Code::usage && each.message.starts_with("there is no command");
    if (of_grammar || no_command) {
      if (auto better = help_for_input(source.text(), state, loading); !better.empty())
        each.help = better;
      else if (each.message.starts_with("an operator is missing between") &&
               !in_a_definition(source, each.primary.span.begin) && begins_with_nothing_known(source.text(), state))
        each.help = "`:help` shows what can be entered";
      continue;
    }
    if (each.help == "write `layer.x` or `layer.y`" && !in_a_definition(source, each.primary.span.begin)) {
      each.help = "a session's model is built so: `layer = linear(3, 2)`; `:layers` lists what it is made of";
      continue;
    }
    if (each.message == "a string is no value here") {
      each.help = help_for_string(std::string(source.text(each.primary.span)), state);
      continue;
    }
    if (code != Code::unknown_name && code != Code::unknown_rule && code != Code::unknown_function) continue;
    auto& span = each.primary.span;
    auto name = std::string(source.text(span));
    bool of_a_name = each.message.starts_with("unknown ") || each.message.find(has_no) != std::string::npos;
    if (of_a_name && code != Code::unknown_rule && !in_a_definition(source, span.begin)) {
      if (auto better = help_for_use(source.text().substr(span.begin), state); !better.empty()) {
        each.help = better;
        continue;
      }
      if (each.message.find(has_no) != std::string::npos) each.help = no_parts;
      if (each.help.starts_with("define it: "))
        each.help = name.find('.') != std::string::npos
                        ? no_parts
                        : filled("`:help functions` lists the functions; `fn {}(z) = 2 * z` would define one", name);
      if (each.message.starts_with("unknown pack") && from_a_folder(name, loading).empty())
        each.help = filled("{}; `:help definitions` tells how packs are imported", names_in_reach(state));
    }
    if (!is_plain_name(name)) continue;
    if (auto pack = from_a_pack(name, state, loading); !pack.empty())
      each.help = pack;
    else if (each.message.starts_with("unknown name") && !in_a_definition(source, span.begin) &&
             (each.help.starts_with("known here") || name.size() < 2 || input_number(name)))
      each.help = help_for_name(name, state);
  }
  return mistakes;
}

}  // namespace ascribe::repl
