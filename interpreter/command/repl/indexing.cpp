#include "interpreter/command/repl/indexing.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "grammar/characters.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"

namespace ascribe::repl {
namespace {

constexpr std::size_t most_indexings = 64;  // each is an expression of its own to read

bool is_a_reserved_word(std::string_view text) {
  auto words = reserved_words();
  return std::find(words.begin(), words.end(), text) != words.end();
}

Span without_blanks_around(std::string_view text, Span span) {
  auto blank = [&](std::size_t i) { return std::isspace(static_cast<unsigned char>(text[i])) != 0; };
  while (span.begin < span.end && blank(span.begin)) ++span.begin;
  while (span.end > span.begin && blank(span.end - 1)) --span.end;
  return span;
}

// Finds brackets behind what has a value. It knows strings, comments and brackets; what else is wrong, the grammar
// says.
class IndexingFinder {
 public:
  explicit IndexingFinder(std::string_view text) : text_(text) {}

  std::vector<Indexing> found;
  bool open = false;      // an indexing goes on behind the end
  std::size_t count = 0;  // inner ones included

  void find() {
    for (std::size_t i = 0; i < text_.size();) {
      auto c = text_[i];
      if (c == ' ' || c == '\t') {
        ++i;
      } else if (c == '#') {
        i = std::min(text_.find('\n', i), text_.size());
      } else if (c == '"') {
        value_.reset();
        for (++i; i < text_.size() && text_[i] != '"' && text_[i] != '\n'; ++i)
          if (text_[i] == '\\') ++i;
        ++i;
      } else if (is_name_character(c)) {
        i = word(i);
      } else {
        if (!mark(c, i)) return;
        ++i;
      }
    }
    open = std::any_of(brackets_.begin(), brackets_.end(), [](auto& each) { return each.base.has_value(); });
  }

 private:
  struct Bracket {
    char mark;
    std::size_t begin;         // of what it is a part of
    std::optional<Span> base;  // of an indexing
    std::size_t piece = 0;     // where the part between two commas begins
    std::vector<std::size_t> colons{};
    std::vector<Indexing::Place> places{};
  };

  std::size_t word(std::size_t begin) {
    auto end = begin;
    while (end < text_.size() && is_name_character(text_[end])) ++end;
    bool number = text_[begin] >= '0' && text_[begin] <= '9';
    if (number || is_a_reserved_word(text_.substr(begin, end - begin))) {
      value_.reset();
    } else {
      bool path = value_ && begin > 0 && text_[begin - 1] == '.' && value_->end + 1 == begin;
      value_ = Span{path ? value_->begin : begin, end};
      is_name_ = true;
    }
    return end;
  }

  // Whether the brackets fit each other so far.
  bool mark(char c, std::size_t i) {
    if (c == '(' || c == '[' || c == '{') {
      bool indexes = c == '[' && value_;
      bool calls = c == '(' && value_ && is_name_ && value_->end == i;
      Bracket bracket{c, indexes || calls ? value_->begin : i, indexes ? value_ : std::nullopt, i + 1};
      if (brackets_.size() > limits.nesting) return false;
      brackets_.push_back(std::move(bracket));
      value_.reset();
      return true;
    }
    if (c == ')' || c == ']' || c == '}') {
      if (brackets_.empty()) return false;
      auto bracket = std::move(brackets_.back());
      brackets_.pop_back();
      if ((c == ')') != (bracket.mark == '(') || (c == ']') != (bracket.mark == '[')) return false;
      value_.reset();
      if (c != '}') value_ = Span{bracket.begin, i + 1};
      is_name_ = false;
      if (bracket.base) close(bracket, i);
      return true;
    }
    if (!brackets_.empty() && brackets_.back().base) {
      auto& bracket = brackets_.back();
      if (c == ',') add_place(bracket, i), bracket.piece = i + 1;
      if (c == ':') bracket.colons.push_back(i);
    }
    if (c != '.' && c != '\r') value_.reset();
    return true;
  }

  void add_place(Bracket& bracket, std::size_t end) {
    Indexing::Place place{.is_slice = !bracket.colons.empty()};
    auto begin = bracket.piece;
    auto& colons = bracket.colons;
    Span* parts[] = {&place.first, &place.last, &place.step};
    colons.push_back(end);
    for (std::size_t k = 0; k < colons.size() && k < std::size(parts); ++k) {
      *parts[k] = without_blanks_around(text_, {begin, colons[k]});
      begin = colons[k] + 1;
    }
    if (colons.size() > std::size(parts)) place.step = {bracket.piece, end};  // which is no number
    colons.clear();
    bracket.places.push_back(place);
  }

  void close(Bracket& bracket, std::size_t end) {
    if (without_blanks_around(text_, {bracket.piece, end}).end >
            without_blanks_around(text_, {bracket.piece, end}).begin ||
        !bracket.colons.empty() || bracket.places.empty())
      add_place(bracket, end);
    ++count;
    Span whole{bracket.begin, end + 1};
    std::erase_if(found, [&](auto& each) { return each.whole.begin >= whole.begin && each.whole.end <= whole.end; });
    found.push_back({"", whole, *bracket.base, std::move(bracket.places)});
  }

  std::string_view text_;
  std::vector<Bracket> brackets_;
  std::optional<Span> value_;  // what ends here and could be indexed
  bool is_name_ = false;
};

// Names that are as long as what they stand for, so that every place in the tree is one in the source.
std::string with_names(std::string text, std::vector<Indexing>& indexings) {
  constexpr std::string_view digits = "abcdefghijklmnopqrstuvwxyz";
  std::size_t number = 0;
  for (auto& each : indexings) {
    auto length = each.whole.end - each.whole.begin;  // at least that of `x[:]`
    do {
      each.name = {'_', digits[number / digits.size() % digits.size()], digits[number % digits.size()]};
      each.name.resize(length, '_');
      ++number;
    } while (text.find(each.name) != std::string::npos && number < digits.size() * digits.size());
    text.replace(each.whole.begin, length, each.name);
  }
  return text;
}

}  // namespace

void show_as_written(std::vector<Diagnostic>& diagnostics, const SourcePointer& source,
                     const std::vector<Indexing>& indexings) {
  for (auto& diagnostic : diagnostics)
    for (auto& each : indexings)
      for (auto* text : {&diagnostic.message, &diagnostic.help, &diagnostic.note})
        for (auto at = text->find(each.name); at != std::string::npos; at = text->find(each.name, at))
          text->replace(at, each.name.size(), source->text(each.whole));
}

SessionInput parse_session_input(const SourcePointer& source, std::vector<Diagnostic>& diagnostics) {
  auto before = diagnostics.size();
  SessionInput out{parse_input(source, diagnostics)};
  if (out.parsed.input || diagnostics.size() != before + 1 || source->text().find('[') == std::string_view::npos)
    return out;
  // The grammar has no indexing: it stopped at the first.
  IndexingFinder finder(source->text());
  finder.find();
  bool stopped_there = diagnostics.back().message == "there is no indexing";
  if (finder.count > most_indexings && stopped_there) {
    diagnostics.back() = {.code = Code::too_large,
                          .message = filled("an input holds {} indexings at most", most_indexings),
                          .primary = diagnostics.back().primary,
                          .help = "give parts of it a name first"};
    return out;
  }
  if (finder.open && stopped_there) {
    diagnostics.back().code = Code::syntax;
    diagnostics.back().message = "this `[` is not closed";
    diagnostics.back().help = "close it with `]`";
    out.parsed.incomplete = true;
    return out;
  }
  if (finder.found.empty() || finder.open) return out;
  auto named = std::make_shared<Source>(source->name(), with_names(std::string(source->text()), finder.found),
                                        source->position(0).line);
  std::vector<Diagnostic> others;
  auto parsed = parse_input(named, others);
  show_as_written(others, source, finder.found);
  for (auto& each : others) {
    if (each.primary.source) each.primary.source = source;
    for (auto& other : each.others) other.source = source;
  }
  if (!parsed.input) {
    // What is wrong may be something else, behind the indexing.
    if (stopped_there) {
      diagnostics.resize(before);
      diagnostics.insert(diagnostics.end(), others.begin(), others.end());
      out.parsed.incomplete = parsed.incomplete;
    }
    return out;
  }
  bool in_values = true;
  for (auto& each : finder.found) {
    auto stands_in = [&](Span span) { return span.begin <= each.whole.begin && each.whole.end <= span.end; };
    auto& parts = parsed.input->parts;
    auto statement = std::find_if(parts.begin(), parts.end(), [&](auto& part) {
      auto* it = std::get_if<syntax::Statement>(&part);
      return it && stands_in(it->span);
    });
    if (statement == parts.end()) {
      in_values = false;  // rules have no indexing
    } else if (!stands_in(std::get<syntax::Statement>(*statement).value->span)) {
      diagnostics.back() = {.code = Code::foreign_operator,
                            .message = "a part of a tensor cannot be given a value",
                            .primary = {source, each.whole, ""},
                            .help = "give a name to a tensor of its own: `z = if x > 1 then 1 else x`"};
      return out;
    }
  }
  if (!in_values) return out;
  diagnostics.resize(before);
  parsed.input->source = source;
  return {std::move(parsed), std::move(finder.found)};
}

at::Tensor part_of(const at::Tensor& tensor, const std::vector<Taken>& taken) {
  auto shape = shown_shape(tensor.sizes());
  auto refuse = [](std::string message, std::string help) {
    return Error({.code = Code::bad_dimension, .message = std::move(message), .help = std::move(help)});
  };
  if (static_cast<std::int64_t>(taken.size()) > tensor.dim())
    throw refuse(filled("{} indices are too many for the shape {}", taken.size(), shape),
                 tensor.dim() == 0 ? "it is one number" : filled("give {} at most", tensor.dim()));
  auto out = tensor;
  std::int64_t dimension = 0, of_result = 0;
  for (auto& each : taken) {
    auto size = tensor.size(dimension);
    auto in_the_next = [&](std::int64_t index) {
      bool fits = taken.size() == 1 && tensor.dim() > 1 && index >= -tensor.size(1) && index < tensor.size(1);
      return fits ? filled("; `[:, {}]` is of the next dimension", index) : "";
    };
    auto from_the_end = [&](std::int64_t index) { return index < 0 ? index + size : index; };
    if (!each.is_slice) {
      auto index = each.first.value_or(0);
      if (index < -size || index >= size)
        throw refuse(filled("index {} is out of range in dimension {} of the shape {}", index, dimension, shape),
                     size == 0   ? "that dimension is empty"
                     : size == 1 ? "it has the index 0 only" + in_the_next(index)
                                 : filled("it has the indices 0 to {}, and -1 is the last", size - 1));
      out = out.select(of_result, from_the_end(index));
    } else {
      auto step = each.step.value_or(1);
      if (step < 1) throw refuse(filled("a slice goes forward: its step cannot be {}", step), "leave the step out");
      // What is beyond an end is that end.
      auto first = std::clamp<std::int64_t>(from_the_end(each.first.value_or(0)), 0, size),
           last = std::clamp<std::int64_t>(from_the_end(each.last.value_or(size)), 0, size);
      out = out.slice(of_result++, first, std::max(first, last), step);
    }
    ++dimension;
  }
  return out;
}

}  // namespace ascribe::repl
