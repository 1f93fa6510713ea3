// `ascribe completion`: what bash, zsh and fish need to know to complete a command line of ascribe's.
#include <fmt/ranges.h>

#include <iostream>

#include "grammar/filled_text.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"

namespace ascribe::command {
namespace {

using Commands = std::vector<const CommandTree*>;

std::vector<std::string> names_of(const std::vector<Argument>& options) {
  std::vector<std::string> out;
  for (auto& option : options) out.insert(out.end(), option.names.begin(), option.names.end());
  return out;
}

std::vector<std::string> names_of(const std::vector<CommandTree>& commands) {
  std::vector<std::string> out;
  for (auto& command : commands) out.push_back(command.name);
  return out;
}

std::string replaced(const std::string& text, std::string_view characters, std::string_view before) {
  std::string out;
  for (char c : text) {
    if (characters.find(c) != std::string_view::npos) out += before;
    out += c;
  }
  return out;
}

// ---------------------------------------------------------------------------------------------------------------- bash

constexpr const char* bash_head = R"(# Completion of ascribe in bash; `ascribe completion bash` writes it.

# Offers words, and files that match one of the patterns behind them, with the folders that may hold some.
_ascribe_offer() {
  mapfile -t COMPREPLY < <(
    compgen -W "$1" -- "$word"
    shift
    [ $# -eq 0 ] || compgen -d -- "$word"
    for pattern in "$@"; do compgen -f -X "!$pattern" -- "$word"; done
  )
  [ $# -eq 1 ] || compopt -o filenames 2>/dev/null
}

_ascribe() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=ascribe i
  COMPREPLY=()
  # --option=value is three words to bash.
  if [ "$word" = = ]; then
    word=
  elif [ "$before" = = ] && [ "$COMP_CWORD" -gt 2 ]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$command ${COMP_WORDS[i]}" in
)";

// The patterns of `_ascribe_offer`. No file matches an empty one: then there are only folders.
std::string bash_offer(const std::string& placeholder, const std::vector<std::string>& more_words = {}) {
  auto possible = candidates(placeholder);
  auto words = more_words;
  words.insert(words.end(), possible.words.begin(), possible.words.end());
  auto out = filled("_ascribe_offer '{}'", fmt::join(words, " "));
  if (possible.any_file) return out + " '*'";
  for (auto& ending : possible.endings) out += filled(" '*{}'", ending);
  return possible.folder && possible.endings.empty() ? out + " ''" : out;
}

std::string bash_values(const CommandTree& command) {
  std::string out;
  for (auto& option : command.options)
    if (!option.placeholder.empty())
      for (auto& name : option.names)
        out += filled("    \"{} {}\") {}; return ;;\n", command.path, name, bash_offer(option.placeholder));
  return out;
}

std::string bash_rest(const CommandTree& command) {
  auto options = names_of(command.options), commands = names_of(command.commands);
  auto out = filled("    \"{} -\"*) {} ;;\n", command.path, bash_offer("", options));
  if (command.arguments.empty())
    return out + filled("    \"{} \"*) {} ;;\n", command.path, bash_offer("", commands.empty() ? options : commands));
  return out + filled("    \"{} \"*) {} ;;\n", command.path, bash_offer(command.arguments.front().placeholder));
}

std::string bash(const Commands& commands) {
  std::string paths, values, rest;
  for (auto* command : commands) {
    if (command != commands.front()) paths += filled("{}\"{}\"", paths.empty() ? "" : " | ", command->path);
    values += bash_values(*command);
  }
  // A command stands before those above it, whose pattern matches it, too.
  for (auto command = commands.rbegin(); command != commands.rend(); ++command) rest += bash_rest(**command);
  return filled(
      "{}      {}) command=\"$command ${{COMP_WORDS[i]}}\" ;;\n    esac\n  done\n"
      "  case \"$command $before\" in\n{}  esac\n"
      "  case \"$command $word\" in\n{}  esac\n}}\n"
      "complete -F _ascribe ascribe\n",
      bash_head, paths, values, rest);
}

// ----------------------------------------------------------------------------------------------------------------- zsh

std::string zsh_quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string zsh_function(const CommandTree& command) {
  auto out = "_" + command.path;
  for (auto& c : out)
    if (c == ' ') c = '_';
  return out;
}

// What completes a value: `_files -g "*.(pt2|pt)"`.
std::string zsh_action(const std::string& placeholder) {
  auto possible = candidates(placeholder);
  std::vector<std::string> endings;
  for (auto& ending : possible.endings) endings.push_back(ending.substr(1));
  std::string files;
  if (possible.any_file)
    files = "_files";
  else if (!endings.empty())
    files = filled("_files -g \"*.({})\"", fmt::join(endings, "|"));
  else if (possible.folder)
    files = "_files -/";
  if (possible.words.empty()) return files.empty() ? " " : files;
  auto words = filled("({})", fmt::join(possible.words, " "));
  if (files.empty()) return words;
  return filled(" _alternative \"words:word:{}\" \"files:file:{}\"", words, replaced(files, "\"", "\\"));
}

std::string zsh_option(const Argument& option, const std::string& name) {
  std::string out;
  if (option.names.size() > 1) out = filled("({})", fmt::join(option.names, " "));
  if (option.repeated) out = "*";
  out += filled("{}[{}]", name, replaced(option.help, "[]\\", "\\"));
  if (!option.placeholder.empty()) out += filled(":{}:{}", option.placeholder, zsh_action(option.placeholder));
  return zsh_quoted(out);
}

std::string zsh_choice(const CommandTree& command) {
  std::string described, called;
  for (auto& each : command.commands) {
    described += filled("        {}\n", zsh_quoted(each.name + ":" + each.help));
    called += filled("        {}) {} ;;\n", each.name, zsh_function(each));
  }
  return filled(
      "  case $state in\n    command)\n      local -a commands=(\n{}      )\n      _describe command commands ;;\n"
      "    arguments)\n      case $words[1] in\n{}      esac ;;\n  esac\n",
      described, called);
}

std::string zsh(const Commands& commands) {
  std::string out = "#compdef ascribe\n# Completion of ascribe in zsh; `ascribe completion zsh` writes it.\n";
  for (auto* command : commands) {
    out +=
        filled("\n{}() {{\n  local context state line\n  local -A opt_args\n  _arguments -C", zsh_function(*command));
    for (auto& option : command->options)
      for (auto& name : option.names) out += " \\\n    " + zsh_option(option, name);
    for (auto& each : command->arguments)
      out += filled(" \\\n    '{}:{}:{}'", each.repeated ? "*" : "1", each.names.front(), zsh_action(each.placeholder));
    if (command->commands.empty())
      out += "\n";
    else
      out += " \\\n    '1: :->command' \\\n    '*:: :->arguments'\n" + zsh_choice(*command);
    out += "}\n";
  }
  // The file is the function when zsh finds it by its name, and a script when it is read with `source`.
  return out + "\nif [[ $funcstack[1] == _ascribe ]]; then _ascribe \"$@\"; else compdef _ascribe ascribe; fi\n";
}

// ---------------------------------------------------------------------------------------------------------------- fish

constexpr const char* fish_head = R"(# Completion of ascribe in fish; `ascribe completion fish` writes it.

function __ascribe_files
  set -l files (complete -C "__fish_command_without_completions "(commandline -ct))
  string match -r -- '^.*/$' $files
  for ending in $argv
    string match -- "*$ending" $files
  end
end

# Whether a command is the one that is being written.
function __ascribe_at
  set -l command ascribe
  for word in (commandline -opc)[2..]
    contains -- "$command $word" $__ascribe_commands; and set command "$command $word"
  end
  test "$command" = "$argv"
end

complete -c ascribe -f
)";

std::string fish_quoted(const std::string& text) { return "'" + replaced(text, "'\\", "\\") + "'"; }

// What completes a value: the end of a `complete`.
std::string fish_values(const std::string& placeholder) {
  auto possible = candidates(placeholder);
  auto words = filled("{}", fmt::join(possible.words, " "));
  if (possible.any_file) return words.empty() ? " -F" : filled(" -F -a '{}'", words);
  if (possible.endings.empty() && !possible.folder) return words.empty() ? "" : filled(" -a '{}'", words);
  if (!possible.endings.empty()) words += words.empty() ? "" : " ";
  return filled(" -a '{}(__ascribe_files {})'", words, fmt::join(possible.endings, " "));
}

std::string fish_option(const Argument& option) {
  std::string out;
  for (auto& name : option.names)
    out += name.starts_with("--") ? " -l " + name.substr(2) : filled(" -s {}", name.substr(1));
  if (!option.placeholder.empty()) out += " -x" + fish_values(option.placeholder);
  return out + " -d " + fish_quoted(option.help);
}

std::string fish(const Commands& commands) {
  std::string out = fish_head;
  out += "set -g __ascribe_commands";
  for (auto* command : commands) out += " " + fish_quoted(command->path);
  out += "\n";
  for (auto* command : commands) {
    auto at = filled("complete -c ascribe -n '__ascribe_at {}'", command->path);
    for (auto& each : command->commands) out += filled("{} -a {} -d {}\n", at, each.name, fish_quoted(each.help));
    for (auto& option : command->options) out += at + fish_option(option) + "\n";
    for (auto& each : command->arguments)
      if (auto values = fish_values(each.placeholder); !values.empty()) out += at + values + "\n";
  }
  return out;
}

constexpr struct {
  const char* name;
  std::string (*write)(const Commands&);
} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

}  // namespace

Run add_completion(CLI::App& app) {
  auto* command = app.add_subcommand("completion", "Writes what a shell needs to complete ascribe's command lines");
  auto chosen = std::make_shared<std::string>();
  std::vector<std::string> names;
  for (auto& shell : shells) names.push_back(shell.name);
  one_of(command->add_option("SHELL", *chosen, "whose: `source <(ascribe completion bash)`"), names)->required();
  return [&app, chosen] {
    auto tree = command_tree(app);
    for (auto& shell : shells)
      if (shell.name == *chosen) std::cout << shell.write(all_commands(tree));
    return fine;
  };
}

}  // namespace ascribe::command
