// Which layer an operator's call is, from the operator and what its arguments have to do with the input: no rules, no
// attachment.
#include "interpreter/layers/recognition.hpp"

#include "ascribe/error.hpp"
#include "interpreter/layers/written_out.hpp"
#include "tests/layers/calls.hpp"

using namespace ascribe;
using test::Called;
using test::computed;
using test::constant;

TEST_CASE("several patterns may be for one operator, and what depends on the input decides") {
  auto x = computed({2, 3}), y = computed({3, 2}), W = constant({3, 2});
  CHECK(Called("mm", "", {x, W}).kind() == "linear");
  CHECK(Called("mm", "", {W, x}).kind() == "linear");
  CHECK(Called("mm", "", {x, y}).kind() == "matmul");
  CHECK(Called("mul", "Tensor", {x, x}).kind() == "product");
  CHECK(Called("mul", "Tensor", {x, constant({2, 3})}).kind() == "scale");
  CHECK(Called("mul", "Tensor", {constant({2, 3}), x}).kind() == "scale");
  CHECK(Called("div", "Tensor", {x, constant({2, 3})}).kind() == "scale");
  CHECK(Called("div", "Tensor", {constant({2, 3}), x}).kind() == "statistic");
  CHECK(Called("div", "Tensor", {x, x}).kind() == "quotient");
  CHECK(Called("linear", "", {x, constant({4, 3})}).kind() == "linear");
  CHECK(Called("linear", "", {x, computed({4, 3})}).kind() == "matmul");
  CHECK(Called("pow", "Tensor_Scalar", {x, -0.5}).kind() == "statistic");
  CHECK(Called("pow", "Tensor_Scalar", {x, 2}).kind() == "none");
  CHECK(Called("mm", "", {constant({2, 3}), W}).kind() == "none");
}

TEST_CASE("products with a weight are linear in every spelling") {
  auto x = computed({2, 3}), batches = computed({4, 2, 3});
  CHECK(Called("matmul", "", {batches, constant({3, 5})}).kind() == "linear");
  CHECK(Called("bmm", "", {batches, constant({3, 5}).expand({4, 3, 5})}).kind() == "linear");
  CHECK(Called("bmm", "", {constant({4, 5, 2}), batches}).kind() == "linear");
  CHECK(Called("mv", "", {x, constant({3})}).kind() == "linear");
  CHECK(Called("addmm", "", {constant({5}), x, constant({3, 5})}).kind() == "linear");
  CHECK(Called("baddbmm", "", {constant({4, 2, 5}), batches, constant({4, 3, 5})}).kind() == "linear");
  CHECK(Called("addmm", "", {computed({5}), x, constant({3, 5})}).kind() == "none");  // a sum of two layers
}

TEST_CASE("what is recognised computes what the operator does") {
  auto x = computed({2, 3}), other = computed({2, 3}), image = computed({2, 3, 4, 4});
  const std::vector<Called> calls{
      {"linear", "", {x, constant({4, 3}), constant({4})}},
      {"mm", "", {x, constant({3, 5})}},
      {"mm", "", {constant({5, 2}), x}},
      {"addmm", "", {constant({5}), x, constant({3, 5}), 2, 3}},
      {"bmm", "", {computed({4, 2, 3}), constant({3, 5}).expand({4, 3, 5})}},
      {"add", "Tensor", {x, other, 0.5}},
      {"sub", "Tensor", {x, constant({3})}},
      {"rsub", "Tensor", {x, other, 2}},
      {"rsub", "Scalar", {x, 3, 2}},
      {"add", "Scalar", {x, 3}},
      {"mul", "Tensor", {constant({3}), x}},
      {"div", "Tensor", {x, constant({3})}},
      {"div", "Tensor", {x, other}},
      {"neg", "", {x}},
      {"mean", "dim", {image, std::vector<std::int64_t>{2, -1}}},
      {"sum", "dim_IntList", {image, std::vector<std::int64_t>{1}, true}},
      {"avg_pool2d",
       "",
       {image, std::vector<std::int64_t>{3, 3}, std::vector<std::int64_t>{2, 2}, std::vector<std::int64_t>{1, 1}}},
      {"upsample_bilinear2d", "", {image, std::vector<std::int64_t>{7, 7}, false}},
      {"conv2d", "", {image, constant({2, 3, 3, 3})}},
      {"clamp", "", {x, 0}},
  };
  for (auto& each : calls) {
    auto found = each.recognized();
    INFO(each.op.operator_name().name);
    REQUIRE(found);
    REQUIRE(found->call);
    layering::Tensors theta;
    for (auto& [name, value] : found->call->parameters) theta.push_back(value);
    CHECK(at::allclose(found->call->operation->run(found->call->inputs, theta), each.run(), 1e-12, 1e-12));
    for (auto& value : theta) value = value.clone();  // another tensor of the same numbers
    CHECK(at::allclose(found->call->operation->run(found->call->inputs, theta), each.run(), 1e-12, 1e-12));
  }
}

TEST_CASE("clamps and maxima that are activations") {
  auto x = computed({2, 3});
  CHECK(Called("clamp", "", {x, 0}).kind() == "relu");
  CHECK(Called("clamp", "", {x, 0, 6}).kind() == "relu6");
  CHECK(Called("clamp", "", {x, -1, 1}).kind() == "hardtanh");
  CHECK(Called("clamp", "", {x, -1}).kind() == "none");
  CHECK(Called("clamp", "", {x, {}, 1}).kind() == "none");
  CHECK(Called("clamp_min", "", {x, 0}).kind() == "relu");
  CHECK(Called("clamp_min", "", {x, 1}).kind() == "none");
  CHECK(Called("maximum", "", {x, at::zeros({}, at::kDouble)}).kind() == "relu");
  CHECK(Called("maximum", "", {at::zeros({1}, at::kDouble), x}).kind() == "relu");
  CHECK(Called("maximum", "", {x, at::zeros_like(x.detach())}).kind() == "relu");
  CHECK(Called("maximum", "", {x, constant({2, 3})}).kind() == "none");
}

TEST_CASE("a leaf that the model does not know is a weight where a module would have it, else an input") {
  auto x = computed({2, 3}), leaf = constant({4, 3}).requires_grad_();
  CHECK(Called("linear", "", {x, leaf}).kind() == "linear");
  CHECK(Called("mm", "", {x, constant({3, 4}).requires_grad_()}).kind() == "matmul");
  Called named("mm", "", {x, constant({3, 4}).requires_grad_()});
  named.names.add("fc.weight", named.arguments[1].toTensor());
  CHECK(named.kind() == "linear");
  CHECK(named.recognized()->call->module == "fc");
}

TEST_CASE("a product and the bias of its module are one layer") {
  auto x = computed({2, 3, 4}), weight = constant({5, 4}), bias = constant({5});
  Called product("matmul", "", {x, weight.t()});
  product.names.add("fc.weight", weight);
  product.names.add("fc.bias", bias);
  auto found = product.recognized();
  REQUIRE(found->call->bias_follows);
  auto y = product.run();
  Called sum("add", "Tensor", {y, bias});
  sum.names = product.names;
  auto whole = layering::with_product(sum.call(), *found->call, libtorch::Made(y));
  REQUIRE(whole);
  CHECK(whole->module == "fc");
  CHECK(whole->parameters.size() == 2);
  CHECK(at::allclose(whole->operation->run({x}, {weight, bias}), y + bias, 1e-12, 1e-12));
  CHECK_FALSE(layering::with_product(sum.call(), *found->call, libtorch::Made(x)));  // of another product
}

TEST_CASE("a vector times a constant one, summed, is a linear layer as a program without mv and dot has it") {
  auto x = computed({2, 3}), weight = constant({3});
  Called times("mul", "Tensor", {weight, x});
  auto product = times.recognized();
  REQUIRE(product->call->sum_may_follow);
  auto y = times.run();
  auto summed = [&](std::vector<std::int64_t> dimensions, bool keeps = false) {
    Called sum("sum", "dim_IntList", {y, dimensions, keeps});
    return layering::with_product(sum.call(), *product->call, libtorch::Made(y));
  };
  for (std::int64_t last : {1, -1}) {
    auto whole = summed({last});
    REQUIRE(whole);
    CHECK(whole->kind_name == "linear");
    REQUIRE(whole->parameters.size() == 1);
    CHECK(at::allclose(whole->operation->run({x}, {weight}), at::mv(x, weight), 1e-12, 1e-12));
    CHECK(at::allclose(whole->operation->run({x}, {2 * weight}), 2 * at::mv(x, weight), 1e-12, 1e-12));
  }
  CHECK_FALSE(summed({0}));
  CHECK_FALSE(summed({0, 1}));
  CHECK_FALSE(summed({1}, /*keeps=*/true));
  CHECK_FALSE(Called("mul", "Tensor", {x, constant({2, 3})}).recognized()->call->sum_may_follow);
  CHECK_FALSE(Called("mul", "Tensor", {x, constant({1})}).recognized()->call->sum_may_follow);
  CHECK(Called("dot", "", {computed({3}), weight}).kind() == "linear");
}

TEST_CASE("what is written out computes what the operator does") {
  auto x = computed({2, 3}), y = computed({2, 3}), z = computed({2, 3}).abs() + 1;
  auto q = computed({2, 4, 5, 3}), k = computed({2, 2, 5, 3}), h = computed({2, 5, 4});
  auto some = constant({5, 5}).ge(-0.5), nothing_seen = at::ones({5, 5}, at::kBool);
  nothing_seen[2].fill_(false);
  auto parameters = [](std::initializer_list<std::vector<std::int64_t>> shapes) {
    std::vector<at::Tensor> out;
    for (auto& shape : shapes) out.push_back(constant(shape));
    return out;
  };
  auto cells = [&](std::int64_t gates) {  // two directions of three units each
    auto rows = 3 * gates;
    return parameters({{rows, 4}, {rows, 3}, {rows}, {rows}, {rows, 4}, {rows, 3}, {rows}, {rows}});
  };
  auto state = constant({2, 2, 3});
  std::vector<at::Tensor> states{state, constant({2, 2, 3})};
  auto qkv = constant({12, 4}), qkv_bias = constant({12}), out = constant({4, 4}), bias = constant({4});
  auto padding = at::zeros({2, 5}, at::kBool), above = at::ones({5, 5}, at::kBool).triu(1);
  padding[1].slice(0, 3).fill_(true);
  auto wide = constant({6, 4}), wide_bias = constant({6}), narrow = constant({4, 6});
  auto encoder = [&](bool gelu, bool norm_first, c10::IValue mask, c10::IValue type) {
    return std::vector<c10::IValue>{h,      4,    2,      qkv,  qkv_bias, out,       bias,   gelu, norm_first, 1e-5,
                                    out[0], bias, out[1], bias, wide,     wide_bias, narrow, bias, mask,       type};
  };
  using Case = std::tuple<std::string, std::string, std::vector<c10::IValue>>;
  for (auto& [name, overload, arguments] : std::vector<Case>{
           {"lerp", "Scalar", {x, y, 0.3}},
           {"lerp", "Scalar", {x, y, 0.75}},
           {"lerp", "Tensor", {x, y, constant({3})}},
           {"lerp", "Tensor", {x, constant({1, 3}), y}},
           {"addcmul", "", {x, y, z, 0.5}},
           {"addcdiv", "", {x, y, z, -2}},
           {"addmm", "", {x, computed({2, 4}), constant({4, 3}), 0.5, 2}},
           {"addmv", "", {computed({2}), x, computed({3}), 1, -1}},
           {"baddbmm", "", {computed({2, 5, 5}), h, computed({2, 4, 5}), 0.5, 0.3}},
           {"addbmm", "", {computed({5, 5}), h, computed({2, 4, 5}), 0.5, 0.3}},
           {"glu", "", {computed({2, 6}), 1}},
           {"scaled_dot_product_attention", "", {q, q, q}},
           {"scaled_dot_product_attention", "", {q, q, q, some}},
           {"scaled_dot_product_attention", "", {q, q, q, nothing_seen}},
           {"scaled_dot_product_attention", "", {q, q, q, constant({5, 5})}},
           {"scaled_dot_product_attention", "", {q, k, k, {}, 0.0, true, 0.3, true}},
           {"lstm", "input", {h, states, cells(4), true, 1, 0.0, false, true, true}},
           {"gru", "input", {h, state, cells(3), true, 1, 0.0, false, true, true}},
           {"rnn_tanh", "input", {h, state, cells(1), true, 1, 0.0, false, true, true}},
           {"rnn_relu", "input", {h, state, cells(1), true, 1, 0.0, false, true, true}},
           {"_native_multi_head_attention", "", {h, h, h, 4, 2, qkv, qkv_bias, out, bias}},
           {"_native_multi_head_attention", "", {h, h, h, 4, 2, qkv, qkv_bias, out, bias, padding, true, false, 1}},
           {"_transformer_encoder_layer_fwd", "", encoder(false, false, {}, {})},
           {"_transformer_encoder_layer_fwd", "", encoder(false, true, above, 0)},
           {"_transformer_encoder_layer_fwd", "", encoder(true, false, padding, 1)},
       }) {
    INFO(name << "." << overload);
    at::NoGradGuard no_grad;  // the fast paths want none
    Called called(name, overload, arguments);
    auto* written_out = layering::find_written_out("aten::" + name, overload, /*products=*/true);
    REQUIRE(written_out);
    torch::jit::Stack expected(called.arguments.begin(), called.arguments.end());
    called.op.callBoxed(expected);
    auto found = written_out(called.arguments);
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(at::allclose(found[i], expected[i].toTensor(), 1e-9, 1e-9));
  }
  CHECK(layering::find_written_out("aten::add", "Tensor", true) == nullptr);
  CHECK(layering::find_written_out("aten::glu", "", /*products=*/false) == nullptr);
}

TEST_CASE("training mode is refused in every spelling") {
  auto x = computed({2, 3, 4, 4}), mean = constant({3}), variance = constant({3}).abs();
  auto refused = [](const Called& each) {
    auto found = each.recognized();
    REQUIRE(found);
    try {
      layering::refuse_training_mode(*found->pattern, each.op, each.arguments, "x");
    } catch (const Error& error) {
      return error.diagnostics().front().code == Code::training_mode;
    }
    return false;
  };
  CHECK(refused({"batch_norm", "", {x, {}, {}, mean, variance, true, 0.1, 1e-5, false}}));
  CHECK_FALSE(refused({"batch_norm", "", {x, {}, {}, mean, variance, false, 0.1, 1e-5, false}}));
  CHECK(refused({"_native_batch_norm_legit_functional", "", {x, {}, {}, mean, variance, true, 0.1, 1e-5}}));
  CHECK(refused({"_native_batch_norm_legit", "no_stats", {x, {}, {}, true, 0.1, 1e-5}}));
  CHECK(refused({"native_dropout", "", {x, 0.5, true}}));
  CHECK(refused({"dropout", "", {x, 0.5, true}}));
  CHECK_FALSE(refused({"dropout", "", {x, 0.5, false}}));
  CHECK(refused({"rrelu", "", {x, 0.1, 0.3, true}}));
  CHECK_FALSE(refused({"instance_norm", "", {x, {}, {}, {}, {}, true, 0.1, 1e-5, false}}));
}

TEST_CASE("what is in no table is an operator, with every tensor that depends on the input") {
  auto x = computed({2, 3}), y = computed({2, 3});
  Called call("atan2", "", {x, y});
  auto found = layering::whole_operator(call.call());
  CHECK(found.kind_name == "atan2");
  CHECK(found.operation->kind->name == "operator");
  REQUIRE(found.inputs.size() == 2);
  CHECK(at::equal(found.operation->run({y, x}, {}), at::atan2(y, x)));
  Called list("einsum", "", {std::string("ij,ij->i"), c10::List<at::Tensor>({constant({2, 3}), x}), {}});
  auto of_list = layering::whole_operator(list.call());
  REQUIRE(of_list.inputs.size() == 1);
  CHECK(at::allclose(of_list.operation->run({y}, {}),
                     at::einsum("ij,ij->i", {list.arguments[1].toTensorVector()[0], y})));
}

TEST_CASE("indices move relevance, and constants beside them take some") {
  CHECK(layering::follows_indices("aten::slice_scatter"));
  CHECK(layering::follows_indices("aten::copy"));
  CHECK_FALSE(layering::follows_indices("aten::exp"));
  auto x = computed({2, 3});
  auto cat = [](std::vector<at::Tensor> list) { return Called("cat", "", {list, 1}); };
  CHECK(layering::puts_constants(cat({x, constant({2, 1})}).call()));
  CHECK_FALSE(layering::puts_constants(cat({x, computed({2, 1})}).call()));
  CHECK(layering::puts_constants(Called("constant_pad_nd", "", {x, std::vector<std::int64_t>{1, 1}}).call()));
  auto mask = at::ones({2, 3}, at::kBool);
  CHECK(layering::puts_constants(Called("masked_fill", "Scalar", {x, mask, 0}).call()));
  CHECK(layering::puts_constants(Called("where", "ScalarOther", {mask, x, 0}).call()));
  CHECK_FALSE(layering::puts_constants(Called("where", "self", {mask, x, computed({2, 3})}).call()));
  auto zeros = at::zeros({2, 5}, at::kDouble);
  CHECK(layering::puts_constants(Called("copy_", "", {zeros.slice(1, 1, 4), x}).call()));
  CHECK(layering::puts_constants(Called("copy_", "", {x.slice(1, 0, 1), constant({2, 1})}).call()));
  CHECK(layering::puts_constants(Called("fill_", "Scalar", {x.select(1, 0), 0}).call()));
  CHECK_FALSE(layering::puts_constants(Called("copy_", "", {zeros, x}).call()));  // all of it
  CHECK_FALSE(layering::puts_constants(Called("unsqueeze_", "", {x, 0}).call()));
  CHECK_FALSE(layering::puts_constants(Called("reshape", "", {x, std::vector<std::int64_t>{6}}).call()));
}
