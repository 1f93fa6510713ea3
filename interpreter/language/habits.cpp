#include "interpreter/language/habits.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "grammar/characters.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/builtins.hpp"

namespace ascribe::language {
namespace {

// What a foreign function is here; `{0}`, `{1}` and `{2}` are its arguments.
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
    {"float", "{0}", "x"},
    {"clone", "{0}", "x"},
    {"detach", "{0}", "x"},
    {"ones_like", "1", "1"},
    {"zeros_like", "0", "0"},
    {"ones", ones, ones},
    {"zeros", zeros, zeros},
    {"tensor", ones, ones},
    {"Tensor", ones, ones},
    {"std", "sqrt(mean(({0} - mean({0})) ^ 2))", "sqrt(mean((y - mean(y)) ^ 2))"},
    {"var", "mean(({0} - mean({0})) ^ 2)", "mean((y - mean(y)) ^ 2)"},
    {"norm", "sqrt(sum({0} ^ 2))", "sqrt(sum(y ^ 2))"},
    {"median", "quantile({0}, 0.5)", "quantile(y, 0.5)"},
    {"percentile", "quantile({0}, {1} / 100)", "quantile(y, 0.9)"},
    {"amax", "quantile({0}, 1)", "quantile(y, 1)"},
    {"amin", "quantile({0}, 0)", "quantile(y, 0)"},
    {"average", "mean({0})", "mean(y)"},
    {"avg", "mean({0})", "mean(y)"},
    {"rsqrt", "1 / sqrt({0})", "1 / sqrt(x)"},
    {"reciprocal", "1 / {0}", "1 / x"},
    {"log2", "log({0}) / log(2)", "log(x) / log(2)"},
    {"log10", "log({0}) / log(10)", "log(x) / log(10)"},
    {"log1p", "log(1 + {0})", "log(1 + x)"},
    {"expm1", "exp({0}) - 1", "exp(x) - 1"},
    {"softplus", "log(1 + exp({0}))", "log(1 + exp(x))"},
    {"silu", "{0} * sigmoid({0})", "x * sigmoid(x)"},
    {"full_like", "{1}", "2"},
    {"gt", "{0} > {1}", "a > b"},
    {"ge", "{0} >= {1}", "a >= b"},
    {"lt", "{0} < {1}", "a < b"},
    {"le", "{0} <= {1}", "a <= b"},
    {"eq", "{0} == {1}", "a == b"},
    {"ne", "{0} != {1}", "a != b"},
    {"logical_and", "{0} and {1}", "a and b"},
    {"logical_or", "{0} or {1}", "a or b"},
    {"logical_not", "not {0}", "not a"},
    {"rand", "random(2, 3, seed = 1)", "random(2, 3, seed = 1)"},
    {"randn", "random(2, 3, seed = 1)", "random(2, 3, seed = 1)"},
};

// What has no counterpart.
constexpr std::string_view all_functions =
    "there are abs, sign, sqrt, exp, log, tanh, sigmoid, min, max, stabilize, sum, mean and quantile";
constexpr std::string_view layer_itself =
    "the layer itself is applied by the rule: `y` is its output, `v` the gradient";
constexpr std::string_view whole_tensors =
    "expressions work on whole tensors; `quantile(z, 0.9)` is what a tenth lies above";

struct ForeignName {
  std::string_view name, help;
};
constexpr ForeignName functions_without_counterpart[] = {
    {"round", all_functions},  {"floor", all_functions},  {"ceil", all_functions},        {"erf", all_functions},
    {"sin", all_functions},    {"cos", all_functions},    {"softmax", all_functions},     {"nan_to_num", all_functions},
    {"cumsum", all_functions}, {"prod", all_functions},   {"any", all_functions},         {"all", all_functions},
    {"matmul", layer_itself},  {"linear", layer_itself},  {"conv2d", layer_itself},       {"dot", layer_itself},
    {"einsum", layer_itself},  {"forward", layer_itself}, {"argmax", whole_tensors},      {"argmin", whole_tensors},
    {"topk", whole_tensors},   {"sort", whole_tensors},   {"masked_fill", whole_tensors},
};
constexpr std::string_view leave_entry_out = "leave the entry out: a layer that no entry is for keeps its gradient";
constexpr ForeignName foreign_rules[] = {
    {"none", leave_entry_out},
    {"null", leave_entry_out},
    {"ignore", leave_entry_out},
    {"skip", leave_entry_out},
    {"default", leave_entry_out},
    {"identity", "write `pass`, which hands on R"},
    {"lrp", "write `epsilon`"},
    {"lrp0", "write `epsilon(0)`"},
    {"lrpz", "write `epsilon(0)`"},
    {"zero", "write `epsilon(0)`"},
    {"lrpepsilon", "write `epsilon`"},
    {"lrpgamma", "write `gamma`"},
    {"lrpzplus", "write `zplus`"},
    {"lrpalphabeta", "write `alpha_beta`"},
    {"alpha1beta0", "write `alpha_beta(1, 0)`"},
    {"alpha2beta1", "write `alpha_beta(2, 1)`"},
    {"fold", "write `merge`, for batch norm"},
    {"fuse", "write `merge`, for batch norm"},
    {"canonize", "write `merge`, for batch norm"},
    {"zb", "write `zbox(low = -1, high = 1)`, with the bounds of the inputs"},
    {"zbounds", "write `zbox(low = -1, high = 1)`, with the bounds of the inputs"},
    {"z", "write `epsilon(0)`"},
    {"stopgradient", "write `stop`"},
    {"detach", "write `stop`"},
    {"error", "write `refuse`"},
    {"raise", "write `refuse`"},
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
    {"eps", "write a number, `1e-6`, or a parameter: `rule name(eps: stabilizer = 1e-6) { … }`"},
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
    {"otherwise", "any", ""},
    {"rest", "any", ""},
    {"everything", "any", ""},
    {"layer", "any", ", or the kind; a module is named by a string: `\"features.*\"`"},
    {"layers", "any", ", or the kind; a module is named by a string: `\"features.*\"`"},
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

// Types of parameters by the names of others, in lower-case letters.
constexpr ForeignName foreign_types[] = {
    {"float", "scalar"}, {"int", "scalar"},   {"number", "scalar"}, {"double", "scalar"}, {"real", "scalar"},
    {"list", "names"},   {"string", "names"}, {"str", "names"},     {"strings", "names"},
};
constexpr std::string_view dimension_words[] = {"dim", "axis", "dims", "dimension", "dimensions"};
constexpr std::string_view words_elsewhere[] = {"keepdim",  "keepdims",  "dtype",      "out",    "inplace",
                                                "unbiased", "keep_dims", "correction", "device", "interpolation"};
constexpr std::string_view modules[] = {"torch", "np", "numpy", "nn", "F", "math", "tf", "jnp", "self", "Tensor"};

std::string clamped(const std::string& value, std::string_view low, std::string_view high) {
  if (low.empty() && high.empty()) return filled("max({0}, 0)` or `min({0}, 0)", value);
  auto out = low.empty() ? value : filled("max({}, {})", value, low);
  return high.empty() ? out : filled("min({}, {})", out, high);
}

// Whether an operator beside it leaves a text together: a name, a number, a call, what stands in brackets.
bool is_whole(std::string_view text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') return text.size() > 1 && text.find('"', 1) == text.size() - 1;
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (depth == 0 && !is_name_character(c) && c != '.' && c != ')' && c != ']') return false;
  }
  return true;
}

std::size_t count_of_arguments(std::string_view written) {
  std::size_t out = 0;
  for (std::size_t i = 0; i + 2 < written.size(); ++i)
    if (written[i] == '{') out = std::max<std::size_t>(out, static_cast<std::size_t>(written[i + 1] - '0') + 1);
  return out;
}

// A row's text with its arguments, in parentheses where an operator stands beside them.
std::string with_arguments(std::string_view written, const std::vector<std::string>& arguments) {
  std::string out;
  bool conditional = written.starts_with("if ");
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written[i] != '{') {
      out += written[i];
      continue;
    }
    auto& argument = arguments[static_cast<std::size_t>(written[i + 1] - '0')];
    i += 2;
    auto before = out.find_last_not_of(' ');
    bool apart = (before == std::string::npos || out[before] == '(' || out[before] == ',') &&
                 (i + 1 == written.size() || written[i + 1] == ')' || written[i + 1] == ',');
    out += apart || conditional || is_whole(argument) ? argument : filled("({})", argument);
  }
  return out;
}

std::string without_dimensions(std::string letters) {
  bool counted = letters.size() > 2 && letters.back() == 'd' && letters[letters.size() - 2] <= '3';
  return counted ? letters.substr(0, letters.size() - 2) : letters;
}

}  // namespace

std::string help_for_kind(std::string_view written, const std::vector<std::string>& known) {
  auto letters = letters_of(written);
  if (letters.empty()) return "write `any`";  // `_`
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

ForeignHelp help_for_foreign_call(const syntax::Call& call, const Source& source) {
  auto name = call.path.name.text;
  if (name.size() > 1 && name.back() == '_') name.pop_back();  // `x.clamp_(0)`
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
    if (argument.name && !clamps && !is_dimension_word(argument.name->text)) continue;
    arguments.emplace_back(written);
  }
  auto write = [](std::string text) { return ForeignHelp{filled("write `{}`", text), std::move(text)}; };
  if (clamps) {
    auto text = clamped(arguments.empty() ? "x" : arguments[0], low, high);
    return low.empty() && high.empty() ? ForeignHelp{filled("write `{}`", text), ""} : write(text);
  }
  auto found =
      std::find_if(std::begin(foreign_calls), std::end(foreign_calls), [&](auto& row) { return row.name == name; });
  if (found != std::end(foreign_calls)) {
    auto wanted = count_of_arguments(found->written);
    bool example = wanted == 0 && found->written.size() > 1;  // it says how, not what
    if (example || arguments.size() < wanted || arguments.size() > std::max<std::size_t>(wanted, 1))
      return {filled("write `{}`", found->shown), ""};
    return write(with_arguments(found->written, arguments));
  }
  for (auto& row : functions_without_counterpart)
    if (row.name == name) return {std::string(row.help), ""};
  auto* builtin = find_builtin(name);
  if (!call.path.qualifier || !builtin) return {};
  auto text = by_position(call, *builtin, method ? call.path.qualifier->text : "", false, source);
  return {filled("functions stand in front of their values: `{}`", text), arguments.empty() ? "" : text};
}

std::string by_position(const syntax::Call& call, const BuiltinInfo& info, std::string_view receiver, bool of_parameter,
                        const Source& source) {
  std::vector<std::string> values;
  if (!receiver.empty()) values.emplace_back(receiver);
  bool along = false;
  for (auto& argument : call.arguments) {
    auto written = source.text(argument.value->span);
    bool dimension = argument.name && is_dimension_word(argument.name->text);
    along = along || dimension;
    if (dimension && written.starts_with('[')) written = written.substr(1, written.size() - 2);
    if (dimension && written == "0" && !of_parameter) continue;
    if (argument.name && !dimension && is_word_elsewhere(argument.name->text)) continue;
    values.emplace_back(written);
  }
  std::string name(info.name);
  if (along && std::holds_alternative<Fold>(info.sort) && !values.empty()) {
    values.insert(values.begin() + 1, name == "max" ? "1" : "0");
    name = "quantile";
  } else if (values.size() > info.most) {
    values.resize(info.most);
  }
  if (values.empty()) values.emplace_back("x");
  return filled("{}({})", name, fmt::join(values, ", "));
}

Edit in_place_of(const syntax::Call& call, const std::string& text, const Source& source) {
  auto whole = source.text();
  auto before = whole.substr(0, call.span.begin).find_last_not_of(" \t\r\n");
  auto behind = whole.find_first_not_of(" \t\r\n", call.span.end);
  bool begins =
      before != std::string_view::npos && std::string_view("(,[").find(whole[before]) != std::string_view::npos;
  begins = begins || (before != std::string_view::npos && whole[before] == '=' && before > 0 &&
                      std::string_view("=!<>").find(whole[before - 1]) == std::string_view::npos);
  bool ends =
      behind == std::string_view::npos || std::string_view("),];}").find(whole[behind]) != std::string_view::npos;
  return {call.span, is_whole(text) || (begins && ends) ? text : filled("({})", text)};
}

std::string_view help_for_foreign_rule(std::string_view name) {
  auto letters = letters_of(name);
  auto found =
      std::find_if(std::begin(foreign_rules), std::end(foreign_rules), [&](auto& row) { return row.name == letters; });
  return found == std::end(foreign_rules) ? "" : found->help;
}

std::string_view help_for_foreign_name(std::string_view name) {
  auto found =
      std::find_if(std::begin(foreign_names), std::end(foreign_names), [&](auto& row) { return row.name == name; });
  return found == std::end(foreign_names) ? "" : found->help;
}

std::string_view type_elsewhere(std::string_view written) {
  auto letters = letters_of(written);
  auto found =
      std::find_if(std::begin(foreign_types), std::end(foreign_types), [&](auto& row) { return row.name == letters; });
  return found == std::end(foreign_types) ? "" : found->help;
}

bool is_dimension_word(std::string_view name) {
  return std::find(std::begin(dimension_words), std::end(dimension_words), name) != std::end(dimension_words);
}

bool is_word_elsewhere(std::string_view name) {
  return std::find(std::begin(words_elsewhere), std::end(words_elsewhere), name) != std::end(words_elsewhere);
}

bool is_foreign_qualifier(std::string_view name) {
  return std::find(std::begin(modules), std::end(modules), name) != std::end(modules);
}

}  // namespace ascribe::language
