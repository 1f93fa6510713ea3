// What has a name in a session, and how it is printed.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ascribe/model.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/language/type.hpp"
#include "interpreter/testing/built_model.hpp"

namespace ascribe::repl {

/// A tensor of numbers or of truth values (bool).
struct TensorValue {
  at::Tensor tensor;
  language::Type type;
};

/// A model that was loaded, or built from layers.
struct ModelValue {
  Model model;
  std::vector<testing::LayerDescription> layers{};  ///< empty: it was loaded
  std::string file{};                               ///< from which it was loaded
};

using Value = std::variant<double, bool, TensorValue, ModelValue>;

/// In one line: `float64 [1, 3], range -1 to 2, sum 0.5, NaN 0`.
std::string summary(const Value& value);
/// The summary, and below it what the value holds, shortened.
std::string describe(const Value& value);
/// What it is, without its content: `a tensor, float64 [1, 3]`.
std::string type_of(const Value& value);

/// A number among others: six digits.
std::string number(double value);
/// `float64`
std::string type_name(const at::Tensor& tensor);

}  // namespace ascribe::repl
