#include "interpreter/command/repl/habits.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "grammar/characters.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/parser.hpp"
#include "interpreter/command/repl/calls.hpp"
#include "interpreter/command/repl/commands.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/name_resolver.hpp"

namespace ascribe::repl {
namespace {

namespace fs = std::filesystem;

// What is written here for words of elsewhere, by what they are used on; `{}` is that. Where there is nothing to write,
// the remark says why.
struct Habit {
  std::string_view words, of_value, of_rule, alone;
  std::string_view remark = "";
};
constexpr std::string_view prints = ": an expression prints its value";
constexpr std::string_view tells = ": a value tells its shape and its type";
constexpr Habit habits[] = {
    {"del delete forget unset rm remove", ":reset {}", ":reset {}", ":help reset"},
    {"shape size dim ndim dtype numel len", "{}", ":help {}", ":type", tells},
    {"print display disp view echo puts repr str", "{}", "explain({})", ":help values", prints},
    {"show plot imshow draw heatmap visualize visualise", ":write picture.png {}", "explain({})",
     "explain(epsilon_plus)"},
    {"lrp attribute attribution saliency backward", "relevance(epsilon_plus)", "relevance({})",
     "relevance(epsilon_plus)"},
    {"predict forward eval infer model net network", "y", "relevance({})", "y",
     ": it is what the current model gives for x"},
    {"argmax topk", "R", ":help {}", "R", ": it tells the largest output, from which relevance starts"},
    {"who whos vars locals globals dir names variables env", ":type {}", ":type {}", ":type"},
    {"man doc info whatis", ":help {}", ":help {}", ":help"},
    {"exit bye logout", ":quit", ":quit", ":quit"},
    {"timeit prun", ":time {}", ":time relevance({})", ":time y"},
    {"summary", ":model", ":help {}", ":model"},
    {"weight bias parameters state_dict modules children named_modules", ":layers", "", ":layers"},
    {"history hist", ":help editing", ":help editing", ":help editing", ": the arrow keys go through the history"},
    {"clear cls", ":reset {}", ":reset {}", "", "Ctrl-L clears the screen; `:reset` forgets all that was entered"},
    {"max amax", "quantile({}, 1)", "", "quantile(y, 1)", ": the largest of each sample"},
    {"min amin", "quantile({}, 0)", "", "quantile(y, 0)", ": the smallest of each sample"},
    {"for while", "", "", "", "expressions work on whole tensors: `sum(x)` adds up each sample"},
    {"source run include exec", ":load {}", ":load {}", ":help load"},
    {"import from", ":help functions", ":help functions", ":help functions", ": there are no modules of Python"},
    {"Sequential", "[linear(3, 2), relu]", "", "[linear(3, 2), relu]", ": a list of layers is a model"},
    {"return yield", "{}", "relevance({})", ":help values", prints},
    {"assert expect", "{}", "relevance({})", ":help values", ": whether it holds is printed"},
    {"tensor Tensor array", "{}", "", "[[1, 2]]"},
    {"ls ll cd pwd cat mkdir cp mv grep head tail", "", "", "",
     "a session runs no commands of a shell; Tab completes the names of files"},
};

// Tensors of a shape, for which there is one function.
constexpr std::pair<std::string_view, std::string_view> of_a_shape[] = {
    {"rand", "random({}, seed = 1)"},         {"randn", "random({}, seed = 1)"},
    {"ones", "0 * random({}, seed = 1) + 1"}, {"zeros", "0 * random({}, seed = 1)"},
    {"empty", "0 * random({}, seed = 1)"},
};

std::string_view name_at_begin(std::string_view text) {
  auto end = std::find_if_not(text.begin(), text.end(), is_name_character);
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

bool is_in(std::string_view word, std::string_view words) {
  while (!words.empty()) {
    auto end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

std::string write_instead(std::string_view text, std::string_view remark = "") {
  return filled("write `{}`{}", text, remark);
}

std::string with_argument(std::string_view form, std::string_view argument) {
  auto out = std::string(form);
  if (auto at = out.find("{}"); at != std::string::npos) out.replace(at, 2, argument);
  return out;
}

// Where the bracket is closed that is open at `begin`; npos: nowhere.
std::size_t closing(std::string_view text, std::size_t begin) {
  int depth = 0;
  bool quoted = false;
  for (auto i = begin; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (quoted) continue;
    if (text[i] == '(' || text[i] == '[') ++depth;
    if ((text[i] == ')' || text[i] == ']') && --depth == 0) return i;
  }
  return std::string_view::npos;
}

// Between commas that stand in no brackets.
std::vector<std::string> separated(std::string_view text) {
  std::vector<std::string> out{""};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',') {
      out.emplace_back();
      continue;
    }
    auto end = text[i] == '(' || text[i] == '[' ? std::min(closing(text, i), text.size() - 1) : i;
    out.back() += text.substr(i, end - i + 1);
    i = end;
  }
  for (auto& each : out) each = std::string(trimmed(each));
  return out;
}

bool is_a_rule(std::string_view text, const State& state) {
  auto name = std::string(name_at_begin(text));
  auto rest = text.substr(name.size());
  if (!rest.empty() && (rest[0] != '(' || closing(rest, 0) + 1 != rest.size())) return false;
  return !state.values.contains(name) && (state.definitions.visible().targets.contains(name) ||
                                          Inside::definitions(Pack::standard()).targets.contains(name));
}

const ModelValue* model_called(std::string_view name, const State& state) {
  auto found = state.values.find(name);
  return found == state.values.end() ? nullptr : std::get_if<ModelValue>(&found->second);
}

// ------------------------------------------------------------------------------------------------ what is used on what

struct Use {
  std::string_view word, argument;  // `len` and `x`
  bool called = false;              // with brackets, or as an attribute
};

// `word`, `word rest`, `word(argument)`, `argument.word`, `argument.word(…)`; modules in front say nothing.
Use use_in(std::string_view text) {
  Use out{name_at_begin(text), {}};
  auto rest = text.substr(out.word.size());
  while (rest.size() > 1 && rest[0] == '.' && is_letter(rest[1])) {
    bool is_module = is_in(out.word, "torch np numpy random nn F math plt ascribe functional");
    if (!is_module && out.argument.empty()) out.argument = out.word;
    out.word = name_at_begin(rest.substr(1));
    out.called = true;
    rest.remove_prefix(out.word.size() + 1);
  }
  if (rest.starts_with('(')) {
    auto end = closing(rest, 0);
    out.called = true;
    if (end == std::string_view::npos) return out;
    auto behind = rest.substr(end + 1);
    if (behind.size() > 1 && behind[0] == '.' && is_letter(behind[1]))  // `relevance(zplus).sum()`
      return {name_at_begin(behind.substr(1)), text.substr(0, text.size() - behind.size()), true};
    if (out.argument.empty()) out.argument = trimmed(rest.substr(1, end - 1));
  } else if (out.argument.empty() && rest.starts_with(' ')) {
    out.argument = trimmed(rest);
  }
  return out;
}

// `save("x.npy", x)`, in either order.
std::string as_write(std::string_view argument, const State& state) {
  auto parts = separated(argument);
  if (parts.size() == 1) {
    auto end = std::min(argument.find(' '), argument.size());
    parts = {std::string(argument.substr(0, end)), std::string(trimmed(argument.substr(end)))};
  }
  if (parts.size() != 2) return "";
  if (parts[1].starts_with('"')) std::swap(parts[0], parts[1]);
  std::erase(parts[0], '"');
  if (parts[1].empty() && !state.values.contains(last_value)) parts[1] = "x";
  return std::string(trimmed(filled(":write {} {}", with_written_ending(parts[0]), parts[1])));
}

std::string as_command(const Command& command, std::string_view argument) {
  auto text = std::string(argument);
  if (command.argument != Command::Argument::expression)
    for (auto at = text.find(", "); at != std::string::npos; at = text.find(", ", at)) text.erase(at, 1);
  if (text.empty()) return std::string(command.needs_argument ? command.example : filled(":{}", command.name));
  return filled(":{} {}", command.name, text);
}

// `explain zplus` as the call that is meant.
std::string as_call_of(const SessionCall& call, std::string_view arguments) {
  if (arguments.empty()) return std::string(call.example);
  bool file = call.id == SessionCall::Id::load || call.id == SessionCall::Id::image;
  if (file && !arguments.starts_with('"')) return filled("{}(\"{}\")", call.name, arguments);
  auto text = std::string(arguments);
  bool separated = text.find_first_of(",(=") != std::string::npos;
  for (auto at = text.find(' '); !separated && at != std::string::npos; at = text.find(' ', at + 2))
    text.replace(at, text.find_first_not_of(' ', at) - at, ", ");
  return filled("{}({})", call.name, text);
}

// A model is not called: it is named, and y is what it gives for x.
std::string as_output(std::string_view name, std::string_view argument, const State& state) {
  std::string out;
  if (name != state.model) out += filled("model = {}; ", name);
  if (argument != "x" && !argument.empty()) out += filled("x = {}; ", argument);
  return out + "y";
}

std::string help_for(const Use& use, const State& state) {
  auto [word, argument, called] = use;
  if (model_called(word, state) && called) {
    if (argument.find(',') == std::string_view::npos)
      return write_instead(as_output(word, argument, state), ": it is what the model gives for x");
    return write_instead("y", ": it is what the current model gives for x, x2, …");
  }
  if (word == "save" && !argument.empty() && argument.find(".rule") == std::string_view::npos &&
      argument.find('.') != std::string_view::npos)
    if (auto written = as_write(argument, state); !written.empty()) return write_instead(written);
  if (auto* call = find_session_call(word); call && (called || argument.empty()))
    return write_instead(as_call_of(*call, argument));
  for (auto& each : commands())
    if (each.name == word && (argument.empty() || !each.arguments.empty()))
      return write_instead(as_command(each, each.name == "layers" && model_called(argument, state) ? "" : argument));
  if (argument.starts_with('"') && is_in(word, "print echo puts"))
    return write_instead(filled("# {}", argument), ": a comment; expressions print numbers");
  for (auto& [name, form] : of_a_shape) {
    if (word != name) continue;
    auto sizes = std::string(argument);
    std::erase_if(sizes, [](char c) { return std::string_view("()[]").find(c) != std::string_view::npos; });
    bool plain = !sizes.empty() && sizes.find_first_not_of("0123456789, ") == std::string::npos;
    return write_instead(with_argument(form, plain ? sizes : "1, 3"));
  }
  for (auto& each : habits) {
    if (!is_in(word, each.words)) continue;
    auto form = argument.empty() ? each.alone : is_a_rule(argument, state) ? each.of_rule : each.of_value;
    return form.empty() ? std::string(each.remark) : write_instead(with_argument(form, argument), each.remark);
  }
  if (called && argument.ends_with(')') && argument.find('.') == std::string_view::npos && language::find_builtin(word))
    return write_instead(filled("{}({})", word, argument));
  bool only_a_layer = !called || is_in(word, "linear conv1d conv2d conv3d matmul");
  if (only_a_layer && language::find_buildable_layer(word))
    return "a model is a layer, or a list of them: `[linear(3, 2), relu]`";
  return "";
}

// ------------------------------------------------------------------------------------------------------- whole inputs

std::string with_word(std::string_view text, std::string_view word, std::string_view other) {
  std::string out;
  while (!text.empty()) {
    auto name = name_at_begin(text);
    out += name.empty() ? text.substr(0, 1) : name == word ? other : name;
    text.remove_prefix(std::max<std::size_t>(name.size(), 1));
  }
  return out;
}

// `def f(x): return 2 * x` and `f = lambda x: 2 * x`
std::string as_function(std::string_view text) {
  std::string name = "f", parameters, body;
  if (text.starts_with("def ")) {
    text = trimmed(text.substr(4));
    auto open = text.find('('), end = open == std::string_view::npos ? open : closing(text, open);
    if (end == std::string_view::npos) return "fn f(z) = 2 * z";
    name = trimmed(text.substr(0, open));
    parameters = text.substr(open + 1, end - open - 1);
    if (auto at = text.find("return "); at != std::string_view::npos) body = trimmed(text.substr(at + 7));
  } else {
    auto at = text.find("lambda ");
    if (at == std::string_view::npos || (at > 0 && text[at - 1] != ' ' && text[at - 1] != '=')) return "";
    if (auto equals = text.find('='); equals < at) name = trimmed(text.substr(0, equals));
    auto colon = text.find(':', at);
    if (colon == std::string_view::npos) return "fn f(z) = 2 * z";
    parameters = trimmed(text.substr(at + 7, colon - at - 7));
    body = trimmed(text.substr(colon + 1));
  }
  // Names of the language are no parameters.
  constexpr std::string_view others[] = {"z", "a", "b", "c", "d"};
  auto names = separated(parameters);
  for (auto& each : names) {
    auto given = std::string(name_at_begin(each));
    if (given.empty() || !language::is_protected(given)) continue;
    auto free = std::find_if(std::begin(others), std::end(others),
                             [&](auto other) { return with_word(parameters, other, "") == parameters; });
    if (free == std::end(others)) break;
    parameters = with_word(parameters, given, *free);
    body = with_word(body, given, *free);
  }
  if (parameters.empty()) parameters = "z", body.clear();
  if (body.empty()) body = filled("2 * {}", name_at_begin(parameters));
  return is_plain_name(name) ? filled("fn {}({}) = {}", name, parameters, body) : "";
}

// `import numpy`, or a pack without its quotes.
std::string as_import(std::string_view text, const LoadOptions& loading) {
  return from_a_folder(std::string(name_at_begin(trimmed(text.substr(text.find(' '))))), loading);
}

// `relevance(zplus) target=3`
std::string with_all_in_brackets(std::string_view text) {
  auto name = name_at_begin(text);
  if (!find_session_call(name) || text.size() == name.size() || text[name.size()] != '(') return "";
  auto end = closing(text, name.size());
  if (end == std::string_view::npos) return "";
  auto rest = trimmed(text.substr(end + 1));
  if (rest.starts_with(',')) rest = trimmed(rest.substr(1));
  auto named = name_at_begin(rest);
  if (named.empty() || !trimmed(rest.substr(named.size())).starts_with('=')) return "";
  return filled("{}, {})", text.substr(0, end), rest);
}

}  // namespace

bool is_plain_name(std::string_view text) {
  auto words = reserved_words();
  return !text.empty() && is_letter(text[0]) && std::all_of(text.begin(), text.end(), is_name_character) &&
         std::find(words.begin(), words.end(), text) == words.end();
}

std::string with_written_ending(const std::string& path) {
  constexpr std::string_view written = ".npy .png .svg .html", pictures = ".jpg .jpeg .gif .bmp .webp .tif .tiff .ppm";
  auto name = fs::path(path);
  auto ending = name.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  if (!ending.empty() && is_in(ending, written)) return path;
  return name
      .replace_extension(ending == ".pdf" || ending == ".eps"         ? ".svg"
                         : !ending.empty() && is_in(ending, pictures) ? ".png"
                                                                      : ".npy")
      .string();
}

std::string from_a_folder(const std::string& name, const LoadOptions& loading) {
  auto folders = loading.path;
  folders.insert(folders.begin(), ".");
  for (auto& folder : folders) {
    std::error_code error;
    if (is_plain_name(name) && fs::is_directory(folder / name, error))
      return write_instead(filled("import \"{0}\" as {0}", name));
  }
  return "";
}

std::string help_for_use(std::string_view text, const State& state) {
  text = trimmed(text.substr(0, text.find_first_of("\n;#")));
  return help_for(use_in(text), state);
}

std::string help_for_input(std::string_view text, const State& state, const LoadOptions& loading) {
  text = trimmed(text);
  if (text.find_first_of("\n;`") != std::string_view::npos) return "";
  auto asked = text;
  while (asked.starts_with('?') || asked.starts_with(":?")) asked.remove_prefix(1);
  while (asked.ends_with('?')) asked.remove_suffix(1);
  asked = trimmed(asked);
  if (asked.size() < text.size())
    return write_instead(
        asked.empty() || asked.find_first_of(" \t(") != std::string_view::npos ? ":help" : filled(":help {}", asked));
  bool is_magic = text.starts_with('%') || text.starts_with('!') || text.starts_with(':');
  while (!text.empty() && std::string_view("%!:").find(text[0]) != std::string_view::npos)
    text = trimmed(text.substr(1));
  if (auto all = with_all_in_brackets(text); !all.empty()) return write_instead(all);
  if (auto function = as_function(text); !function.empty()) return write_instead(function);
  if (text.starts_with("import "))
    if (auto import = as_import(text, loading); !import.empty()) return import;
  // `x += 1`
  if (auto at = text.find('=');
      at != std::string_view::npos && at > 0 && std::string_view("+-*/").find(text[at - 1]) != std::string_view::npos) {
    auto name = trimmed(text.substr(0, at - 1)), by = trimmed(text.substr(at + 1));
    if (is_plain_name(name) && !by.empty()) return write_instead(filled("{0} = {0} {1} {2}", name, text[at - 1], by));
  }
  auto bare = text.starts_with('(') && text.ends_with(')') ? text.substr(1, text.size() - 2) : text;
  if (bare.find(',') != std::string_view::npos && bare.find_first_not_of("0123456789.,- ") == std::string_view::npos)
    return write_instead(filled("[{}]", bare), ": a list has brackets");
  auto use = use_in(text);
  auto& [word, rest, called] = use;
  if (word.empty()) return is_magic ? write_instead(":help") : "";
  // A call or an attribute is the input only where nothing follows.
  bool goes_on = !rest.empty() && !called && std::string_view("(=<>!+*/^,;:").find(rest[0]) != std::string_view::npos;
  if (goes_on) return "";
  // Other languages have a word in front of what gets a name.
  if (is_in(word, "let var auto const set") && rest.find('=') != std::string_view::npos) return write_instead(rest);
  if (auto colon = rest.find(':'); word == "if" && colon != std::string_view::npos)
    return write_instead(filled("if {} then x else 0", trimmed(rest.substr(0, colon))));
  bool rules = rest.ends_with(".rule");
  auto* call = find_session_call(word);
  if (call && (is_magic || (!called && !rest.empty())) && !(call->id == SessionCall::Id::load && rules))
    return write_instead(as_call_of(*call, rest));
  return help_for(use, state);
}

}  // namespace ascribe::repl
