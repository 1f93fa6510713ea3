#include "interpreter/command/command_line.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "ascribe/error.hpp"
#include "ascribe/version.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/command/colour.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/libtorch/quiet.hpp"

namespace ascribe::command {
namespace {

int report(const Error& error) {
  std::cerr << render_text(error.diagnostics(), wants_colour(STDERR_FILENO));
  return exit_code(error);
}

int fault(const std::string& what) {
  return report(Error({.code = Code::internal_fault,
                       .message = what.substr(0, what.find('\n')),
                       .help = "this is a fault of Ascribe's; please report it"}));
}

// What was meant instead of an option that there is not: the first one that CLI11 did not expect.
std::string unexpected_option(const std::string& message) {
  auto expected = message.find("not expected: ");
  auto begin = expected == std::string::npos ? expected : message.find(" --", expected);
  if (begin == std::string::npos) return {};
  auto rest = message.substr(begin + 1);
  return rest.substr(0, rest.find_first_of(" =\n"));
}

// CLI11's message in our words where a name is misspelt, and with a way out.
Diagnostic refusal(const CLI::App& app, const CLI::ParseError& wrong, const std::string& first) {
  std::string text = wrong.what();
  Diagnostic out{.code = Code::usage, .message = text.substr(0, text.find('\n'))};
  if (app.get_subcommands().empty()) {
    std::vector<std::string> names;
    for (auto* each : app.get_subcommands([](auto*) { return true; })) names.push_back(each->get_name());
    out.help = "`ascribe --help` shows the commands";
    if (first.empty() || first.starts_with('-')) return out;
    out.message = filled("there is no command '{}'", first);
    out.help = did_you_mean(first, names, out.help);
    return out;
  }
  auto& named = *app.get_subcommands().front();
  out.help = filled("`ascribe {} --help` shows the options", named.get_name());
  auto option = unexpected_option(text);
  if (option.empty()) return out;
  std::vector<std::string> names;
  for (auto* each : named.get_options())
    for (auto& name : each->get_lnames()) names.push_back("--" + name);
  out.message = filled("`ascribe {}` has no option {}", named.get_name(), option);
  out.help = did_you_mean(option, names, out.help);
  return out;
}

int run(int count, char** arguments) {
  CLI::App app("Relevance rules for neural networks.", "ascribe");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("ascribe ") + version());
  std::vector<std::pair<std::string, Run>> commands{{"run", add_run(app)},
                                                    {"compare", add_compare(app)},
                                                    {"layers", add_layers(app)},
                                                    {"bench", add_bench(app)},
                                                    {"check", add_check(app)},
                                                    {"doc", add_doc(app)},
                                                    {"explain", add_explain(app)},
                                                    {"fmt", add_fmt(app)},
                                                    {"pack", add_pack(app)},
                                                    {"plan", add_plan(app)},
                                                    {"repl", add_repl(app)},
                                                    {"test", add_test(app)},
                                                    {"completion", add_completion(app)},
                                                    {"lsp", add_lsp(app)},
                                                    {"man", add_man(app)}};
  try {
    app.parse(count, arguments);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& wrong) {
    return report(Error(refusal(app, wrong, count > 1 ? arguments[1] : "")));
  }
  for (auto& [name, run_command] : commands)
    if (app.got_subcommand(name)) return run_command();
  return usage;
}

}  // namespace

int run_command_line(int count, char** arguments) {
  libtorch::Quiet quiet;
  try {
    auto code = run(count, arguments);
    // Results that nobody could read are no results.
    if (std::cout.flush(); !std::cout || std::fflush(stdout) != 0)
      return report(Error({.code = Code::unwritable_file,
                           .message = "cannot write to standard output",
                           .help = "check where it leads"}));
    return code;
  } catch (const Error& error) {
    return report(error);
  } catch (const std::bad_alloc&) {
    return report(Error({.code = Code::too_large, .message = "memory is exhausted", .help = "give smaller inputs"}));
  } catch (const std::exception& failure) {
    return fault(failure.what());
  }
}

}  // namespace ascribe::command
