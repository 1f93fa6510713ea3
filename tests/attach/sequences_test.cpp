// Recurrent layers and attention as C++ has them: taken apart where an entry names products, and nothing is lost on the
// way.
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/rnn.h>
#include <torch/nn/modules/transformercoder.h>
#include <torch/nn/modules/transformerlayer.h>

#include "tests/attach/layers.hpp"

using namespace ascribe;

namespace {

// Biases take relevance: without them, all of it arrives.
template <typename Module>
Module without_biases(Module module) {
  at::NoGradGuard no_grad;
  for (auto& parameter : module->named_parameters())
    if (parameter.key().find("bias") != std::string::npos) parameter.value().zero_();
  module->to(at::kDouble);
  module->eval();
  return module;
}

struct Arrived {
  double share;  // of what it started with
  Report report;
};

template <typename Run>
Arrived arrived(const char* composite, torch::nn::Module& module, const at::Tensor& given, const Run& run) {
  auto x = given.clone().requires_grad_();
  auto attached = attach(Pack::standard().composite(composite, {{"epsilon", 1e-12}}), module, {.sums = true});
  auto y = run(x);
  attached.remove();
  auto R = y.detach().clone();
  R.slice(-1, 1).zero_();
  y.backward(R);
  return {(x.grad().sum() / R.sum()).template item<double>(), attached.report()};
}

void check_conserved(const Arrived& found) {
  CHECK(found.share == Approx(1).epsilon(1e-9));
  REQUIRE(!found.report.empty());
  for (auto& row : found.report) {
    INFO(row.name << " " << row.kind);
    CHECK(row.rule != "gradient");
  }
}

}  // namespace

TEST_CASE("C++'s recurrent layers hand all relevance down under arras") {
  auto x = test::random({3, 4, 5});
  using torch::nn::LSTMOptions, torch::nn::GRUOptions, torch::nn::RNNOptions;
  auto lstm = without_biases(torch::nn::LSTM(LSTMOptions(5, 6).num_layers(2).bidirectional(true)));
  check_conserved(arrived("arras", *lstm, x, [&](auto& z) { return std::get<0>(lstm->forward(z))[-1]; }));
  auto projected = without_biases(torch::nn::LSTM(LSTMOptions(5, 6).batch_first(true).proj_size(2)));
  check_conserved(
      arrived("arras", *projected, x, [&](auto& z) { return std::get<0>(projected->forward(z)).select(1, -1); }));
  auto gru = without_biases(torch::nn::GRU(GRUOptions(5, 6).batch_first(true)));
  check_conserved(arrived("arras", *gru, x, [&](auto& z) { return std::get<0>(gru->forward(z)).select(1, -1); }));
  auto rnn = without_biases(torch::nn::RNN(RNNOptions(5, 6)));
  check_conserved(arrived("arras", *rnn, x, [&](auto& z) { return std::get<0>(rnn->forward(z))[-1]; }));
}

TEST_CASE("C++'s recurrent cells hand all relevance down, step by step") {
  auto x = test::random({3, 4, 5});
  auto lstm = without_biases(torch::nn::LSTMCell(5, 6));
  check_conserved(arrived("arras", *lstm, x, [&](auto& z) {
    auto state = lstm->forward(z.select(1, 0));
    for (std::int64_t t = 1; t < 4; ++t) state = lstm->forward(z.select(1, t), state);
    return std::get<0>(state);
  }));
  auto gru = without_biases(torch::nn::GRUCell(5, 6));
  check_conserved(arrived("arras", *gru, x, [&](auto& z) {
    return gru->forward(z.select(1, 1), gru->forward(z.select(1, 0))) + 0 * z.select(1, 2).sum();
  }));
}

TEST_CASE("C++'s attention and encoders hand all relevance down under cp_lrp") {
  auto x = test::random({4, 3, 8});
  torch::nn::MultiheadAttention attention(torch::nn::MultiheadAttentionOptions(8, 2));
  attention = without_biases(attention);
  check_conserved(arrived("cp_lrp", *attention, x, [&](auto& z) { return std::get<0>(attention->forward(z, z, z)); }));
  torch::nn::TransformerEncoderLayerOptions options(8, 2);
  options.dim_feedforward(12).activation(torch::kGELU);
  auto encoder = without_biases(torch::nn::TransformerEncoder(torch::nn::TransformerEncoderLayer(options), 2));
  check_conserved(arrived("cp_lrp", *encoder, x, [&](auto& z) { return encoder->forward(z); }));
}
