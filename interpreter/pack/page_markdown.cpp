// The page as GitHub's Markdown. What is written in rule files must not become markup: outside of code, every character
// that could begin some has a backslash before it; code stands between more backticks than it has itself.
#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/pack/page.hpp"

namespace ascribe {
namespace {

using language::DocForm;

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// Whether a line would become a heading, a quotation, a list or a table if it began with this.
bool begins_block(std::string_view line) {
  if (line.empty()) return false;
  return std::string_view("#>-+=:").find(line[0]) != std::string_view::npos;
}

// `12.` and `12)` begin a list; the offset of what has to be escaped then.
std::size_t end_of_number(std::string_view line) {
  auto end = std::min(line.find_first_not_of("0123456789"), line.size());
  return end > 0 && end < line.size() && (line[end] == '.' || line[end] == ')') ? end : line.npos;
}

// Text between code and the ends of a paragraph. `begins_line`: whether it stands at a line's beginning.
std::string escaped(std::string_view text, bool begins_line) {
  std::string out;
  auto number = std::string_view::npos;  // the offset of a list's `.` or `)`
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = text[i];
    auto rest = text.substr(i);
    if (begins_line && begins_block(rest)) out += '\\';
    if (begins_line && end_of_number(rest) != rest.npos) number = i + end_of_number(rest);
    begins_line = c == '\n';
    // Within a word an underscore is one.
    bool in_word = i > 0 && i + 1 < text.size() && is_word(text[i - 1]) && is_word(text[i + 1]);
    bool marks = c == '_' ? !in_word : std::string_view("\\`*[]<&|~$").find(c) != std::string_view::npos;
    if (marks || i == number) out += '\\';
    out += c;
  }
  return out;
}

// Code within a line; it holds no backtick, and no line end that could begin something else.
std::string inline_code(std::string_view code, bool in_table) {
  std::string text(code);
  std::replace(text.begin(), text.end(), '\n', ' ');
  // A table's cells end at `|`, also within code.
  return in_table && text.find('|') != text.npos ? escaped(text, false) : "`" + text + "`";
}

std::string paragraph(std::string_view text, bool in_table = false) {
  std::string out;
  bool begins_line = true;
  for (auto& piece : language::pieces(text)) {
    out += piece.is_code ? inline_code(piece.text, in_table) : escaped(piece.text, begins_line);
    begins_line = piece.text.ends_with('\n') && !piece.is_code;
  }
  return out;
}

std::string longest_run_of_backticks(std::string_view text) {
  std::size_t longest = 0, run = 0;
  for (char c : text) longest = std::max(longest, run = c == '`' ? run + 1 : 0);
  return std::string(longest, '`');
}

std::string block(std::string_view code, const char* language) {
  auto fence = std::max<std::string>("```", longest_run_of_backticks(code) + "`");
  return filled("{}{}\n{}\n{}\n\n", fence, language, code, fence);
}

// A code span of anything on one line, also with backticks.
std::string code_span(std::string_view code) {
  auto fence = longest_run_of_backticks(code) + "`";
  auto blank = code.starts_with('`') || code.ends_with('`') ? " " : "";
  return fence + blank + std::string(code) + blank + fence;
}

std::string link(std::string_view text, std::string_view anchor) { return filled("[{}](#{})", text, anchor); }

void write_texts(std::string& out, std::string_view heading, const std::vector<std::string_view>& texts) {
  auto lead = filled("**{}:** ", heading);
  for (auto text : texts)
    for (auto& each : language::paragraphs(text)) {
      out += lead + paragraph(each) + "\n\n";
      lead.clear();
    }
}

void write_blocks(std::string& out, std::string_view heading, const std::vector<std::string_view>& texts,
                  const char* language) {
  out += filled("**{}:**\n\n", heading);
  out += block(filled("{}", fmt::join(texts, "\n")), language);
}

void write_definition(std::string& out, const DocumentedDefinition& definition) {
  out += filled("### {}\n\n", escaped(definition.name, false));
  out += block(definition.signature, "rule");
  if (definition.alias) {
    auto call = code_span(definition.alias->call);
    out += filled("Another name of {}.\n\n",
                  definition.alias->anchor.empty() ? call : link(call, definition.alias->anchor));
  }
  for (auto& each : language::paragraphs(definition.documentation.description)) out += paragraph(each) + "\n\n";
  for (auto& label : language::doc_labels()) {
    auto texts = definition.documentation.texts(label.label);
    if (texts.empty()) continue;
    auto heading = texts.size() > 1 ? label.plural : label.word;
    if (label.form == DocForm::sentences)
      write_texts(out, heading, texts);
    else
      write_blocks(out, heading, texts, label.form == DocForm::code ? "rule" : "text");
  }
  out += filled("**Definition**, in {}:\n\n", code_span(definition.file));
  out += block(definition.code, "rule");
}

}  // namespace

std::string markdown(const Page& page) {
  auto out = filled("# {}\n\n", escaped(page.title, false));
  for (auto& each : language::paragraphs(page.introduction)) out += paragraph(each) + "\n\n";
  if (page.sections.empty()) out += "There are no rules, composites or functions here.\n\n";
  for (auto& section : page.sections) {
    out += filled("| {} | |\n|---|---|\n", section.column);
    for (auto& definition : section.definitions)
      out += filled("| {} | {} |\n", link(escaped(definition.name, false), definition.anchor),
                    paragraph(definition.documentation.summary(), true));
    out += "\n";
  }
  for (auto& section : page.sections) {
    out += filled("## {}\n\n", section.title);
    for (auto& definition : section.definitions) write_definition(out, definition);
  }
  out.pop_back();  // the empty line behind the last block
  return out;
}

}  // namespace ascribe
