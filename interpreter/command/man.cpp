// `ascribe man`: the manual page, for `man` to show.
#include <iostream>

#include "ascribe/version.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"

namespace ascribe::command {
namespace {

// Text as troff reads it: no line of it is a request, and hyphens are what one types.
std::string troff(const std::string& text) {
  std::string out = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + troff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + troff(text) + "\\fR"; }

std::string described(const Argument& argument, bool positional) {
  std::string names;
  for (auto& name : argument.names) names += (names.empty() ? "" : ", ") + (positional ? italic(name) : bold(name));
  if (!argument.placeholder.empty()) names += " " + italic(argument.placeholder);
  return filled(".TP\n{}\n{}{}\n", names, troff(argument.help), argument.required ? " (required)" : "");
}

std::string usage_line(const CommandTree& command) {
  auto out = bold(command.path) + " [" + italic("OPTION") + "]...";
  if (!command.commands.empty()) out += " " + italic("COMMAND");
  for (auto& argument : command.arguments) {
    auto name = italic(argument.names.front()) + (argument.repeated ? "..." : "");
    out += argument.required ? " " + name : " [" + name + "]";
  }
  return out;
}

std::string section(const CommandTree& command) {
  auto out = filled(".SS {}\n{}\n.PP\n{}.\n", troff(command.path), usage_line(command), troff(command.help));
  for (auto& argument : command.arguments) out += described(argument, /*positional=*/true);
  for (auto& option : command.options) out += described(option, /*positional=*/false);
  return out;
}

constexpr struct {
  ExitCode code;
  const char* meaning;
} exit_codes[] = {
    {fine, "All is well."},
    {findings, "There are mistakes in rule files, tests that fail, or files that are not in canonical form."},
    {usage, "The command line does not fit, or not the model."},
    {bad_file, "A file cannot be read or written, or holds something else than expected; or the model fails."},
    {limit_reached, "Something is too large or too deep."},
    {our_fault, "A fault of Ascribe's."},
    {interrupted, "The work was interrupted."}};

constexpr const char* environment = R"(.SH ENVIRONMENT
.TP
.B ASCRIBE_PATH
Folders, with : between them, in which imports by name are looked for after those of \fB\-\-path\fR.
.TP
.B LD_LIBRARY_PATH
Where LibTorch is looked for first: the folder that holds libtorch.so.
.TP
.B NO_COLOR
If it is set to anything, messages have no colours.
.TP
.B XDG_STATE_HOME
The folder for the history of \fBascribe repl\fR, instead of ~/.local/state.
)";

std::string page(const CommandTree& tree) {
  auto out = filled(".TH ASCRIBE 1 \"\" \"ascribe {}\" \"User Commands\"\n.SH NAME\nascribe \\- {}\n", version(),
                    "relevance rules for neural networks");
  out += filled(".SH SYNOPSIS\n{}\n.SH DESCRIPTION\n", usage_line(tree));
  out +=
      "Ascribe is a declarative language for rules of layer\\-wise relevance propagation: how a layer of a neural "
      "network\n"
      "hands the relevance of its output back to its input. This command checks, tests and formats files of such "
      "rules,\n"
      "and runs them on models that torch.export or TorchScript saved.\n.SH OPTIONS\n";
  for (auto& option : tree.options) out += described(option, /*positional=*/false);
  out += ".SH COMMANDS\n";
  for (auto* command : all_commands(tree))
    if (command != &tree) out += section(*command);
  out += ".SH \"EXIT STATUS\"\n";
  for (auto& each : exit_codes) out += filled(".TP\n.B {}\n{}\n", static_cast<int>(each.code), troff(each.meaning));
  return out + environment;
}

}  // namespace

Run add_man(CLI::App& app) {
  app.add_subcommand("man", "Writes the manual page: `ascribe man | man -l -` shows it");
  return [&app] {
    std::cout << page(command_tree(app));
    return fine;
  };
}

}  // namespace ascribe::command
