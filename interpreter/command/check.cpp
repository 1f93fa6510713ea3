// `ascribe check`: every mistake of rule files, before anything runs.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "ascribe/pack.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"

namespace ascribe::command {
namespace {

std::string counted(std::size_t count, const char* word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

int check(const std::vector<std::string>& paths) {
  int worst = fine;
  auto* forbidden = std::getenv("NO_COLOR");
  bool colour = isatty(STDERR_FILENO) == 1 && (forbidden == nullptr || *forbidden == '\0');
  for (auto& path : paths) {
    std::vector<Diagnostic> diagnostics;
    try {
      diagnostics = Pack::load(path).warnings();
    } catch (const Error& error) {
      diagnostics = error.diagnostics();
      worst = std::max(worst, exit_code(error));
    }
    std::cerr << render_text(diagnostics, colour) << std::flush;
    auto errors = static_cast<std::size_t>(
        std::count_if(diagnostics.begin(), diagnostics.end(), [](auto& d) { return d.severity == Severity::error; }));
    std::cout << path << ": "
              << (diagnostics.empty() ? "fine"
                                      : fmt::format("{}, {}", counted(errors, "error"),
                                                    counted(diagnostics.size() - errors, "warning")))
              << "\n";
  }
  return worst;
}

}  // namespace

Run add_check(CLI::App& app) {
  auto* command = app.add_subcommand("check", "Finds the mistakes in rule files, without running them");
  auto paths = std::make_shared<std::vector<std::string>>();
  command->add_option("PATH", *paths, "rule files")->required();
  return [paths] { return check(*paths); };
}

}  // namespace ascribe::command
