#include "interpreter/language/habits.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <vector>

#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/builtins.hpp"

namespace ascribe::language {
namespace {

// What a foreign function is here; `{0}`, `{1}` and `{2}` are its arguments as they are written.
struct ForeignCall {
  std::string_view name;
  std::string_view written;
  std::string_view shown;  ///< where arguments are missing
};
constexpr std::string_view ones = "1`, which is spread, or in a test `[[1, 1]]";
constexpr std::string_view zeros = "0`, which is spread, or in a test `[[0, 0]]";
constexpr ForeignCall foreign_calls[] = {
    {"relu", "max({0}, 0)", "max(x, 0)"},
    {"ReLU", "max({0}, 0)", "max(x, 0)"},
    {"maximum", "max({0}, {1})", "max(a, b)"},
    {"minimum", "min({0}, {1})", "min(a, b)"},
    {"where", "if {0} then {1} else {2}", "if c then a else b"},
    {"pow", "{0} ^ {1}", "x ^ 2"},
    {"square", "{0} ^ 2", "x ^ 2"},
    {"add", "{0} + {1}", "a + b"},
    {"sub", "{0} - {1}", "a - b"},
    {"mul", "{0} * {1}", "a * b"},
    {"div", "{0} / {1}", "a / b"},
    {"neg", "-{0}", "-x"},
    {"absolute", "abs({0})", "abs(x)"},
    {"fabs", "abs({0})", "abs(x)"},
    {"sgn", "sign({0})", "sign(x)"},
    {"float", "{0}", "the value itself"},
    {"clone", "{0}", "the value itself"},
    {"detach", "{0}", "the value itself"},
    {"ones_like", "1", "1"},
    {"zeros_like", "0", "0"},
    {"ones", ones, ones},
    {"zeros", zeros, zeros},
    {"tensor", ones, ones},
    {"Tensor", ones, ones},
    {"rand", "random(2, 3, seed = 1)", "random(2, 3, seed = 1)"},
    {"randn", "random(2, 3, seed = 1)", "random(2, 3, seed = 1)"},
};

struct ForeignName {
  std::string_view name, help;
};
constexpr ForeignName foreign_names[] = {
    {"True", "truth comes from comparisons: `y > 0`"},
    {"False", "truth comes from comparisons: `y > 0`"},
    {"true", "truth comes from comparisons: `y > 0`"},
    {"false", "truth comes from comparisons: `y > 0`"},
    {"None", "leave the value out: a default can be a number or `[]`"},
    {"null", "leave the value out: a default can be a number or `[]`"},
    {"self", "a rule's values have their names: x, w, y, R, and its parameters"},
    {"torch", "functions need no module in front: `abs(x)`, `max(x, 0)`"},
    {"np", "functions need no module in front: `abs(x)`, `max(x, 0)`"},
    {"nn", "functions need no module in front: `abs(x)`, `max(x, 0)`"},
    {"F", "functions need no module in front: `abs(x)`, `max(x, 0)`"},
    {"math", "functions need no module in front: `sqrt(x)`, `exp(x)`"},
    {"inf", "write a number: the largest is about `1.8e308`"},
    {"nan", "write a number"},
    {"pi", "write a number: `3.141592653589793`"},
    {"relevance", "the relevance of the output is `R`"},
    {"grad_output", "the relevance of the output is `R`"},
    {"grad_input", "the layer's own gradient is `grad`, in `backward`"},
    {"weight", "the parameter that is modified is `w`, in `param \"weight\" = …`"},
    {"bias", "the parameter that is modified is `w`, in `param \"bias\" = …`"},
    {"module", "the layer's own values are `layer.x` and `layer.y`"},
};

// Kinds of layers by the names of others, in lower-case letters.
struct ForeignKind {
  std::string_view name, kind, remark;  ///< without a kind, the remark is all that can be said
};
constexpr std::string_view for_the_rest = ", which is for all that has no kind of its own";
constexpr std::string_view attends =
    ", `softmax` and `linear`, which attention is made of once an entry names one of its products";
constexpr std::string_view recurs =
    ", `linear`, `sigmoid` and `tanh`, which it is made of once an entry names `product`";
constexpr std::string_view rearranges = "it only rearranges: relevance passes through by itself, leave it out";
constexpr ForeignKind foreign_kinds[] = {
    {"default", "any", ""},
    {"all", "any", ""},
    {"other", "any", ""},
    {"else", "any", ""},
    {"dense", "linear", ""},
    {"fc", "linear", ""},
    {"sub", "add", ", which is for differences, too"},
    {"mul", "product", ", or `scale` where one factor is constant"},
    {"div", "quotient", ", or `scale` where the divisor is constant"},
    {"bmm", "matmul", ""},
    {"mm", "matmul", ""},
    {"baddbmm", "matmul", ""},
    {"einsum", "matmul", ""},
    {"rsqrt", "statistic", ""},
    {"reciprocal", "statistic", ""},
    {"upsample", "interpolate", ""},
    {"upsampling", "interpolate", ""},
    {"multiheadattention", "matmul", attends},
    {"attention", "matmul", attends},
    {"selfattention", "matmul", attends},
    {"sdpa", "matmul", attends},
    {"scaleddotproductattention", "matmul", attends},
    {"lstm", "product", recurs},
    {"gru", "product", recurs},
    {"rnn", "product", recurs},
    {"glu", "product", ", and `sigmoid`, which it is made of once an entry names `product`"},
    {"swiglu", "product", ", and `silu`, which it is made of"},
    {"geglu", "product", ", and `gelu`, which it is made of"},
    {"gate", "product", ", which is `a * b` of two values, or the gate's activation"},
    {"residual", "add", ""},
    {"exp", "operator", for_the_rest},
    {"pow", "operator", for_the_rest},
    {"log", "operator", for_the_rest},
    {"clamp", "operator", for_the_rest},
    {"topk", "operator", for_the_rest},
    {"flatten", "", rearranges},
    {"dropout", "", rearranges},
    {"identity", "", rearranges},
    {"reshape", "", rearranges},
    {"view", "", rearranges},
    {"cat", "", rearranges},
    {"concat", "", rearranges},
};

constexpr std::string_view modules[] = {"torch", "np", "numpy", "nn", "F", "math", "tf", "jnp", "self", "Tensor"};

std::string clamped(const std::string& value, std::string_view low, std::string_view high) {
  if (low.empty() && high.empty()) return filled("max({0}, 0)` or `min({0}, 0)", value);
  auto out = low.empty() ? value : filled("max({}, {})", value, low);
  return high.empty() ? out : filled("min({}, {})", out, high);
}

// "batchnorm2d" of "BatchNorm2d" and "batch_norm2d".
std::string letters_of(std::string_view name) {
  std::string out;
  for (char c : name)
    if (c != '_') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string without_dimensions(std::string letters) {
  bool counted = letters.size() > 2 && letters.back() == 'd' && letters[letters.size() - 2] <= '3';
  return counted ? letters.substr(0, letters.size() - 2) : letters;
}

}  // namespace

std::string help_for_kind(std::string_view written, const std::vector<std::string>& known) {
  auto letters = letters_of(written);
  for (auto& row : foreign_kinds) {
    if (row.name != letters) continue;
    if (row.kind.empty()) return std::string(row.remark);
    if (std::find(known.begin(), known.end(), row.kind) != known.end())
      return filled("write `{}`{}", row.kind, row.remark);
  }
  constexpr std::size_t shortest = 4;  // beginnings of a word
  auto first_that = [&](auto fits) { return std::find_if(known.begin(), known.end(), fits); };
  auto same = first_that([&](auto& word) { return letters_of(word) == letters; });
  if (same == known.end() && letters.size() >= shortest)
    same = first_that([&](auto& word) { return letters_of(word).starts_with(letters); });
  if (same == known.end())
    same = first_that([&](auto& word) { return letters_of(word) == without_dimensions(letters); });
  return same == known.end() ? did_you_mean(written, known) : filled("did you mean `{}`?", *same);
}

std::string help_for_foreign_call(const syntax::Call& call, const Source& source) {
  auto& name = call.path.name.text;
  std::vector<std::string> arguments;
  std::string_view low, high;  // of clamp
  bool method = call.path.qualifier && !is_foreign_qualifier(call.path.qualifier->text);
  if (method) arguments.push_back(call.path.qualifier->text);
  bool clamps = name == "clamp" || name == "clip" || name == "clamp_min" || name == "clamp_max";
  for (auto& argument : call.arguments) {
    auto written = source.text(argument.value->span);
    bool value = arguments.empty();
    if (clamps && !value) {
      bool upper = argument.name ? argument.name->text == "max" || argument.name->text == "a_max"
                                 : name == "clamp_max" || arguments.size() == 2;
      (upper ? high : low) = written;
    }
    arguments.emplace_back(written);
  }
  if (clamps) return filled("write `{}`", clamped(arguments.empty() ? "x" : arguments[0], low, high));
  auto found =
      std::find_if(std::begin(foreign_calls), std::end(foreign_calls), [&](auto& row) { return row.name == name; });
  if (found != std::end(foreign_calls)) {
    std::size_t wanted = 0;
    for (std::size_t i = 0; i < 3; ++i)
      if (found->written.find(filled("{{{}}}", i)) != std::string_view::npos) wanted = i + 1;
    if (arguments.size() < wanted) return filled("write `{}`", found->shown);
    arguments.resize(3);
    return filled("write `{}`", fill<fmt::format_args>(
                                    found->written, fmt::make_format_args(arguments[0], arguments[1], arguments[2])));
  }
  if (!call.path.qualifier || !find_builtin(name)) return "";
  return filled("functions stand in front of their values: `{}({})`", name,
                arguments.empty() ? "x" : filled("{}", fmt::join(arguments, ", ")));
}

std::string_view help_for_foreign_name(std::string_view name) {
  auto found =
      std::find_if(std::begin(foreign_names), std::end(foreign_names), [&](auto& row) { return row.name == name; });
  return found == std::end(foreign_names) ? "" : found->help;
}

bool is_foreign_qualifier(std::string_view name) {
  return std::find(std::begin(modules), std::end(modules), name) != std::end(modules);
}

}  // namespace ascribe::language
