#include "grammar/diagnostic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

namespace ascribe {
namespace {

struct Paint {
  const char *bold, *error, *warning, *frame, *off;
};
constexpr Paint plain{"", "", "", "", ""};
constexpr Paint coloured{"\033[1m", "\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[0m"};

// The source line and, below it, a mark for every character of the span on that line. Tabs become four spaces in both;
// of a long line, what lies around the span is shown.
void render_excerpt(std::string& out, const Label& label, char mark, std::size_t gutter, const Paint& paint) {
  constexpr std::size_t widest = 160, before = 60;
  auto [line, column] = label.source->position(label.span.begin);
  auto text = label.source->line(line);
  auto line_begin = static_cast<std::size_t>(text.data() - label.source->text().data());
  auto end = std::max(label.span.end, label.span.begin + 1);
  std::size_t skipped = column > widest - before ? column - before : 0;
  std::string shown = skipped > 0 ? "…" : "", marks = skipped > 0 ? " " : "";
  std::size_t character = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    auto byte = i < text.size() ? static_cast<unsigned char>(text[i]) : ' ';  // a span may lie at the line's end
    bool continuation = (byte & 0xC0) == 0x80;
    if (!continuation) ++character;
    if (character <= skipped) continue;
    if (character > skipped + widest) {
      shown += "…";
      break;
    }
    auto at = line_begin + i;
    std::size_t width = byte == '\t' ? 4 : continuation ? 0 : 1;
    marks.append(width, at >= label.span.begin && at < end ? mark : ' ');
    if (byte == '\t')
      shown.append(width, ' ');
    else
      shown += byte < 0x20 || byte == 0x7F ? ' ' : static_cast<char>(byte);
  }
  shown.erase(shown.find_last_not_of(' ') + 1);
  marks.erase(marks.find_last_not_of(' ') + 1);
  out += fmt::format("{}{:>{}} |{} {}\n", paint.frame, line, gutter, paint.off, shown);
  out += fmt::format("{}{:>{}} |{} {}{}{}{}\n", paint.frame, "", gutter, paint.off,
                     mark == '^' ? paint.error : paint.frame, marks, label.text.empty() ? "" : " " + label.text,
                     paint.off);
}

std::string place(const Label& label) {
  auto [line, column] = label.source->position(label.span.begin);
  return fmt::format("{}:{}:{}", label.source->name(), line, column);
}

}  // namespace

std::string code_name(Code code) { return fmt::format("A{:04}", static_cast<int>(code)); }

std::optional<Code> find_code(std::string_view name) {
  if (name.size() != 5 || name[0] != 'A') return {};
  int number = 0;
  auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return {};
  return static_cast<Code>(number);
}

std::string render_text(const Diagnostic& d, bool colour) {
  const auto& paint = colour ? coloured : plain;
  bool error = d.severity == Severity::error;
  auto out = fmt::format("{}{}[{}]{}: {}{}{}\n", error ? paint.error : paint.warning, error ? "error" : "warning",
                         code_name(d.code), paint.off, paint.bold, d.message, paint.off);
  std::size_t gutter = 1;
  auto widen = [&](const Label& label) {
    if (label.source)
      gutter = std::max(gutter, fmt::formatted_size("{}", label.source->position(label.span.begin).line));
  };
  widen(d.primary);
  for (auto& label : d.others) widen(label);
  const Label* previous = nullptr;
  auto excerpt = [&](const Label& label, char mark) {
    if (!label.source) return;
    if (!previous || previous->source != label.source || mark == '^')
      out += fmt::format("{}{:>{}}-->{} {}\n", paint.frame, "", gutter, paint.off, place(label));
    render_excerpt(out, label, mark, gutter, paint);
    previous = &label;
  };
  excerpt(d.primary, '^');
  for (auto& label : d.others) excerpt(label, '-');
  auto remark = [&](const char* word, const std::string& text) {
    if (!text.empty()) out += fmt::format("{}{:>{}} ={} {}: {}\n", paint.frame, "", gutter, paint.off, word, text);
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

Error::Error(std::vector<Diagnostic> diagnostics)
    : diagnostics_(std::move(diagnostics)), text_(render_text(diagnostics_)) {
  if (!text_.empty()) text_.pop_back();  // the last line end
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](auto& d) { return d.severity == Severity::error; });
}

void put_in_order(std::vector<Diagnostic>& diagnostics) {
  auto key = [](const Diagnostic& d) {
    return std::tuple(d.primary.source ? d.primary.source->name() : std::string(), d.primary.span.begin,
                      d.primary.span.end, d.code, std::string_view(d.message));
  };
  std::stable_sort(diagnostics.begin(), diagnostics.end(), [&](auto& a, auto& b) { return key(a) < key(b); });
  diagnostics.erase(
      std::unique(diagnostics.begin(), diagnostics.end(), [&](auto& a, auto& b) { return key(a) == key(b); }),
      diagnostics.end());
}

}  // namespace ascribe
