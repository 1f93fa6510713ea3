// The canonical form: what it looks like, what it keeps, and what it refuses.
#include "grammar/formatter.hpp"
#include "grammar/render_text.hpp"

#include <filesystem>

#include "grammar/parser.hpp"
#include "grammar/source.hpp"
#include "grammar/syntax_compare.hpp"
#include "grammar/tokens.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace {

using namespace ascribe;

std::string formatted(const std::string& text) {
  std::vector<Diagnostic> diagnostics;
  auto out = format_source(std::make_shared<Source>("t.rule", text), diagnostics);
  INFO(text);
  INFO(render_text(diagnostics));
  REQUIRE(out);
  CHECK(diagnostics.empty());
  return *out;
}

std::vector<Diagnostic> refused(const std::string& text) {
  std::vector<Diagnostic> diagnostics;
  CHECK_FALSE(format_source(std::make_shared<Source>("t.rule", text), diagnostics));
  return diagnostics;
}

syntax::File parsed(const std::string& text) {
  std::vector<Diagnostic> diagnostics;
  auto file = parse_file(std::make_shared<Source>("t.rule", text), diagnostics);
  REQUIRE(render_text(diagnostics) == "");
  return file;
}

std::vector<std::filesystem::path> rule_files(const std::string& folder) {
  std::vector<std::filesystem::path> out;
  for (auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(ASCRIBE_TEST_DATA) / folder))
    if (entry.path().extension() == ".rule") out.push_back(entry.path());
  return out;
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("the standard pack and the examples are in canonical form") {
  std::size_t count = 0;
  for (auto* folder : {"../../stdlib", "../../examples"})
    for (auto& path : rule_files(folder)) {
      INFO(path << ": run `ascribe fmt` on it");
      auto text = test::bytes_of(path);
      CHECK(formatted(text) == text);
      ++count;
    }
  CHECK(count >= 8);
}

TEST_CASE("every valid file has a canonical form, which is its own") {
  for (auto& path : rule_files("valid")) {
    INFO(path);
    auto once = formatted(test::bytes_of(path));
    CHECK(formatted(once) == once);
  }
}

TEST_CASE("definitions are spaced alike, however they were written") {
  CHECK(formatted(R"(import"../acme"as acme;pack acme{version="1.2.0";language=1}
rule norm(epsilon:stabilizer=1e-6,)=std.epsilon(epsilon,k=-1)
fn relative(z,epsilon   =1e-6)
      =stabilize(z,epsilon*sqrt(mean(z^2)))
rule r(){require has("weight"),"why";param"bias"=0 param["weight"]=1 param a=w;output=not y>0 or 2^-1==1 within 2}
composite   c(k)=d(k)
test"bias"{model=linear(weight=[[1]]) let t=1;expect relevance(a)==t within 1e-5 expect y fails A0305})") ==
        R"(import "../acme" as acme
pack acme { version = "1.2.0"; language = 1 }
rule norm(epsilon: stabilizer = 1e-6) = std.epsilon(epsilon, k = -1)
fn relative(z, epsilon = 1e-6) = stabilize(z, epsilon * sqrt(mean(z ^ 2)))

rule r() {
  require has("weight"), "why"
  param "bias" = 0
  param ["weight"] = 1
  param a = w
  output = not y > 0 or 2 ^ -1 == 1 within 2
}

composite c(k) = d(k)
test "bias" { model = linear(weight = [[1]]); let t = 1; expect relevance(a) == t within 1e-5; expect y fails A0305 }
)");
}

TEST_CASE("the examples of the language's description come out nearly as they are") {
  CHECK(formatted(R"(rule norm(epsilon: stabilizer = 1e-6) = epsilon(epsilon)   # a rule from a rule
rule pass                             { backward = R }     # the seed's Ignore
rule halved_output                    { forward = 0.5 * y }
fn relative(z, epsilon = 1e-6)        = stabilize(z, epsilon * sqrt(mean(z ^ 2)))          # Zennit's norm_scale

composite my_vgg {
  batch_norm                       => merge                # folded into the linear layer before it, while attached
  first linear, convolution        => flat
  first 5 convolution "features.*" => gamma(0.25)
  last linear                      => std.epsilon(0)
  softmax                          => refuse               # an error that names the layer
  any                              => epsilon_plus(relative(0.1))
}

test "what the bias takes" {
  model = linear(weight = [[1]], bias = [-0.25])           # or a list of layers, in sequence; float64
  x     = [[1]]                                            # R, if not given, is y
  expect relevance(alpha_beta(1, 0)) == [[0.75]] within 1e-5
  expect relevance(alpha_beta(2, 2)) fails A0305
}

pack acme { version = "1.2.0"; language = 1 }              # in pack.rule; names that begin with _ stay inside
import "../acme" as acme                                   # then acme.my_vgg
)") == R"(rule norm(epsilon: stabilizer = 1e-6) = epsilon(epsilon)                    # a rule from a rule
rule pass { backward = R }                                                  # the seed's Ignore
rule halved_output { forward = 0.5 * y }
fn relative(z, epsilon = 1e-6) = stabilize(z, epsilon * sqrt(mean(z ^ 2)))  # Zennit's norm_scale

composite my_vgg {
  batch_norm                       => merge   # folded into the linear layer before it, while attached
  first linear, convolution        => flat
  first 5 convolution "features.*" => gamma(0.25)
  last linear                      => std.epsilon(0)
  softmax                          => refuse  # an error that names the layer
  any                              => epsilon_plus(relative(0.1))
}

test "what the bias takes" {
  model = linear(weight = [[1]], bias = [-0.25])  # or a list of layers, in sequence; float64
  x = [[1]]                                       # R, if not given, is y
  expect relevance(alpha_beta(1, 0)) == [[0.75]] within 1e-5
  expect relevance(alpha_beta(2, 2)) fails A0305
}

pack acme { version = "1.2.0"; language = 1 }  # in pack.rule; names that begin with _ stay inside
import "../acme" as acme                       # then acme.my_vgg
)");
}

TEST_CASE("a body stays on one line where it was written there and fits") {
  CHECK(formatted("rule a{map=R;}\nrule b{term t{input=x param=w}\nmap=R}\nrule c{term t{input=x} map=R}\nrule d{}") ==
        R"(rule a { map = R }

rule b {
  term t { input = x; param = w }
  map = R
}

rule c { term t { input = x }; map = R }
rule d {}
)");
  CHECK(formatted("rule a {\n}\nrule b {\n map = R }") == "rule a {}\n\nrule b {\n  map = R\n}\n");
  std::string fits = "rule a { map = " + std::string(103, 'R') + " }\n", long_one = fits;
  CHECK(formatted(fits) == fits);
  long_one.insert(15, "R");
  CHECK(formatted(long_one) == "rule a {\n  map = " + std::string(104, 'R') + "\n}\n");
}

TEST_CASE("the width counts characters, not bytes") {
  std::string fits = "rule a { map = f(\"" + repeated("ε", 98) + "\") }\n", long_one = fits;
  CHECK(formatted(fits) == fits);
  long_one.insert(18, "ε");
  CHECK(formatted(long_one) == "rule a {\n  map = f(\"" + repeated("ε", 99) + "\")\n}\n");
}

TEST_CASE("the arrows of neighbouring entries stand in one column") {
  CHECK(formatted(R"(composite c {
  "head.*" => a # one
  first linear,convolution=>b(
  1)
  # a comment divides nothing

  first 5 convolution "features.*" => c # an empty line does
  any => d # two
  "a_selector_that_is_so_long_that_nothing_else_should_have_to_follow_it" => d
}
composite one_line { any => a; "head.*" => b }
composite modules { first 2 module  "encoder.*.act"=>a
 class"SMELU",product => b })") == R"(composite c {
  "head.*"                  => a  # one
  first linear, convolution => b(1)
  # a comment divides nothing

  first 5 convolution "features.*" => c  # an empty line does
  any                              => d  # two
  "a_selector_that_is_so_long_that_nothing_else_should_have_to_follow_it" => d
}

composite one_line { any => a; "head.*" => b }

composite modules {
  first 2 module "encoder.*.act" => a
  class "SMELU", product         => b
}
)");
}

TEST_CASE("the comments behind neighbouring lines stand in one column") {
  CHECK(formatted(R"(rule a { # opens
  map = R # one
  # between
  reduce = sum(x * v)
  let l = 1 # two

  let k = 2 # alone
  term t { # inside
    input = x   # deeper
  } # closes
}
rule b = a # first
rule longer = b # second)") == R"(rule a {  # opens
  map = R    # one
  # between
  reduce = sum(x * v)
  let l = 1  # two

  let k = 2  # alone
  term t {   # inside
    input = x  # deeper
  }  # closes
}

rule b = a       # first
rule longer = b  # second
)");
  auto wide = "rule wide { map = " + std::string(80, 'R') + " }  # far out\nrule a = b  # near\n";
  CHECK(formatted(wide) == wide);
}

TEST_CASE("what is too long is broken at its loosest operators or in its brackets") {
  CHECK(formatted(R"(
rule many_parameters(epsilon: stabilizer = 1e-6, zero_params = [], another_parameter = 1, one_more_parameter = "some text") { map = R }
rule r {
  let choice = if layer.y > 0 then R / stabilize(positive.y + negative.y + other.y, epsilon) else if layer.y < 0 then 0 else -1 * R * mean(y)
  reduce = whole.x * whole.v - lower.x * lower.v - upper.x * upper.v * (lower.x + lower.v) - upper.x * upper.v - the.large_remainder
  require has("weight") and epsilon > 0 and zero_params == 0 and a_rather_long_name > another_rather_long_name, "a message"
  map = some_function([0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875, 2.0, 2.125, 2.25, 2.375], [[1]])
})") == R"(rule many_parameters(
  epsilon: stabilizer = 1e-6,
  zero_params = [],
  another_parameter = 1,
  one_more_parameter = "some text"
) { map = R }

rule r {
  let choice =
    if layer.y > 0
    then R / stabilize(positive.y + negative.y + other.y, epsilon)
    else if layer.y < 0
    then 0
    else -1 * R * mean(y)
  reduce =
    whole.x * whole.v
    - lower.x * lower.v
    - upper.x * upper.v * (lower.x + lower.v)
    - upper.x * upper.v
    - the.large_remainder
  require has("weight") and epsilon > 0 and zero_params == 0 and a_rather_long_name > another_rather_long_name,
    "a message"
  map = some_function(
    [
      0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875, 2.0, 2.125, 2.25,
      2.375
    ],
    [[1]]
  )
}
)");
}

TEST_CASE("an empty line stays, several become one, and long definitions stand apart") {
  CHECK(formatted(
            "\n\n# head\n\n\n\nrule a {}\nrule b {}\n\n\nrule c {\n\n\n map = R\n\n\n let l = 1\n\n}\n# of d\nrule d "
            "{}\n\n\n# end\n\n") ==
        "# head\n\nrule a {}\nrule b {}\n\nrule c {\n  map = R\n\n  let l = 1\n}\n\n# of d\nrule d {}\n\n# end\n");
}

TEST_CASE("documentation stays with its definition, and with no other") {
  auto documentation = [](const std::string& text) {
    std::vector<std::string> out;
    for (auto& item : parsed(text).items) out.push_back(item.documentation);
    return out;
  };
  for (std::string text :
       {"## of a\nrule a {} ## behind a\nrule b {\n} ## behind b\nrule c {}",
        "rule a {}\n## before the semicolon\n; rule b {}", "rule a {} # one\n; ## two\nrule b {}\n## of c\nrule c {}",
        "rule a {}\n## one\n; ## two\n## of b\nrule b {}"}) {
    INFO(text);
    CHECK(documentation(formatted(text)) == documentation(text));
  }
}

TEST_CASE("comments stay where they are, inside of everything") {
  CHECK(formatted(R"(rule a( # the parameters
  k = 1 # one
  , # after the comma
  # the last
  l = 2, # its comma goes
) {
  map = f(R, # first
    # above the second
    if y > 0 # when
    then 1 else 2 # otherwise
  )
  # at the end
}
composite c { # nothing yet
})") == R"(rule a(  # the parameters
  k = 1,  # one
  # after the comma
  # the last
  l = 2   # its comma goes
) {
  map = f(
    R,        # first
    # above the second
    if y > 0  # when
    then 1
    else 2    # otherwise
  )
  # at the end
}

composite c {  # nothing yet
}
)");
}

TEST_CASE("comments between every two tokens survive") {
  std::string text =
      "rule a ( k : scalar = 1 , ) { param \"bias\" = if a . b ( 1 , k = [ - 2 ] ) == ( c ) within 1 then "
      "x ^ 2 else not y or 1 - 2 ; term t { input = x } require k , \"why\" } composite c { first 5 linear "
      "\"a\" , any => std . a ( 1 ) ; } test \"t\" { model = 1 expect y fails A0305 ; } import \"a\" as b ;";
  std::string trailing, own;
  int count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 3, " . ") == 0) {  // a path is one token
      trailing += '.', own += '.', i += 2;
    } else if (text[i] == ' ') {
      auto comment = "#" + std::to_string(++count);
      trailing += " " + comment + "\n";
      own += "\n" + comment + "\n";
    } else {
      trailing += text[i], own += text[i];
    }
  }
  for (auto& each : {trailing, own}) {
    auto out = formatted(each);
    CHECK(formatted(out) == out);
    auto file = parsed(out);
    auto comments = cut_into_tokens(file).comments;
    REQUIRE(comments.size() == static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) CHECK(comments[static_cast<std::size_t>(i)].text == "#" + std::to_string(i + 1));
  }
}

TEST_CASE("numbers, strings, parentheses and comments keep their spelling") {
  std::string text = "fn f(z) = ((z)) + 1E-06 + 0.10 + 007 + g(\"a\\\"b\\\\ # no comment\")  #  Größe:\t½  ; , \"\n";
  CHECK(formatted(text) == text);
  CHECK(formatted("fn f(z) = g(\"a\\\nb\")\n") == "fn f(z) = g(\n  \"a\\\nb\"\n)\n");
}

TEST_CASE("line ends become newlines, and a byte order mark goes") {
  CHECK(formatted("\xEF\xBB\xBF# head  \r\nrule a {\r\n  map = R # why\t\r\n\r\n\r\n  let l = 1\r\n}") ==
        "# head\nrule a {\n  map = R  # why\n\n  let l = 1\n}\n");
  CHECK(formatted("") == "");
  CHECK(formatted(" \r\n\t\n") == "");
  CHECK(formatted("\xEF\xBB\xBF") == "");
  CHECK(formatted("  # only\n\n\n # comments") == "# only\n\n# comments\n");
}

TEST_CASE("a source with mistakes is not formatted, and its mistakes are told") {
  auto diagnostics = refused("rule a { map = }\nrule b{}\nrule c { foo }");
  REQUIRE(diagnostics.size() == 2);
  CHECK(diagnostics[0].code == Code::syntax);
  CHECK(refused(std::string("rule a {\0}", 10)).at(0).code == Code::not_text);
  CHECK(refused("rule a { # \xC3\x28\n}").at(0).code == Code::not_text);
  CHECK(refused("fn f(z) = g(a = 1, 2)").at(0).code == Code::positional_after_named);
  CHECK(refused("fn f(z) = [" + repeated("1,", 450'000) + "]").at(0).code == Code::too_large);
}

TEST_CASE("deep, long and large sources are formatted") {
  CHECK(formatted("fn f(z) = " + repeated("(", 127) + "z" + repeated(")", 127)).size() > 10'000);
  CHECK(formatted("fn f(z) = " + repeated("[", 127) + "z, # why\n1" + repeated("]", 127)).size() > 10'000);
  CHECK(formatted("fn f(z) = " + repeated("-", 300) + "z") == "fn f(z) =\n  " + repeated("-", 300) + "z\n");
  auto ladder = formatted("fn f(z) = " + repeated("if z > 0 then 1 else ", 120) + "2");
  CHECK(std::count(ladder.begin(), ladder.end(), '\n') == 242);
  CHECK_THAT(ladder, Catch::EndsWith("\n  then 1\n  else 2\n"));
  auto sum = formatted("fn f(z) = z" + repeated("+z", 9999));
  CHECK(formatted(sum) == sum);
  auto lines = formatted("fn f(z) = f(z)" + repeated("-f(z)", 9999));
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 10'001);
  auto rules = repeated("## doc\nrule r(k = 1) {\n  map = R / stabilize(y + 2 * sum(x), k)  # why\n}\n\n", 13'000);
  rules.pop_back();
  REQUIRE(rules.size() > 950'000);
  CHECK((formatted(rules) == rules));
}

TEST_CASE("trees that differ anywhere are told apart") {
  std::vector<std::string> texts{"rule a {}",
                                 "rule b {}",
                                 "## d\nrule a {}",
                                 "rule a(k) {}",
                                 "rule a(k: param) {}",
                                 "rule a(k = 1) {}",
                                 "rule a(k = 1.0) {}",
                                 "rule a { map = 1 }",
                                 "rule a { input = 1 }",
                                 "rule a { param = 1 }",
                                 "rule a { param \"b\" = 1 }",
                                 "rule a { let map_ = 1 }",
                                 "rule a { reduce = 1 }",
                                 "rule a { forward = 1 }",
                                 "rule a { require 1 }",
                                 "rule a { require 1, \"m\" }",
                                 "rule a { term t {} }",
                                 "rule a = b",
                                 "rule a = b()",
                                 "rule a = b(1)",
                                 "rule a = b(k = 1)",
                                 "rule a = c.b",
                                 "composite a = b",
                                 "composite a { any => b }",
                                 "composite a { first any => b }",
                                 "composite a { last any => b }",
                                 "composite a { first 2 any => b }",
                                 "composite a { any \"g\" => b }",
                                 "composite a { any, linear => b }",
                                 "fn a(z) = z",
                                 "fn a(z) = (z)",
                                 "fn a(z) = [z]",
                                 "fn a(z) = -z",
                                 "fn a(z) = not z",
                                 "fn a(z) = z + z",
                                 "fn a(z) = z - z",
                                 "fn a(z) = z * z",
                                 "fn a(z) = z ^ z",
                                 "fn a(z) = z == z",
                                 "fn a(z) = z < z",
                                 "fn a(z) = z == z within 1",
                                 "fn a(z) = if z then z else z",
                                 "fn a(z) = \"z\"",
                                 "test \"a\" { expect z }",
                                 "test \"a\" { expect z fails A }",
                                 "test \"a\" { let z = 1 }",
                                 "test \"a\" { z = 1 }",
                                 "pack a { z = 1 }",
                                 "import \"a\" as a",
                                 "rule a {} rule a {}"};
  for (auto& a : texts)
    for (auto& b : texts) {
      INFO(a << " | " << b);
      CHECK(same_syntax(parsed(a), parsed(b)) == (&a == &b));
    }
  CHECK(same_syntax(parsed("rule a{map=f(R,)}"), parsed("rule a { map = f(R) # why\n; }")));
  auto same = [](const char* a, const char* b) {
    return same_order(cut_into_tokens(parsed(a)), cut_into_tokens(parsed(b)));
  };
  CHECK(same("rule a = b # c\n; # d\nrule b {}", "rule a = b; # c\n# d\nrule b {}"));
  CHECK_FALSE(same("rule a = b # c\n", "rule a # c\n= b"));
  CHECK_FALSE(same("rule a = b # c\n", "rule a = b # d\n"));
  CHECK_FALSE(same("rule a = b # c\n# d\n", "rule a = b # d\n# c"));
  CHECK_FALSE(same("rule a = b # c\n", "rule a = b"));
}
