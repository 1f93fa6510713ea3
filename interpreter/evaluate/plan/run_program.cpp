#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/TensorIteratorInternal.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>

#include "interpreter/evaluate/evaluator.hpp"
#include "interpreter/evaluate/plan/program.hpp"
#include "interpreter/evaluate/reference/builtins.hpp"

namespace ascribe::evaluate::plan {
namespace {

// What one thread's share of the elements came to.
struct Share {
  std::int64_t begin;
  std::vector<double> sums, of_outputs;
};

// The registers of one thread.
template <typename T>
class Blocks {
 public:
  Blocks(const Program& program, Share& share)
      : program_(program), share_(share), registers_(program.registers), is_output_(program.sources.size()) {
    for (auto each : program.outputs)
      if (each < is_output_.size()) is_output_[each] = true;
    thread_local std::vector<T> memory;
    memory.resize(program.registers * static_cast<std::size_t>(block_size));
    memory_ = memory.data();
    for (std::size_t i = 0; i < program.numbers.size(); ++i) {
      auto place = program.sources.size() + i;
      std::fill_n(own(place), block_size, static_cast<T>(program.numbers[i]));
    }
    for (std::size_t i = 0; i < program.registers; ++i) registers_[i] = own(i);
  }

  bool finite() const { return finite_; }

  // `data` and `strides` (in bytes): first the outputs', then the operands'.
  void run(char* const* data, const std::int64_t* strides, std::int64_t count) {
    auto outputs = program_.outputs.size();
    for (std::int64_t first = 0; first < count; first += block_size) {
      auto length = std::min(block_size, count - first);
      for (std::size_t i = 0; i < program_.sources.size(); ++i)
        registers_[i] = load(data[outputs + i] + first * strides[outputs + i], strides[outputs + i], i, length);
      run_block(program_.instructions.data(), program_.instructions.size(), registers_.data(), length);
      for (std::size_t i = 0; i < program_.sums.size(); ++i)
        share_.sums[i] += sum_of_block(registers_[program_.sums[i]], length);
      for (std::size_t i = 0; i < share_.of_outputs.size(); ++i)
        share_.of_outputs[i] += sum_of_block(registers_[program_.outputs[i]], length);
      for (std::size_t i = 0; i < outputs; ++i) finite_ = finite_ && is_finite(registers_[program_.outputs[i]], length);
      for (std::size_t i = 0; i < outputs; ++i)
        store(registers_[program_.outputs[i]], data[i] + first * strides[i], strides[i], length);
    }
  }

 private:
  static constexpr std::int64_t unit = sizeof(T);

  T* own(std::size_t place) { return memory_ + place * static_cast<std::size_t>(block_size); }

  // In place where the numbers lie side by side: no instruction writes into a register of a source.
  T* load(char* from, std::int64_t stride, std::size_t place, std::int64_t length) {
    if (stride == unit && !is_output_[place]) return reinterpret_cast<T*>(from);
    auto* out = own(place);
    if (stride == 0) {
      std::fill_n(out, length, *reinterpret_cast<T*>(from));
    } else {
      for (std::int64_t i = 0; i < length; ++i) out[i] = *reinterpret_cast<T*>(from + i * stride);
    }
    return out;
  }

  static void store(const T* from, char* to, std::int64_t stride, std::int64_t length) {
    if (stride == unit) {
      std::copy_n(from, length, reinterpret_cast<T*>(to));
    } else {
      for (std::int64_t i = 0; i < length; ++i) *reinterpret_cast<T*>(to + i * stride) = from[i];
    }
  }

  const Program& program_;
  Share& share_;
  std::vector<T*> registers_;
  std::vector<bool> is_output_;  // sources that go on as they are: what they lie in may be written over meanwhile
  T* memory_ = nullptr;
  bool finite_ = true;
};

template <typename T>
Passed run_on_processor(const Program& program, at::TensorIterator& iterator, std::size_t summed_outputs) {
  std::mutex mutex;
  std::vector<Share> shares;
  std::atomic<bool> finite = true;
  auto tensors = static_cast<std::size_t>(iterator.ntensors());
  at::parallel_for(0, iterator.numel(), at::internal::GRAIN_SIZE, [&](std::int64_t begin, std::int64_t end) {
    Share share{begin, std::vector<double>(program.sums.size()), std::vector<double>(summed_outputs)};
    Blocks<T> blocks(program, share);
    std::vector<char*> places;
    iterator.serial_for_each(
        [&](char** data, const std::int64_t* strides, std::int64_t inner, std::int64_t outer) {
          places.assign(data, data + tensors);
          for (std::int64_t i = 0; i < outer; ++i) {
            blocks.run(places.data(), strides, inner);
            for (std::size_t k = 0; k < tensors; ++k) places[k] += strides[tensors + k];
          }
        },
        {begin, end});
    if (!blocks.finite()) finite = false;
    std::lock_guard lock(mutex);
    shares.push_back(std::move(share));
  });
  // In the order of the elements, so that the same numbers give the same sum.
  std::sort(shares.begin(), shares.end(), [](auto& a, auto& b) { return a.begin < b.begin; });
  Passed out{std::vector<double>(program.sums.size()), std::vector<double>(summed_outputs), finite};
  for (auto& share : shares) {
    for (std::size_t i = 0; i < out.sums.size(); ++i) out.sums[i] += share.sums[i];
    for (std::size_t i = 0; i < summed_outputs; ++i) out.of_outputs[i] += share.of_outputs[i];
  }
  return out;
}

Passed run_iterated(const Program& program, std::span<const at::Tensor> operands, std::span<const at::Tensor> outputs,
                    bool sums_outputs) {
  auto summed = sums_outputs ? outputs.size() : 0;
  at::TensorIteratorConfig config;
  config.set_check_mem_overlap(false).check_all_same_dtype(false).resize_outputs(false);
  for (auto& each : outputs) config.add_output(each);
  for (auto& each : operands) config.add_const_input(each);
  auto iterator = config.build();
  return outputs.front().scalar_type() == at::kDouble ? run_on_processor<double>(program, iterator, summed)
                                                      : run_on_processor<float>(program, iterator, summed);
}

// ------------------------------------------------------------------------------------------------- LibTorch's
// operators

at::Tensor computed(Op op, const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
  auto truth = [&](const at::Tensor& holds) { return holds.to(a.scalar_type()); };
  switch (op) {
    case Op::abs:
      return a.abs();
    case Op::sign:
      return sign_of(a);
    case Op::sqrt:
      return a.sqrt();
    case Op::exp:
      return a.exp();
    case Op::log:
      return a.log();
    case Op::tanh:
      return a.tanh();
    case Op::sigmoid:
      return a.sigmoid();
    case Op::add:
      return a + b;
    case Op::subtract:
      return a - b;
    case Op::multiply:
      return a * b;
    case Op::divide:
      return a / b;
    case Op::power:
      return at::pow(a, b);
    case Op::minimum:
      return at::minimum(a, b);
    case Op::maximum:
      return at::maximum(a, b);
    case Op::less:
      return truth(a < b);
    case Op::less_equal:
      return truth(a <= b);
    case Op::greater:
      return truth(a > b);
    case Op::greater_equal:
      return truth(a >= b);
    case Op::equal:
      return truth(a == b);
    case Op::logical_and:
      return truth(a.logical_and(b));
    case Op::logical_or:
      return truth(a.logical_or(b));
    case Op::logical_not:
      return truth(a.logical_not());
    case Op::select:
      return at::where(c != 0, a, b);
  }
  return {};
}

Passed run_by_operators(const Program& program, std::span<const at::Tensor> operands,
                        std::span<const at::Tensor> outputs, bool sums_outputs) {
  std::vector<at::Tensor> registers(operands.begin(), operands.end());
  registers.resize(program.registers);
  auto next = operands.size();
  for (auto number : program.numbers) registers[next++] = at::full({}, number, outputs.front().options());
  for (auto& it : program.instructions)
    registers[it.out] = computed(it.op, registers[it.a], registers[it.b], registers[it.c]);
  Passed out;
  for (auto place : program.sums)
    out.sums.push_back(registers[place].expand(outputs.front().sizes()).sum(at::kDouble).item<double>());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    out.finite = out.finite && registers[program.outputs[i]].isfinite().all().item<bool>();
    registers[program.outputs[i]] = registers[program.outputs[i]].clone();  // before any operand is written over
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].copy_(registers[program.outputs[i]]);
    if (sums_outputs) out.of_outputs.push_back(total(outputs[i]));
  }
  return out;
}

bool is_short(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kHalf || tensor.scalar_type() == at::kBFloat16;
}

}  // namespace

Passed run(const Program& program, std::span<const at::Tensor> operands, std::span<const at::Tensor> outputs,
           bool sums_outputs) {
  auto& like = outputs.front();
  auto type = is_short(like) ? at::kFloat : like.scalar_type();
  std::vector<at::Tensor> converted(operands.begin(), operands.end());
  for (auto& each : converted)
    if (each.scalar_type() != type) each = each.to(type);
  std::vector<at::Tensor> precise;
  for (auto& each : outputs)
    precise.push_back(is_short(like) ? at::empty_like(each, each.options().dtype(type)) : each);
  bool processor = like.device().is_cpu() && (type == at::kFloat || type == at::kDouble);
  auto out = processor ? run_iterated(program, converted, precise, sums_outputs)
                       : run_by_operators(program, converted, precise, sums_outputs);
  if (is_short(like))
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      outputs[i].copy_(precise[i]);
      out.finite = out.finite && outputs[i].isfinite().all().item<bool>();  // 16 bits hold less
    }
  return out;
}

bool never_negative(const at::Tensor& tensor) {
  constexpr std::int64_t step = 1 << 16;
  if (!tensor.device().is_cpu() || !tensor.is_non_overlapping_and_dense() ||
      (tensor.scalar_type() != at::kFloat && tensor.scalar_type() != at::kDouble))
    return tensor.numel() > 0 && tensor.ge(0).all().item<bool>();
  std::atomic<bool> found = false;
  auto look = [&](auto* numbers) {
    at::parallel_for(0, tensor.numel(), step, [&](std::int64_t begin, std::int64_t end) {
      for (auto first = begin; first < end && !found; first += block_size)
        if (!never_negative(numbers + first, std::min(block_size, end - first))) found = true;
    });
  };
  tensor.scalar_type() == at::kFloat ? look(tensor.const_data_ptr<float>()) : look(tensor.const_data_ptr<double>());
  return !found;
}

}  // namespace ascribe::evaluate::plan

namespace ascribe::evaluate {
namespace {

// Each thread's share in turn, so that the same numbers give the same sum.
template <typename T>
double total_in_memory(const T* numbers, std::int64_t count) {
  auto add = [&](std::int64_t begin, std::int64_t end, double sum) {
    return sum + plan::sum_of_block(numbers + begin, end - begin);
  };
  return at::parallel_reduce(0, count, at::internal::GRAIN_SIZE, 0.0, add, std::plus<>());
}

}  // namespace

// LibTorch would first make a copy in double precision.
double total(const at::Tensor& relevance) {
  if (relevance.is_cpu() && relevance.layout() == at::kStrided && !relevance.is_neg() &&
      relevance.is_non_overlapping_and_dense()) {
    if (relevance.scalar_type() == at::kFloat)
      return total_in_memory(relevance.const_data_ptr<float>(), relevance.numel());
    if (relevance.scalar_type() == at::kDouble)
      return total_in_memory(relevance.const_data_ptr<double>(), relevance.numel());
  }
  return relevance.sum(at::kDouble).item<double>();
}

}  // namespace ascribe::evaluate
