// `ascribe fmt`: rule files in canonical form.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "grammar/formatter.hpp"
#include "grammar/limits.hpp"
#include "interpreter/command/atomic_file.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/line_diff.hpp"
#include "interpreter/pack/files.hpp"

namespace ascribe::command {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> paths;
  bool check = false, diff = false;
};

constexpr const char* standard_input = "-";

SourcePointer read_standard_input() {
  // One byte more than is allowed: what has no end is not read to its end.
  std::string text(limits.source_bytes + 1, '\0');
  std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (std::cin.bad())
    throw Error(
        {.code = Code::unreadable_file, .message = "cannot read standard input", .help = "check where it comes from"});
  text.resize(static_cast<std::size_t>(std::cin.gcount()));
  return std::make_shared<Source>("<stdin>", std::move(text));
}

// The file itself, or the rule files of a folder and of the folders in it.
std::vector<std::string> files_of(const std::string& path) {
  std::error_code ignored;
  if (path == standard_input || !fs::is_directory(path, ignored)) return {path};
  std::vector<std::string> files;
  try {
    for (auto& entry : fs::recursive_directory_iterator(path))
      if (entry.path().extension() == ".rule" && !entry.is_directory()) files.push_back(entry.path().string());
  } catch (...) {
    rethrow_as_error(Code::unreadable_file, "cannot read the folder " + quoted(fs::path(path)));
  }
  if (files.empty())
    throw Error({.code = Code::unreadable_file,
                 .message = fmt::format("no .rule file in the folder {}", quoted(fs::path(path))),
                 .help = "give the path of a .rule file, or of a folder with some"});
  std::sort(files.begin(), files.end());
  return files;
}

// Formats one file as the options say; gives the exit code. Throws Error.
int format_file(const std::string& path, const Options& options) {
  bool standard = path == standard_input;
  auto source = standard ? read_standard_input() : read_source(path);
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
  if (standard) {
    std::cout << *formatted;
  } else if (changed) {
    write_file(path, {*formatted});
    std::cout << path << "\n";
  }
  return fine;
}

int format(const Options& options) {
  int worst = fine;
  auto* forbidden = std::getenv("NO_COLOR");
  bool colour = isatty(STDERR_FILENO) == 1 && (forbidden == nullptr || *forbidden == '\0');
  // What is wrong with one file keeps no other from being formatted.
  auto attempt = [&](auto action) {
    try {
      action();
    } catch (const Error& error) {
      std::cout << std::flush;
      std::cerr << render_text(error.diagnostics(), colour) << std::flush;
      worst = std::max(worst, exit_code(error));
    }
  };
  for (auto& path : options.paths) {
    std::vector<std::string> files;
    attempt([&] { files = files_of(path); });
    for (auto& file : files) attempt([&] { worst = std::max(worst, format_file(file, options)); });
  }
  return worst;
}

}  // namespace

Run add_fmt(CLI::App& app) {
  auto* command = app.add_subcommand("fmt", "Brings rule files into canonical form, and names those that it rewrites");
  auto options = std::make_shared<Options>();
  command->add_option("PATH", options->paths, "rule files, folders with some, or `-` from standard input to output")
      ->required();
  auto* check = command->add_flag("--check", options->check, "only name the files that are not in canonical form");
  command->add_flag("--diff", options->diff, "only show what would change")->excludes(check);
  return [options] { return format(*options); };
}

}  // namespace ascribe::command
