#include "grammar/parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "grammar/grammar.hpp"
#include "grammar/limits.hpp"
#include "grammar/syntax_error.hpp"

namespace ascribe {
namespace {

using namespace syntax;

// ---------------------------------------------------------------------------------- running the grammar over the text

struct Node : grammar::parse_tree::basic_node<Node> {};

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
              grammar::word_param>,
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

// ------------------------------------------------------------------------------------- from PEGTL's tree to our own

class Builder {
 public:
  Builder(SourcePointer source, const std::vector<Span>& comments, std::vector<Diagnostic>& diagnostics)
      : source_(std::move(source)), comments_(comments), diagnostics_(diagnostics) {}

  Item item(const Node& node) {
    Item out;
    out.span = span(node);
    out.documentation = documentation(out.span.begin);
    if (is<grammar::rule_definition>(node))
      out.node = rule(node);
    else if (is<grammar::composite_definition>(node))
      out.node = composite(node);
    else if (is<grammar::function_definition>(node))
      out.node = Function{name(at(node, 0)), parameters(at(node, 1)), pointer(at(node, 2))};
    else if (is<grammar::test_definition>(node))
      out.node = test(node);
    else if (is<grammar::pack_definition>(node))
      out.node = pack(node);
    else
      out.node = Import{string(at(node, 0)), name(at(node, 1))};
    return out;
  }

  Call call(const Node& node) {
    Call out{path(at(node, 0)), node.children.size() > 1, {}, span(node)};
    if (!out.has_arguments) return out;
    bool named = false;
    for (auto& child : at(node, 1).children) {
      Argument argument{{}, pointer(*child->children.back()), span(*child)};
      if (child->children.size() > 1) argument.name = name(at(*child->children.front(), 0));
      if (named && !argument.name)
        report(Code::positional_after_named, argument.span, "a positional argument stands behind a named one",
               "name it, or move it before the named ones");
      named = named || argument.name.has_value();
      out.arguments.push_back(std::move(argument));
    }
    return out;
  }

 private:
  template <typename Rule>
  static bool is(const Node& node) {
    return node.is_type<Rule>();
  }
  static const Node& at(const Node& node, std::size_t i) { return *node.children.at(i); }

  void report(Code code, Span where, std::string message, std::string help) {
    diagnostics_.push_back(
        {.code = code, .message = std::move(message), .primary = {source_, where, ""}, .help = std::move(help)});
  }

  // A node takes the blanks and comments behind it along; what it says ends before them.
  Span span(const Node& node) const {
    auto text = source_->text();
    auto begin = static_cast<std::size_t>(node.m_begin.data - text.data());
    auto end = static_cast<std::size_t>(node.m_end.data - text.data());
    while (end > begin) {
      if (std::string_view(" \t\r\n").find(text[end - 1]) != std::string_view::npos) {
        --end;
        continue;
      }
      auto comment = std::lower_bound(comments_.begin(), comments_.end(), end,
                                      [](const Span& c, std::size_t e) { return c.end < e; });
      if (comment == comments_.end() || comment->end != end || comment->begin < begin) break;
      end = comment->begin;
    }
    return {begin, end};
  }

  std::string_view text(const Node& node) const { return source_->text(span(node)); }

  Name name(const Node& node) const { return {std::string(text(node)), span(node)}; }

  Path path(const Node& node) const {
    if (node.children.size() == 1) return {{}, name(at(node, 0)), span(node)};
    return {name(at(node, 0)), name(at(node, 1)), span(node)};
  }

  StringLiteral string(const Node& node) const {
    auto inner = text(node).substr(1);
    inner.remove_suffix(1);
    StringLiteral out{"", span(node)};
    for (std::size_t i = 0; i < inner.size(); ++i) out.value += inner[inner[i] == '\\' ? ++i : i];
    return out;
  }

  // "## text" lines directly above an item.
  std::string documentation(std::size_t begin) const {
    auto all = source_->text();
    std::vector<std::string_view> lines;
    auto comment = std::lower_bound(comments_.begin(), comments_.end(), begin,
                                    [](const Span& c, std::size_t b) { return c.begin < b; });
    while (comment != comments_.begin()) {
      --comment;
      auto between = all.substr(comment->end, begin - comment->end);
      auto written = source_->text(*comment);
      if (between.find_first_not_of(" \t\r\n") != std::string_view::npos ||
          std::count(between.begin(), between.end(), '\n') != 1 || !written.starts_with("##"))
        break;
      written.remove_prefix(2);
      if (written.starts_with(' ')) written.remove_prefix(1);
      lines.push_back(written);
      begin = comment->begin;
    }
    return fmt::format("{}", fmt::join(lines.rbegin(), lines.rend(), "\n"));
  }

  // ------------------------------------------------------------------------------------------------- expressions

  ExpressionPointer pointer(const Node& node) { return std::make_unique<Expression>(expression(node)); }

  Expression expression(const Node& node) {
    auto where = span(node);
    if (is<grammar::number_text>(node)) return {where, number(node)};
    if (is<grammar::string_text>(node)) return {where, string(node)};
    if (is<grammar::call>(node)) return {where, call(node)};
    if (is<grammar::group>(node)) return {where, Group{pointer(at(node, 0))}};
    if (is<grammar::list>(node)) {
      List list;
      for (auto& child : node.children) list.elements.push_back(expression(*child));
      return {where, std::move(list)};
    }
    if (is<grammar::negation>(node)) return {where, Unary{Operator::negate, pointer(at(node, 1))}};
    if (is<grammar::logical_not>(node)) return {where, Unary{Operator::logical_not, pointer(at(node, 0))}};
    if (is<grammar::power>(node)) return {where, Power{pointer(at(node, 0)), pointer(at(node, 1))}};
    if (is<grammar::conditional>(node))
      return {where, Conditional{pointer(at(node, 0)), pointer(at(node, 1)), pointer(at(node, 2))}};
    if (is<grammar::comparison>(node))
      return {where, Comparison{comparison(at(node, 1)), pointer(at(node, 0)), pointer(at(node, 2)),
                                node.children.size() > 3 ? pointer(at(node, 3)) : nullptr}};
    return {where, chain(node)};
  }

  Chain chain(const Node& node) {
    Chain out;
    if (is<grammar::conjunction>(node) || is<grammar::disjunction>(node)) {
      for (auto& child : node.children) out.operands.push_back(expression(*child));
      out.operators.assign(out.operands.size() - 1,
                           is<grammar::conjunction>(node) ? Operator::logical_and : Operator::logical_or);
    } else {
      for (std::size_t i = 0; i < node.children.size(); ++i) {
        auto& child = at(node, i);
        if (i % 2 == 0)
          out.operands.push_back(expression(child));
        else
          out.operators.push_back(is<grammar::plus_sign>(child) ? Operator::add
                                  : is<grammar::minus>(child)   ? Operator::subtract
                                  : is<grammar::times>(child)   ? Operator::multiply
                                                                : Operator::divide);
      }
    }
    if (out.operands.size() > limits.chain_operands)
      report(Code::too_large, span(node),
             fmt::format("the chain has {} operands; {} is the limit", out.operands.size(), limits.chain_operands),
             "name parts of it with `let`");
    return out;
  }

  Operator comparison(const Node& node) const {
    auto written = text(node);
    return written == "=="   ? Operator::equal
           : written == "!=" ? Operator::not_equal
           : written == "<=" ? Operator::less_equal
           : written == ">=" ? Operator::greater_equal
           : written == "<"  ? Operator::less
                             : Operator::greater;
  }

  Number number(const Node& node) {
    Number out{0};
    auto written = text(node);
    auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), out.value);
    if (error == std::errc::result_out_of_range && written.find('-') == std::string_view::npos)
      report(Code::malformed_number, span(node), "the number is larger than a double can hold",
             "the largest is about 1.8e308");
    return out;
  }

  // ------------------------------------------------------------------------------------------------------- items

  std::vector<Parameter> parameters(const Node& node) {
    std::vector<Parameter> out;
    for (auto& child : node.children) {
      Parameter parameter{name(at(*child, 0)), {}, nullptr, span(*child)};
      for (std::size_t i = 1; i < child->children.size(); ++i) {
        if (is<grammar::parameter_type>(at(*child, i)))
          parameter.type = name(at(*child, i));
        else
          parameter.default_value = pointer(at(*child, i));
      }
      out.push_back(std::move(parameter));
    }
    return out;
  }

  static Stage stage(std::string_view word) {
    return word == "input"     ? Stage::input
           : word == "output"  ? Stage::output
           : word == "map"     ? Stage::map
           : word == "reduce"  ? Stage::reduce
           : word == "forward" ? Stage::forward
                               : Stage::backward;
  }

  Modifier modifier(const Node& node) {
    auto& keyword = at(node, 0);
    if (is<grammar::plain_modifier>(node))
      return {stage(text(keyword)), nullptr, pointer(at(node, 1)), span(keyword), span(node)};
    Modifier out{Stage::param, nullptr, pointer(*node.children.back()), span(keyword), span(node)};
    if (node.children.size() > 2) {
      auto& chosen = at(at(node, 1), 0);
      if (is<grammar::identifier>(chosen))
        out.selector = std::make_unique<Expression>(
            Expression{span(chosen), Call{{{}, name(chosen), span(chosen)}, false, {}, span(chosen)}});
      else
        out.selector = pointer(chosen);
    }
    return out;
  }

  Clause clause(const Node& node) {
    if (is<grammar::term>(node)) {
      Term out{name(at(node, 0)), {}, span(node)};
      for (std::size_t i = 1; i < node.children.size(); ++i) out.modifiers.push_back(modifier(at(node, i)));
      return out;
    }
    if (is<grammar::let>(node)) return let(node);
    if (is<grammar::outcome>(node))
      return Outcome{stage(text(at(node, 0))), pointer(at(node, 1)), span(at(node, 0)), span(node)};
    if (is<grammar::require>(node)) {
      Require out{pointer(at(node, 0)), {}, span(node)};
      if (node.children.size() > 1) out.message = string(at(node, 1));
      return out;
    }
    return modifier(node);
  }

  Let let(const Node& node) { return {name(at(node, 0)), pointer(at(node, 1)), span(node)}; }
  Field field(const Node& node) { return {name(at(node, 0)), pointer(at(node, 1)), span(node)}; }

  // What rules and composites share: a name, parameters, and an alias or a body whose children are the body's lines.
  template <typename Definition, typename Line>
  Definition definition(const Node& node, Line line) {
    Definition out;
    out.name = name(at(node, 0));
    for (std::size_t i = 1; i < node.children.size(); ++i) {
      auto& child = at(node, i);
      if (is<grammar::parameters>(child))
        out.parameters = parameters(child);
      else if (is<grammar::alias>(child))
        out.alias = call(at(child, 0));
      else
        for (auto& inner : child.children) line(out, *inner);
    }
    return out;
  }

  Rule rule(const Node& node) {
    return definition<Rule>(node, [&](Rule& out, const Node& line) { out.clauses.push_back(clause(line)); });
  }

  Composite composite(const Node& node) {
    return definition<Composite>(node, [&](Composite& out, const Node& line) { out.entries.push_back(entry(line)); });
  }

  Entry entry(const Node& node) {
    Entry out;
    out.span = span(node);
    for (auto& child : node.children) {
      if (is<grammar::count>(*child))
        out.count = count(*child);
      else if (is<grammar::call>(*child))
        out.target = call(*child);
      else {
        Layers chosen{{}, {}, span(*child)};
        for (auto& part : child->children) {
          if (is<grammar::identifier>(*part))
            chosen.kind = name(*part);
          else
            chosen.glob = string(*part);
        }
        out.layers.push_back(std::move(chosen));
      }
    }
    return out;
  }

  Count count(const Node& node) {
    Count out{text(at(node, 0)) == "last", {}, span(node)};
    if (node.children.size() > 1) {
      auto written = text(at(node, 1));
      std::uint64_t value = 0;
      if (std::from_chars(written.data(), written.data() + written.size(), value).ec != std::errc())
        report(Code::malformed_number, span(at(node, 1)), "the count is too large", "no model has that many layers");
      out.number = value;
    }
    return out;
  }

  Test test(const Node& node) {
    Test out{string(at(node, 0)), {}};
    for (std::size_t i = 1; i < node.children.size(); ++i) {
      auto& child = at(node, i);
      if (is<grammar::let>(child))
        out.clauses.emplace_back(let(child));
      else if (is<grammar::field>(child))
        out.clauses.emplace_back(field(child));
      else {
        Expect expect{pointer(at(child, 0)), {}, span(child)};
        if (child.children.size() > 1) expect.fails = name(at(child, 1));
        out.clauses.emplace_back(std::move(expect));
      }
    }
    return out;
  }

  Pack pack(const Node& node) {
    Pack out{name(at(node, 0)), {}};
    for (std::size_t i = 1; i < node.children.size(); ++i) out.fields.push_back(field(at(node, i)));
    return out;
  }

  SourcePointer source_;
  const std::vector<Span>& comments_;
  std::vector<Diagnostic>& diagnostics_;
};

// ------------------------------------------------------------------------------------------------- piece after piece

using TextInput = grammar::memory_input<grammar::tracking_mode::lazy>;

// Parses one piece of the text. A mistake is reported and gives nothing; what it is part of begins at `begin`.
template <typename Rule>
std::unique_ptr<Node> parse_piece(TextInput& in, std::size_t begin, const SourcePointer& source, Progress& progress,
                                  std::vector<Diagnostic>& diagnostics) {
  try {
    if (auto root = grammar::parse_tree::parse<Rule, Node, Selected, Action, Control>(in, progress)) return root;
    diagnostics.push_back(explain_syntax_error(source, begin, progress.expectations, reserved_words()));
  } catch (const grammar::parse_error& error) {  // only the depth limit throws
    auto here = static_cast<std::size_t>(in.begin() - progress.begin) + error.positions().front().byte;
    progress.starts.clear();
    progress.expectations.note(here, expecting::end);
    diagnostics.push_back({.code = Code::too_deep,
                           .message = fmt::format("expressions are nested more than {} deep", limits.nesting),
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
  for (int words = 0; words < 2; ++words) {
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
    return refuse(Code::too_large,
                  fmt::format("the source has {} bytes; {} is the limit", text.size(), limits.source_bytes), {0, 0},
                  "cut it into several files");
  auto control = std::find_if(text.begin(), text.end(), [](unsigned char c) {
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
  });
  auto bad =
      std::min(find_invalid_utf8(text),
               control == text.end() ? std::string_view::npos : static_cast<std::size_t>(control - text.begin()));
  if (bad != std::string_view::npos)
    return refuse(Code::not_text,
                  fmt::format("byte 0x{:02X} is not part of a text", static_cast<unsigned char>(text[bad])), {bad, bad},
                  "rule files are UTF-8 text");
  return true;
}

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

}  // namespace

syntax::File parse_file(SourcePointer source, std::vector<Diagnostic>& diagnostics) {
  syntax::File file{source, {}, {}, {}};
  if (!readable(source, diagnostics)) return file;
  auto text = source->text();
  file.comments = find_comments(text);
  Builder builder(source, file.comments, diagnostics);
  Progress progress{text.data(), {}};
  std::size_t begin = text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
  Span previous;  // the sound item that was read last; empty behind a mistake
  while (true) {
    TextInput in(text.data() + begin, text.data() + text.size(), "");
    if (!grammar::parse<grammar::blanks>(in) || in.empty()) break;
    begin = static_cast<std::size_t>(in.current() - text.data());
    // What cannot be read as a whole may begin with something that can: of `fn f(z) = max(z 0)` that is `fn f(z) =
    // max`. The grammar got further then, and what was expected there is what the message is about.
    bool goes_on = previous.end > 0 && progress.expectations.offset() > begin;
    auto before = diagnostics.size();
    auto root = parse_piece<grammar::item_line>(in, goes_on ? previous.begin : begin, source, progress, diagnostics);
    if (root) {
      auto item = builder.item(*root->children.at(0));
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
  return file;
}

std::optional<syntax::Call> parse_call(SourcePointer source, std::vector<Diagnostic>& diagnostics) {
  if (!readable(source, diagnostics)) return {};
  auto text = source->text();
  auto comments = find_comments(text);
  Progress progress{text.data(), {}};
  TextInput in(text.data(), text.data() + text.size(), "");
  auto before = diagnostics.size();
  auto root = parse_piece<grammar::single_call>(in, 0, source, progress, diagnostics);
  if (!root) return {};
  auto call = Builder(source, comments, diagnostics).call(*root->children.at(0));
  if (diagnostics.size() > before) return {};
  return call;
}

std::vector<std::string_view> reserved_words() {
  return {"rule",   "composite", "fn",     "test",    "pack",     "import", "as",      "term",  "input", "param",
          "output", "map",       "reduce", "forward", "backward", "let",    "require", "first", "last",  "expect",
          "fails",  "within",    "if",     "then",    "else",     "and",    "or",      "not"};
}

}  // namespace ascribe
