#include "grammar/layout.hpp"

#include <algorithm>

#include "grammar/source.hpp"

namespace ascribe {

void Layout::add(Kind kind, std::size_t columns, std::string_view written, bool ends_line) {
  pieces_.push_back({kind, written, columns, flat_, ends_});
  if (kind != Kind::padding) flat_ += columns;
  if (ends_line) ++ends_;
}

void Layout::text(std::string_view written) {
  // A backslash may stand before the end of a line: such a string fits into no line.
  add(Kind::text, count_characters(written), written, written.find('\n') != std::string_view::npos);
}

void Layout::line(Break kind) {
  if (kind == Break::soft)
    add(Kind::soft_break, 0);
  else
    add(kind == Break::plain ? Kind::plain_break : Kind::fill_break, 1);
}

void Layout::comment(std::string_view written, bool trailing) {
  add(trailing ? Kind::trailing_comment : Kind::own_comment, 0, written, true);
}

void Layout::if_flat(std::string_view written) { add(Kind::if_flat, written.size(), written); }

std::size_t Layout::padding() {
  add(Kind::padding, 0);
  return pieces_.size() - 1;
}

std::size_t Layout::flat_width(std::size_t from, std::size_t to) const {
  auto flat = [&](std::size_t i) { return i < pieces_.size() ? pieces_[i].flat_before : flat_; };
  auto ends = [&](std::size_t i) { return i < pieces_.size() ? pieces_[i].ends_before : ends_; };
  return ends(to) > ends(from) ? npos : flat(to) - flat(from);
}

class Layout::Arrangement {
 public:
  Arrangement(const Layout& layout, std::vector<Line>& lines)
      : pieces_(layout.pieces_), layout_(layout), lines_(lines) {
    find_ends();
  }

  void run() {
    for (std::size_t i = 0; i < pieces_.size(); ++i) put(i);
  }

 private:
  // For every group its end, and for every place the width of what follows up to where the line may end.
  void find_ends() {
    group_end_.resize(pieces_.size());
    reach_.resize(pieces_.size() + 1);
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      if (pieces_[i].kind == Kind::open_group) open.push_back(i);
      if (pieces_[i].kind == Kind::close_group) {
        group_end_[open.back()] = i;
        open.pop_back();
      }
    }
    for (auto i = pieces_.size(); i-- > 0;) {
      switch (pieces_[i].kind) {
        case Kind::text:
        case Kind::space:
        case Kind::padding:
          reach_[i] = reach_[i + 1] + pieces_[i].width;
          break;
        case Kind::soft_break:
        case Kind::plain_break:
        case Kind::fill_break:
        case Kind::newline:
        case Kind::trailing_comment:
        case Kind::own_comment:
          reach_[i] = 0;
          break;
        case Kind::blank_line:
        case Kind::if_flat:
        case Kind::open_group:
        case Kind::close_group:
        case Kind::indent:
        case Kind::dedent:
          reach_[i] = reach_[i + 1];
          break;
      }
    }
  }

  bool broken() const { return broken_.empty() || broken_.back(); }

  void put(std::size_t i) {
    auto& piece = pieces_[i];
    switch (piece.kind) {
      case Kind::text:
        return write(piece);
      case Kind::space:
        spaces_ += 1;
        return;
      case Kind::soft_break:
        if (broken()) end_line();
        return;
      case Kind::plain_break:
        if (broken())
          end_line();
        else
          spaces_ += 1;
        return;
      case Kind::fill_break:
        if (broken() && column() + 1 + reach_[i + 1] > width)
          end_line();
        else
          spaces_ += 1;
        return;
      case Kind::newline:
        return end_line();
      case Kind::blank_line:
        blank_ = true;
        return;
      case Kind::trailing_comment:
      case Kind::own_comment:
        return put_comment(piece);
      case Kind::if_flat:
        if (!broken()) write(piece);
        return;
      case Kind::padding:
        if (broken()) spaces_ += piece.width;
        return;
      case Kind::open_group: {
        bool inside_flat = !broken_.empty() && !broken_.back();
        auto flat = layout_.flat_width(i, group_end_[i]);
        broken_.push_back(!inside_flat && (flat == npos || column() + flat + reach_[group_end_[i]] > width));
        return;
      }
      case Kind::close_group:
        broken_.pop_back();
        return;
      case Kind::indent:
        indent_ += step;
        return;
      case Kind::dedent:
        indent_ -= step;
        return;
    }
  }

  // Where the next piece will stand.
  std::size_t column() const { return line_ended_ ? line_indent_ : column_ + spaces_; }

  // The next line stands where the break says, whatever is indented behind the break; it begins with the next text.
  void end_line() {
    line_ended_ = true;
    line_indent_ = indent_;
  }

  Line& begin_line() {
    lines_.push_back({line_indent_, {}, {}, blank_});
    column_ = line_indent_;
    spaces_ = 0;
    line_ended_ = blank_ = false;
    return lines_.back();
  }

  void write(const Piece& piece) {
    auto& line = line_ended_ ? begin_line() : lines_.back();
    line.code.append(spaces_, ' ').append(piece.written);
    column_ += spaces_ + piece.width;
    if (auto end = piece.written.rfind('\n'); end != std::string_view::npos)
      column_ = count_characters(piece.written.substr(end + 1));
    spaces_ = 0;
    blank_ = false;
  }

  void put_comment(const Piece& piece) {
    if (!line_ended_) end_line();
    // The line of what stands before the comment is still the last one.
    if (piece.kind == Kind::trailing_comment && !lines_.empty() && lines_.back().comment.empty())
      lines_.back().comment = piece.written;
    else
      begin_line().comment = piece.written;
    line_ended_ = true;
  }

  const std::vector<Piece>& pieces_;
  const Layout& layout_;
  std::vector<Line>& lines_;
  std::vector<std::size_t> group_end_, reach_;
  std::vector<bool> broken_;  // of the groups that are open, one inside another
  std::size_t indent_ = 0, line_indent_ = 0, column_ = 0, spaces_ = 0;
  bool line_ended_ = true, blank_ = false;
};

void Layout::arrange(std::vector<Line>& lines) const { Arrangement(*this, lines).run(); }

namespace {

// Behind longer lines a comment stands where it can, and the others do not follow it.
constexpr std::size_t last_comment_column = 80;
constexpr std::size_t comment_distance = 2;

std::size_t code_end(const Line& line) { return line.indent + count_characters(line.code); }

bool has_both(const Line& line) { return !line.code.empty() && !line.comment.empty(); }

bool is_aligned(const Line& line) { return has_both(line) && code_end(line) + comment_distance <= last_comment_column; }

}  // namespace

std::string join_lines(const std::vector<Line>& lines) {
  std::string out;
  for (std::size_t begin = 0, end; begin < lines.size(); begin = end) {
    std::size_t column = 0;
    for (end = begin; end < lines.size(); ++end) {
      auto& line = lines[end];
      if (end > begin && (line.indent != lines[begin].indent || line.blank_before)) break;
      if (is_aligned(line)) column = std::max(column, code_end(line) + comment_distance);
    }
    for (auto i = begin; i < end; ++i) {
      auto& line = lines[i];
      if (line.blank_before && !out.empty()) out += '\n';
      out.append(line.indent, ' ').append(line.code);
      if (has_both(line)) out.append(is_aligned(line) ? column - code_end(line) : comment_distance, ' ');
      out.append(line.comment).append(1, '\n');
    }
  }
  return out;
}

}  // namespace ascribe
