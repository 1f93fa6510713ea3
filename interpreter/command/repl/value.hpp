// What has a name in a session, and how it is printed.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ascribe/attribute.hpp"
#include "ascribe/heatmap.hpp"
#include "ascribe/model.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/type.hpp"
#include "interpreter/testing/built_model.hpp"

namespace ascribe::repl {

/// A model that was loaded, or built from layers.
struct ModelValue {
  Model model;
  std::vector<testing::LayerDescription> layers{};  ///< empty: it was loaded
  std::string file{};                               ///< from which it was loaded

  bool is(const ModelValue& other) const { return &Inside::state(model) == &Inside::state(other.model); }
};

/// How relevance came about, for pictures of it.
struct Explanation {
  Attribution attribution;
  Composite rules;
  Target target;
  at::Tensor x;  ///< of which it is the relevance
  HeatmapOptions colours{};
};

/// A tensor of numbers or of truth values (bool).
struct TensorValue {
  at::Tensor tensor;
  language::Type type;
  std::string file{};                                ///< from which it was read
  std::shared_ptr<const ModelValue> origin{};        ///< the model that it came from, if any
  std::shared_ptr<const Explanation> explanation{};  ///< of relevance
};

using Value = std::variant<double, bool, TensorValue, ModelValue>;

/// In one line: `float64 [1, 3], range -1 to 2, sum 0.5, NaN 0`.
std::string summary(const Value& value);
/// The summary, and below it what the value holds, shortened.
std::string describe(const Value& value);
/// What it is, without its content: `a tensor, float64 [1, 3]`.
std::string type_of(const Value& value);

/// What a model is called in messages: its file, or its layers.
std::string called(const ModelValue& model);
/// Several lines: what is loaded, its format, its inputs and its parameters.
std::string about_model(const ModelValue& model);

/// A number among others: six digits.
std::string number(double value);
/// `float64`
std::string type_name(const at::Tensor& tensor);

}  // namespace ascribe::repl
