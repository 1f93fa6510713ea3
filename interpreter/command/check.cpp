// `ascribe check`: every mistake of rule files, before anything runs.
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "ascribe/pack.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/json.hpp"
#include "grammar/sarif.hpp"
#include "interpreter/command/colour.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/load_arguments.hpp"
#include "interpreter/pack/rule_sources.hpp"

namespace ascribe::command {
namespace {

struct CheckOptions {
  std::vector<std::string> paths;
  std::string format = "text";
  LoadArguments load;
};

std::vector<Diagnostic> check(const std::filesystem::path& path, const LoadOptions& options) {
  try {
    if (path != "-") return Pack::load(path, options).warnings();
    auto source = read_source(path);
    return Pack::parse(std::string(source->text()), source->name()).warnings();
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

std::string summary(const std::vector<Diagnostic>& diagnostics) {
  if (diagnostics.empty()) return "fine";
  auto errors = static_cast<std::size_t>(
      std::count_if(diagnostics.begin(), diagnostics.end(), [](auto& d) { return d.severity == Severity::error; }));
  return filled("{}, {}", counted(errors, "error"), counted(diagnostics.size() - errors, "warning"));
}

int check(const CheckOptions& options) {
  int worst = fine;
  std::vector<Diagnostic> all;
  auto take = [&](const std::filesystem::path& path, std::vector<Diagnostic> diagnostics) {
    if (has_errors(diagnostics)) worst = std::max(worst, exit_code(Error(diagnostics)));
    if (options.format == "text") {
      std::cerr << render_text(diagnostics, wants_colour(STDERR_FILENO)) << std::flush;
      std::cout << path.string() << ": " << summary(diagnostics) << "\n";
      return;
    }
    // A program wants to know the file, also of one that could not be read.
    for (auto& diagnostic : diagnostics)
      if (!diagnostic.primary.source) diagnostic.primary.source = std::make_shared<Source>(path.string(), "");
    std::move(diagnostics.begin(), diagnostics.end(), std::back_inserter(all));
  };
  for (auto& given : options.paths) {
    try {
      for (auto& path : pack_paths(given)) take(path, check(path, options.load.options()));
    } catch (const Error& error) {
      take(given, error.diagnostics());
    }
  }
  if (options.format == "json") std::cout << render_json(all);
  if (options.format == "sarif") std::cout << render_sarif(all);
  return worst;
}

}  // namespace

Run add_check(CLI::App& app) {
  auto* command = app.add_subcommand("check", "Finds the mistakes in rule files, without running them");
  auto options = std::make_shared<CheckOptions>();
  command->add_option("PATH", options->paths, "rule files, folders of them, or - for standard input")
      ->type_name("FILE.rule|DIR")
      ->required();
  one_of(command->add_option("--format", options->format, "text (messages on standard error), json or sarif"),
         {"text", "json", "sarif"});
  options->load.add_to(*command);
  return [options] { return check(*options); };
}

}  // namespace ascribe::command
