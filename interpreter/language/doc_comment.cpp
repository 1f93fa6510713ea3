#include "interpreter/language/doc_comment.hpp"

#include <algorithm>

#include "grammar/characters.hpp"
#include "grammar/source.hpp"

namespace ascribe::language {
namespace {

constexpr DocLabelEntry labels[] = {
    {DocLabel::formula, "Formula", "Formulas", DocForm::preformatted},
    {DocLabel::source, "Source", "Sources", DocForm::sentences},
    {DocLabel::use, "Use", "Use", DocForm::sentences},
    {DocLabel::assumes, "Assumes", "Assumes", DocForm::sentences},
    {DocLabel::example, "Example", "Examples", DocForm::code},
};

// A full stop behind these ends no sentence.
constexpr std::string_view abbreviations[] = {"al.", "cf.", "e.g.", "eq.", "i.e.", "vs."};

// A summary is a cell of a table.
constexpr std::size_t longest_summary = 240;  // characters

constexpr std::string_view blanks = " \t\r";

std::string_view without_blanks_behind(std::string_view text) {
  return text.substr(0, text.find_last_not_of(blanks) + 1);  // npos + 1 is 0
}

// Takes the first line off a text.
std::string_view take_line(std::string_view& text) {
  auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

const DocLabelEntry* label_of(std::string_view line) {
  for (auto& entry : labels)
    if (line.starts_with(entry.word) && line.substr(entry.word.size()).starts_with(':')) return &entry;
  return nullptr;
}

// Without the empty lines at either end.
std::string without_empty_lines_around(const std::string& text) {
  auto begin = text.find_first_not_of('\n');
  return begin == text.npos ? "" : text.substr(begin, text.find_last_not_of('\n') + 1 - begin);
}

// The offset behind the first sentence.
std::size_t end_of_sentence(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '.' && text[i] != '!' && text[i] != '?') continue;
    if (i + 1 < text.size() && text[i + 1] != ' ') continue;
    auto sentence = text.substr(0, i + 1);
    auto word = sentence.substr(sentence.rfind(' ') + 1);  // npos + 1 is 0
    if (word.starts_with('(')) word.remove_prefix(1);
    if (std::find(std::begin(abbreviations), std::end(abbreviations), word) == std::end(abbreviations)) return i + 1;
  }
  return text.size();
}

std::string shortened(std::string text) {
  if (count_characters(text) <= longest_summary) return text;
  std::size_t end = 0, characters = 0;
  while (characters < longest_summary)
    if ((static_cast<unsigned char>(text[++end]) & 0xC0) != 0x80) ++characters;
  text.resize(end);
  if (auto blank = text.rfind(' '); blank != text.npos && blank > end / 2) text.resize(blank);
  return text + " …";
}

}  // namespace

std::span<const DocLabelEntry> doc_labels() { return labels; }

DocComment read_doc_comment(std::string_view documentation) {
  DocComment out;
  auto* into = &out.description;
  while (!documentation.empty()) {
    auto line = without_blanks_behind(take_line(documentation));
    if (auto* label = label_of(line)) {
      out.parts.push_back({label->label, std::string(trimmed(line.substr(label->word.size() + 1)))});
      into = &out.parts.back().text;
    } else {
      *into += "\n";
      *into += line;
    }
  }
  out.description = without_empty_lines_around(out.description);
  for (auto& part : out.parts) part.text = without_empty_lines_around(part.text);
  std::erase_if(out.parts, [](auto& part) { return part.text.empty(); });
  return out;
}

std::string DocComment::summary() const {
  auto all = paragraphs(description);
  if (all.empty()) return "";
  auto& text = all.front();
  std::replace(text.begin(), text.end(), '\n', ' ');
  text.resize(end_of_sentence(text));
  return shortened(std::move(text));
}

std::vector<std::string_view> DocComment::texts(DocLabel label) const {
  std::vector<std::string_view> out;
  for (auto& part : parts)
    if (part.label == label) out.push_back(part.text);
  return out;
}

std::vector<std::string> paragraphs(std::string_view text) {
  std::vector<std::string> out;
  bool open = false;
  while (!text.empty()) {
    auto line = trimmed(take_line(text));
    if (!line.empty() && open) {
      out.back() += "\n";
      out.back() += line;
    } else if (!line.empty()) {
      out.emplace_back(line);
    }
    open = !line.empty();
  }
  return out;
}

std::vector<DocPiece> pieces(std::string_view paragraph) {
  std::vector<DocPiece> out;
  std::size_t text_begin = 0, from = 0;
  auto add = [&](std::size_t begin, std::size_t end, bool is_code) {
    if (end > begin) out.push_back({paragraph.substr(begin, end - begin), is_code});
  };
  while (true) {
    auto open = paragraph.find('`', from);
    auto close = open == paragraph.npos ? open : paragraph.find('`', open + 1);
    if (close == paragraph.npos) break;
    from = close + 1;
    if (close == open + 1) continue;
    add(text_begin, open, false);
    add(open + 1, close, true);
    text_begin = from;
  }
  add(text_begin, paragraph.size(), false);
  return out;
}

}  // namespace ascribe::language
