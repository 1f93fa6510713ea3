#include "interpreter/command/repl/input.hpp"

#include <algorithm>
#include <iterator>

#include "grammar/characters.hpp"
#include "grammar/limits.hpp"
#include "grammar/parser.hpp"

namespace ascribe::repl {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Words and marks that no input ends with.
constexpr std::string_view dangling_words[] = {"and", "or", "not", "if", "then", "else", "within"};
constexpr std::string_view dangling_marks = "+-*/^=<>,([{";

std::string_view without_blanks(std::string_view line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  return line;
}

}  // namespace

std::optional<Entered> InputReader::add(std::string_view line) {
  ++lines_;
  auto bare = without_blanks(line);
  bool too_long = line.size() > limits.source_bytes;  // which is its mistake, whatever it says
  if (!look_.has_code && !too_long) {
    if (bare.starts_with(':')) {  // comments before a command document nothing
      drop();
      first_line_ = lines_;
      text_ = line;
      return whole(/*command=*/true);
    }
    // `##` lines document the definition that follows; other comments, and what an empty line separates, say nothing.
    bool document = bare.starts_with("##") || (is_open() && bare.starts_with('#'));
    if (bare.empty() || (bare.starts_with('#') && !document)) {
      drop();
      return {};
    }
  }
  if (text_.empty()) first_line_ = lines_;
  text_ += line;
  text_ += '\n';
  auto had_code = look_.has_code;
  look_at(line);
  bool says_something = !bare.empty() && !bare.starts_with('#');
  if (too_long || text_.size() > limits.source_bytes + 1) return parse(/*at_end=*/true);
  if (!look_.has_code || look_.dangles || (had_code && !says_something)) return {};
  // Inside brackets only a mistake ends an input. Early ones are told early; what is long is not tried line by line.
  constexpr std::size_t short_enough = 1 << 14;
  if (look_.depth > 0 && text_.size() > short_enough && text_.size() < 2 * tried_) return {};
  return parse(/*at_end=*/false);
}

std::optional<Entered> InputReader::finish() {
  if (!look_.has_code) {
    drop();
    return {};
  }
  return parse(/*at_end=*/true);
}

void InputReader::drop() {
  text_.clear();
  look_ = {};
  tried_ = 0;
}

void InputReader::look_at(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    auto c = line[i];
    if (c == '#') return;
    if (is_blank(c)) continue;
    look_.has_code = true;
    look_.dangles = dangling_marks.find(c) != std::string_view::npos;
    if (c == '"') {
      for (++i; i < line.size() && line[i] != '"'; ++i)
        if (line[i] == '\\') ++i;
    } else if (c == '(' || c == '[' || c == '{') {
      ++look_.depth;
    } else if (c == ')' || c == ']' || c == '}') {
      --look_.depth;
    } else if (is_name_character(c)) {
      auto begin = i;
      while (i + 1 < line.size() && is_name_character(line[i + 1])) ++i;
      auto word = line.substr(begin, i + 1 - begin);
      look_.dangles = std::find(std::begin(dangling_words), std::end(dangling_words), word) != std::end(dangling_words);
    }
  }
}

Entered InputReader::whole(bool command) {
  ++inputs_;
  auto text = std::move(text_);
  drop();
  if (!text.empty() && text.back() == '\n') text.pop_back();
  auto source = naming_ == Naming::by_number
                    ? std::make_shared<Source>("input:" + std::to_string(inputs_), std::move(text))
                    : std::make_shared<Source>(name_, std::move(text), first_line_);
  return {std::move(source), command};
}

std::optional<Entered> InputReader::parse(bool at_end) {
  auto name = naming_ == Naming::by_number ? "input:" + std::to_string(inputs_ + 1) : name_;
  auto text = text_;
  if (!text.empty() && text.back() == '\n') text.pop_back();
  auto source = std::make_shared<Source>(name, std::move(text), naming_ == Naming::by_number ? 1 : first_line_);
  std::vector<Diagnostic> mistakes;
  auto [parsed, indexings] = parse_session_input(source, mistakes);
  if (parsed.incomplete && !at_end) {
    tried_ = text_.size();
    return {};
  }
  ++inputs_;
  drop();
  return Entered{source, false, std::move(parsed.input), std::move(mistakes), std::move(indexings)};
}

}  // namespace ascribe::repl
