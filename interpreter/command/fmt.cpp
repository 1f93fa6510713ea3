// `ascribe fmt`: rule files in canonical form.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "grammar/formatter.hpp"
#include "interpreter/command/colour.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/line_diff.hpp"
#include "interpreter/command/load_arguments.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/pack/rule_sources.hpp"

namespace ascribe::command {
namespace {

struct FmtOptions {
  std::vector<std::string> paths;
  bool check = false, diff = false;
};

// Formats one file as the options say; gives the exit code. Throws Error.
int format_file(const std::filesystem::path& path, const FmtOptions& options) {
  if (path != standard_input) refuse_newer_language(path);  // what is written there may mean something else
  auto source = read_source(path);
  std::vector<Diagnostic> diagnostics;
  auto formatted = format_source(source, diagnostics);
  if (!formatted) throw Error(std::move(diagnostics));
  bool changed = *formatted != source->text();
  if (options.diff) {
    std::cout << unified_diff(source->name(), source->text(), *formatted);
    return changed ? findings : fine;
  }
  if (options.check) {
    if (changed) std::cout << source->name() << "\n";
    return changed ? findings : fine;
  }
  if (path == standard_input) {
    std::cout << *formatted;
  } else if (changed) {
    files::write_file(path, {*formatted});
    std::cout << path.string() << "\n";
  }
  return fine;
}

int format(const FmtOptions& options) {
  int worst = fine;
  // What is wrong with one file keeps no other from being formatted.
  auto attempt = [&](auto action) {
    try {
      action();
    } catch (const Error& error) {
      std::cout << std::flush;
      std::cerr << render_text(error.diagnostics(), wants_colour(STDERR_FILENO)) << std::flush;
      worst = std::max(worst, exit_code(error));
    }
  };
  for (auto& path : options.paths) {
    std::vector<std::filesystem::path> files;
    attempt([&] { files = rule_paths(path); });
    for (auto& file : files) attempt([&] { worst = std::max(worst, format_file(file, options)); });
  }
  return worst;
}

}  // namespace

Run add_fmt(CLI::App& app) {
  auto* command = app.add_subcommand("fmt", "Brings rule files into canonical form, and names those that it rewrites");
  auto options = std::make_shared<FmtOptions>();
  command->add_option("PATH", options->paths, "rule files, folders with some, or `-` from standard input to output")
      ->type_name("FILE.rule|DIR")
      ->required();
  auto* check = command->add_flag("--check", options->check, "only name the files that are not in canonical form");
  command->add_flag("--diff", options->diff, "only show what would change")->excludes(check);
  return [options] { return format(*options); };
}

}  // namespace ascribe::command
