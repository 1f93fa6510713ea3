// `ascribe check`: every mistake of rule files, before anything runs.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "ascribe/pack.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/json.hpp"
#include "grammar/sarif.hpp"
#include "interpreter/command/colour.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/interruption.hpp"
#include "interpreter/command/load_arguments.hpp"
#include "interpreter/command/mending.hpp"
#include "interpreter/command/watch.hpp"
#include "interpreter/pack/rule_sources.hpp"

namespace ascribe::command {
namespace {

struct CheckOptions {
  std::vector<std::string> paths;
  std::string format = "text";
  bool fix = false, diff = false, watch = false;
  LoadArguments load;
};

// `read` gets the files that were read.
std::vector<Diagnostic> check(const std::filesystem::path& path, LoadOptions options,
                              std::set<std::filesystem::path>& read) {
  options.progress = [&](const LoadProgress& progress) { read.insert(progress.file); };
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

// Mends what is sure, and what that brings to light, until there is no more.
std::vector<Diagnostic> check_and_mend(const std::filesystem::path& path, const CheckOptions& options,
                                       std::set<std::filesystem::path>& read) {
  auto found = check(path, options.load.options(), read);
  if (path == standard_input || !(options.fix || options.diff)) return found;
  constexpr int most_rounds = 20;
  for (int round = 0; round < most_rounds; ++round) {
    if (mend(found, rule_paths(path), options.diff) == 0 || options.diff) break;
    found = check(path, options.load.options(), read);
  }
  return found;
}

int check_once(const CheckOptions& options, std::set<std::filesystem::path>& read) {
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
      for (auto& path : pack_paths(given)) take(path, check_and_mend(path, options, read));
    } catch (const Error& error) {
      take(given, error.diagnostics());
    }
  }
  if (options.format == "json") std::cout << render_json(all);
  if (options.format == "sarif") std::cout << render_sarif(all);
  return worst;
}

int check(const CheckOptions& options) {
  std::set<std::filesystem::path> read;
  if (!options.watch) return check_once(options, read);
  Interruption interruption;
  std::vector<std::filesystem::path> given(options.paths.begin(), options.paths.end());
  while (true) {
    read.clear();
    check_once(options, read);
    std::cout << "waiting for changes\n" << std::flush;
    if (!Watched(read, given).wait(interruption.token())) return interrupted;
  }
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
  auto* fix = command->add_flag("--fix", options->fix, "make the changes that messages are sure of");
  command->add_flag("--diff", options->diff, "only show these changes")->excludes(fix);
  command->add_flag("--watch", options->watch, "check again after each change, until Ctrl-C");
  options->load.add_to(*command);
  return [options] {
    bool input = std::find(options->paths.begin(), options->paths.end(), standard_input) != options->paths.end();
    if (input && (options->fix || options->diff || options->watch))
      throw usage_error("standard input is neither changed nor watched",
                        "name files or folders, or leave the option out");
    if (options->format != "text" && (options->diff || options->watch))
      throw usage_error("reports for programs stand alone", "leave out `--format`, or `--diff` and `--watch`");
    return check(*options);
  };
}

}  // namespace ascribe::command
