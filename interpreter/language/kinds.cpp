#include "interpreter/language/kinds.hpp"

#include <algorithm>
#include <iterator>

#include "grammar/suggest.hpp"

namespace ascribe::language {
namespace {

constexpr std::string_view weight_and_bias[] = {"weight", "bias"};
constexpr std::string_view weight_only[] = {"weight"};
constexpr std::string_view fixed_coefficients[] = {"coefficient"};
constexpr std::span<const std::string_view> none{};

constexpr Kind table[] = {
    {"linear", "linear", weight_and_bias, 0},
    {"conv1d", "convolution", weight_and_bias, 3},
    {"conv2d", "convolution", weight_and_bias, 4},
    {"conv3d", "convolution", weight_and_bias, 5},
    {"conv_transpose1d", "convolution", weight_and_bias, 3},
    {"conv_transpose2d", "convolution", weight_and_bias, 4},
    {"conv_transpose3d", "convolution", weight_and_bias, 5},
    {"bilinear", "bilinear", weight_and_bias, 0},
    {"batch_norm", "batch_norm", weight_and_bias, 0},
    {"avg_pool1d", "avg_pool", fixed_coefficients, 3},
    {"avg_pool2d", "avg_pool", fixed_coefficients, 4},
    {"avg_pool3d", "avg_pool", fixed_coefficients, 5},
    {"adaptive_avg_pool1d", "avg_pool", fixed_coefficients, 3},
    {"adaptive_avg_pool2d", "avg_pool", fixed_coefficients, 4},
    {"adaptive_avg_pool3d", "avg_pool", fixed_coefficients, 5},
    {"mean", "avg_pool", fixed_coefficients, 0},
    {"max_pool1d", "max_pool", none, 3},
    {"max_pool2d", "max_pool", none, 4},
    {"max_pool3d", "max_pool", none, 5},
    {"adaptive_max_pool1d", "max_pool", none, 3},
    {"adaptive_max_pool2d", "max_pool", none, 4},
    {"adaptive_max_pool3d", "max_pool", none, 5},
    {"add", "add", fixed_coefficients, 0},
    {"sum", "sum", fixed_coefficients, 0},
    {"scale", "scale", fixed_coefficients, 0},
    {"interpolate", "interpolate", fixed_coefficients, 0},
    {"matmul", "matmul", none, 0},
    {"product", "product", none, 0},
    {"quotient", "quotient", none, 0},
    {"statistic", "statistic", none, 0},
    {"operator", "operator", none, 0},
    {"relu", "activation", none, 0},
    {"relu6", "activation", none, 0},
    {"leaky_relu", "activation", none, 0},
    {"prelu", "activation", weight_only, 0},
    {"rrelu", "activation", none, 0},
    {"elu", "activation", none, 0},
    {"selu", "activation", none, 0},
    {"celu", "activation", none, 0},
    {"gelu", "activation", none, 0},
    {"silu", "activation", none, 0},
    {"mish", "activation", none, 0},
    {"sigmoid", "activation", none, 0},
    {"log_sigmoid", "activation", none, 0},
    {"tanh", "activation", none, 0},
    {"softplus", "activation", none, 0},
    {"softsign", "activation", none, 0},
    {"threshold", "activation", none, 0},
    {"hardtanh", "activation", none, 0},
    {"hardswish", "activation", none, 0},
    {"hardsigmoid", "activation", none, 0},
    {"hardshrink", "activation", none, 0},
    {"softshrink", "activation", none, 0},
    {"tanhshrink", "activation", none, 0},
    {"softmax", "softmax", none, 0},
    {"log_softmax", "log_softmax", none, 0},
    {"layer_norm", "layer_norm", weight_and_bias, 0},
    {"group_norm", "group_norm", weight_and_bias, 0},
    {"instance_norm", "instance_norm", weight_and_bias, 0},
    {"rms_norm", "rms_norm", weight_only, 0},
    {"embedding", "embedding", weight_only, 0},
};

// A word means one thing: no row is there twice, no member is the word for others, and the words that stand for no kind
// of their own are in no row.
constexpr bool words_are_clear() {
  for (auto& row : table) {
    if (row.name == "any" || row.group == "any" || is_module_word(row.name) || is_module_word(row.group)) return false;
    for (auto& other : table) {
      bool itself = &row == &other;
      if (!itself && (row.name == other.name || (row.name == other.group && row.name != row.group))) return false;
    }
  }
  return true;
}
static_assert(words_are_clear());
static_assert(std::size(table) <= most_kinds);

void add_once(std::vector<std::string_view>& words, std::string_view word) {
  if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
}

}  // namespace

std::span<const Kind> kinds() { return table; }

const Kind* find_kind(std::string_view name) {
  auto found = std::find_if(std::begin(table), std::end(table), [&](auto& row) { return row.name == name; });
  return found == std::end(table) ? nullptr : found;
}

bool covers(std::string_view word, const Kind& kind) {
  return word == "any" || word == kind.name || word == kind.group;
}

bool is_kind_word(std::string_view word) {
  return std::any_of(std::begin(table), std::end(table), [&](auto& row) { return covers(word, row); });
}

std::vector<std::string_view> kind_words() {
  std::vector<std::string_view> words{"any"};
  for (auto& row : table) {
    add_once(words, row.group);
    add_once(words, row.name);
  }
  return words;
}

std::vector<std::string_view> parameter_names() {
  std::vector<std::string_view> names;
  for (auto& row : table)
    for (auto name : row.parameters) add_once(names, name);
  return names;
}

bool is_parameter_name(std::string_view name) {
  auto names = parameter_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::optional<std::string> refused_parameter_name(std::string_view name) {
  if (is_parameter_name(name)) return {};
  bool is_path = !name.empty() && name.front() != '.' && name.back() != '.' && name.find("..") == name.npos;
  std::vector<std::string> known;
  for (auto each : parameter_names()) known.emplace_back(each);
  if (is_path && (name.find('.') != name.npos || nearest(name, known).empty())) return {};
  return did_you_mean(name, known,
                      "layers have \"weight\", \"bias\" and \"coefficient\", modules their own and "
                      "what they have inside: \"0.weight\"");
}

}  // namespace ascribe::language
