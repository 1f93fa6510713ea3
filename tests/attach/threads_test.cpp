// Many threads, one model: each gets what it would get alone, and nothing of the model changes. The same tests run
// under the thread sanitizer (`./dev test`), with fewer turns.
#include "interpreter/inside.hpp"
#include "tests/attach/scripts.hpp"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <latch>
#include <mutex>
#include <queue>
#include <thread>

#include "interpreter/model/model_state.hpp"

#ifdef __SANITIZE_THREAD__
// LibTorch notes in a node that it has a parent, which all threads that share a result do; it is never unset.
// The sanitizer is a library of its own and has to see this.
extern "C" [[gnu::visibility("default")]] const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:torch::autograd::Node::topological_nr\n"; }
#endif

namespace test {
using namespace ascribe;
namespace {

namespace nn = torch::nn;

#ifdef __SANITIZE_THREAD__
constexpr int turns = 20;
#else
constexpr int turns = 1000;
#endif
constexpr std::size_t thread_count = 8;

// A composite for each thread, no two alike.
std::vector<Composite> different_rules() {
  auto& pack = Pack::standard();
  return {pack.composite("epsilon_plus"),
          pack.composite("epsilon_plus_flat"),
          pack.composite("epsilon_alpha2_beta1"),
          pack.composite("epsilon_gamma_box", {{"low", -3.0}, {"high", 3.0}}),
          pack.composite("guided_backprop"),
          Composite(rule("gamma")),
          entries("any => base; first convolution => wsquare; last linear => epsilon(0.1); linear => zplus"),
          Pack::parse(R"(
            rule gated(low: input = 0) { input = x - low; map = if layer.y > 0 then R / stabilize(y, 0.1) else 0.3 * R }
            composite c(low: input = 0) { convolution => gated(low); activation => pass })",
                      "test.rule")
              .composite("c", {{"low", -0.5}})};
}

// Parameters and buffers as they were.
class Untouched {
 public:
  explicit Untouched(Tensors tensors) : tensors_(std::move(tensors)) {
    for (auto& each : tensors_) before_.push_back(each.detach().clone());
  }
  bool holds() const {
    for (std::size_t i = 0; i < tensors_.size(); ++i)
      if (!same_bits(tensors_[i].detach(), before_[i]) || tensors_[i].grad().defined()) return false;
    return !tensors_.empty();
  }

 private:
  Tensors tensors_, before_;
};

Untouched untouched(const nn::Module& model) {
  auto tensors = model.parameters();
  for (auto& each : model.buffers()) tensors.push_back(each);
  return Untouched(tensors);
}

Untouched untouched(const Model& model) { return Untouched(Inside::state(model).names->held); }

// Runs all of these at the same time, `count` times each. How often each was right; an exception is a turn that was
// not.
std::vector<int> at_once(const std::vector<std::function<bool()>>& work, int count) {
  std::vector<int> right(work.size());
  std::vector<std::thread> threads;
  std::latch ready(static_cast<std::ptrdiff_t>(work.size()));
  for (std::size_t i = 0; i < work.size(); ++i)
    threads.emplace_back([&, i] {
      ready.arrive_and_wait();
      for (int turn = 0; turn < count; ++turn) try {
          right[i] += work[i]();
        } catch (const std::exception&) {
        }
    });
  for (auto& each : threads) each.join();
  return right;
}

std::vector<int> all(std::size_t threads, int count) { return std::vector<int>(threads, count); }

// Convolution, batch norm, ReLU, pooling, linear: [N, 1, 4, 4] to [N, 3]. An attribution takes less than a millisecond.
struct Tiny : nn::Module {
  Tiny() {
    at::manual_seed(12);
    features = register_module("features", nn::Sequential(nn::Conv2d(1, 2, 3), nn::BatchNorm2d(2), nn::ReLU()));
    classifier = register_module("classifier", nn::Linear(2 * 2 * 2, 3));
    to(at::kDouble);
    eval();
  }
  at::Tensor forward(const at::Tensor& x) { return classifier(features->forward(x).flatten(1)); }

  nn::Sequential features{nullptr};
  nn::Linear classifier{nullptr};
};

at::Tensor tiny_input(std::int64_t seed = 13) {
  at::manual_seed(static_cast<std::uint64_t>(seed));
  return random({2, 1, 4, 4});
}

// The same as a TorchScript module.
torch::jit::Module tiny_script() {
  at::manual_seed(12);
  auto conv = weights({2, 1, 3, 3}), norm = weights({2}), linear = weights({3, 8});
  auto batch_norm = script(
      "def forward(self, x):\n"
      "  return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, False, 0.1, 1e-05, "
      "False)\n",
      norm.both(), {}, {{"running_mean", random({2})}, {"running_var", random({2}).abs() + 0.5}});
  auto flatten = script("def forward(self, x):\n  return torch.flatten(x, 1)\n");
  return sequence({conv_script(conv.weight, conv.bias), batch_norm, relu_script(), flatten,
                   linear_script(linear.weight, linear.bias)});
}

// ------------------------------------------------------------------------------------------------- different rules

TEST_CASE("threads with different rules share a module, each with results as if it were alone") {
  Tiny model;
  auto before = untouched(model);
  auto rules = different_rules();
  REQUIRE(rules.size() == thread_count);
  auto x = tiny_input();
  std::vector<at::Tensor> alone;
  std::vector<std::function<bool()>> work;
  for (auto& each : rules) alone.push_back(attached_run(each, model, x).relevance);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) CHECK(!same_bits(alone[i], alone[j]));
    work.emplace_back([&, i] { return same_bits(attached_run(rules[i], model, x).relevance, alone[i]); });
  }
  CHECK(at_once(work, turns) == all(rules.size(), turns));
  CHECK(before.holds());
}

TEST_CASE("threads with different rules and targets share a saved model") {
  Folder folder;
  tiny_script().save(folder / "model.pt");
  auto model = Model::load(folder / "model.pt");
  auto before = untouched(model);
  auto rules = different_rules();
  auto x = tiny_input();
  auto run = [&](std::size_t i) { return attribute(model, rules[i], x, static_cast<std::int64_t>(i % 3)).relevance; };
  std::vector<at::Tensor> alone;
  std::vector<std::function<bool()>> work;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    alone.push_back(run(i));
    for (std::size_t j = 0; j < i; ++j) CHECK(!same_bits(alone[i], alone[j]));
    work.emplace_back([&, i] { return same_bits(run(i), alone[i]); });
  }
  CHECK(at_once(work, turns) == all(rules.size(), turns));
  CHECK(before.holds());
}

// ---------------------------------------------------------------------------------------------- all sorts of things

TEST_CASE("threads that attach, nest, fail, run without rules and load packs do not see each other") {
  Tiny model;
  auto before = untouched(model);
  auto x = tiny_input();
  auto plus = Pack::standard().composite("epsilon_plus");
  Composite gamma(rule("gamma"));
  auto expected_plus = attached_run(plus, model, x).relevance, expected_gamma = attached_run(gamma, model, x).relevance,
       gradient = plain_run(model, x).relevance;
  auto now = [&] { return plain_run(model, x).relevance; };  // under whatever is attached
  auto nest = [&](bool in_order) {
    std::optional<Attachment> outer(attach(plus, model));
    bool right = same_bits(now(), expected_plus);
    std::optional<Attachment> inner(attach(gamma, model));
    right = right && same_bits(now(), expected_gamma);
    (in_order ? inner : outer).reset();
    right = right && same_bits(now(), in_order ? expected_plus : expected_gamma);
    (in_order ? outer : inner).reset();
    return right && same_bits(now(), gradient);
  };
  auto refuse = entries("linear => refuse; any => base");
  const std::string text = "composite c { any => base; convolution => zplus; linear => epsilon }";
  CHECK(at_once({[&] { return same_bits(attached_run(plus, model, x).relevance, expected_plus); },
                 [&] { return same_bits(now(), gradient); }, [&] { return nest(true); }, [&] { return nest(false); },
                 [&] {
                   auto text_of_failure = failure([&] { attached_run(refuse, model, x); });
                   return text_of_failure.starts_with("A0602") && same_bits(now(), gradient);
                 },
                 [&] { return same_bits(attached_run(composite(text), model, x).relevance, expected_plus); },
                 [&] {
                   Model saved = loaded(linear_script(model.classifier->weight, model.classifier->bias));
                   auto in = at::ones({2, 8}, at::kDouble);
                   return same_bits(attribute(saved, plus, in).output, model.classifier(in));
                 }},
                turns / 10) == all(7, turns / 10));
  CHECK(before.holds());
}

TEST_CASE("one thread records, another runs the backward pass") {
  Tiny model;
  auto before = untouched(model);
  auto x = tiny_input();
  auto plus = Pack::standard().composite("epsilon_plus");
  // With a layer that sees no input, and whose node asks for one.
  auto run = [&](const at::Tensor& in) { return model.classifier(at::ones({2, 8}, at::kDouble)) + model.forward(in); };
  struct Recorded {
    at::Tensor leaf, output;
  };
  std::mutex mutex;
  std::queue<Recorded> recorded;
  at::Tensor expected;
  {
    auto leaf = x.clone().requires_grad_();
    auto attached = attach(plus, model);
    auto y = run(leaf);
    expected = torch::autograd::grad({y}, {leaf}, {start(y)}).front();
  }
  auto record = [&] {  // within one scope, which goes on while others run what it recorded
    auto attached = attach(plus, model);
    for (int turn = 0; turn < turns / 10; ++turn) {
      auto leaf = x.clone().requires_grad_();
      auto y = run(leaf);
      std::lock_guard lock(mutex);
      recorded.push({leaf, y});
    }
    return true;
  };
  auto finish = [&](bool attached_there) {
    std::optional<Attachment> other;
    if (attached_there) other.emplace(attach(Composite(rule("flat")), model));
    bool right = true;
    for (int done = 0; done < turns / 10;) {
      Recorded next;
      {
        std::lock_guard lock(mutex);
        if (!recorded.empty()) next = recorded.front(), recorded.pop(), ++done;
      }
      if (!next.output.defined())
        std::this_thread::yield();
      else
        right = same_bits(torch::autograd::grad({next.output}, {next.leaf}, {start(next.output)}).front(), expected) &&
                right;
    }
    return right;
  };
  CHECK(at_once({record, record, [&] { return finish(false); }, [&] { return finish(true); }}, 1) == all(4, 1));
  CHECK(before.holds());
}

TEST_CASE("one recorded graph serves several threads at the same time") {
  Tiny model;
  auto before = untouched(model);
  auto x = tiny_input();
  // Rules that need the layers' own values, one that `last` settles in the backward pass, and layers without a rule.
  auto rules = entries("last linear => epsilon(0.1); first convolution => flat; batch_norm => merge; relu => gradient");
  auto expected = attached_run(rules, model, x).relevance;
  auto leaf = x.clone().requires_grad_();
  auto attached = attach(rules, model);
  auto y = model.forward(leaf);
  auto backward = [&] {
    return same_bits(torch::autograd::grad({y}, {leaf}, {start(y)}, /*retain_graph=*/true).front(), expected);
  };
  auto report = [&] { return attached.report().size() == 4; };  // read while relevance is on its way
  CHECK(at_once({backward, backward, backward, backward, report}, turns / 10) == all(5, turns / 10));
  CHECK(before.holds());
}

TEST_CASE("threads share a model with constants, and an input") {
  struct Constants : nn::Module {
    at::Tensor constant = random({8, 8});
    at::Tensor forward(const at::Tensor& in) { return (in.flatten(1).view({2, 8, 8}) + constant) * constant; }
  };
  at::manual_seed(27);
  Constants net;
  auto x = random({2, 8, 8});
  auto rules = entries("any => norm(0.1)");
  auto alone = attached_run(rules, net, x).relevance;
  auto leaf = x.clone().requires_grad_();
  auto run = [&] {
    auto attached = attach(rules, net);
    auto y = net.forward(leaf);
    return same_bits(torch::autograd::grad({y}, {leaf}, {start(y)}).front(), alone);
  };
  CHECK(at_once({run, run, run, run}, turns / 10) == all(4, turns / 10));
}

TEST_CASE("threads share an input that is itself a result") {
  Tiny model;
  auto x = tiny_input();
  auto rules = Pack::standard().composite("epsilon_plus");
  auto alone = attached_run(rules, model, x).relevance;
  auto source = x.clone().requires_grad_();
  for (int turn = 0; turn < turns / 20; ++turn) {
    auto shared = source * 1;  // new memory each time, and who keeps it first is open
    auto run = [&] {
      auto attached = attach(rules, model);
      auto y = model.forward(shared);
      return same_bits(torch::autograd::grad({y}, {shared}, {start(y)}).front(), alone);
    };
    CHECK(at_once({run, run, run, run}, 1) == all(4, 1));
  }
}

TEST_CASE("the backward pass may run on another thread, with or without rules of its own") {
  Tiny model;
  auto x = tiny_input();
  auto rules = Pack::standard().composite("epsilon_plus");
  auto expected = attached_run(rules, model, x).relevance;
  auto leaf = x.clone().requires_grad_();
  at::Tensor y;
  {
    auto attached = attach(rules, model);
    y = model.forward(leaf);
  }
  for (bool attached_there : {false, true}) {
    at::Tensor found;
    std::thread([&] {
      std::optional<Attachment> other;
      if (attached_there) other.emplace(attach(Composite(rule("flat")), model));
      found = torch::autograd::grad({y}, {leaf}, {start(y)}, true).front();
    }).join();
    CHECK(same_bits(found, expected));
  }
}

}  // namespace
}  // namespace test
