#include "interpreter/command/command_tree.hpp"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

#include "grammar/filled_text.hpp"

namespace ascribe::command {
namespace {

std::vector<std::string> names(const CLI::Option& option) {
  if (option.get_positional()) return {option.get_name(/*positional=*/true)};
  std::vector<std::string> out;
  for (auto& name : option.get_snames()) out.push_back("-" + name);
  for (auto& name : option.get_lnames()) out.push_back("--" + name);
  return out;
}

Argument argument(const CLI::Option& option) {
  auto type = option.get_type_name();
  bool flag = option.get_items_expected_max() == 0;
  return {.names = names(option),
          .placeholder = flag ? "" : type.substr(0, type.find(':')),  // behind it, what a value is checked for
          .help = option.get_description(),
          .required = option.get_required(),
          .repeated = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll ||
                      option.get_items_expected_max() > 1};
}

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

}  // namespace

CommandTree command_tree(const CLI::App& app, const std::string& parent) {
  CommandTree out{.path = parent.empty() ? app.get_name() : parent + " " + app.get_name(),
                  .name = app.get_name(),
                  .help = app.get_description()};
  for (auto* option : app.get_options(nullptr))
    (option->get_positional() ? out.arguments : out.options).push_back(argument(*option));
  for (auto* each : app.get_subcommands([](const CLI::App*) { return true; }))
    out.commands.push_back(command_tree(*each, out.path));
  return out;
}

std::vector<const CommandTree*> all_commands(const CommandTree& tree) {
  std::vector<const CommandTree*> out{&tree};
  for (auto& each : tree.commands) {
    auto below = all_commands(each);
    out.insert(out.end(), below.begin(), below.end());
  }
  return out;
}

Candidates candidates(const std::string& placeholder) {
  Candidates out;
  std::istringstream alternatives(placeholder);
  for (std::string each; std::getline(alternatives, each, '|');) {
    if (each == "FILE")
      out.any_file = true;
    else if (each.starts_with("FILE."))
      out.endings.push_back(each.substr(each.find('.')));
    else if (each == "DIR")
      out.folder = true;
    else if (is_word(each))
      out.words.push_back(each);
  }
  return out;
}

CLI::Option* one_of(CLI::Option* option, const std::vector<std::string>& words) {
  return option->check(CLI::IsMember(words).description(""))->type_name(filled("{}", fmt::join(words, "|")));
}

void group(CLI::App& command, const char* heading, std::initializer_list<const char*> options) {
  for (auto* each : options) command.get_option(each)->group(heading);
}

}  // namespace ascribe::command
