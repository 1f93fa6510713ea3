// A session: inputs in, what they say out. It knows no terminal; whoever has one reads lines and prints answers.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "grammar/diagnostic.hpp"
#include "interpreter/command/repl/commands.hpp"
#include "interpreter/command/repl/evaluator.hpp"
#include "interpreter/command/repl/input.hpp"
#include "interpreter/command/repl/limits.hpp"
#include "interpreter/command/repl/picture.hpp"
#include "interpreter/command/repl/state.hpp"

namespace ascribe::repl {

struct SessionOptions {
  Limits limits{};
  /// How rule files, packs and imports are loaded.
  LoadOptions loading{};
  /// Asked while something is evaluated, on any thread: whether it is to end.
  std::function<bool()> interrupted{};
  /// Asked before something is drawn.
  std::function<Screen()> screen{};
};

/// What became of an input.
struct Answer {
  std::string text{};                  ///< for standard output
  std::vector<Diagnostic> messages{};  ///< warnings; mistakes, if it failed
  bool failed = false;                 ///< then nothing has changed
  bool interrupted = false;            ///< then nothing has changed, either
  bool quits = false;
};

class Session {
 public:
  explicit Session(SessionOptions options = {});

  Answer run(Entered entered);
  /// Inputs that were entered as one: where one of them has a mistake, nothing of them has changed anything.
  Answer run(std::vector<Entered> entered);
  /// Loads rule files and packs, as `:load` does: those that the command line names.
  Answer load(const std::vector<std::filesystem::path>& paths);
  /// `model = load("net.pt2")`.
  Answer load_model(const std::filesystem::path& path);

  const State& state() const { return state_; }

 private:
  Answer guarded(const std::function<void(Answer&)>& action);
  void run_parts(const SourcePointer& source, syntax::Input input, const std::vector<Indexing>& indexings,
                 Answer& answer);
  void run_command(const SourcePointer& source, Answer& answer);
  void define(State& state, std::vector<syntax::Item> items, const SourcePointer& source, Answer& answer);
  void assign(State& state, const syntax::Name& name, Value value, const SourcePointer& source) const;
  LoadOptions loading() const;  // which ends where the evaluation is to end
  Screen screen() const { return options_.screen ? options_.screen() : Screen{}; }

  // The commands; `argument` is what stands behind the name, without blanks around it.
  struct CommandLine {
    SourcePointer source;
    Span argument;
    std::string_view text() const { return source->text(argument); }
  };
  void load(const std::vector<std::filesystem::path>& paths, Answer& answer);
  void reload(Answer& answer);
  void save(const CommandLine& line, Answer& answer);
  void type(const CommandLine& line, Answer& answer);
  void plan(const CommandLine& line, Answer& answer);
  void time(const CommandLine& line, Answer& answer);
  void layers(const CommandLine& line, Answer& answer);
  void labels(const CommandLine& line, Answer& answer);
  void write(const CommandLine& line, Answer& answer);
  void reset(const CommandLine& line, Answer& answer);
  Result evaluated(const CommandLine& line, Span expression, Answer& answer);

  SessionOptions options_;
  State state_;
  std::set<std::filesystem::path> saved_;  // files that this session wrote: it may write them again
  Guard* guard_ = nullptr;                 // of the evaluation that runs
};

}  // namespace ascribe::repl
