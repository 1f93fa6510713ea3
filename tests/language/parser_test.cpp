// Text to tree: shapes, places, comments, and what is no text.
#include "grammar/parser.hpp"
#include "grammar/render_text.hpp"

#include "grammar/limits.hpp"
#include "tests/catch.hpp"

namespace {

using namespace ascribe;

struct Parsed {
  syntax::File file;
  std::vector<Diagnostic> diagnostics;
};

Parsed parse(std::string text) {
  Parsed out;
  out.file = parse_file(std::make_shared<Source>("t.rule", std::move(text)), out.diagnostics);
  return out;
}

// The tree of an expression, written out with every bracket.
std::string shape(const syntax::Expression& expression);

struct Shape {
  static const char* word(syntax::Operator op) {
    constexpr const char* words[] = {"+",  "-", "*",  "/",   "^",  "==", "!=", "<",
                                     "<=", ">", ">=", "and", "or", "-",  "not"};
    return words[static_cast<std::size_t>(op)];
  }
  std::string operator()(const syntax::Number& n) const {
    return n.value == static_cast<int>(n.value) ? std::to_string(static_cast<int>(n.value)) : std::to_string(n.value);
  }
  std::string operator()(const syntax::StringLiteral& s) const { return "\"" + s.value + "\""; }
  std::string operator()(const syntax::List& list) const {
    std::string out = "[";
    for (auto& each : list.elements) out += (out.size() > 1 ? " " : "") + shape(each);
    return out + "]";
  }
  std::string operator()(const syntax::Group& group) const { return "<" + shape(*group.inner) + ">"; }
  std::string operator()(const syntax::Call& call) const {
    auto out = (call.path.qualifier ? call.path.qualifier->text + "." : "") + call.path.name.text;
    if (!call.has_arguments) return out;
    out += "(";
    for (auto& each : call.arguments)
      out += (out.back() == '(' ? "" : " ") + (each.name ? each.name->text + "=" : "") + shape(*each.value);
    return out + ")";
  }
  std::string operator()(const syntax::Chain& chain) const {
    std::string out = "{" + shape(chain.operands[0]);
    for (std::size_t i = 0; i < chain.operators.size(); ++i)
      out += std::string(" ") + word(chain.operators[i]) + " " + shape(chain.operands[i + 1]);
    return out + "}";
  }
  std::string operator()(const syntax::Comparison& c) const {
    return "{" + shape(*c.left) + " " + word(c.op) + " " + shape(*c.right) +
           (c.within ? " within " + shape(*c.within) : "") + "}";
  }
  std::string operator()(const syntax::Power& p) const {
    return "{" + shape(*p.base) + " ^ " + shape(*p.exponent) + "}";
  }
  std::string operator()(const syntax::Unary& u) const {
    return std::string("{") + word(u.op) + " " + shape(*u.operand) + "}";
  }
  std::string operator()(const syntax::Conditional& c) const {
    return "{if " + shape(*c.condition) + " " + shape(*c.consequence) + " " + shape(*c.alternative) + "}";
  }
};

std::string shape(const syntax::Expression& expression) { return std::visit(Shape{}, expression.node); }

std::string shape_of(const std::string& expression) {
  auto parsed = parse("fn f(z) = " + expression);
  INFO(render_text(parsed.diagnostics));
  REQUIRE(parsed.file.items.size() == 1);
  return shape(*std::get<syntax::Function>(parsed.file.items[0].node).body);
}

}  // namespace

TEST_CASE("operators bind as the language says") {
  CHECK(shape_of("-x ^ 2") == "{- {x ^ 2}}");
  CHECK(shape_of("2 ^ 3 ^ 4") == "{2 ^ {3 ^ 4}}");
  CHECK(shape_of("2 ^ -1") == "{2 ^ {- 1}}");
  CHECK(shape_of("a - b - c + d") == "{a - b - c + d}");
  CHECK(shape_of("a + b * c / d") == "{a + {b * c / d}}");
  CHECK(shape_of("- a * b") == "{{- a} * b}");
  CHECK(shape_of("not a == b and c < d or e") == "{{{not {a == b}} and {c < d}} or e}");
  CHECK(shape_of("a == b within c + 1") == "{a == b within {c + 1}}");
  CHECK(shape_of("if a > 0 then b else if c then d else e + 1") == "{if {a > 0} b {if c d {e + 1}}}");
  CHECK(shape_of("(a + b) * c") == "{<{a + b}> * c}");
  CHECK(shape_of("f(a, k = [1, [2]], )") == "f(a k=[1 [2]])");
  CHECK(shape_of("pos.y + layer.x") == "{pos.y + layer.x}");
  CHECK(shape_of("f()") == "f()");
}

TEST_CASE("numbers and strings have their values") {
  CHECK(shape_of("1.5e-3") == std::to_string(1.5e-3));
  CHECK(shape_of("1E2") == "100");
  CHECK(shape_of(R"(g("a\"b\\c"))") == R"(g("a"b\c"))");
  CHECK(shape_of("g(\"Größe # no comment\")") == "g(\"Größe # no comment\")");
}

TEST_CASE("a node's span ends before the blanks and comments behind it") {
  std::string text = "rule a { map = (R + y)  # why\n  # still\n }   # end";
  auto parsed = parse(text);
  auto& item = parsed.file.items.at(0);
  auto& modifier = std::get<syntax::Modifier>(std::get<syntax::Rule>(item.node).clauses.at(0));
  auto written = [&](Span span) { return text.substr(span.begin, span.end - span.begin); };
  CHECK(written(modifier.value->span) == "(R + y)");
  CHECK(written(modifier.span) == "map = (R + y)");
  CHECK(written(item.span) == "rule a { map = (R + y)  # why\n  # still\n }");
  REQUIRE(parsed.file.comments.size() == 3);
  CHECK(written(parsed.file.comments[1]) == "# still");
  text = "fn f(a: param # blanks end this line \t\r\n) = a";
  CHECK(std::get<syntax::Function>(parse(text).file.items.at(0).node).parameters.at(0).type->text == "param");
}

TEST_CASE("the lines with two marks directly above a definition document it") {
  auto parsed = parse(
      "## not this\n\n## First line.\n##   indented\nrule a {}\n# plain\nrule b {}\n## c\ncomposite c { any => a }");
  REQUIRE(parsed.file.items.size() == 3);
  CHECK(parsed.file.items[0].documentation == "First line.\n  indented");
  CHECK(parsed.file.items[1].documentation == "");
  CHECK(parsed.file.items[2].documentation == "c");
}

TEST_CASE("a comment behind a definition does not document the next one, and blanks at a line's end are no text") {
  auto parsed = parse("rule a {} ## of a\nrule b {}\n## of c \t\r\n##\nrule c {}\n");
  REQUIRE(parsed.file.items.size() == 3);
  CHECK(parsed.file.items[1].documentation == "");
  CHECK(parsed.file.items[2].documentation == "of c\n");
  CHECK(parse("\xEF\xBB\xBF## first\nrule a {}").file.items.at(0).documentation == "first");
}

TEST_CASE("every construct of the grammar has its place in the tree") {
  auto parsed = parse(R"(
    import "../acme" as acme
    pack acme { version = "1.2.0"; language = 1 }
    test "bias" { model = linear(weight = [[1]]); let t = 1; x = [[1]]; expect relevance(epsilon) == t within 1e-5; expect y fails A0305 }
    rule r(a: names = ["bias"], b: output) { require has("weight"), "why"; param a = 0; param ["bias"] = 1; term t { output = y } let l = 1; reduce = t.v; }
    rule s = r(b = 1)
    composite c(k) = d(k)
    composite d(k = 1) { first 5 convolution "a.*", linear, "b" => r(b = k); last linear => acme.x }
  )");
  CHECK(render_text(parsed.diagnostics) == "");
  REQUIRE(parsed.file.items.size() == 7);
  CHECK(std::get<syntax::Import>(parsed.file.items[0].node).path.value == "../acme");
  CHECK(std::get<syntax::Pack>(parsed.file.items[1].node).fields.size() == 2);
  auto& test = std::get<syntax::Test>(parsed.file.items[2].node);
  CHECK(test.clauses.size() == 5);
  CHECK(std::get<syntax::Expect>(test.clauses[4]).fails->text == "A0305");
  auto& rule = std::get<syntax::Rule>(parsed.file.items[3].node);
  CHECK(rule.parameters[1].type->text == "output");
  CHECK(std::get<syntax::Require>(rule.clauses[0]).message->value == "why");
  CHECK(std::get<syntax::Term>(rule.clauses[3]).modifiers.size() == 1);
  auto& entry = std::get<syntax::Composite>(parsed.file.items[6].node).entries[0];
  CHECK(entry.count->number == 5);
  CHECK(entry.layers.size() == 3);
  CHECK(entry.layers[0].glob->value == "a.*");
  CHECK(std::get<syntax::Composite>(parsed.file.items[6].node).entries[1].count->last);
}

TEST_CASE("after a mistake reading goes on at the next definition") {
  auto parsed = parse("rule a { map = }\nrule b { map = R }\nrule c { foo }\nrule d {}");
  CHECK(parsed.diagnostics.size() == 2);
  CHECK(parsed.file.items.size() == 2);
}

TEST_CASE("what is beyond the limits or no text gets one message and never a crash") {
  auto only = [](std::string text) {
    auto diagnostics = parse(std::move(text)).diagnostics;
    REQUIRE(diagnostics.size() == 1);
    return diagnostics[0].code;
  };
  std::string sum = "1";
  for (int i = 0; i < 100'000; ++i) sum += "+1";
  CHECK(only("fn f(z) = " + std::string(100'000, '(') + "z" + std::string(100'000, ')')) == Code::too_deep);
  CHECK(only("fn f(z) = " + std::string(100'000, '[')) == Code::too_deep);
  CHECK(only("fn f(z) = " + std::string(100'000, '-') + "z") == Code::too_deep);
  CHECK(only("fn f(z) = " + sum) == Code::too_large);
  CHECK(only(std::string(10 << 20, ' ')) == Code::too_large);
  CHECK(only(std::string("rule a {\0}", 10)) == Code::not_text);
  CHECK(only("rule a { # \xC3\x28\n}") == Code::not_text);
  CHECK(only("\xED\xA0\x80") == Code::not_text);
  CHECK(parse("fn f(z) = " + std::string(100, '(') + "z" + std::string(100, ')')).diagnostics.empty());
  CHECK(parse("").diagnostics.empty());
  CHECK(parse("\xEF\xBB\xBFrule a {}\r\n").file.items.size() == 1);
}

TEST_CASE("a call stands alone or not at all") {
  std::vector<Diagnostic> diagnostics;
  auto call =
      parse_call(std::make_shared<Source>("spec", " epsilon_plus(0.1, stabilizer = clipped(1)) # why"), diagnostics);
  REQUIRE(call);
  CHECK(call->arguments.size() == 2);
  CHECK_FALSE(parse_call(std::make_shared<Source>("spec", "epsilon epsilon"), diagnostics));
  CHECK_FALSE(parse_call(std::make_shared<Source>("spec", ""), diagnostics));
  CHECK(diagnostics.size() == 2);
}

TEST_CASE("a mistake in the middle of a definition is one mistake, also where its beginning could stand alone") {
  auto messages = [](std::string text) {
    std::vector<std::string> out;
    for (auto& diagnostic : parse(std::move(text)).diagnostics)
      out.push_back(std::to_string(diagnostic.primary.span.begin) + " " + diagnostic.message);
    return out;
  };
  using Messages = std::vector<std::string>;
  CHECK(messages("fn f(z) = max(z 0)") == Messages{"16 expected `,` or `)`, found `0`"});
  CHECK(messages("rule a = b(1 2)\nrule c { foo }").size() == 2);
  CHECK(messages("fn f(z) = z +\nrule a {}") == Messages{"14 expected an expression, found `rule`"});
  CHECK(messages("fn f(z) = z w") == Messages{"12 an operator is missing between `z` and `w`"});
  CHECK(messages("fn f(z) = z if z > 0 else 0") == Messages{"12 `if` stands before its values"});
  auto parsed = parse("rule a = b c\nrule d {} }\nrule e {}");
  CHECK(parsed.diagnostics.size() == 2);
  CHECK(parsed.file.items.size() == 2);  // d and e; half of a is not a
  CHECK(std::count(parsed.file.broken.begin(), parsed.file.broken.end(), "a") == 1);
}

TEST_CASE("what is nested too deeply is shown where it is") {
  auto diagnostics = parse("\n\n  fn f(z) = " + std::string(1000, '(')).diagnostics;
  REQUIRE(diagnostics.size() == 1);
  auto place = diagnostics[0].primary.source->position(diagnostics[0].primary.span.begin);
  CHECK(place.line == 3);
  CHECK(place.column > 13);
  CHECK(place.column < 200);
}

TEST_CASE("a session's input holds definitions, values with names, and expressions") {
  auto parse_line = [](std::string text, std::vector<Diagnostic>& diagnostics) {
    return parse_input(std::make_shared<Source>("input:1", std::move(text)), diagnostics);
  };
  std::vector<Diagnostic> diagnostics;
  auto parsed = parse_line("rule a = b\n## Documented.\nfn f(z) = z; x = 2 * 3; f(x = 1) == x", diagnostics);
  REQUIRE(parsed.input);
  CHECK(diagnostics.empty());
  auto& parts = parsed.input->parts;
  REQUIRE(parts.size() == 4);
  CHECK(std::get<syntax::Item>(parts[1]).documentation == "Documented.");
  auto& named = std::get<syntax::Statement>(parts[2]);
  REQUIRE(named.name);
  CHECK(named.name->text == "x");
  CHECK(shape(*named.value) == "{2 * 3}");
  auto& bare = std::get<syntax::Statement>(parts[3]);
  CHECK_FALSE(bare.name);
  CHECK(shape(*bare.value) == "{f(x=1) == x}");
  CHECK(parsed.input->source->text(bare.span) == "f(x = 1) == x");

  for (auto text : {"rule a {", "x = [1,", "x =", "1 +", "if x then 1", "composite c", "f(", "1 # +\n *"}) {
    INFO(text);
    diagnostics.clear();
    parsed = parse_line(text, diagnostics);
    CHECK_FALSE(parsed.input);
    CHECK(parsed.incomplete);
    CHECK(diagnostics.size() == 1);
  }
  for (auto text : {"rule a }", "x y", "x = )", "1 2", "\"no end", "x = = 1", "acme.", "2x", "x = 1 y = 2"}) {
    INFO(text);
    diagnostics.clear();
    parsed = parse_line(text, diagnostics);
    CHECK_FALSE(parsed.input);
    CHECK_FALSE(parsed.incomplete);
    CHECK(diagnostics.size() == 1);
  }
  diagnostics.clear();
  parse_line("foo ->", diagnostics);
  CHECK(diagnostics.size() == 1);
}

TEST_CASE("a source that is a part of something longer has that one's lines") {
  Source source("<stdin>", "a\nb c", 7);
  CHECK(source.position(4).line == 8);
  CHECK(source.position(4).column == 3);
  CHECK(source.line(8) == "b c");
}
