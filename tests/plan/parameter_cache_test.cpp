// What is made of parameters is kept for as long as these are the same numbers, and no longer.
#include "interpreter/libtorch/parameter_cache.hpp"

#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include <atomic>
#include <latch>
#include <memory>
#include <thread>

#include "tests/plan/layers.hpp"

namespace test {
namespace {

using libtorch::ParameterCache;
using libtorch::Written;

// Squares, and how often they were worked out.
struct Squares {
  ParameterCache cache;
  int made = 0;
  at::Tensor of(const at::Tensor& w, ParameterCache::Owner owner = 1, const std::string& purpose = "square") {
    return cache.get(owner, purpose, {w}, Written::anyhow, [&] { return ++made, Tensors{w.detach() * w.detach()}; })
        .front();
  }
  // What they are, and whether they were worked out for that.
  bool works_out(const at::Tensor& w) {
    auto before = made;
    CHECK(at::equal(of(w), w.detach() * w.detach()));
    return made != before;
  }
};

constexpr std::size_t bytes_of_eight = 8 * sizeof(double);

TEST_CASE("parameters of equal content share what is made of them") {
  Squares squares;
  auto w = drawn({2, 4}, 1);
  CHECK(squares.works_out(w));
  CHECK(!squares.works_out(w));
  CHECK(!squares.works_out(w.clone()));
  CHECK(!squares.works_out(w.detach()));
  CHECK(squares.of(w).is_same(squares.of(w.clone())));
  CHECK(squares.cache.bytes() == bytes_of_eight);
}

TEST_CASE("another shape, layout, type, purpose or owner is another entry") {
  Squares squares;
  auto w = at::zeros({2, 4}, at::kDouble);
  squares.of(w);
  CHECK(squares.works_out(w.reshape({4, 2})));
  CHECK(squares.works_out(w.t()));
  CHECK(squares.of(w.t()).sizes() == at::IntArrayRef({4, 2}));
  CHECK(squares.works_out(w.view(at::kLong)));
  CHECK(squares.made == 4);
  squares.of(w, 1, "cube");
  squares.of(w, 2);
  CHECK(squares.made == 6);
  squares.of(w);
  CHECK(squares.made == 6);
}

TEST_CASE("several parameters count together, and in order; one may be missing") {
  ParameterCache cache;
  int made = 0;
  auto a = drawn({3}, 1), b = drawn({3}, 2);
  auto get = [&](const Tensors& parameters) {
    cache.get(1, "", parameters, Written::anyhow, [&] { return ++made, Tensors{a.clone()}; });
    return made;
  };
  CHECK(get({a, b}) == 1);
  CHECK(get({b, a}) == 2);
  CHECK(get({a}) == 3);
  CHECK(get({a, at::Tensor()}) == 4);
  CHECK(get({a, at::Tensor()}) == 4);
  CHECK(get({a, b}) == 4);
}

TEST_CASE("whoever writes into a parameter is noticed") {
  Squares squares;
  auto w = drawn({2, 4}, 1).requires_grad_();
  squares.of(w);
  SECTION("in place") {
    at::NoGradGuard no_grad;
    w.mul_(2);
    CHECK(squares.works_out(w));
    w.select(0, 1).select(0, 3).fill_(9);
    CHECK(squares.works_out(w));
  }
  SECTION("behind autograd's back") {
    auto version = w._version();
    w.data().mul_(2);
    CHECK(w._version() == version);
    CHECK(squares.works_out(w));
    w.mutable_data_ptr<double>()[5] += 1e-300;
    w.mutable_data_ptr<double>()[5] = 4;
    CHECK(squares.works_out(w));
  }
  SECTION("by a step of an optimizer") {
    torch::optim::SGD optimizer({w}, 0.1);
    w.sum().backward();
    optimizer.step();
    CHECK(squares.works_out(w));
  }
  SECTION("by other data") {
    w.set_data(drawn({2, 4}, 2));
    CHECK(squares.works_out(w));
    w.set_data(drawn({2, 4}, 1));  // the numbers that were there before
    CHECK(!squares.works_out(w));
  }
  SECTION("the sign of a zero") {
    w.data().zero_();
    squares.of(w);
    w.data().neg_();
    CHECK(squares.works_out(w));
  }
  CHECK(!squares.works_out(w));
}

TEST_CASE("a parameter that is born where another died is not taken for it") {
  Squares squares;
  auto memory = std::make_unique<double[]>(8);
  for (int i = 0; i < 4; ++i) {
    std::fill_n(memory.get(), 8, i);
    CHECK(squares.works_out(at::from_blob(memory.get(), {2, 4}, at::kDouble)));
  }
}

TEST_CASE("what shares a parameter's memory is not kept: it changes when the parameter does") {
  ParameterCache cache;
  auto w = drawn({2, 4}, 1), twin = w.clone();
  auto view = [](const at::Tensor& of) { return [of] { return Tensors{of.t()}; }; };
  cache.get(1, "", {w}, Written::anyhow, view(w));
  w.mul_(2);
  auto found = cache.get(1, "", {twin}, Written::anyhow, view(twin)).front();
  CHECK(at::equal(found, twin.t()));
}

TEST_CASE("where writing is noticeable, memory and version tell, and nothing is read") {
  ParameterCache cache;
  int made = 0;
  auto w = drawn({2, 4}, 1);
  auto works_out = [&](const at::Tensor& of) {
    auto before = made;
    auto found = cache.get(1, "", {of}, Written::noticeably, [&] { return ++made, Tensors{of * of}; }).front();
    CHECK(at::equal(found, of * of));
    return made != before;
  };
  CHECK(works_out(w));
  CHECK(!works_out(w));
  CHECK(!works_out(w.detach()));
  CHECK(works_out(w.clone()));
  CHECK(works_out(w.t()));
  CHECK(works_out(w.narrow(0, 0, 1)));
  CHECK(works_out(w.narrow(0, 1, 1)));  // of the same shape, elsewhere in the same memory
  CHECK(works_out(w.slice(1, 0, 4, 2)));
  CHECK(!works_out(w.slice(1, 0, 4, 2)));
  w.mul_(2);
  CHECK(works_out(w));
  auto bytes = cache.bytes();
  w = drawn({2, 4}, 3);
  CHECK(works_out(w));
  CHECK(cache.bytes() < bytes);  // what was made of memory that is gone goes, too
}

TEST_CASE("memory that is given out again is not taken for what was there before") {
  ParameterCache cache;
  for (int i = 0; i < 200; ++i) {
    auto w = at::full({64}, i, at::kDouble);
    auto found = cache.get(1, "", {w}, Written::noticeably, [&] { return Tensors{w * 2}; }).front();
    REQUIRE(found[0].item<double>() == 2 * i);
  }
  CHECK(cache.bytes() <= 2 * 64 * sizeof(double));
}

TEST_CASE("what lies in memory with holes or overlaps is made each time") {
  Squares squares;
  auto w = drawn({4, 4}, 1);
  for (auto& each : {w.slice(1, 0, 4, 2), w.select(0, 0).expand({3, 4})}) {
    CHECK(squares.works_out(each));
    CHECK(squares.works_out(each));
  }
  CHECK(squares.cache.bytes() == 0);
  CHECK(squares.works_out(w.t()));
  CHECK(!squares.works_out(w.t()));
}

TEST_CASE("the limit holds, and what was not used for the longest time goes first") {
  Squares squares;
  Tensors w;
  for (std::uint64_t i = 0; i < 5; ++i) w.push_back(drawn({8}, i));
  squares.cache.set_limit(3 * bytes_of_eight);
  CHECK(squares.cache.limit() == 3 * bytes_of_eight);
  for (int i = 0; i < 3; ++i) squares.of(w[static_cast<std::size_t>(i)]);
  CHECK(squares.cache.bytes() == 3 * bytes_of_eight);
  CHECK(!squares.works_out(w[0]));  // so that 1 is the eldest now
  CHECK(squares.works_out(w[3]));
  CHECK(squares.cache.bytes() == 3 * bytes_of_eight);
  for (auto kept : {0, 2, 3}) CHECK(!squares.works_out(w[static_cast<std::size_t>(kept)]));
  CHECK(squares.works_out(w[1]));
  CHECK(squares.works_out(w[0]));  // which went for it
  squares.cache.set_limit(bytes_of_eight);
  CHECK(squares.cache.bytes() == bytes_of_eight);
  CHECK(!squares.works_out(w[0]));
}

TEST_CASE("what is larger than the limit by itself is not kept, and drives nothing out") {
  Squares squares;
  auto small = drawn({8}, 1), large = drawn({16}, 2);
  squares.cache.set_limit(bytes_of_eight);
  squares.of(small);
  CHECK(squares.works_out(large));
  CHECK(squares.works_out(large));
  CHECK(!squares.works_out(small));
  squares.cache.set_limit(0);
  CHECK(squares.cache.bytes() == 0);
  CHECK(squares.works_out(small));
  CHECK(squares.works_out(small));
}

TEST_CASE("a part of a large tensor is worth all of the memory that it keeps") {
  ParameterCache cache;
  auto w = drawn({8}, 1);
  auto large = [] { return Tensors{at::zeros({100}, at::kDouble).narrow(0, 0, 8)}; };
  cache.get(1, "", {w}, Written::anyhow, large);
  CHECK(cache.bytes() == 100 * sizeof(double));
}

TEST_CASE("an owner's entries go, and nobody else's") {
  Squares squares;
  auto a = drawn({8}, 1), b = drawn({8}, 2);
  squares.of(a, 1), squares.of(b, 1), squares.of(a, 2);
  CHECK(squares.cache.bytes() == 3 * bytes_of_eight);
  squares.cache.forget(1);
  CHECK(squares.cache.bytes() == bytes_of_eight);
  squares.of(a, 2);
  CHECK(squares.made == 3);
  squares.of(a, 1);
  CHECK(squares.made == 4);
  squares.cache.forget(7);
  CHECK(squares.cache.bytes() == 2 * bytes_of_eight);
  squares.cache.clear();
  CHECK(squares.cache.bytes() == 0);
  CHECK(squares.works_out(a));
  CHECK(ParameterCache::new_owner() != ParameterCache::new_owner());
}

TEST_CASE("what cannot be made leaves nothing behind") {
  ParameterCache cache;
  auto w = drawn({8}, 1);
  CHECK_THROWS_AS(cache.get(1, "", {w}, Written::anyhow, []() -> Tensors { throw std::bad_alloc(); }), std::bad_alloc);
  CHECK(cache.bytes() == 0);
  CHECK(cache.get(1, "", {w}, Written::anyhow, [&] { return Tensors{w + 1}; }).size() == 1);
}

TEST_CASE("eight threads at once get what each would get alone") {
  ParameterCache cache;
  cache.set_limit(4 * bytes_of_eight);  // so that entries go all the time
  Tensors w;
  for (std::uint64_t i = 0; i < 6; ++i) w.push_back(drawn({8}, i));
  std::atomic<int> wrong = 0;
  std::latch begin(8);
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      begin.arrive_and_wait();
      for (std::size_t i = 0; i < 500; ++i) {
        auto& each = w[(i * (t + 1)) % w.size()];
        auto owner = static_cast<ParameterCache::Owner>(t % 2);
        auto found = cache.get(owner, "", {each}, Written::anyhow,
                               [&] { return Tensors{each * each + static_cast<double>(owner)}; });
        wrong += !at::equal(found.front(), each * each + static_cast<double>(owner));
        if (i % 50 == t) cache.forget(owner);
      }
    });
  threads.clear();
  CHECK(wrong == 0);
  CHECK(cache.bytes() <= cache.limit());
  cache.forget(0), cache.forget(1);
  CHECK(cache.bytes() == 0);
}

TEST_CASE("what a rule made of parameters goes with its last copy") {
  auto& cache = ParameterCache::instance();
  auto before = cache.bytes();
  auto layer = linear_layer(drawn({3, 4}, 1).abs(), drawn({2, 4}, 2), drawn({2}, 3));
  {
    auto rule = std::make_unique<Rule>(standard("alpha_beta"));
    auto copy = std::make_unique<Rule>(*rule);
    by(evaluate::planner(), *rule, layer, layer.output);
    auto made = cache.bytes();
    CHECK(made == before + 2 * (2 * 4 + 2) * sizeof(double));
    by(evaluate::planner(), *copy, layer, layer.output);
    CHECK(cache.bytes() == made);
    rule.reset();
    CHECK(cache.bytes() == made);
    by(evaluate::planner(), *copy, layer, layer.output);
    CHECK(cache.bytes() == made);
  }
  CHECK(cache.bytes() == before);
}

TEST_CASE("a rule that leaves a parameter as it is sees that parameter, not one that was like it once") {
  auto rule = written("rule r { param = w; input = max(x, 0) }");
  auto x = drawn({3, 4}, 1), w = drawn({2, 4}, 2), twin = w.clone();
  auto layer = linear_layer(x, w), other = linear_layer(x, twin);
  check_plan(rule, layer, layer.output);
  w.mul_(-3);
  check_plan(rule, other, other.output);
}

}  // namespace
}  // namespace test
