#include "tests/fuzz/property.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "grammar/render_text.hpp"

namespace ascribe::fuzz {
namespace {

using namespace syntax;

// Visits everything that has a span, with the span that it has to lie in.
class SpanCheck {
 public:
  void item(const Item& item, Span within) const {
    inside(item.span, within, "an item");
    struct {
      const SpanCheck& check;
      Span span;
      void operator()(const Rule& node) const {
        check.head(node, span);
        for (auto& clause : node.clauses) std::visit([&](auto& each) { check.clause(each, span); }, clause);
      }
      void operator()(const Composite& node) const {
        check.head(node, span);
        for (auto& entry : node.entries) check.entry(entry, span);
      }
      void operator()(const Function& node) const {
        check.name(node.name, span);
        check.parameters(node.parameters, span);
        check.expression(node.body, span);
      }
      void operator()(const Test& node) const {
        inside(node.name.span, span, "a test's name");
        for (auto& clause : node.clauses) std::visit([&](auto& each) { check.clause(each, span); }, clause);
      }
      void operator()(const Pack& node) const {
        check.name(node.name, span);
        for (auto& field : node.fields) check.clause(field, span);
      }
      void operator()(const Import& node) const {
        inside(node.path.span, span, "an import's path");
        check.name(node.name, span);
      }
    } parts{*this, item.span};
    std::visit(parts, item.node);
  }

  void call(const Call& node, Span within) const {
    inside(node.span, within, "a call");
    inside(node.path.span, node.span, "a path");
    if (node.path.qualifier) name(*node.path.qualifier, node.path.span);
    name(node.path.name, node.path.span);
    for (auto& argument : node.arguments) {
      inside(argument.span, node.span, "an argument");
      if (argument.name) name(*argument.name, argument.span);
      expression(argument.value, argument.span);
    }
  }

 private:
  static void inside(Span inner, Span outer, std::string_view what) {
    require(inner.begin < inner.end, "a span holds something", what);
    require(outer.begin <= inner.begin && inner.end <= outer.end, "a part lies inside the whole", what);
  }

  void name(const Name& name, Span within) const {
    inside(name.span, within, "a name");
    require(name.text.size() == name.span.end - name.span.begin, "a name is its text", name.text);
  }

  template <typename Definition>
  void head(const Definition& node, Span within) const {
    name(node.name, within);
    parameters(node.parameters, within);
    if (node.alias) call(*node.alias, within);
  }

  void parameters(const std::vector<Parameter>& parameters, Span within) const {
    for (auto& parameter : parameters) {
      inside(parameter.span, within, "a parameter");
      name(parameter.name, parameter.span);
      if (parameter.type) name(*parameter.type, parameter.span);
      expression(parameter.default_value, parameter.span, /*may_be_missing=*/true);
    }
  }

  void clause(const Modifier& node, Span within) const {
    inside(node.span, within, "a modifier");
    inside(node.keyword, node.span, "a modifier's keyword");
    expression(node.selector, node.span, /*may_be_missing=*/true);
    expression(node.value, node.span);
  }
  void clause(const Term& node, Span within) const {
    inside(node.span, within, "a term");
    name(node.name, node.span);
    for (auto& modifier : node.modifiers) clause(modifier, node.span);
  }
  void clause(const Let& node, Span within) const { named(node, within); }
  void clause(const Field& node, Span within) const { named(node, within); }
  void clause(const Outcome& node, Span within) const {
    inside(node.span, within, "an outcome");
    inside(node.keyword, node.span, "an outcome's keyword");
    expression(node.value, node.span);
  }
  void clause(const Require& node, Span within) const {
    inside(node.span, within, "a requirement");
    expression(node.condition, node.span);
    if (node.message) inside(node.message->span, node.span, "a requirement's message");
  }
  void clause(const Expect& node, Span within) const {
    inside(node.span, within, "an expectation");
    expression(node.condition, node.span);
    if (node.fails) name(*node.fails, node.span);
  }

  template <typename Named>
  void named(const Named& node, Span within) const {
    inside(node.span, within, "a named value");
    name(node.name, node.span);
    expression(node.value, node.span);
  }

  void entry(const Entry& node, Span within) const {
    inside(node.span, within, "an entry");
    if (node.count) inside(node.count->span, node.span, "a count");
    require(!node.layers.empty(), "an entry is for some layers");
    for (auto& layers : node.layers) {
      inside(layers.span, node.span, "an entry's layers");
      require(layers.kind || layers.glob, "an entry's layers have a kind or a glob");
      if (layers.kind) name(*layers.kind, layers.span);
      if (layers.glob) inside(layers.glob->span, layers.span, "a glob");
    }
    call(node.target, node.span);
  }

  void expression(const ExpressionPointer& pointer, Span within, bool may_be_missing = false) const {
    if (pointer)
      expression(*pointer, within);
    else
      require(may_be_missing, "every expression is there");
  }

  void expression(const Expression& written, Span within) const {
    inside(written.span, within, "an expression");
    struct {
      const SpanCheck& check;
      Span span;
      void operator()(const Number&) const {}
      void operator()(const StringLiteral& node) const { inside(node.span, span, "a string"); }
      void operator()(const List& node) const {
        for (auto& element : node.elements) check.expression(element, span);
      }
      void operator()(const Group& node) const { check.expression(node.inner, span); }
      void operator()(const Call& node) const { check.call(node, span); }
      void operator()(const Chain& node) const {
        require(node.operands.size() >= 2 && node.operators.size() == node.operands.size() - 1,
                "a chain has an operator between any two operands");
        for (auto& operand : node.operands) check.expression(operand, span);
      }
      void operator()(const Comparison& node) const {
        check.expression(node.left, span);
        check.expression(node.right, span);
        check.expression(node.within, span, /*may_be_missing=*/true);
      }
      void operator()(const Power& node) const {
        check.expression(node.base, span);
        check.expression(node.exponent, span);
      }
      void operator()(const Unary& node) const { check.expression(node.operand, span); }
      void operator()(const Conditional& node) const {
        check.expression(node.condition, span);
        check.expression(node.consequence, span);
        check.expression(node.alternative, span);
      }
    } parts{*this, written.span};
    std::visit(parts, written.node);
  }
};

}  // namespace

void violated(std::string_view property, std::string_view detail) {
  std::fprintf(stderr, "broken property: %.*s\n%.*s\n", static_cast<int>(property.size()), property.data(),
               static_cast<int>(detail.size()), detail.data());
  std::abort();
}

SourcePointer source_of(const std::uint8_t* data, std::size_t size) {
  return std::make_shared<Source>("fuzz.rule", std::string(reinterpret_cast<const char*>(data), size));
}

void check_diagnostics(const std::vector<Diagnostic>& diagnostics) {
  for (auto& diagnostic : diagnostics) {
    auto inside = [&](const Label& label) {
      if (!label.source) return;
      require(label.span.begin <= label.span.end && label.span.begin <= label.source->text().size() &&
                  label.span.end <= label.source->text().size() + 1,  // the end of the file can be pointed at
              "a message's place lies in the source", diagnostic.message);
    };
    require(diagnostic.code != Code::internal_fault, "a rule file makes no fault of ours", diagnostic.message);
    require(!diagnostic.message.empty(), "a message says something");
    require(diagnostic.message.find('\n') == std::string::npos, "a message is one line", diagnostic.message);
    inside(diagnostic.primary);
    for (auto& label : diagnostic.others) inside(label);
    for (bool colour : {false, true}) {
      auto text = render_text(diagnostic, colour);
      require(text.find(diagnostic.message) != std::string::npos, "a rendered message says what it is about", text);
      require(text.size() < 10'000 + 5 * (diagnostic.message.size() + diagnostic.note.size() + diagnostic.help.size()),
              "a rendered message is short", diagnostic.message);
      require(find_invalid_utf8(text) == std::string_view::npos, "a rendered message is text", text);
    }
  }
}

void check_spans(const File& file) {
  std::size_t from = 0, size = file.source->text().size();
  for (auto& item : file.items) {
    SpanCheck().item(item, {from, size});
    from = item.span.end;
  }
  from = 0;
  for (auto& comment : file.comments) {
    require(comment.begin >= from && comment.end <= size && file.source->text(comment).starts_with('#'),
            "comments begin with # and stand in order");
    from = comment.end;
  }
}

void check_spans(const Call& call, Span within) { SpanCheck().call(call, within); }

}  // namespace ascribe::fuzz
