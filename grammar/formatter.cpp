#include "grammar/formatter.hpp"

#include <algorithm>

#include "grammar/expression_form.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/layout.hpp"
#include "grammar/limits.hpp"
#include "grammar/parser.hpp"
#include "grammar/syntax_compare.hpp"
#include "grammar/token_writer.hpp"
#include "grammar/tokens.hpp"

namespace ascribe {
namespace {

using namespace syntax;

// Selectors up to this width have their arrows in one column; behind longer ones the arrow stands where it can.
constexpr std::size_t widest_aligned_selector = 60;

// Walks the tree and takes the tokens along, one after the other: the tree says where lines may end, the tokens bring
// the spelling and the comments.
class Formatter : TokenWriter {
 public:
  Formatter(const File& file, const Tokens& source) : TokenWriter(source), file_(file) {}

  std::string run() {
    bool long_above = false;
    for (auto& item : file_.items) {
      auto begin = lines_.size();
      comments_above(false);
      std::visit([this](auto& node) { definition(node); }, item.node);
      finish_layout();
      auto first = begin;
      while (first < lines_.size() && lines_[first].code.empty()) ++first;
      bool is_long = lines_.size() > first + 1;
      if (begin > 0 && (is_long || long_above)) separate(begin, first);
      long_above = is_long;
      if (at(";")) drop_semicolon_between_items();
    }
    comments_above(false);
    if (!at("")) throw Disagreement{};
    finish_layout();
    return join_lines(lines_);
  }

 private:
  void drop_semicolon_between_items() {
    bool keep_apart = has_comments();
    drop();
    if (!keep_apart) return;
    // Without the semicolon, comments before it would document the next definition.
    trailing_comment();
    layout_.blank_line();
  }

  void finish_layout() {
    layout_.arrange(lines_);
    layout_ = Layout();
  }

  // An empty line between two definitions, unless there is one among the comments between them.
  void separate(std::size_t begin, std::size_t first) {
    for (auto i = begin; i <= first; ++i)
      if (lines_[i].blank_before) return;
    lines_[begin].blank_before = true;
  }

  // ------------------------------------------------------------------------------------------------------- items

  void definition(const Rule& rule) {
    take("rule");
    head();
    parameters(rule.parameters);
    layout_.space();
    if (rule.alias) return alias(*rule.alias);
    body(rule.clauses, [this](auto& each) { std::visit([this](auto& node) { clause(node); }, each); });
  }

  void definition(const Composite& composite) {
    take("composite");
    head();
    parameters(composite.parameters);
    layout_.space();
    if (composite.alias) return alias(*composite.alias);
    std::vector<Arrow> neighbours;
    body(composite.entries, [&](auto& each) {
      if (blank_line_above()) align(neighbours);
      neighbours.push_back(entry(each));
    });
    align(neighbours);
  }

  void definition(const Function& function) {
    take("fn");
    head();
    parameters(function.parameters);
    layout_.space();
    take("=");
    value(*function.body);
  }

  void definition(const Test& test) {
    take("test");
    head();
    layout_.space();
    body(test.clauses, [this](auto& each) { std::visit([this](auto& node) { clause(node); }, each); });
  }

  void definition(const Pack& pack) {
    take("pack");
    head();
    layout_.space();
    body(pack.fields, [this](auto& each) { clause(each); });
  }

  void definition(const Import&) {
    take("import");
    head();
    layout_.space();
    take("as");
    head();
  }

  // The word or string behind a keyword.
  void head() {
    layout_.space();
    take();
  }

  void alias(const Call& target) {
    take("=");
    layout_.space();
    call(target);
  }

  void parameters(const std::vector<Parameter>& parameters) {
    if (!at("(")) return;
    bracketed("(", ")", parameters, Break::plain, [this](auto& parameter) {
      take();
      if (parameter.type) {
        take(":");
        head();
      }
      if (!parameter.default_value) return;
      layout_.space();
      take("=");
      layout_.space();
      expression(*parameter.default_value);
    });
  }

  // `{ … }` with a line for each clause, or on one line as the author wrote it.
  template <typename Clause, typename Write>
  void body(const std::vector<Clause>& clauses, Write write) {
    bool one_line = peek().line == peek().closed_on;
    take("{");
    if (clauses.empty() && !has_comments()) return take("}");
    auto end_line = [&] { one_line ? layout_.line(Break::plain) : layout_.newline(); };
    layout_.open_group();
    layout_.indent();
    for (std::size_t i = 0; i < clauses.size(); ++i) {
      end_line();
      comments_above(i == 0);
      write(clauses[i]);
      if (at(";")) drop();
      if (i + 1 < clauses.size()) layout_.if_flat(";");
    }
    comments_above(clauses.empty());
    layout_.dedent();
    end_line();
    take("}");
    layout_.close_group();
  }

  // ----------------------------------------------------------------------------------------------------- clauses

  void clause(const Modifier& modifier) {
    take();
    if (modifier.selector) {
      layout_.space();
      expression(*modifier.selector);
    }
    layout_.space();
    take("=");
    value(*modifier.value);
  }

  void clause(const Term& term) {
    take("term");
    head();
    layout_.space();
    body(term.modifiers, [this](auto& each) { clause(each); });
  }

  void clause(const Let& let) {
    take("let");
    layout_.space();
    assignment(*let.value);
  }

  void clause(const Field& field) { assignment(*field.value); }
  void clause(const Outcome& outcome) { assignment(*outcome.value); }

  // A word, `=`, a value.
  void assignment(const Expression& assigned) {
    take();
    layout_.space();
    take("=");
    value(assigned);
  }

  void clause(const Require& require) {
    take("require");
    layout_.space();
    open_group();
    layout_.indent();
    expression(*require.condition);
    if (require.message) {
      take_comma();
      layout_.line(Break::plain);
      take();
    }
    layout_.dedent();
    layout_.close_group();
  }

  void clause(const Expect& expect) {
    take("expect");
    layout_.space();
    expression(*expect.condition);
    if (!expect.fails) return;
    layout_.space();
    take("fails");
    head();
  }

  // ----------------------------------------------------------------------------------------------------- entries

  // Where spaces may go before an entry's `=>`, and how wide its selector is.
  struct Arrow {
    std::size_t padding, width;
    bool is_aligned() const { return width <= widest_aligned_selector; }
  };

  Arrow entry(const Entry& entry) {
    auto begin = layout_.place();
    layout_.open_group();
    layout_.indent();
    if (entry.count) {
      take();
      if (entry.count->number) head();
      layout_.space();
    }
    for (std::size_t i = 0; i < entry.layers.size(); ++i) {
      if (i > 0) {
        take_comma();
        layout_.line(Break::fill);
      }
      take();
      if (entry.layers[i].kind && entry.layers[i].glob) head();
    }
    layout_.dedent();
    layout_.close_group();
    Arrow arrow{0, has_comments() ? Layout::npos : layout_.flat_width(begin, layout_.place())};
    arrow.padding = layout_.padding();
    layout_.space();
    take("=>");
    layout_.space();
    call(entry.target);
    return arrow;
  }

  void align(std::vector<Arrow>& neighbours) {
    std::size_t widest = 0;
    for (auto& arrow : neighbours)
      if (arrow.is_aligned()) widest = std::max(widest, arrow.width);
    for (auto& arrow : neighbours)
      if (arrow.is_aligned()) layout_.set_padding(arrow.padding, widest - arrow.width);
    neighbours.clear();
  }

  // ------------------------------------------------------------------------------------------------- expressions

  // What stands behind `=`: on the same line if it fits or begins with its own brackets, otherwise below.
  void value(const Expression& written) {
    if (is_bracketed(written) && !has_comments()) {
      layout_.space();
      return expression(written);
    }
    layout_.open_group();
    layout_.indent();
    layout_.line(Break::plain);
    expression(written, false);
    layout_.dedent();
    layout_.close_group();
  }

  // `indented`: whether operators that begin a line stand further to the right than the expression does.
  void expression(const Expression& written, bool indented = true) {
    std::visit([&](auto& node) { write(node, indented); }, written.node);
  }

  void write(const Number&, bool) { take(); }
  void write(const StringLiteral&, bool) { take(); }
  void write(const Call& written, bool) { call(written); }

  void write(const List& list, bool) {
    bracketed("[", "]", list.elements, all_atoms(list.elements) ? Break::fill : Break::plain,
              [this](auto& element) { expression(element); });
  }

  void write(const Group& group, bool) {
    take("(");
    layout_.open_group();
    layout_.indent();
    layout_.line(Break::soft);
    expression(*group.inner, false);
    close_bracket(")");
  }

  void write(const Chain& chain, bool indented) {
    auto kind = all_atoms(chain.operands) ? Break::fill : Break::plain;
    open_group();
    if (indented) layout_.indent();
    for (std::size_t i = 0; i < chain.operands.size(); ++i) {
      if (i > 0) operation(kind);
      expression(chain.operands[i]);
    }
    if (indented) layout_.dedent();
    layout_.close_group();
  }

  void write(const Comparison& comparison, bool indented) {
    open_group();
    if (indented) layout_.indent();
    expression(*comparison.left);
    operation(Break::plain);
    expression(*comparison.right);
    if (comparison.within) {
      operation(Break::plain);
      expression(*comparison.within);
    }
    if (indented) layout_.dedent();
    layout_.close_group();
  }

  // An operator of two operands, at the beginning of its line.
  void operation(Break kind) {
    layout_.line(kind);
    take();
    layout_.space();
  }

  void write(const Power& power, bool) {
    expression(*power.base);
    layout_.space();
    take("^");
    layout_.space();
    expression(*power.exponent);
  }

  void write(const Unary& unary, bool) {
    take();
    if (unary.op == Operator::logical_not) layout_.space();
    expression(*unary.operand);
  }

  void write(const Conditional& conditional, bool) {
    open_group();
    auto* rest = &conditional;
    while (true) {
      branch("if", *rest->condition);
      layout_.line(Break::plain);
      branch("then", *rest->consequence);
      layout_.line(Break::plain);
      auto* next = std::get_if<Conditional>(&rest->alternative->node);
      if (!next) break;
      take("else");
      layout_.space();
      rest = next;
    }
    branch("else", *rest->alternative);
    layout_.close_group();
  }

  void branch(std::string_view word, const Expression& written) {
    take(word);
    layout_.space();
    layout_.indent();
    expression(written, false);
    layout_.dedent();
  }

  void call(const Call& call) {
    take();
    if (!call.has_arguments) return;
    bracketed("(", ")", call.arguments, Break::plain, [this](auto& argument) {
      if (argument.name) {
        take();
        layout_.space();
        take("=");
        layout_.space();
      }
      expression(*argument.value);
    });
  }

  // Elements between brackets, with commas between them and none behind the last.
  template <typename Element, typename Write>
  void bracketed(std::string_view open, std::string_view close, const std::vector<Element>& elements, Break between,
                 Write write_element) {
    take(open);
    layout_.open_group();
    layout_.indent();
    layout_.line(Break::soft);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      if (i > 0) {
        take_comma();
        layout_.line(between);
      }
      write_element(elements[i]);
    }
    if (at(",")) drop();
    close_bracket(close);
  }

  void close_bracket(std::string_view close) {
    comments();
    layout_.dedent();
    layout_.line(Break::soft);
    take(close);
    layout_.close_group();
  }

  const File& file_;
  std::vector<Line> lines_;
};

Diagnostic fault(SourcePointer source, const char* what) {
  return {.code = Code::internal_fault,
          .message = filled("formatting would change {}", what),
          .primary = {std::move(source), {0, 0}, ""},
          .help = "this is a fault of Ascribe's; please report it with the file, which is left as it is"};
}

}  // namespace

std::optional<std::string> format_source(SourcePointer source, std::vector<Diagnostic>& diagnostics) {
  auto refuse = [&](Diagnostic diagnostic) {
    diagnostics.push_back(std::move(diagnostic));
    return std::nullopt;
  };
  std::vector<Diagnostic> mistakes;
  auto file = parse_file(source, mistakes);
  if (has_errors(mistakes)) {
    diagnostics.insert(diagnostics.end(), mistakes.begin(), mistakes.end());
    return {};
  }
  try {
    auto tokens = cut_into_tokens(file);
    auto text = Formatter(file, tokens).run();
    if (text.size() > limits.source_bytes)
      return refuse({.code = Code::too_large,
                     .message = filled("formatted, the source would have {} bytes; {} is the limit", text.size(),
                                       limits.source_bytes),
                     .primary = {source, {0, 0}, ""},
                     .help = "cut it into several files"});
    auto again = parse_file(std::make_shared<Source>(source->name(), text), mistakes);
    if (has_errors(mistakes) || !same_syntax(file, again)) return refuse(fault(source, "what the file means"));
    auto tokens_again = cut_into_tokens(again);
    if (!same_order(tokens, tokens_again)) return refuse(fault(source, "where the comments stand"));
    if (Formatter(again, tokens_again).run() != text) return refuse(fault(source, "its own result"));
    return text;
  } catch (const Disagreement&) {
    return refuse(fault(source, "what the file means"));
  }
}

}  // namespace ascribe
