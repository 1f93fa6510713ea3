#include "grammar/render_text.hpp"

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/text_width.hpp"

namespace ascribe {
namespace {

struct Paint {
  const char *bold, *error, *warning, *frame, *off;
};
constexpr Paint plain{"", "", "", "", ""};
constexpr Paint coloured{"\033[1m", "\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[0m"};

// What would move the cursor, or turn the direction of what follows, is shown as a character that does not.
bool is_unprintable(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

constexpr std::string_view replacement = "\xEF\xBF\xBD";

// Words of a message; names of files and of layers come from anywhere.
std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    auto character = character_at(text, i);
    bool shown = text[i] == '\n' || (!is_unprintable(character.code) && character.code != 0xFFFD);
    out += shown ? text.substr(i, character.bytes) : replacement;
    i += character.bytes;
  }
  return out;
}

// A source line as it is shown, and where its marks go: both in columns of a terminal.
struct Excerpt {
  std::string shown;
  std::size_t width = 0, marks_begin = 0, marks_end = 0;
};

// The line of which `span` says what to mark: byte offsets within the line. Tabs become four spaces; of a long line,
// what lies around the span is shown.
Excerpt excerpt_of(std::string_view line, Span span) {
  constexpr std::size_t widest = 160, before = 60, tab = 4;
  auto width_at = [&](std::size_t i, const Character& character) {
    return line[i] == '\t' ? tab : is_unprintable(character.code) ? 1 : width_of(character.code);
  };
  std::size_t column = 0;  // of the span
  for (std::size_t i = 0; i < span.begin;) {
    auto character = character_at(line, i);
    column += width_at(i, character);
    i += character.bytes;
  }
  auto skipped = column > widest - before ? column - before : 0;
  Excerpt out;
  if (skipped > 0) out.shown = "…", out.width = 1;
  bool marked = false;
  auto mark = [&](std::size_t begin, std::size_t end) {
    if (!marked) out.marks_begin = begin;
    out.marks_end = end;
    marked = true;
  };
  column = 0;
  for (std::size_t i = 0; i < line.size();) {
    auto character = character_at(line, i);
    auto width = width_at(i, character);
    auto at = i;
    i += character.bytes;
    column += width;
    if (column <= skipped) continue;
    if (column > skipped + widest) {
      out.shown += "…";
      break;
    }
    if (i > span.begin && at < span.end) mark(out.width, out.width + width);
    out.width += width;
    if (line[at] == '\t')
      out.shown.append(tab, ' ');
    else if (is_unprintable(character.code) || character.code == 0xFFFD)
      out.shown += replacement;
    else
      out.shown += line.substr(at, character.bytes);
  }
  if (!marked) mark(out.width, out.width + 1);  // at the line's end
  // A mark for what has no width of its own stands below the character that it joins.
  if (out.marks_begin == out.marks_end)
    out.marks_end = std::max<std::size_t>(out.marks_begin, 1), out.marks_begin = out.marks_end - 1;
  out.shown.erase(out.shown.find_last_not_of(' ') + 1);
  return out;
}

// The source line and, below it, marks for what the span covers of that line.
void render_excerpt(std::string& out, const Label& label, char mark, std::size_t gutter, const Paint& paint) {
  auto number = label.source->position(label.span.begin).line;
  auto line = label.source->line(number);
  auto line_begin = static_cast<std::size_t>(line.data() - label.source->text().data());
  auto begin = std::min(label.span.begin - line_begin, line.size());
  auto end = std::min(std::max(label.span.end, label.span.begin) - line_begin, line.size());
  auto excerpt = excerpt_of(line, {begin, std::max(end, begin + 1)});
  out += filled("{}{:>{}} |{} {}\n", paint.frame, number, gutter, paint.off, excerpt.shown);
  out +=
      filled("{}{:>{}} |{} {}{}{}{}{}\n", paint.frame, "", gutter, paint.off, mark == '^' ? paint.error : paint.frame,
             std::string(excerpt.marks_begin, ' '), std::string(excerpt.marks_end - excerpt.marks_begin, mark),
             label.text.empty() ? "" : " " + printable(label.text), paint.off);
}

std::string place(const Label& label) {
  auto [line, column] = label.source->position(label.span.begin);
  auto name = printable(label.source->name());
  std::replace(name.begin(), name.end(), '\n', '?');
  return filled("{}:{}:{}", name, line, column);
}

}  // namespace

std::string render_text(const Diagnostic& d, bool colour) {
  const auto& paint = colour ? coloured : plain;
  bool error = d.severity == Severity::error;
  auto out = filled("{}{}[{}]{}: {}{}{}\n", error ? paint.error : paint.warning, error ? "error" : "warning",
                    code_name(d.code), paint.off, paint.bold, printable(d.message), paint.off);
  std::size_t gutter = 1;
  auto widen = [&](const Label& label) {
    if (label.source) gutter = std::max(gutter, std::to_string(label.source->position(label.span.begin).line).size());
  };
  widen(d.primary);
  for (auto& label : d.others) widen(label);
  const Label* previous = nullptr;
  auto excerpt = [&](const Label& label, char mark) {
    if (!label.source) return;
    if (!previous || previous->source != label.source || mark == '^')
      out += filled("{}{:>{}}-->{} {}\n", paint.frame, "", gutter, paint.off, place(label));
    render_excerpt(out, label, mark, gutter, paint);
    previous = &label;
  };
  excerpt(d.primary, '^');
  for (auto& label : d.others) excerpt(label, '-');
  auto remark = [&](const char* word, const std::string& text) {
    if (!text.empty())
      out += filled("{}{:>{}} ={} {}: {}\n", paint.frame, "", gutter, paint.off, word, printable(text));
  };
  remark("note", d.note);
  remark("help", d.help);
  return out;
}

std::string render_text(const std::vector<Diagnostic>& diagnostics, bool colour) {
  std::string out;
  for (auto& diagnostic : diagnostics) out += render_text(diagnostic, colour);
  return out;
}

}  // namespace ascribe
