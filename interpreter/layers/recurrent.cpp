// lstm, gru and rnn, step by step, as PyTorch's decompositions have them.
#include "interpreter/layers/recurrent.hpp"

#include <ATen/ATen.h>

namespace ascribe::layering {

using Arguments = std::vector<c10::IValue>;

namespace {

// The parameters of one layer in one direction, in LibTorch's order.
struct Cell {
  at::Tensor of_input, of_state, input_bias, state_bias, projection;
};

// What a step makes of the share of the input and the states before it: the states behind it, the first of which is the
// output.
using StepFunction = Tensors (*)(const at::Tensor& from_input, const Tensors& states, const Cell& cell);

Tensors lstm_step(const at::Tensor& from_input, const Tensors& states, const Cell& cell) {
  auto gates = at::add(from_input, at::linear(states[0], cell.of_state, cell.state_bias)).chunk(4, -1);
  auto kept = at::mul(at::sigmoid(gates[1]), states[1]);
  auto memory = at::add(kept, at::mul(at::sigmoid(gates[0]), at::tanh(gates[2])));
  auto output = at::mul(at::sigmoid(gates[3]), at::tanh(memory));
  if (cell.projection.defined()) output = at::linear(output, cell.projection);
  return {output, memory};
}

Tensors gru_step(const at::Tensor& from_input, const Tensors& states, const Cell& cell) {
  auto i = from_input.chunk(3, -1), h = at::linear(states[0], cell.of_state, cell.state_bias).chunk(3, -1);
  auto reset = at::sigmoid(at::add(h[0], i[0])), update = at::sigmoid(at::add(h[1], i[1]));
  auto fresh = at::tanh(at::add(i[2], at::mul(h[2], reset)));
  return {at::add(at::mul(at::sub(states[0], fresh), update), fresh)};
}

template <at::Tensor (*activation)(const at::Tensor&)>
Tensors plain_step(const at::Tensor& from_input, const Tensors& states, const Cell& cell) {
  return {activation(at::add(at::linear(states[0], cell.of_state, cell.state_bias), from_input))};
}

at::Tensor along(const at::Tensor& x, const Tensors& first, Tensors& last, const Cell& cell, StepFunction step,
                 bool backwards) {
  auto from_input = at::linear(x, cell.of_input, cell.input_bias).unbind(0);
  Tensors outputs(from_input.size());
  last = first;
  for (std::size_t t = 0; t < outputs.size(); ++t) {
    auto place = backwards ? outputs.size() - 1 - t : t;
    last = step(from_input[place], last, cell);
    outputs[place] = last[0];
  }
  return outputs.empty() ? at::empty({0, x.size(1), first[0].size(-1)}, x.options()) : at::stack(outputs);
}

// (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first); hx of lstm is a list of two.
Tensors run_steps(const Arguments& a, StepFunction step) {
  auto x = a[0].toTensor();
  auto states = a[1].isTensor() ? Tensors{a[1].toTensor()} : a[1].toTensorVector();
  auto parameters = a[2].toTensorVector();
  bool biases = a[3].toBool(), both = a[7].toBool(), batch_first = a[8].toBool();
  auto layers = static_cast<std::size_t>(a[4].toInt()), directions = static_cast<std::size_t>(both ? 2 : 1);
  auto each = parameters.size() / (layers * directions);
  if (batch_first) x = x.transpose(0, 1);
  std::vector<Tensors> last(states.size());
  for (std::size_t layer = 0; layer < layers; ++layer) {
    Tensors outputs;
    for (std::size_t direction = 0; direction < directions; ++direction) {
      auto block = layer * directions + direction;
      auto* p = &parameters[block * each];
      Cell cell{p[0], p[1], biases ? p[2] : at::Tensor(), biases ? p[3] : at::Tensor(),
                each > (biases ? 4U : 2U) ? p[each - 1] : at::Tensor()};
      Tensors first, behind;
      for (auto& state : states) first.push_back(state[static_cast<std::int64_t>(block)]);
      outputs.push_back(along(x, first, behind, cell, step, direction == 1));
      for (std::size_t i = 0; i < states.size(); ++i) last[i].push_back(behind[i]);
    }
    x = outputs.size() == 1 ? outputs[0] : at::cat(outputs, -1);
  }
  Tensors out{batch_first ? x.transpose(0, 1) : x};
  for (auto& state : last) out.push_back(at::stack(state));
  return out;
}

}  // namespace

Tensors lstm(const Arguments& a) { return run_steps(a, lstm_step); }
Tensors gru(const Arguments& a) { return run_steps(a, gru_step); }
Tensors rnn_tanh(const Arguments& a) { return run_steps(a, plain_step<at::tanh>); }
Tensors rnn_relu(const Arguments& a) { return run_steps(a, plain_step<at::relu>); }

}  // namespace ascribe::layering
