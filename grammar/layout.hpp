// Text with the places where a line may end, and its arrangement in lines of limited width. Knows nothing of the
// language.
//
// A text is a straight list of pieces. Groups mark what belongs together: a group that fits into the line is written on
// it; in one that does not, every break becomes a line end, and the groups inside are asked in turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ascribe {

/// A line as it will be written: what of the language stands there, and the comment behind it.
struct Line {
  std::size_t indent = 0;  ///< in columns
  std::string code;        ///< empty where the comment stands alone
  std::string_view comment;
  bool blank_before = false;
};

enum class Break {
  soft,   ///< nothing, or a line end
  plain,  ///< a space, or a line end
  fill,   ///< a space; in a group that does not fit a line end where the line is full
};

/// The pieces of a text, and how they become lines. Everything takes time in proportion to the text.
class Layout {
 public:
  static constexpr std::size_t width = 120;  ///< columns of a line, in characters; comments may be longer
  static constexpr std::size_t step = 2;     ///< columns of an indentation

  void text(std::string_view written);
  void space() { add(Kind::space, 1); }
  void line(Break kind);
  /// A line end in any case: the groups around it cannot be written on one line.
  void newline() { add(Kind::newline, 0, {}, true); }
  /// An empty line above whatever comes next, if that begins a line.
  void blank_line() { add(Kind::blank_line, 0); }
  /// On the line of what stands before it (`trailing`), or on a line of its own. The line ends behind it.
  void comment(std::string_view written, bool trailing);
  /// Written only where the group around it is on one line.
  void if_flat(std::string_view written);
  /// A place for spaces that are written only where the group around it is broken; see `set_padding`.
  std::size_t padding();
  void set_padding(std::size_t place, std::size_t columns) { pieces_[place].width = columns; }

  void open_group() { add(Kind::open_group, 0); }
  void close_group() { add(Kind::close_group, 0); }
  void indent() { add(Kind::indent, 0); }
  void dedent() { add(Kind::dedent, 0); }

  /// The place of the next piece.
  std::size_t place() const { return pieces_.size(); }
  /// The characters from one place to another where nothing is broken; npos where that cannot be.
  std::size_t flat_width(std::size_t from, std::size_t to) const;
  static constexpr auto npos = static_cast<std::size_t>(-1);

  /// Appends the text's lines to `lines`: a comment that trails may go to the last one.
  void arrange(std::vector<Line>& lines) const;

 private:
  enum class Kind : std::uint8_t {
    text,
    space,
    soft_break,
    plain_break,
    fill_break,
    newline,
    blank_line,
    trailing_comment,
    own_comment,
    if_flat,
    padding,
    open_group,
    close_group,
    indent,
    dedent,
  };
  struct Piece {
    Kind kind;
    std::string_view written;
    std::size_t width;        // in characters, where nothing is broken; of padding: where something is
    std::size_t flat_before;  // the width of all pieces before it, where nothing is broken
    std::size_t ends_before;  // how many pieces before it end a line in any case
  };
  class Arrangement;

  void add(Kind kind, std::size_t columns, std::string_view written = {}, bool ends_line = false);

  std::vector<Piece> pieces_;
  std::size_t flat_ = 0, ends_ = 0;
};

/// The lines as text. The comments behind consecutive lines of one indentation stand in one column.
std::string join_lines(const std::vector<Line>& lines);

}  // namespace ascribe
