// What fails in the middle: it is told in one clear line, and thread and model are as they were.
#include "interpreter/inside.hpp"
#include "tests/attach/scripts.hpp"

#include <c10/core/CPUAllocator.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <limits>
#include <set>

#include "interpreter/attach/attachment.hpp"
#include "interpreter/libtorch/module_scope.hpp"
#include "interpreter/model/model_state.hpp"

namespace test {
using namespace ascribe;
namespace {

namespace nn = torch::nn;

// Convolution, batch norm, something in the middle, linear: [N, 1, 4, 4] to [N, 3].
struct Tiny : nn::Module {
  Tiny() {
    at::manual_seed(12);
    features = register_module("features", nn::Sequential(nn::Conv2d(1, 2, 3), nn::BatchNorm2d(2)));
    classifier = register_module("classifier", nn::Linear(2 * 2 * 2, 3));
    to(at::kDouble);
    eval();
  }
  at::Tensor forward(const at::Tensor& x) { return classifier(middle(features->forward(x).relu()).flatten(1)); }

  std::function<at::Tensor(const at::Tensor&)> middle = [](const at::Tensor& h) { return h; };
  nn::Sequential features{nullptr};
  nn::Linear classifier{nullptr};
};

// The same as a TorchScript module; `middle` is a line of its forward, which works on `x`.
torch::jit::Module tiny_script(const std::string& middle = "x = x * 1") {
  at::manual_seed(12);
  auto conv = weights({2, 1, 3, 3}), linear = weights({3, 8});
  auto batch_norm = script(
      "def forward(self, x):\n"
      "  return torch.batch_norm(x, None, None, self.running_mean, self.running_var, False, 0.1, 1e-05, False)\n",
      {}, {}, {{"running_mean", random({2})}, {"running_var", random({2}).abs() + 0.5}});
  return sequence({conv_script(conv.weight, conv.bias), batch_norm, relu_script(),
                   script("def forward(self, x):\n  " + middle + "\n  return torch.flatten(x, 1)\n"),
                   linear_script(linear.weight, linear.bias)});
}

at::Tensor tiny_input() {
  at::manual_seed(13);
  return random({2, 1, 4, 4});
}

// Parameters and buffers, and whether they are as they were.
class Untouched {
 public:
  explicit Untouched(const Tiny& model) : tensors_(model.parameters()) {
    for (auto& each : model.buffers()) tensors_.push_back(each);
    keep();
  }
  explicit Untouched(const Model& model) {
    tensors_ = Inside::state(model).names->held;
    keep();
  }
  bool holds() const {
    for (std::size_t i = 0; i < tensors_.size(); ++i)
      if (!same_bits(tensors_[i].detach(), before_[i]) || tensors_[i].grad().defined()) return false;
    return !tensors_.empty();
  }

 private:
  void keep() {
    for (auto& each : tensors_) before_.push_back(each.detach().clone());
  }
  Tensors tensors_, before_;
};

// Whether nothing of rules is left on this thread: the gradient is the plain one.
bool thread_is_clean() {
  static Tiny model;
  static const at::Tensor x = tiny_input(), gradient = [] {
    libtorch::Pause pause;
    return plain_run(model, x).relevance;
  }();
  return same_bits(plain_run(model, x).relevance, gradient) && libtorch::current_module().empty() &&
         at::GradMode::is_enabled();
}

bool is_one_clear_line(const std::string& text) {
  return text.find('\n') == text.npos && text.find("frame #") == text.npos && text.find(".cpp") == text.npos &&
         text.find("0x") == text.npos;
}

// What `ascribe run` would print, without the source line and what follows.
std::string head(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    std::string text = error.what();
    auto second = text.find('\n', text.find('\n') + 1);
    return text.substr(0, second);
  }
  return "no error";
}

// ------------------------------------------------------------------------------------------------ models that throw

TEST_CASE("an exception of the model's own goes through as it is, and leaves thread and model as they were") {
  Tiny model;
  Untouched before(model);
  auto x = tiny_input();
  auto rules = epsilon_plus();
  auto expected = attached_run(rules, model, x).relevance;
  model.middle = [](const at::Tensor&) -> at::Tensor { throw std::runtime_error("out of paper"); };
  try {
    attached_run(rules, model, x);
    CHECK(false);
  } catch (const std::runtime_error& own) {
    CHECK(std::string(own.what()) == "out of paper");
  }
  CHECK(thread_is_clean());
  model.middle = [](const at::Tensor& h) { return h; };
  CHECK(same_bits(attached_run(rules, model, x).relevance, expected));
  CHECK(before.holds());
}

TEST_CASE("what a saved model raises is told in one line, and leaves thread and model as they were") {
  auto model = loaded(tiny_script("assert x.size(0) < 3, \"two samples at most\""));
  Untouched before(model);
  auto x = tiny_input();
  auto expected = attribute(model, epsilon_plus(), x, 1).relevance;
  CHECK(failure([&] {
          attribute(model, epsilon_plus(), at::cat({x, x}));
        }) == "A0609 the model cannot run on an input of shape [4, 1, 4, 4]: two samples at most");
  auto raising = loaded(tiny_script("assert x.size(0) > 5, \"out of\\nink\""));
  CHECK(failure([&] { attribute(raising, epsilon_plus(), x); }) ==
        "A0609 the model cannot run on an input of shape [2, 1, 4, 4]: out of");
  CHECK(thread_is_clean());
  CHECK(same_bits(attribute(model, epsilon_plus(), x, 1).relevance, expected));
  CHECK(before.holds());
}

// --------------------------------------------------------------------------------------- layers that cannot be served

TEST_CASE("what a layer's own operator refuses is an error that names the layer") {
  Tiny model;
  Untouched before(model);
  auto x = tiny_input();
  auto rules = epsilon_plus();
  auto fails = [&](const at::Tensor& in) {
    auto text = failure([&] { attached_run(rules, model, in); });
    CHECK(is_one_clear_line(text));
    CHECK(thread_is_clean());
    return text;
  };
  CHECK(fails(at::cat({x, x}, 1)).starts_with("A0609 layer 'features.0' (conv2d) cannot run: "));
  CHECK(fails(at::cat({x, x}, 2)) ==
        "A0609 layer 'classifier' (linear) cannot run: mat1 and mat2 shapes cannot be multiplied (2x24 and 8x3)");
  CHECK(fails(x.to(at::kFloat)).starts_with("A0609 layer 'features.0' (conv2d) cannot run: "));
  model.middle = [](const at::Tensor& h) { return h.to(at::kFloat); };
  CHECK(
      fails(x) ==
      "A0609 layer 'classifier' (linear) cannot run: mat1 and mat2 must have the same dtype, but got Float and Double");
  rules = entries("linear => zplus");  // the same where the failing layer keeps its gradient
  CHECK(fails(at::cat({x, x}, 1)).starts_with("A0609 layer 'features.0' (conv2d) cannot run: "));
  CHECK(before.holds());
}

TEST_CASE("a layer of a saved model that fails is named, with the shape that the model was given") {
  auto model = loaded(tiny_script());
  auto x = tiny_input();
  CHECK(head([&] {
          attribute(model, epsilon_plus(), at::cat({x, x}, 2));
        }) ==
        "error[A0609]: layer '4' (linear) cannot run: it takes 8 numbers of each sample, and gets 24\n"
        "  = note: the input has 8 × 4 pixels ([2, 1, 8, 4]), which is likely not the size that the model takes");
  auto mixed = loaded(tiny_script("x = x.float()"));
  CHECK(failure([&] { attribute(mixed, epsilon_plus(), x); }) ==
        "A0609 layer '4' (linear) cannot run: mat1 and mat2 must have the same dtype, but got Float and Double");
  CHECK(thread_is_clean());
}

TEST_CASE("a rule without the parameter that it requires names layer, rule, and place") {
  Tiny model;
  nn::Linear bare(nn::LinearOptions(4, 3).bias(false));
  bare->to(at::kDouble);
  auto rules = Pack::parse(
                   "rule strict { require has(\"bias\"), \"it needs a bias\"; param \"bias\" = 0 }\n"
                   "composite c { linear => strict }",
                   "mine.rule")
                   .composite("c");
  CHECK(head([&] {
          attached_run(rules, bare, at::ones({2, 4}, at::kDouble));
        }) == "error[A0601]: layer 'linear#1' (linear), rule `strict`: it needs a bias\n --> mine.rule:1:23");
  CHECK(thread_is_clean());
}

TEST_CASE("tensor arguments that do not broadcast name layer, rule, and place, and leave thread and model clean") {
  auto pack = Pack::parse(
      "rule bounded(low: input = 0, high: input = 0) { input = min(max(x, low), high); map = R }\n"
      "composite c(low: input = 0, high: input = 0) { convolution => bounded(low, high); any => base }",
      "mine.rule");
  auto rules = [&](std::vector<double> low) {
    auto count = static_cast<std::int64_t>(low.size());
    return pack.composite("c", {{"low", Numbers{{count}, std::move(low)}}, {"high", 3.0}});
  };
  Tiny model;
  auto saved = loaded(tiny_script());
  Untouched before(model), saved_before(saved);
  auto x = tiny_input();
  CHECK(head([&] {
          attached_run(rules({-2, -1}), model, x);
        }) ==
        "error[A0601]: layer 'features.0' (conv2d), rule `bounded(low = [-2, -1], high = 3)`: `low` has the shape [2], "
        "which does not fit a value at the input of shape [2, 1, 4, 4]\n --> mine.rule:2:48");
  CHECK(failure([&] {
          attribute(saved, rules({-2, -1}), x);
        }).starts_with("A0601 layer '0' (conv2d), rule `bounded(low = [-2, -1], high = 3)`: `low` has the shape [2]"));
  CHECK(thread_is_clean());
  CHECK(attached_run(rules({-2}), model, x).relevance.defined());
  CHECK(attribute(saved, rules({-2}), x).relevance.defined());
  CHECK(before.holds());
  CHECK(saved_before.holds());
}

TEST_CASE("y.backward() through a graph that was freed is an error that names the layer") {
  Tiny model;
  auto leaf = tiny_input().requires_grad_();
  auto attached = attach(epsilon_plus(), model);
  auto y = model.forward(leaf).sum();
  y.backward({}, /*retain_graph=*/true);
  auto once = leaf.grad().clone();
  y.backward();
  CHECK(same_bits(leaf.grad(), 2 * once));
  CHECK(failure([&] { y.backward(); }) ==
        "A0607 layer 'classifier' (linear): relevance went through this graph before");
  CHECK(same_bits(leaf.grad(), 2 * once));
}

// ---------------------------------------------------------------------------------------------- no layer is matched

TEST_CASE("rules that are for no layer of a model are an error that says what the model has") {
  auto model = loaded(tiny_script());
  auto x = tiny_input();
  auto message = [&](const Composite& rules) { return head([&] { attribute(model, rules, x); }); };
  CHECK(message(entries("linear \"features.*\" => epsilon")) ==
        "error[A0610]: no layer of the model has an entry in `c`\n"
        "  = note: the model's layers are conv2d, batch_norm, relu, scale, linear");
  CHECK(failure([&] { attribute(model, entries("softmax => refuse"), x); }).starts_with("A0610"));
  CHECK(failure([&] { attribute(loaded(relu_script()), Composite(rule("epsilon")), x, Target::from(x)); }) ==
        "A0610 no layer of the model has an entry in `epsilon(epsilon = 1e-06)`");
  CHECK(thread_is_clean());
  // One layer is enough, be it settled at the end of the forward pass only; and so is `gradient` by name.
  CHECK(failure([&] { attribute(model, entries("last linear => epsilon"), x); }) == "no error");
  CHECK(failure([&] { attribute(model, entries("any => gradient"), x); }) == "no error");
}

// ------------------------------------------------------------------------------------------------- memory runs out

// Memory for tensors that ends with the n-th allocation from now.
class ScarceMemory final : public c10::Allocator {
 public:
  enum class Words { standard, libtorch_cpu, libtorch_device };

  ScarceMemory(int allocations, Words words) : left_(allocations), words_(words) {
    c10::SetCPUAllocator(this, priority);
  }
  ~ScarceMemory() override { c10::SetCPUAllocator(plenty_, priority); }

  c10::DataPtr allocate(std::size_t bytes) override {
    if (--left_ == 0) {
      if (words_ == Words::standard) throw std::bad_alloc();
      if (words_ == Words::libtorch_cpu)
        C10_THROW_ERROR(Error,
                        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: "
                        "you tried to allocate 4096 bytes. Error code 12 (Cannot allocate memory)");
      C10_THROW_ERROR(OutOfMemoryError, "Tried to allocate 4.00 KiB.");
    }
    return plenty_->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return plenty_->raw_deleter(); }
  void copy_data(void* to, const void* from, std::size_t count) const override { default_copy_data(to, from, count); }

  bool over() const { return left_ <= 0; }

 private:
  static constexpr std::uint8_t priority = 200;
  c10::Allocator* plenty_ = c10::GetCPUAllocator();
  int left_;
  Words words_;
};

constexpr auto all_words = {ScarceMemory::Words::standard, ScarceMemory::Words::libtorch_cpu,
                            ScarceMemory::Words::libtorch_device};

// Lets memory end at every allocation of `run` in turn. All the messages.
std::set<std::string> wherever_memory_ends(ScarceMemory::Words words, const std::function<at::Tensor()>& run,
                                           const std::function<bool()>& all_is_well) {
  std::set<std::string> messages;
  for (int n = 1;; ++n) {
    INFO("allocation " << n);
    at::Tensor found;
    std::string text;
    bool over = false;
    {
      ScarceMemory scarce(n, words);
      text = failure([&] { found = run(); });
      over = scarce.over();
    }
    // Between layers, a C++ model fails as it would without rules.
    CHECK((is_one_clear_line(text) || text.starts_with("no Error of ours")));
    REQUIRE(all_is_well());
    if (!over) {
      CHECK(text == "no error");
      CHECK(n > 20);
      return messages;
    }
    CHECK(text != "no error");
    messages.insert(text);
    REQUIRE(n < 2000);
  }
}

TEST_CASE("wherever memory ends, attribute says so in one line, and the next attribution is right") {
  auto model = loaded(tiny_script());
  Untouched before(model);
  auto x = tiny_input();
  auto rules = entries("last linear => epsilon(0.1); batch_norm => merge; convolution => gamma; scale => gradient");
  auto run = [&] { return attribute(model, rules, x, 1).relevance; };
  auto expected = run();
  for (auto words : all_words) {
    auto messages = wherever_memory_ends(
        words, run, [&] { return thread_is_clean() && before.holds() && same_bits(run(), expected); });
    CHECK(messages ==
          std::set<std::string>{
              "A0004 layer '0' (conv2d): memory is exhausted", "A0004 layer '1' (batch_norm): memory is exhausted",
              "A0004 layer '2' (relu): memory is exhausted", "A0004 layer '3' (scale): memory is exhausted",
              "A0004 layer '4' (linear): memory is exhausted", "A0004 the attribution: memory is exhausted"});
  }
}

TEST_CASE("wherever memory ends while rules are attached, thread and model are as they were") {
  Tiny model;
  Untouched before(model);
  auto x = tiny_input();
  auto rules = entries("batch_norm => merge; convolution => gamma; linear => zplus; relu => gradient");
  auto run = [&] { return attached_run(rules, model, x).relevance; };
  auto expected = run();
  for (auto words : all_words)
    wherever_memory_ends(words, run, [&] { return thread_is_clean() && before.holds() && same_bits(run(), expected); });
}

}  // namespace
}  // namespace test
