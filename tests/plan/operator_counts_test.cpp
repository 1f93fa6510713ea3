// Which of LibTorch's operators an attribution runs: the arithmetic that relevance needs, and no more.
#include <ATen/record_function.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>

#include "ascribe/attach.hpp"
#include "tests/plan/layers.hpp"

namespace test {
namespace {

namespace nn = torch::nn;

// The operators that this thread runs while it lives, and the sizes of the tensors that they are given.
class Watch {
 public:
  struct Ran {
    std::string name;
    Tensors inputs;
  };
  Watch() : before_(current_) {
    current_ = this;
    handle_ = at::addThreadLocalCallback(
        at::RecordFunctionCallback([](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
          Ran ran{function.name(), {}};
          for (auto& each : function.inputs())
            if (each.isTensor() && each.toTensor().defined()) ran.inputs.push_back(each.toTensor());
          current_->ran_.push_back(std::move(ran));
          return nullptr;
        })
            .needsInputs(true)
            .scopes({at::RecordScope::FUNCTION}));
  }
  Watch(const Watch&) = delete;
  ~Watch() {
    at::removeCallback(handle_);
    current_ = before_;
  }
  int count(const std::string& name) const {
    return static_cast<int>(std::count_if(ran_.begin(), ran_.end(), [&](auto& each) { return each.name == name; }));
  }
  const std::vector<Ran>& ran() const { return ran_; }

 private:
  static thread_local Watch* current_;
  Watch* before_;
  at::CallbackHandle handle_;
  std::vector<Ran> ran_;
};
thread_local Watch* Watch::current_ = nullptr;

// What computes: each convolution and product of matrices comes to exactly one of these.
struct Arithmetic {
  int forward, transposed, products, element_wise;
  bool operator==(const Arithmetic&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Arithmetic& it) {
  return out << it.forward << " convolutions, " << it.transposed << " transposed, " << it.products << " products, "
             << it.element_wise << " element by element";
}

Arithmetic arithmetic(const Watch& watch) {
  Arithmetic out{watch.count("aten::_convolution"), watch.count("aten::convolution_backward"),
                 watch.count("aten::mm") + watch.count("aten::addmm") + watch.count("aten::bmm"), 0};
  for (auto* name :
       {"add",       "sub",       "mul", "div",  "maximum",   "minimum",   "where",      "clamp",
        "clamp_min", "clamp_max", "abs", "sign", "pow",       "ge",        "gt",         "lt",
        "le",        "eq",        "cat", "sum",  "full_like", "ones_like", "zeros_like", "threshold_backward"})
    out.element_wise += watch.count(std::string("aten::") + name);
  return out;
}

template <typename Layer>
Layer with_numbers(Layer layer) {
  layer->to(at::kDouble);
  at::NoGradGuard no_grad;
  std::uint64_t seed = 200;
  for (auto& each : layer->parameters()) each.copy_(drawn(each.sizes(), seed++));
  return layer;
}

// What a backward pass through one layer behind a ReLU runs; the second one, when parameters are known.
template <typename Layer>
Arithmetic second_backward(const Rule& rule, Layer layer, const at::Tensor& x) {
  evaluate::UsingEvaluator using_it(evaluate::planner());
  nn::Sequential model(with_numbers(layer));
  Arithmetic out{};
  for (int i = 0; i < 2; ++i) {
    auto input = x.detach().requires_grad_();
    auto attached = attach(rule, model);
    auto y = model->forward(input);
    auto R = y.detach().clone();
    Watch watch;
    torch::autograd::grad({y}, {input}, {R});
    out = arithmetic(watch);
  }
  return out;
}

nn::Conv2d convolution() { return nn::Conv2d(nn::Conv2dOptions(3, 4, 3).padding(1)); }
at::Tensor behind_relu() { return drawn({2, 3, 6, 6}, 1).clamp_min(0); }
at::Tensor of_either_sign() { return drawn({2, 3, 6, 6}, 1); }

TEST_CASE("epsilon runs the layer no second time, and one transposed operator") {
  for (auto& x : {behind_relu(), of_either_sign()}) {
    CHECK(second_backward(standard("epsilon"), convolution(), x) == Arithmetic{0, 1, 0, 0});
    CHECK(second_backward(standard("epsilon"), nn::Linear(6, 4), x.flatten(0, 2)) == Arithmetic{0, 0, 1, 0});
  }
}

TEST_CASE("linear layers on inputs of more dimensions run what others do") {
  auto x = behind_relu();
  CHECK(second_backward(standard("epsilon"), nn::Linear(nn::LinearOptions(6, 4).bias(false)), x) ==
        Arithmetic{0, 0, 1, 0});
  CHECK(second_backward(standard("epsilon"), nn::Linear(6, 4), x) == Arithmetic{0, 0, 1, 0});
  CHECK(second_backward(standard("zplus"), nn::Linear(6, 4), x) == Arithmetic{0, 0, 2, 0});
}

TEST_CASE("zplus behind a ReLU runs the layer once more, and one transposed operator") {
  CHECK(second_backward(standard("zplus"), convolution(), behind_relu()) == Arithmetic{1, 1, 0, 0});
  CHECK(second_backward(standard("zplus"), nn::Linear(6, 4), behind_relu().flatten(0, 2)) == Arithmetic{0, 0, 2, 0});
  CHECK(second_backward(standard("zplus"), convolution(), of_either_sign()) == Arithmetic{2, 2, 0, 0});
}

TEST_CASE("alpha_beta and gamma behind a ReLU run one stacked operator forward and one back") {
  for (auto& rule : {standard("alpha_beta", {{"alpha", 2}, {"beta", 1}}), standard("gamma")}) {
    CHECK(second_backward(rule, convolution(), behind_relu()) == Arithmetic{1, 1, 0, 0});
    CHECK(second_backward(rule, nn::Linear(6, 4), behind_relu().flatten(0, 2)) == Arithmetic{0, 0, 2, 0});
    CHECK(second_backward(rule, convolution(), of_either_sign()) == Arithmetic{2, 2, 0, 0});
  }
}

TEST_CASE("flat runs the layer once on one sample, whatever the batch") {
  evaluate::UsingEvaluator using_it(evaluate::planner());
  nn::Sequential model(with_numbers(convolution()));
  auto input = of_either_sign().requires_grad_();
  auto attached = attach(standard("flat"), model);
  auto y = model->forward(input);
  auto R = y.detach().clone();
  Watch watch;
  torch::autograd::grad({y}, {input}, {R});
  CHECK(watch.count("aten::_convolution") == 1);
  CHECK(watch.count("aten::convolution_backward") == 1);
  for (auto& each : watch.ran())
    if (each.name == "aten::_convolution") CHECK(each.inputs.at(0).size(0) == 1);
}

TEST_CASE("stacked operators have twice the outputs") {
  evaluate::UsingEvaluator using_it(evaluate::planner());
  nn::Sequential model(with_numbers(convolution()));
  auto input = behind_relu().requires_grad_();
  auto attached = attach(standard("alpha_beta"), model);
  auto y = model->forward(input);
  auto R = y.detach().clone();
  Watch watch;
  torch::autograd::grad({y}, {input}, {R});
  for (auto& each : watch.ran()) {
    if (each.name == "aten::_convolution") CHECK(each.inputs.at(1).size(0) == 8);
    if (each.name == "aten::convolution_backward") CHECK(each.inputs.at(0).size(1) == 8);
  }
}

TEST_CASE("no gradient of a weight is worked out, and no graph recorded") {
  evaluate::UsingEvaluator using_it(evaluate::planner());
  nn::Sequential model(with_numbers(convolution()), nn::ReLU(), with_numbers(nn::Conv2d(4, 5, 3)));
  auto input = of_either_sign().requires_grad_();
  auto attached = attach(standard("zplus"), model);
  auto y = model->forward(input);
  auto R = y.detach().clone();
  Watch watch;
  auto relevance = torch::autograd::grad({y}, {input}, {R})[0];
  CHECK(!relevance.requires_grad());
  for (auto& each : watch.ran()) {
    if (each.name == "aten::threshold_backward" || each.name == "aten::detach") continue;  // the ReLU is autograd's
    INFO(each.name);
    for (auto& tensor : each.inputs) CHECK(!tensor.grad_fn());
  }
  for (auto& each : model->parameters()) CHECK(!each.grad().defined());
}

// The operators that are given a parameter, or anything of its shape.
int on_parameters(const Watch& watch, const nn::Module& model) {
  int out = 0;
  for (auto& each : watch.ran()) {
    if (each.name == "aten::detach" || each.name == "aten::alias" || each.name == "aten::view") continue;
    if (each.name.find("conv") != std::string::npos) continue;
    for (auto& tensor : each.inputs)
      for (auto& parameter : model.parameters()) out += tensor.dim() == 4 && tensor.sizes() == parameter.sizes();
  }
  return out;
}

TEST_CASE("a second attribution works nothing out of parameters") {
  evaluate::UsingEvaluator using_it(evaluate::planner());
  for (auto* name : {"zplus", "alpha_beta", "gamma", "gamma_classic", "flat", "wsquare"}) {
    INFO(name);
    nn::Sequential model(with_numbers(nn::Conv2d(3, 7, 5)), nn::ReLU(), with_numbers(nn::Conv2d(7, 9, 2)));
    auto rule = standard(name);
    auto worked_out = [&] {
      auto input = drawn({2, 3, 8, 8}, 1).requires_grad_();
      auto attached = attach(rule, model);
      auto y = model->forward(input);
      auto R = y.detach().clone();
      Watch watch;
      torch::autograd::grad({y}, {input}, {R});
      return on_parameters(watch, *model);
    };
    CHECK(worked_out() > 0);
    CHECK(worked_out() == 0);
    {
      at::NoGradGuard no_grad;
      model[0]->as<nn::Conv2d>()->weight.mul_(2);
    }
    CHECK(worked_out() > 0);
    CHECK(worked_out() == 0);
  }
}

TEST_CASE("sums for a report run no further convolution") {
  evaluate::UsingEvaluator using_it(evaluate::planner());
  nn::Sequential model(with_numbers(convolution()));
  for (auto* name : {"epsilon", "zplus", "alpha_beta", "gamma"}) {
    INFO(name);
    auto run = [&](bool sums) {
      auto input = behind_relu().requires_grad_();
      auto attached = attach(standard(name), model, {.sums = sums});
      auto y = model->forward(input);
      auto R = y.detach().clone();
      Watch watch;
      torch::autograd::grad({y}, {input}, {R});
      auto out = arithmetic(watch);
      return out.forward + out.transposed;
    };
    CHECK(run(true) == run(false));
  }
}

}  // namespace
}  // namespace test
