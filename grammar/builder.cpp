#include "grammar/builder.hpp"

#include <algorithm>
#include <charconv>

#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"

namespace ascribe {
namespace {

using namespace syntax;

class Builder {
 public:
  Builder(SourcePointer source, const std::vector<Span>& comments, std::vector<Diagnostic>& diagnostics)
      : source_(std::move(source)),
        comments_(comments),
        diagnostics_(diagnostics),
        most_(diagnostics.size() + limits.messages + 1) {}

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

  Statement statement(const Node& node) {
    Statement out{{}, pointer(*node.children.back()), span(node)};
    if (node.children.size() > 1) out.name = name(at(*node.children.front(), 0));
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

  // Whether a definition is within a limit: what it is made of is compared part by part.
  bool few(std::size_t parts, std::size_t most, const char* what, const Node& node) const {
    if (parts <= most) return true;
    report(Code::too_large, {span(node).begin, span(node).begin + 1},
           filled("the definition has {} {}; {} is the limit", parts, what, most), "make several definitions of it");
    return false;
  }

  void report(Code code, Span where, std::string message, std::string help) const {
    if (diagnostics_.size() >= most_) return;
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
      // The comment's own last blanks may be gone by now.
      if (comment == comments_.end() || comment->begin >= end || comment->begin < begin) break;
      end = comment->begin;
    }
    return {begin, end};
  }

  std::string_view text(const Node& node) const { return source_->text(span(node)); }

  Name name(const Node& node) const {
    Name out{std::string(text(node)), span(node)};
    if (out.text.size() > limits.name_bytes)
      report(Code::too_large, out.span,
             filled("the name has {} characters; {} is the limit", out.text.size(), limits.name_bytes),
             "choose a shorter one");
    return out;
  }

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

  bool begins_line(std::size_t offset) const {
    auto before = source_->text().substr(0, offset);
    before = before.substr(before.rfind('\n') + 1);  // npos + 1 is 0
    if (before.starts_with("\xEF\xBB\xBF")) before.remove_prefix(3);
    return before.find_first_not_of(" \t\r") == std::string_view::npos;
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
          std::count(between.begin(), between.end(), '\n') != 1 || !written.starts_with("##") ||
          !begins_line(comment->begin))
        break;
      written = written.substr(2, written.find_last_not_of(" \t\r") - 1);
      if (written.starts_with(' ')) written.remove_prefix(1);
      lines.push_back(written);
      begin = comment->begin;
    }
    return filled("{}", fmt::join(lines.rbegin(), lines.rend(), "\n"));
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
             filled("the chain has {} operands; {} is the limit", out.operands.size(), limits.chain_operands),
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
    if (!few(node.children.size(), limits.parameters, "parameters", node)) return out;
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
      if (!few(node.children.size() - 1, limits.clauses, "clauses", node)) return out;
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
    auto& body = *node.children.back();
    if (is<grammar::rule_body>(body) && !few(body.children.size(), limits.clauses, "clauses", node)) return {};
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
    if (!few(node.children.size() - 1, limits.clauses, "clauses", node)) return out;
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
  std::size_t most_;  // diagnostics; what comes then is dropped
};

}  // namespace

syntax::Item build_item(const Node& node, const SourcePointer& source, const std::vector<Span>& comments,
                        std::vector<Diagnostic>& diagnostics) {
  return Builder(source, comments, diagnostics).item(node);
}

syntax::Statement build_statement(const Node& node, const SourcePointer& source, const std::vector<Span>& comments,
                                  std::vector<Diagnostic>& diagnostics) {
  return Builder(source, comments, diagnostics).statement(node);
}

syntax::Call build_call(const Node& node, const SourcePointer& source, const std::vector<Span>& comments,
                        std::vector<Diagnostic>& diagnostics) {
  return Builder(source, comments, diagnostics).call(node);
}

}  // namespace ascribe
