#include "grammar/parser.hpp"

#include <algorithm>
#include <cctype>

#include "grammar/builder.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"
#include "grammar/syntax_error.hpp"

namespace ascribe {
namespace {

// ---------------------------------------------------------------------------------- running the grammar over the text

// A node that holds a single one is replaced by it.
struct Fold : grammar::parse_tree::apply<Fold> {
  template <typename... States>
  static void transform(std::unique_ptr<Node>& node, States&&...) {
    if (node->children.size() == 1) node = std::move(node->children.front());
  }
};

// The rules that become nodes of PEGTL's tree. All others only hold them together.
template <typename Rule>
struct Selected
    : grammar::parse_tree::selector<
          Rule,
          grammar::parse_tree::store_content::on<
              grammar::identifier, grammar::number_text, grammar::integer_text, grammar::string_text,
              grammar::path_text, grammar::argument_name, grammar::argument, grammar::arguments, grammar::call,
              grammar::list, grammar::group, grammar::negation, grammar::logical_not, grammar::times, grammar::divided,
              grammar::plus_sign, grammar::minus, grammar::comparison_operator, grammar::conditional,
              grammar::parameter_type, grammar::parameter, grammar::parameters, grammar::stage_word,
              grammar::plain_modifier, grammar::selector, grammar::param_modifier, grammar::term, grammar::let,
              grammar::outcome_word, grammar::outcome, grammar::require, grammar::alias, grammar::rule_body,
              grammar::rule_definition, grammar::count_word, grammar::count, grammar::layers, grammar::entry,
              grammar::composite_body, grammar::composite_definition, grammar::function_definition, grammar::field,
              grammar::expect, grammar::test_definition, grammar::pack_definition, grammar::import_definition,
              grammar::word_param, grammar::statement>,
          // Rules of precedence, and rules that are nodes only because PEGTL's tree tells of the failures of nodes and
          // of tokens, and of no others.
          Fold::on<grammar::power, grammar::product, grammar::sum, grammar::comparison, grammar::conjunction,
                   grammar::disjunction, grammar::expression, grammar::primary, grammar::item, grammar::clause,
                   grammar::modifier_line, grammar::test_clause, grammar::name, grammar::string_literal,
                   grammar::path>> {};

template <typename Rule>
constexpr std::string_view expected_as{};
template <>
constexpr auto expected_as<grammar::item> = expecting::item;
template <>
constexpr auto expected_as<grammar::clause> = expecting::clause;
template <>
constexpr auto expected_as<grammar::modifier_line> = expecting::modifier;
template <>
constexpr auto expected_as<grammar::entry> = expecting::entry;
template <>
constexpr auto expected_as<grammar::test_clause> = expecting::test_clause;
template <>
constexpr auto expected_as<grammar::layers> = expecting::layers;
template <>
constexpr auto expected_as<grammar::expression> = expecting::expression;
template <>
constexpr auto expected_as<grammar::primary> = expecting::expression;
template <>
constexpr auto expected_as<grammar::name> = expecting::name;
template <>
constexpr auto expected_as<grammar::path> = expecting::name;
template <>
constexpr auto expected_as<grammar::string_literal> = expecting::string;
template <>
constexpr auto expected_as<grammar::parameters> = expecting::parameters;
template <>
constexpr auto expected_as<grammar::equals> = expecting::equals;
template <>
constexpr auto expected_as<grammar::arrow> = expecting::arrow;
template <>
constexpr auto expected_as<grammar::open_brace> = expecting::open_brace;
template <>
constexpr auto expected_as<grammar::then_branch> = expecting::then;
template <>
constexpr auto expected_as<grammar::else_branch> = expecting::otherwise;
template <>
constexpr auto expected_as<grammar::import_name> = expecting::as;
template <>
constexpr auto expected_as<grammar::comma> = expecting::comma;
template <>
constexpr auto expected_as<grammar::close_parenthesis> = expecting::close_parenthesis;
template <>
constexpr auto expected_as<grammar::close_bracket> = expecting::close_bracket;
template <>
constexpr auto expected_as<grammar::close_brace> = expecting::close_brace;
template <>
constexpr auto expected_as<grammar::times> = expecting::operation;
template <>
constexpr auto expected_as<grammar::plus_sign> = expecting::operation;
template <>
constexpr auto expected_as<grammar::caret> = expecting::operation;
template <>
constexpr auto expected_as<grammar::end_of_source> = expecting::end;

struct Progress {
  const char* begin;
  Expectations expectations;
  std::vector<std::size_t> starts{};  // of the described rules that are being tried, one inside another
};

template <typename Rule>
struct Control : grammar::normal<Rule> {
  static constexpr bool described = !expected_as<Rule>.empty();

  template <typename Input>
  static void start(const Input& in, Progress& progress) {
    if constexpr (described) progress.starts.push_back(static_cast<std::size_t>(in.current() - progress.begin));
  }
  template <typename Input>
  static void success(const Input&, Progress& progress) {
    if constexpr (described) progress.starts.pop_back();
  }
  template <typename Input>
  static void failure(const Input&, Progress& progress) {
    if constexpr (described) {
      progress.expectations.note(progress.starts.back(), expected_as<Rule>);
      progress.starts.pop_back();
    }
  }
};

// Every bracket leads through all three of these rules, a prefix operator through one: what overflows is the stack.
template <typename Rule>
struct Action : grammar::nothing<Rule> {};
using DepthLimit = grammar::limit_depth<3 * limits.nesting>;
template <>
struct Action<grammar::expression> : DepthLimit {};
template <>
struct Action<grammar::inversion> : DepthLimit {};
template <>
struct Action<grammar::unary> : DepthLimit {};

// Comments lie wherever blanks may; finding them needs no grammar, only to know what a string is.
std::vector<Span> find_comments(std::string_view text) {
  std::vector<Span> comments;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      auto end = i + 1;
      while (end < text.size() && text[end] != '"' && text[end] != '\n') end += text[end] == '\\' ? 2 : 1;
      i = std::min(end, text.size());
    } else if (text[i] == '#') {
      auto end = std::min(text.find('\n', i), text.size());
      auto shown = end > i && text[end - 1] == '\r' ? end - 1 : end;
      comments.push_back({i, shown});
      i = end;
    }
  }
  return comments;
}

// ------------------------------------------------------------------------------------------------- piece after piece

using TextInput = grammar::memory_input<grammar::tracking_mode::lazy>;

// Parses one piece of the text. A mistake is reported and gives nothing; what it is part of begins at `begin`.
template <typename Rule>
std::unique_ptr<Node> parse_piece(TextInput& in, std::size_t begin, const SourcePointer& source, Progress& progress,
                                  std::vector<Diagnostic>& diagnostics, std::string_view whole = "the file") {
  try {
    if (auto root = grammar::parse_tree::parse<Rule, Node, Selected, Action, Control>(in, progress)) return root;
    diagnostics.push_back(explain_syntax_error(source, begin, progress.expectations, reserved_words(), whole));
  } catch (const grammar::parse_error& error) {  // only the depth limit throws
    auto here = static_cast<std::size_t>(in.begin() - progress.begin) + error.positions().front().byte;
    progress.starts.clear();
    progress.expectations.note(here, expecting::end);
    diagnostics.push_back({.code = Code::too_deep,
                           .message = filled("expressions are nested more than {} deep", limits.nesting),
                           .primary = {source, {here, here + 1}, ""},
                           .help = "name parts of it with `let`"});
  }
  return nullptr;
}

// Where to go on after a mistake in what begins at `begin` and could not be read beyond `stop`: the next line that
// begins with a word that only a definition begins with. It may be the one at `stop`, where a bracket was not closed
// before it.
std::size_t next_definition(std::string_view text, std::size_t begin, std::size_t stop) {
  auto from = stop > begin ? stop - 1 : stop;
  for (auto line = text.find('\n', from); line != std::string_view::npos; line = text.find('\n', line + 1)) {
    auto rest = text.substr(line + 1);
    for (std::string_view word : {"rule", "composite", "fn", "test", "pack", "import"})
      if (rest.starts_with(word) && rest.size() > word.size() &&
          (rest[word.size()] == ' ' || rest[word.size()] == '\t'))
        return line + 1;
  }
  return text.size();
}

// Whether what follows an item at `next` looks like a part of it: on its line, and not behind a `}` or `;`.
bool is_continued(std::string_view text, Span item, std::size_t next) {
  return text[item.end - 1] != '}' &&
         text.substr(item.end, next - item.end).find_first_of(";\n") == std::string_view::npos;
}

// The name that a definition would have had, so that its uses are no second mistake: the second word, or the first,
// where the word that says what is defined is missing.
void note_broken(std::string_view text, std::size_t begin, std::vector<std::string>& broken) {
  auto in_name = [&](std::size_t i) {
    return i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '_');
  };
  for (int taken = 0; taken < 2; ++taken) {
    auto end = begin;
    while (in_name(end)) ++end;
    if (end == begin) return;
    auto word = text.substr(begin, end - begin);
    auto reserved = reserved_words();
    if (std::find(reserved.begin(), reserved.end(), word) == reserved.end()) broken.emplace_back(word);
    begin = std::min(text.find_first_not_of(" \t", end), text.size());
  }
}

// What no grammar needs to see: bytes that are no text, and more of them than anybody writes.
bool readable(const SourcePointer& source, std::vector<Diagnostic>& diagnostics) {
  auto text = source->text();
  auto refuse = [&](Code code, std::string message, Span where, std::string help) {
    diagnostics.push_back(
        {.code = code, .message = std::move(message), .primary = {source, where, ""}, .help = std::move(help)});
    return false;
  };
  if (text.size() > limits.source_bytes)
    return refuse(Code::too_large, filled("the source has {} bytes; {} is the limit", text.size(), limits.source_bytes),
                  {0, 0}, "cut it into several files");
  auto control = std::find_if(text.begin(), text.end(), [](unsigned char c) {
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
  });
  auto bad =
      std::min(find_invalid_utf8(text),
               control == text.end() ? std::string_view::npos : static_cast<std::size_t>(control - text.begin()));
  if (bad != std::string_view::npos)
    return refuse(Code::not_text, filled("byte 0x{:02X} is not part of a text", static_cast<unsigned char>(text[bad])),
                  {bad, bad}, "rule files are UTF-8 text");
  return true;
}

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

// A source that is one piece as a whole.
struct Whole {
  std::vector<Span> comments{};
  std::unique_ptr<Node> root{};  // null after a mistake
  bool reached_end = false;      // whether the grammar came as far
};
template <typename Rule>
Whole read_whole(const SourcePointer& source, std::vector<Diagnostic>& diagnostics, std::string_view whole) {
  if (!readable(source, diagnostics)) return {};
  auto text = source->text();
  Progress progress{text.data(), {}};
  TextInput in(text.data(), text.data() + text.size(), "");
  Whole out{find_comments(text)};
  out.root = parse_piece<Rule>(in, 0, source, progress, diagnostics, whole);
  out.reached_end = progress.expectations.offset() == text.size();
  return out;
}

}  // namespace

syntax::File parse_file(const SourcePointer& source, std::vector<Diagnostic>& diagnostics) {
  syntax::File file{source, {}, {}, {}, true};
  auto mistakes_before = diagnostics.size();
  if (!readable(source, diagnostics)) {
    file.whole = false;
    return file;
  }
  auto text = source->text();
  file.comments = find_comments(text);
  Progress progress{text.data(), {}};
  std::size_t begin = text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
  Span previous;  // the sound item that was read last; empty behind a mistake
  while (true) {
    TextInput in(text.data() + begin, text.data() + text.size(), "");
    if (!grammar::parse<grammar::blanks>(in) || in.empty()) break;
    if (diagnostics.size() - mistakes_before > limits.messages) break;
    begin = static_cast<std::size_t>(in.current() - text.data());
    // What cannot be read as a whole may begin with something that can: of `fn f(z) = max(z 0)` that is `fn f(z) =
    // max`. The grammar got further then, and what was expected there is what the message is about.
    bool goes_on = previous.end > 0 && progress.expectations.offset() > begin;
    auto before = diagnostics.size();
    auto root = parse_piece<grammar::item_line>(in, goes_on ? previous.begin : begin, source, progress, diagnostics);
    if (root) {
      auto item = build_item(*root->children.at(0), source, file.comments, diagnostics);
      previous = {};
      if (diagnostics.size() == before) {
        previous = item.span;
        file.items.push_back(std::move(item));
      } else {
        note_broken(text, begin, file.broken);
      }
      begin = static_cast<std::size_t>(in.current() - text.data());
      continue;
    }
    auto stop = progress.expectations.offset();
    if (goes_on || (previous.end > 0 && stop == begin && is_continued(text, previous, begin))) {
      file.items.pop_back();
      note_broken(text, previous.begin, file.broken);
    }
    note_broken(text, begin, file.broken);
    begin = next_definition(text, begin, stop);
    progress.expectations.forget();
    previous = {};
  }
  file.whole = diagnostics.size() == mistakes_before;
  return file;
}

std::optional<syntax::Call> parse_call(const SourcePointer& source, std::vector<Diagnostic>& diagnostics) {
  auto before = diagnostics.size();
  auto read = read_whole<grammar::single_call>(source, diagnostics, "the call");
  if (!read.root) return {};
  auto call = build_call(*read.root->children.at(0), source, read.comments, diagnostics);
  if (diagnostics.size() > before) return {};
  return call;
}

ParsedInput parse_input(const SourcePointer& source, std::vector<Diagnostic>& diagnostics) {
  auto before = diagnostics.size();
  auto read = read_whole<grammar::session_input>(source, diagnostics, "the input");
  if (!read.root) return {{}, read.reached_end && diagnostics.back().code == Code::syntax};
  syntax::Input out{source, {}};
  for (auto& part : read.root->children) {
    if (part->is_type<grammar::statement>())
      out.parts.emplace_back(build_statement(*part, source, read.comments, diagnostics));
    else
      out.parts.emplace_back(build_item(*part, source, read.comments, diagnostics));
  }
  if (diagnostics.size() > before) return {};
  return {std::move(out), false};
}

std::vector<std::string_view> reserved_words() {
#define ASCRIBE_WORD(text) #text,
  return {ASCRIBE_RESERVED_WORDS(ASCRIBE_WORD)};
#undef ASCRIBE_WORD
}

}  // namespace ascribe
