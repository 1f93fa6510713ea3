// What the tests of the language's meaning share: rules from text, small layers of either sign, and what is refused.
#pragma once

#include "tests/rules/layers.hpp"

namespace ascribe::testing {

inline constexpr double exact = 1e-14;
inline constexpr double tolerance = 1e-12;

inline Rule rule_in(const std::string& text, const Arguments& arguments = {}) {
  return Pack::parse(text).rule("r", arguments);
}

// The first diagnostic of an Error, or one that says that there was none. Whatever else is thrown fails the test.
template <typename Action>
Diagnostic refused(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.diagnostics().front();
  }
  return {.code = Code::internal_fault, .message = "nothing was refused"};
}

inline bool mentions(const Diagnostic& diagnostic, const std::string& words) {
  INFO(diagnostic.message);
  CHECK(diagnostic.message.find(words) != std::string::npos);
  return diagnostic.message.find(words) != std::string::npos;
}

// z + e·sign z with sign 0 = 1, written without the evaluator.
inline at::Tensor stabilize(const at::Tensor& z, double epsilon) {
  return at::where(z.lt(0), z - epsilon, z + epsilon);
}

// [4, 3] -> [4, 2], with inputs of either sign, a zero among them, and a bias.
struct Dense {
  at::Tensor x = tensor({4, 3}, {1, -2, 0.5, 0, 3, -1, 2, 2, 2, -0.5, -0.25, 4});
  at::Tensor W = tensor({2, 3}, {1, -0.5, 2, -1, 0.25, 0.75});
  at::Tensor b = tensor({2}, {0.5, -0.25});
  evaluate::Layer layer = linear_layer(x, W, b);
  at::Tensor y = layer.output;
  at::Tensor R = random({4, 2}, 11);

  at::Tensor by(const std::string& text, const Arguments& arguments = {}) const {
    return relevance(rule_in(text, arguments), layer, R);
  }
};

// [2, 3, 4, 4] -> [2, 2, 3, 3]
struct Convolution {
  at::Tensor x = random({2, 3, 4, 4}, 21), W = random({2, 3, 2, 2}, 22), b = random({2}, 23),
             R = random({2, 2, 3, 3}, 24);
  evaluate::Layer layer = [this] {
    evaluate::Layer out;
    out.operation =
        layering::as_operation([](auto& inputs, auto& theta) { return at::conv2d(inputs[0], theta[0], theta[1]); });
    out.inputs = {x};
    out.gets_relevance = {true};
    out.parameters = {{"weight", W}, {"bias", b}};
    out.output = at::conv2d(x, W, b);
    return out;
  }();
  at::Tensor y = layer.output;

  at::Tensor by(const std::string& text, const Arguments& arguments = {}) const {
    return relevance(rule_in(text, arguments), layer, R);
  }
  // vᵀ of a convolution with this weight.
  static at::Tensor back(const at::Tensor& weight, const at::Tensor& gamma) {
    return at::conv_transpose2d(gamma, weight);
  }
};

// y = x: what `map` yields is v, and what `backward` yields is the result.
inline evaluate::Layer identity(const at::Tensor& x) {
  return plain_layer({x}, [](const std::vector<at::Tensor>& inputs) { return inputs[0] * 1; });
}

// The value of an expression over x and R in the shape of x (`backward` sees both).
inline at::Tensor value(const std::string& expression, const at::Tensor& x, const at::Tensor& R) {
  return relevance(rule_in("rule r { backward = " + expression + " }"), identity(x), R);
}

// θ_k as the layer gets it, in the order of its parameters.
inline std::vector<at::Tensor> modified_parameters(const Rule& rule,
                                                   std::vector<std::pair<std::string, at::Tensor>> parameters) {
  std::vector<at::Tensor> seen;
  auto x = at::ones({2, 3}, at::kDouble);
  auto layer = identity(x);
  layer.parameters = std::move(parameters);
  layer.operation =
      layering::as_operation([&seen](const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& theta) {
        seen = theta;
        return inputs[0] * 1;
      });
  relevance(rule, layer, x);
  return seen;
}

// Stabilizers of a file of its own.
inline const std::string stabilizers = R"(
  fn relative(z, epsilon = 1e-6) = stabilize(z, epsilon * sqrt(mean(z ^ 2)))
  fn clipped(z, epsilon = 1e-3) = sign(z) * max(abs(z), epsilon)
  fn relative_over_channels(z, epsilon = 1e-6) = stabilize(z, epsilon * sqrt(mean(z ^ 2, 1)))
)";

}  // namespace ascribe::testing
