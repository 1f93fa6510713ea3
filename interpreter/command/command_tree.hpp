// The commands and their options as data, read from the parser: what the manual page and the completions are made from.
#pragma once

#include <CLI/App.hpp>

#include <string>
#include <vector>

namespace ascribe::command {

/// An option, or a positional argument.
struct Argument {
  std::vector<std::string> names;  // -h and --help, or PATH
  std::string placeholder;         // what stands for its value, such as FILE.npy; empty for a flag
  std::string help;
  bool required, repeated;
};

struct CommandTree {
  std::string path;  // `ascribe pack lock`
  std::string name, help;
  std::vector<Argument> options{}, arguments{};
  std::vector<CommandTree> commands{};
};

CommandTree command_tree(const CLI::App& app, const std::string& parent = "");

/// The tree's commands, itself first, each before what is below it.
std::vector<const CommandTree*> all_commands(const CommandTree& tree);

/// What a value can be, as its placeholder tells: `FILE.npy` and `FILE` are files, `DIR` is a folder, and words in
/// lower case stand for themselves; between alternatives there is a `|`. Anything else cannot be completed.
struct Candidates {
  std::vector<std::string> words, endings;  // `.npy`
  bool any_file = false, folder = false;
};

Candidates candidates(const std::string& placeholder);

/// Lets an option take one of a few words, and says so in its placeholder.
CLI::Option* one_of(CLI::Option* option, const std::vector<std::string>& words);

/// Puts options of a command below a heading of `--help`.
void group(CLI::App& command, const char* heading, std::initializer_list<const char*> options);

}  // namespace ascribe::command
