#include "grammar/habits.hpp"

#include "grammar/syntax_error.hpp"

namespace ascribe {
namespace {

template <const std::string_view&... Wanted>
bool expects(const Expectations& expected) {
  return (expected.has(Wanted) || ...);
}

using namespace expecting;

bool at_item(const Expectations& expected) { return expects<item>(expected); }
bool at_clause(const Expectations& expected) { return expects<clause, modifier>(expected); }
// Where a line of a body or a definition may begin, and nothing else is due.
bool at_line(const Expectations& expected) {
  return expects<item, clause, modifier, entry, test_clause, close_brace>(expected) && !expects<expression>(expected);
}
bool after_value(const Expectations& expected) { return expects<operation>(expected); }

// `epsilon(epsilon: 1e-6)`
bool in_arguments(const Expectations& expected) {
  return after_value(expected) && expects<close_parenthesis>(expected) && expects<comma>(expected);
}

// Behind `=` of a rule or a composite.
bool expects_call_only(const Expectations& expected) {
  return expects<name>(expected) && !expects<expression, parameters, open_brace, string, close_brace>(expected);
}

constexpr std::string_view argument_help = "an argument is given by `=`: `epsilon(epsilon = 1e-6)`";
constexpr std::string_view comment_help = "a comment begins with `#` and ends with its line";
constexpr std::string_view definition_help = "a definition has a single `=`: `map = R`, `fn half(z) = z / 2`";
constexpr std::string_view entry_help = "an entry is written `convolution => epsilon`";
constexpr std::string_view conditional_help = "write `if c then a else b`";
constexpr std::string_view function_help = "a function is written `fn name(z) = …`, a rule `rule name { … }`";
constexpr std::string_view let_help = "a value gets a name by `let`: `let share = R / stabilize(y)`";
constexpr std::string_view parameter_help =
    "a parameter stands behind the rule's name: `rule name(epsilon: stabilizer = 1e-6) { … }`";
constexpr std::string_view made_of_help =
    "write `rule mine = epsilon(1e-3)` for one with other arguments, and else all clauses that differ from the "
    "defaults";
constexpr std::string_view loop_help = "expressions work on whole tensors; `sum(z)` adds up each sample";

constexpr Habit marks[] = {
    {"/*", nullptr, "`/*` begins no comment", comment_help},
    {"\"\"\"", nullptr, "`\"\"\"` begins no comment", "`##` above a definition documents it"},
    {"--", at_line, "`--` begins no comment", comment_help},
    {"//", [](auto& expected) { return at_line(expected) && !after_value(expected); }, "`//` begins no comment",
     comment_help},
    {"**", nullptr, "`**` is not an operator", "a power is written `x ^ 2`"},
    {"//", nullptr, "`//` is not an operator", "division is `/`; a comment begins with `#`"},
    {"&&", nullptr, "`&&` is not an operator", "write `and`"},
    {"||", nullptr, "`||` is not an operator", "write `or`"},
    {"&", nullptr, "`&` is not an operator", "write `and`"},
    {"|", nullptr, "`|` is not an operator", "write `or`"},
    {".*", after_value, "`.*` is not an operator", "write `*`"},
    {"./", after_value, "`./` is not an operator", "write `/`"},
    {"~=", nullptr, "`~=` is not an operator", "write `!=`"},
    {"<>", nullptr, "`<>` is not an operator", "write `!=`"},
    {"===", nullptr, "`===` is not an operator", "write `==`"},
    {"!==", nullptr, "`!==` is not an operator", "write `!=`"},
    {"=<", nullptr, "`=<` is not an operator", "write `<=`"},
    {"~", nullptr, "`~` is not an operator", "write `not`"},
    {"!", [](auto& expected) { return !expects<equals>(expected); }, "`!` is not an operator", "write `not`"},
    {"%", nullptr, "`%` is not an operator", "the operators are `+ - * / ^`"},
    {"@", at_item, "there are no decorators", function_help},
    {"@", nullptr, "`@` is not an operator", "the layer itself is applied by the rule; the operators are `+ - * / ^`"},
    {"?", nullptr, "`? :` is not an operator", conditional_help},
    {"'", nullptr, "strings are written in double quotes", "write `\"` instead of `'`"},
    {"“", nullptr, "strings are written in double quotes", "write the plain `\"`"},
    {"‘", nullptr, "strings are written in double quotes", "write the plain `\"`"},
    {"×", nullptr, "`×` is not an operator", "write `*`"},
    {"·", nullptr, "`·` is not an operator", "write `*`"},
    {"−", nullptr, "`−` is not an operator", "write `-`"},
    {"≤", nullptr, "`≤` is not an operator", "write `<=`"},
    {"≥", nullptr, "`≥` is not an operator", "write `>=`"},
    {"≠", nullptr, "`≠` is not an operator", "write `!=`"},
    {"→", nullptr, "`→` is no arrow", "write `=>`"},
    {"⇒", nullptr, "`⇒` is no arrow", "write `=>`"},
    {"\u00A0", nullptr, "this is no plain blank (it is U+00A0)", "write a space"},
    {":=", nullptr, "`:=` is not an assignment", definition_help},
    {"+=", nullptr, "`+=` is not an assignment", "a name is defined once: `let total = a + b`"},
    {"-=", nullptr, "`-=` is not an assignment", "a name is defined once: `let rest = a - b`"},
    {"*=", nullptr, "`*=` is not an assignment", "a name is defined once: `let scaled = 2 * a`"},
    {"/=", nullptr, "`/=` is not an assignment", "a name is defined once: `let share = R / y`"},
    {"->", expects<arrow>, "expected `=>`, found `->`", entry_help, Code::syntax},
    {"->", expects<equals>, "expected `=`, found `->`", definition_help, Code::syntax},
    {"->", nullptr, "`->` is no arrow", entry_help},
    {"==", expects<equals>, "expected `=`, found `==`", definition_help, Code::syntax},
    {"=>", expects<equals>, "expected `=`, found `=>`", "`=>` stands in a composite's entries only", Code::syntax},
    {"==>", expects<arrow>, "expected `=>`, found `==>`", entry_help, Code::syntax},
    {"==", expects<arrow>, "layers are chosen by their kind or name, not by a comparison",
     "write `\"features.*\" => epsilon`", Code::syntax},
    {"=>", expects<entry>, "an entry has one `=>`", "each entry leads to one rule: `linear => epsilon`", Code::syntax},
    {"=>", in_arguments, "expected `=`, found `=>`", argument_help, Code::syntax},
    {":", in_arguments, "expected `=`, found `:`", argument_help, Code::syntax},
    {"=", expects<arrow>, "expected `=>`, found `=`", entry_help, Code::syntax},
    {":", expects<arrow>, "expected `=>`, found `:`", entry_help, Code::syntax},
    {":", expects<open_brace>, "a body stands in braces", "write `rule name { … }`", Code::syntax},
    {":", expects<then>, "expected `then`, found `:`", conditional_help, Code::syntax},
    {":", expects<otherwise>, "expected `else`, found `:`", conditional_help, Code::syntax},
    {":", expects<equals>, "expected `=`, found `:`", definition_help, Code::syntax},
    {"{", expects<equals>, "expected `=`, found `{`", "one expression stands here: `fn square(z) = z ^ 2`",
     Code::syntax},
    {"{", expects_call_only, "expected a name, found `{`",
     "a body has no `=` before it: `rule name { … }`; behind `=` stands a call: `rule mine = epsilon(1e-3)`",
     Code::syntax},
    {"{", expects<then>, "expected `then`, found `{`", conditional_help, Code::syntax},
    {"=", after_value, "`=` does not compare", "write `==`", Code::syntax},
    {";", at_line, "nothing stands before this `;`", "leave it out: one `;` may end a line", Code::syntax},
    {",", expects<test_clause>, "lines of a body are not separated by `,`",
     "leave it out, or write `;`; layers in sequence are a list: `model = [linear(3, 2), relu]`", Code::syntax},
    {",", at_item, "definitions are not separated by `,`", "leave it out", Code::syntax},
    {",", at_line, "lines of a body are not separated by `,`", "leave it out, or write `;`", Code::syntax},
    {"}", at_item, "this `}` closes nothing", "leave it out", Code::syntax},
};

constexpr Habit words[] = {
    {"def", nullptr, "there is no `def`", function_help},
    {"func", nullptr, "there is no `func`", function_help},
    {"function", nullptr, "there is no `function`", function_help},
    {"class", nullptr, "there is no `class`",
     "a rule is written `rule name { … }`; which layers get it says a `composite`"},
    {"from", at_item, "there is no `from`", "a pack is imported by `import \"../acme\" as acme`"},
    {"using", at_item, "there is no `using`", "a pack is imported by `import \"../acme\" as acme`"},
    {"use", at_item, "there is no `use`", "a pack is imported by `import \"../acme\" as acme`"},
    {"include", at_item, "there is no `include`", "a pack is imported by `import \"../acme\" as acme`"},
    {"raises", nullptr, "there is no `raises`", "write `expect relevance(epsilon) fails A0601`"},
    {"throws", nullptr, "there is no `throws`", "write `expect relevance(epsilon) fails A0601`"},
    {"return", nullptr, "there is no `return`", "a clause says its value: `map = …`, `backward = …`"},
    {"for", nullptr, "there are no loops", loop_help},
    {"while", nullptr, "there are no loops", loop_help},
    {"elif", nullptr, "there is no `elif`", "write `else if c then a else b`"},
    {"lambda", nullptr, "there is no `lambda`", "write the expression itself: `input = max(x, 0)`"},
    {"is", after_value, "`is` is not an operator", "write `==`"},
    {"pass", at_clause, "`pass` is no clause", "an empty rule is written `rule name { }`; the rule `pass` hands on R"},
    {"end", at_line, "there is no `end`", "a body ends with `}`"},
    {"var", at_line, "there is no `var`", let_help},
    {"val", at_line, "there is no `val`", let_help},
    {"const", at_line, "there is no `const`", let_help},
    {"auto", at_line, "there is no `auto`", let_help},
    {"within", after_value, "`within` belongs to `==` and `!=`", "write `y == 1 within 1e-6`", Code::syntax},
    {"not", expects<layers>, "`not` chooses no layers", "entries are tried from the top: put the exception first",
     Code::syntax},
    {"input", expects<test_clause>, "`input` is no clause of a test", "write `x = [[1, 2]]`", Code::syntax},
    {"assert", at_clause, "there is no `assert`", "write `require factor > 0`", Code::syntax},
    {"assert", nullptr, "there is no `assert`", "write `expect relevance(epsilon) == R within 1e-6`", Code::syntax},
    {"inputs", at_clause, "`inputs` is no clause", "write `input = max(x, 0)`", Code::syntax},
    {"outputs", at_clause, "`outputs` is no clause", "write `output = max(y, 0)`", Code::syntax},
    {"params", at_clause, "`params` is no clause", "write `param = max(w, 0)`", Code::syntax},
    {"input_modifiers", at_clause, "`input_modifiers` is no clause", "each modifier is one: `input = max(x, 0)`",
     Code::syntax},
    {"param_modifiers", at_clause, "`param_modifiers` is no clause", "each modifier is one: `param = max(w, 0)`",
     Code::syntax},
    {"output_modifiers", at_clause, "`output_modifiers` is no clause", "each modifier is one: `output = max(y, 0)`",
     Code::syntax},
    {"gradient_mapper", at_clause, "`gradient_mapper` is no clause", "write `map = R / stabilize(y)`", Code::syntax},
    {"reducer", at_clause, "`reducer` is no clause", "write `reduce = x * v`", Code::syntax},
    {"weight", at_clause, "`weight` is no clause", "write `param \"weight\" = max(w, 0)`", Code::syntax},
    {"bias", at_clause, "`bias` is no clause", "write `param \"bias\" = 0`", Code::syntax},
    {"x", at_clause, "`x` is no clause", "write `input = max(x, 0)`", Code::syntax, true},
    {"w", at_clause, "`w` is no clause", "write `param = max(w, 0)`", Code::syntax, true},
    {"y", at_clause, "`y` is no clause", "write `output = max(y, 0)`", Code::syntax, true},
    {"z", at_clause, "`z` is no clause", "write `output = max(y, 0)`", Code::syntax, true},
    {"R", at_clause, "`R` is no clause", "write `map = R / stabilize(y)`", Code::syntax, true},
    {"mapper", at_clause, "`mapper` is no clause", "write `map = R / stabilize(y)`", Code::syntax, true},
    {"relevance", at_clause, "`relevance` is no clause", "write `reduce = x * v`", Code::syntax, true},
    {"epsilon", at_clause, "`epsilon` is no clause", parameter_help, Code::syntax, true},
    {"eps", at_clause, "`eps` is no clause", parameter_help, Code::syntax, true},
    {"stabilizer", at_clause, "`stabilizer` is no clause", parameter_help, Code::syntax, true},
    {"extends", expects<open_brace>, "a rule extends no other", made_of_help, Code::syntax},
    {"inherits", expects<open_brace>, "a rule extends no other", made_of_help, Code::syntax},
};

}  // namespace

std::span<const Habit> mark_habits() { return marks; }
std::span<const Habit> word_habits() { return words; }

}  // namespace ascribe
