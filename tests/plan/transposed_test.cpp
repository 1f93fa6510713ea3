// What layers hand back by LibTorch's own operators is what autograd hands back.
#include "interpreter/layers/transposed.hpp"

#include <torch/csrc/autograd/autograd.h>

#include "interpreter/layers/held.hpp"
#include "tests/plan/layers.hpp"

namespace test {
namespace {

using layering::find_transposed;

at::Tensor weight_of(at::IntArrayRef shape, std::uint64_t seed = 5) { return drawn(shape, seed); }
at::Tensor input_of(at::IntArrayRef shape, std::uint64_t seed = 6) { return depending(drawn(shape, seed)); }

std::optional<Tensors> handed_back(const evaluate::Layer& layer, const at::Tensor& gamma,
                                   const std::vector<bool>& wanted) {
  at::NoGradGuard no_grad;
  at::AutoDispatchBelowADInplaceOrView below;
  Tensors theta;
  for (auto& [name, w] : layer.parameters) theta.push_back(w);
  return find_transposed(*layer.operation)->run({*layer.operation, layer.inputs, theta, layer.output, gamma, wanted});
}

void check_against_autograd(const Called& called) {
  auto layer = layer_of(called);
  REQUIRE(find_transposed(*layer.operation));
  auto gamma = drawn(layer.output.sizes(), 7, layer.output.scalar_type());
  Tensors leaves, wanted_leaves, theta;
  for (auto& x : layer.inputs) leaves.push_back(x.detach().clone().requires_grad_());
  for (auto& [name, w] : layer.parameters) theta.push_back(w);
  auto y = layering::run_held(*layer.operation, leaves, theta, layer.inputs);
  auto found = handed_back(layer, gamma, layer.gets_relevance);
  REQUIRE(found);
  REQUIRE(found->size() == leaves.size());
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (!layer.gets_relevance[i]) {
      CHECK(!(*found)[i].defined());
      continue;
    }
    auto expected = torch::autograd::grad({y}, {leaves[i]}, {gamma}, true)[0];
    CHECK(apart((*found)[i], expected) <= tolerance(gamma.scalar_type()));
    auto only = std::vector<bool>(leaves.size(), false);
    only[i] = true;
    auto alone = handed_back(layer, gamma, only);
    REQUIRE(alone);
    for (std::size_t k = 0; k < leaves.size(); ++k) CHECK((*alone)[k].defined() == (k == i));
    CHECK(at::equal((*alone)[i], (*found)[i]));
  }
}

bool has_transposed(const Called& called) { return find_transposed(*layer_of(called).operation) != nullptr; }

std::string conv(std::size_t dimensions, bool transposed) {
  return (transposed ? "conv_transpose" : "conv") + std::to_string(dimensions) + "d";
}

// What moves a convolution's taps about.
struct Window {
  std::int64_t kernel, stride, padding, dilation, groups, output_padding = 0;
};
const Window windows[] = {{1, 1, 0, 1, 1},    {3, 1, 0, 1, 1},    {3, 1, 1, 1, 1}, {3, 2, 0, 1, 1},
                          {3, 2, 1, 1, 1, 1}, {2, 3, 1, 1, 1, 2}, {3, 1, 2, 2, 1}, {3, 2, 2, 2, 1, 1},
                          {3, 1, 1, 1, 2},    {3, 2, 1, 2, 2, 1}, {2, 1, 0, 1, 4}, {3, 2, 1, 1, 4, 1},
                          {2, 3, 0, 1, 2}};

TEST_CASE("convolutions of every geometry hand back what autograd does") {
  for (std::size_t d : {1, 2, 3})
    for (bool transposed : {false, true})
      for (bool bias : {false, true})
        for (auto& w : windows) {
          INFO(conv(d, transposed) << " kernel " << w.kernel << ", stride " << w.stride << ", padding " << w.padding
                                   << ", dilation " << w.dilation << ", groups " << w.groups << ", output padding "
                                   << w.output_padding << ", bias " << bias);
          Sizes x{2, 4}, weight = transposed ? Sizes{4, 8 / w.groups} : Sizes{8, 4 / w.groups};
          x.resize(d + 2, 7), weight.resize(d + 2, w.kernel);
          auto all = [&](std::int64_t value) { return Sizes(d, value); };
          c10::IValue b = bias ? c10::IValue(weight_of({8}, 8)) : c10::IValue();
          if (transposed)
            check_against_autograd({conv(d, true),
                                    d == 1 ? "" : "input",
                                    {input_of(x), weight_of(weight), b, all(w.stride), all(w.padding),
                                     all(w.output_padding), w.groups, all(w.dilation)}});
          else
            check_against_autograd(
                {conv(d, false),
                 "",
                 {input_of(x), weight_of(weight), b, all(w.stride), all(w.padding), all(w.dilation), w.groups}});
          auto output_padding = all(transposed ? w.output_padding : 0);
          std::vector<c10::IValue> general{input_of(x),   weight_of(weight), b,
                                           all(w.stride), all(w.padding),    all(w.dilation),
                                           transposed,    output_padding,    w.groups};
          check_against_autograd({"convolution", "", general});
          for (int i = 0; i < 4; ++i) general.emplace_back(i == 2);
          check_against_autograd({"_convolution", "", general});
        }
}

TEST_CASE("convolutions whose dimensions differ hand back what autograd does") {
  auto x = input_of({2, 3, 9, 8});
  for (auto& kernel : {Sizes{3, 2}, Sizes{1, 4}, Sizes{5, 1}})
    check_against_autograd(
        {"conv2d",
         "",
         {x, weight_of({4, 3, kernel[0], kernel[1]}), weight_of({4}, 8), Sizes{2, 1}, Sizes{1, 2}, Sizes{1, 2}}});
  check_against_autograd({"conv2d", "", {x, weight_of({4, 3, 3, 3}), c10::IValue(), Sizes{2}, Sizes{1}, Sizes{1}}});
  check_against_autograd({"conv_transpose2d",
                          "input",
                          {x, weight_of({3, 4, 3, 2}), c10::IValue(), Sizes{2, 3}, Sizes{1, 0}, Sizes{1, 2}}});
  auto last = depending(drawn({2, 3, 9, 8}, 6).contiguous(at::MemoryFormat::ChannelsLast));
  check_against_autograd({"conv2d", "", {last, weight_of({4, 3, 3, 3}), weight_of({4}, 8), Sizes{2, 2}}});
}

TEST_CASE("padding by name is what autograd takes it for") {
  for (std::size_t d : {1, 2, 3})
    for (std::int64_t dilation : {1, 2})
      for (auto* padding : {"same", "valid"}) {
        INFO(d << " dimensions, dilation " << dilation << ", " << padding);
        Sizes x{2, 4}, weight{6, 2};
        x.resize(d + 2, 7), weight.resize(d + 2, 3);
        Called mode("_convolution_mode", "",
                    {input_of(x), weight_of(weight), weight_of({6}, 8), Sizes(d, 1), padding, Sizes(d, dilation), 2});
        check_against_autograd(mode);
        check_against_autograd({conv(d, false), "padding", mode.arguments});
      }
  // Where both sides cannot be padded alike, only autograd can tell.
  auto uneven = layer_of(
      {"conv2d", "padding", {input_of({2, 3, 6, 6}), weight_of({4, 3, 2, 3}), c10::IValue(), Sizes{1, 1}, "same"}});
  CHECK(!handed_back(uneven, uneven.output, {true}));
  check_plan(standard("epsilon"), uneven, uneven.output);
  check_plan(standard("zplus"), uneven, uneven.output);
}

TEST_CASE("linear layers hand back what autograd does, in every spelling and rank") {
  for (auto& shape : {Sizes{3}, Sizes{4, 3}, Sizes{2, 4, 3}, Sizes{2, 2, 4, 3}, Sizes{0, 3}}) {
    INFO(shape.size() << " dimensions");
    auto x = input_of(shape);
    check_against_autograd({"linear", "", {x, weight_of({5, 3}), weight_of({5}, 8)}});
    check_against_autograd({"linear", "", {x, weight_of({5, 3})}});
    check_against_autograd({"matmul", "", {x, weight_of({3, 5})}});
    check_against_autograd({"matmul", "", {x, weight_of({5, 3}).t()}});
  }
  auto x = input_of({4, 3});
  check_against_autograd({"mm", "", {x, weight_of({3, 5})}});
  check_against_autograd({"mm", "", {x, weight_of({5, 3}).t()}});
  for (auto& bias : {Sizes{5}, Sizes{1, 5}, Sizes{4, 5}, Sizes{1}, Sizes{}})
    check_against_autograd({"addmm", "", {weight_of(bias, 8), x, weight_of({3, 5})}});
  CHECK(!has_transposed({"addmm", "", {weight_of({5}, 8), x, weight_of({3, 5}), 2, 1}}));
  CHECK(!has_transposed({"addmm", "", {weight_of({5}, 8), x, weight_of({3, 5}), 1, 3}}));
  CHECK(!has_transposed({"mm", "", {weight_of({5, 4}), x}}));
}

TEST_CASE("sums hand each summand its part") {
  auto a = input_of({2, 3, 4}), b = input_of({2, 3, 4}, 9);
  check_against_autograd({"add", "Tensor", {a, b}});
  check_against_autograd({"add", "Tensor", {a, b, 0.5}});
  check_against_autograd({"sub", "Tensor", {a, b}});
  check_against_autograd({"sub", "Tensor", {a, b, 3}});
  check_against_autograd({"rsub", "Tensor", {a, b, 2}});
  for (auto& shape : {Sizes{4}, Sizes{3, 1}, Sizes{1, 3, 4}, Sizes{2, 1, 1}, Sizes{}})
    for (bool first : {false, true}) {
      auto other = input_of(shape, 9);
      check_against_autograd({"add", "Tensor", {first ? other : a, first ? a : other, -1.5}});
    }
  check_against_autograd({"add", "Tensor", {a, weight_of({4})}});
  check_against_autograd({"rsub", "Tensor", {a, weight_of({4}), 2}});
  check_against_autograd({"add", "Scalar", {a, 3}});
}

TEST_CASE("scales and products hand back what autograd does") {
  auto a = input_of({2, 3, 4}), b = input_of({2, 3, 4}, 9);
  check_against_autograd({"mul", "Tensor", {a, b}});
  check_against_autograd({"mul", "Tensor", {a, input_of({3, 1}, 9)}});
  check_against_autograd({"mul", "Tensor", {input_of({4}, 9), a}});
  check_against_autograd({"mul", "Tensor", {weight_of({3, 1}), a}});
  check_against_autograd({"mul", "Tensor", {input_of({1, 3, 1}), weight_of({2, 3, 4})}});
  check_against_autograd({"mul", "Scalar", {a, 2.5}});
  check_against_autograd({"div", "Tensor", {a, weight_of({4})}});
  check_against_autograd({"div", "Scalar", {a, 4}});
  check_against_autograd({"neg", "", {a}});
}

TEST_CASE("products of matrices hand both factors what autograd does, batches spread") {
  check_against_autograd({"mm", "", {input_of({4, 3}), input_of({3, 5}, 9)}});
  check_against_autograd({"bmm", "", {input_of({2, 4, 3}), input_of({2, 3, 5}, 9)}});
  check_against_autograd({"matmul", "", {input_of({2, 4, 3}), input_of({2, 3, 5}, 9)}});
  check_against_autograd({"matmul", "", {input_of({2, 6, 4, 3}), input_of({6, 3, 5}, 9)}});
  check_against_autograd({"matmul", "", {input_of({2, 1, 4, 3}), input_of({1, 6, 3, 5}, 9)}});
  check_against_autograd({"matmul", "", {input_of({4, 3}), input_of({2, 3, 5}, 9)}});
  check_against_autograd({"matmul", "", {input_of({2, 4, 3}), input_of({3, 5}, 9)}});
  auto vector = layer_of({"matmul", "", {input_of({2, 4, 3}), input_of({3}, 9)}});
  check_plan(standard("uniform"), vector, vector.output);
}

TEST_CASE("averages of windows hand back what autograd does") {
  auto x = input_of({2, 3, 7, 9});
  for (bool ceil : {false, true})
    for (bool counts : {false, true})
      for (std::int64_t padding : {0, 1})
        for (c10::IValue divisor : {c10::IValue(), c10::IValue(5)}) {
          INFO("ceil " << ceil << ", counts padding " << counts << ", padding " << padding);
          for (auto& stride : {Sizes{}, Sizes{2, 1}, Sizes{3, 3}})
            check_against_autograd(
                {"avg_pool2d", "", {x, Sizes{3, 2}, stride, Sizes{padding, padding}, ceil, counts, divisor}});
          check_against_autograd({"avg_pool2d", "", {x, Sizes{2}, Sizes{2}, Sizes{padding}, ceil, counts, divisor}});
        }
  for (auto& size : {Sizes{1, 1}, Sizes{3, 2}, Sizes{7, 9}, Sizes{1, 4}})
    check_against_autograd({"adaptive_avg_pool2d", "", {x, size}});
}

TEST_CASE("means and sums over dimensions hand back what autograd does") {
  auto x = input_of({2, 3, 4, 5});
  for (auto* name : {"mean", "sum"})
    for (auto& dimensions : {Sizes{1}, Sizes{-1}, Sizes{2, 3}, Sizes{-1, 1}, Sizes{3, 1, 2}})
      for (bool keep : {false, true}) {
        INFO(name << " over " << dimensions.size() << " dimensions, kept " << keep);
        check_against_autograd({name, std::string(name) == "mean" ? "dim" : "dim_IntList", {x, dimensions, keep}});
      }
}

TEST_CASE("norms hand back what autograd does where what divides is held") {
  auto x = input_of({3, 4, 5, 5});
  c10::IValue none;
  for (bool affine : {false, true}) {
    auto w = [&](Sizes shape, std::uint64_t seed) { return affine ? c10::IValue(weight_of(shape, seed)) : none; };
    INFO("affine " << affine);
    for (auto& shape : {Sizes{5}, Sizes{5, 5}})
      check_against_autograd({"layer_norm", "", {x, shape, w(shape, 8), w(shape, 9)}});
    for (std::int64_t groups : {1, 2, 4}) check_against_autograd({"group_norm", "", {x, groups, w({4}, 8), w({4}, 9)}});
    check_against_autograd({"instance_norm", "", {x, w({4}, 8), w({4}, 9), none, none, true, 0.1, 1e-5, false}});
    check_against_autograd(
        {"batch_norm",
         "",
         {x, w({4}, 8), w({4}, 9), weight_of({4}, 10), weight_of({4}, 11).abs(), false, 0.1, 1e-5, false}});
    check_against_autograd({"rms_norm", "", {x, Sizes{5}, w({5}, 8)}});
  }
}

TEST_CASE("softmax hands back what autograd does") {
  auto x = input_of({2, 3, 4});
  for (std::int64_t dimension : {0, 1, 2, -1}) {
    check_against_autograd({"softmax", "int", {x, dimension}});
    check_against_autograd({"_softmax", "", {x, dimension, false}});
  }
}

TEST_CASE("float32 layers hand back what autograd does") {
  auto x = depending(drawn({2, 4, 9, 9}, 1, at::kFloat));
  auto w = drawn({6, 4, 3, 3}, 2, at::kFloat);
  check_against_autograd({"conv2d", "", {x, w, c10::IValue(), Sizes{2, 2}, Sizes{1, 1}}});
  check_against_autograd({"linear", "", {depending(drawn({5, 40}, 1, at::kFloat)), drawn({30, 40}, 2, at::kFloat)}});
  check_against_autograd({"mean", "dim", {x, Sizes{2, 3}}});
  check_against_autograd({"mul", "Scalar", {x, 0.1}});
  check_against_autograd({"add", "Tensor", {x, x, 0.1}});
}

TEST_CASE("only autograd tells what modules, activations and other layers hand back") {
  auto x = input_of({2, 3, 4, 4});
  CHECK(!has_transposed({"relu", "", {x}}));
  CHECK(!has_transposed({"max_pool2d", "", {x, Sizes{2, 2}}}));
  CHECK(!has_transposed({"upsample_bilinear2d", "", {x, Sizes{7, 7}, false}}));
  CHECK(!find_transposed(*layering::as_operation([](auto& inputs, auto&) { return inputs[0]; })));
}

TEST_CASE("layers of one group, linear ones included, can be stacked") {
  auto stacks = [](const Called& called) {
    auto operation = layer_of(called).operation;
    auto* transposed = find_transposed(*operation);
    return transposed && layering::can_be_stacked(*transposed, *operation);
  };
  auto x = input_of({2, 4, 5, 5});
  c10::IValue none;
  CHECK(stacks({"linear", "", {input_of({2, 3}), weight_of({5, 3})}}));
  CHECK(stacks({"mm", "", {input_of({2, 3}), weight_of({3, 5})}}));
  CHECK(stacks({"conv2d", "", {x, weight_of({6, 4, 3, 3})}}));
  CHECK(!stacks({"conv2d", "", {x, weight_of({6, 2, 3, 3}), none, Sizes{1, 1}, Sizes{0, 0}, Sizes{1, 1}, 2}}));
  CHECK(!stacks({"conv_transpose2d", "input", {x, weight_of({4, 6, 3, 3})}}));
  CHECK(!stacks({"relu", "", {x}}));
  CHECK(!stacks({"add", "Tensor", {x, x}}));
}

}  // namespace
}  // namespace test
