// From lines to whole inputs: a definition may go over several, and is whole where the grammar says so.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/diagnostic.hpp"
#include "grammar/syntax.hpp"
#include "interpreter/command/repl/indexing.hpp"

namespace ascribe::repl {

/// One whole input: a command, a tree, or what is wrong with it.
struct Entered {
  SourcePointer source;
  bool is_command = false;  ///< the line begins with `:`
  std::optional<syntax::Input> tree{};
  std::vector<Diagnostic> mistakes{};
  std::vector<Indexing> indexings{};
};

class InputReader {
 public:
  /// How messages call an input: `input:3`, the third that was entered, its lines counted from 1; or by the name of all
  /// that was read, with the lines of that.
  enum class Naming { by_number, by_line };
  explicit InputReader(Naming naming, std::string name = "<stdin>") : naming_(naming), name_(std::move(name)) {}

  /// Adds a line, without its line end. Nothing where more are needed, or where it says nothing.
  std::optional<Entered> add(std::string_view line);
  /// At the end of all lines: what is not whole, with the message that says so.
  std::optional<Entered> finish();
  /// Forgets the lines of an input that is not whole.
  void drop();
  /// Whether the next line continues an input.
  bool is_open() const { return !text_.empty(); }
  /// The lines so far of the input that is open.
  const std::string& text() const { return text_; }

 private:
  // What the lines so far tell without the grammar, so that long inputs are not parsed after each of their lines.
  struct Look {
    std::ptrdiff_t depth = 0;  ///< brackets that are open
    bool has_code = false;     ///< besides comments and blanks
    bool dangles = false;      ///< it ends with a mark or word behind which something must follow
  };

  void look_at(std::string_view line);
  Entered whole(bool command);
  std::optional<Entered> parse(bool at_end);

  Naming naming_;
  std::string name_;
  std::size_t inputs_ = 0, lines_ = 0;  // whole ones, and all
  std::size_t first_line_ = 1;          // of the input that is open
  std::string text_;
  Look look_;
  std::size_t tried_ = 0;  // bytes that were parsed last, and were not whole
};

}  // namespace ascribe::repl
