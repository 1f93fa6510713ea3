// One pass over memory gives what LibTorch's operators give, however the numbers lie in memory and however many threads
// share it.
#include <cmath>
#include <functional>

#include "tests/plan/programs.hpp"

namespace test {
namespace {

TEST_CASE("operands lie in memory as they like") {
  auto dense = [](std::uint64_t seed) { return drawn({3, 4, 5, 6}, seed); };
  auto last = [](const at::Tensor& t) { return t.contiguous(at::MemoryFormat::ChannelsLast); };
  auto turned = [](const at::Tensor& t) { return t.transpose(0, 3).contiguous().transpose(0, 3); };
  auto sliced = [](const at::Tensor& t) { return at::stack({at::full_like(t, 1e3), t}, -1).select(-1, 1); };
  auto spread = [](const at::Tensor& t) { return t.narrow(1, 0, 1).expand({3, 4, 5, 6}); };
  std::vector<std::function<at::Tensor(const at::Tensor&)>> layouts{
      [](auto& t) { return t; }, last, turned, sliced, spread, [](auto& t) { return t.flip(2); }};
  for (auto type : {at::kFloat, at::kDouble})
    for (std::size_t i = 0; i < layouts.size(); ++i)
      for (std::size_t k = 0; k < layouts.size(); ++k) {
        auto x = layouts[i](dense(1).to(type)), y = layouts[k](dense(2).to(type)),
             R = layouts[(i + k) % 6](dense(3).to(type));
        INFO("layouts " << i << " and " << k);
        auto wanted = stabilized_share(x, y, R);
        for (auto& like : {dense(4).to(type), last(dense(4).to(type)), turned(dense(4).to(type))}) {
          auto out = result_of_share(x, y, R, like);
          CHECK(out.strides() == like.strides());
          check_equal(out, wanted);
        }
        auto room = at::full({3, 4, 5, 12}, 7, at::TensorOptions(type));
        pass(stabilized_share(), x, y, R, {room.slice(3, 0, 12, 2)});
        check_equal(room.slice(3, 0, 12, 2), wanted);
        CHECK(room.slice(3, 1, 12, 2).eq(7).all().item<bool>());  // between them, nothing is written
      }
}

TEST_CASE("operands are spread over the output's shape") {
  auto R = drawn({3, 4, 5}, 1);
  for (Sizes shape : {Sizes{}, {1}, {5}, {4, 1}, {1, 4, 1}, {3, 1, 5}, {1, 1, 1}}) {
    auto x = drawn(shape, 2), y = drawn({4, 1}, 3);
    check_equal(result_of_share(x, y, R, R), stabilized_share(x, y, R));
    check_equal(result_of_share(y, x, R, R), stabilized_share(y, x, R));
  }
}

TEST_CASE("blocks of every length are whole") {
  for (auto type : {at::kFloat, at::kDouble})
    for (std::int64_t count : {0, 1, 2, 15, 16, 17, 511, 512, 513, 1023, 1024, 1025, 100'003}) {
      INFO(count << " numbers");
      auto x = drawn({count}, 1, type), y = drawn({count}, 2, type), R = drawn({count}, 3, type);
      check_equal(result_of_share(x, y, R, R), stabilized_share(x, y, R));
      auto room = at::full({count + 1}, 7, R.options());
      pass(stabilized_share(), x, y, R, {room.narrow(0, 0, count)});
      CHECK(room[count].item<double>() == 7);
    }
}

TEST_CASE("outputs may be the operands") {
  for (std::int64_t count : {5, 700, 50'000})
    for (int place = 0; place < 3; ++place) {
      Tensors operands{drawn({count}, 1), drawn({count}, 2), drawn({count}, 3)};
      auto wanted = stabilized_share(operands[0], operands[1], operands[2]);
      auto& out = operands[static_cast<std::size_t>(place)];
      pass(stabilized_share(), operands[0], operands[1], operands[2], {out});
      check_equal(out, wanted);
    }
}

TEST_CASE("two outputs may be each other's operands") {
  for (bool strided : {false, true}) {
    auto swap = program_of([](ValueGraph&, Value x, Value y, Value) { return std::vector{y, x}; });
    auto a = drawn({2000}, 1), b = drawn({2000}, 2);
    if (strided) a = a.slice(0, 0, 2000, 2), b = b.slice(0, 1, 2000, 2);
    auto old_a = a.clone(), old_b = b.clone();
    pass(swap, a, b, {}, {a, b});
    check_equal(a, old_b);
    check_equal(b, old_a);
    auto mixed = program_of([](ValueGraph& graph, Value x, Value y, Value) {
      return std::vector{graph.operation(Op::add, x, y), graph.operation(Op::subtract, x, y), x};
    });
    auto third = at::empty_like(a);
    pass(mixed, a, b, {}, {a, b, third});
    check_equal(a, old_b + old_a);
    check_equal(b, old_b - old_a);
    check_equal(third, old_b);
  }
}

TEST_CASE("halves of one tensor are outputs like others") {
  auto both = at::empty({3, 8, 5}, at::kDouble);
  auto x = drawn({3, 4, 5}, 1), y = drawn({3, 4, 5}, 2);
  auto program = program_of([](ValueGraph& graph, Value a, Value b, Value) {
    return std::vector{graph.operation(Op::multiply, a, b), graph.number(2), a};
  });
  auto third = at::empty_like(x);
  pass(program, x, y, {}, {both.narrow(1, 0, 4), both.narrow(1, 4, 4), third});
  check_equal(both, at::cat({x * y, at::full_like(x, 2)}, 1));
  check_equal(third, x);
}

TEST_CASE("a register is used again only when nobody reads it any more") {
  // ((x + y) · (x - y)) · ((x + y) - R) - (x + y), with x - y as another output.
  auto program = program_of([](ValueGraph& graph, Value x, Value y, Value R) {
    auto sum = graph.operation(Op::add, x, y), difference = graph.operation(Op::subtract, x, y);
    auto product = graph.operation(Op::multiply, sum, difference);
    auto last = graph.operation(Op::multiply, product, graph.operation(Op::subtract, sum, R));
    return std::vector{graph.operation(Op::subtract, last, sum), difference};
  });
  auto x = drawn({1000}, 1), y = drawn({1000}, 2), R = drawn({1000}, 3);
  auto first = at::empty_like(x), second = at::empty_like(x);
  pass(program, x, y, R, {first, second});
  check_equal(first, ((x + y) * (x - y)) * ((x + y) - R) - (x + y));
  check_equal(second, x - y);
}

TEST_CASE("sums are over all elements, in double precision") {
  auto program = program_of(
      [](ValueGraph& graph, Value x, Value y, Value R) {
        return std::vector{graph.operation(Op::multiply, x, y), R, graph.operation(Op::multiply, x, y)};
      },
      2);
  for (auto type : {at::kFloat, at::kDouble})
    for (std::int64_t count : {0, 1, 511, 513, 70'000}) {
      auto x = drawn({count}, 1, type), y = drawn({count}, 2, type), out = at::empty({count}, x.options());
      auto R = at::full({}, 0.1, x.options());  // spread over the output, each of its elements counts
      auto passed = pass(program, x, y, R, {out});
      REQUIRE(passed.sums.size() == 2);
      CHECK(passed.of_outputs.empty());
      auto sum = R.item<double>() * static_cast<double>(count);
      CHECK(passed.sums[0] == Approx(sum).epsilon(1e-12));
      CHECK(passed.sums[1] == Approx((x * y).sum(at::kDouble).item<double>()).epsilon(1e-9).margin(1e-12));
      check_equal(out, x * y);
    }
}

TEST_CASE("the outputs are summed up on the way, where that is wanted") {
  auto program = program_of([](ValueGraph& graph, Value x, Value y, Value) {
    return std::vector{graph.operation(Op::multiply, x, y), x};
  });
  for (auto type : {at::kFloat, at::kDouble, at::kBFloat16})
    for (std::int64_t count : {1, 513, 70'000}) {
      auto x = drawn({count}, 1, type), y = drawn({count}, 2, type);
      Tensors operands, outputs{at::empty_like(x), at::empty_like(x)};
      for (auto& each : program.sources) operands.push_back(each.of == Of::x ? x : y);
      auto passed = evaluate::plan::run(program, operands, outputs, true);
      REQUIRE(passed.of_outputs.size() == 2);
      for (std::size_t i = 0; i < 2; ++i) {
        auto wanted = outputs[i].to(at::kDouble), margin = wanted.abs().sum();
        CHECK(
            passed.of_outputs[i] ==
            Approx(wanted.sum().item<double>()).margin((type == at::kBFloat16 ? 4e-3 : 1e-9) * margin.item<double>()));
      }
    }
}

TEST_CASE("a number that is not finite in any output is noticed, and only there") {
  auto program = program_of([](ValueGraph& graph, Value x, Value y, Value) {
    return std::vector{graph.operation(Op::multiply, x, graph.number(2)), graph.operation(Op::add, y, graph.number(1))};
  });
  for (auto type : {at::kFloat, at::kDouble})
    for (std::int64_t count : {1, 512, 1300, 80'000}) {
      auto x = drawn({count}, 1, type), y = drawn({count}, 2, type), a = at::empty_like(x), b = at::empty_like(x);
      CHECK(pass(program, x, y, {}, {a, b}).finite);
      for (double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL})
        for (auto place : {std::int64_t{0}, count / 2, count - 1}) {
          auto spoiled = y.clone();
          spoiled[place] = bad;
          CHECK(!pass(program, x, spoiled, {}, {a, b}).finite);
          CHECK(!pass(program, spoiled, y, {}, {a, b}).finite);
        }
    }
  auto inverse = program_of([](ValueGraph& graph, Value x, Value, Value) {
    return std::vector{graph.operation(Op::divide, graph.number(1), x)};
  });
  auto infinite = at::full({700}, HUGE_VAL, at::kDouble), out = at::empty_like(infinite);
  CHECK(pass(inverse, infinite, {}, {}, {out}).finite);  // an operand that is not finite, and what comes of it is
}

TEST_CASE("short types are computed in float32, and rounded once") {
  for (auto type : {at::kHalf, at::kBFloat16}) {
    auto x = drawn({900}, 1, type), y = drawn({900}, 2, type), R = drawn({900}, 3, type), out = at::empty_like(x);
    auto passed = pass(stabilized_share(), x, y, R, {out});
    CHECK(passed.finite);
    auto wanted = stabilized_share(x.to(at::kFloat), y.to(at::kFloat), R.to(at::kFloat));
    CHECK(at::equal(out, wanted.to(type)));
    auto same = x.clone();
    pass(stabilized_share(), same, y, R, {same});
    CHECK(at::equal(same, wanted.to(type)));
  }
  auto square = program_of(
      [](ValueGraph& graph, Value x, Value, Value) { return std::vector{graph.operation(Op::multiply, x, x)}; });
  auto large = at::full({3}, 1000, at::kHalf), out = at::empty_like(large);
  CHECK(!pass(square, large, {}, {}, {out}).finite);  // beyond what 16 bits can hold
  CHECK(out.isinf().all().item<bool>());
}

TEST_CASE("many threads give the same bits as one") {
  auto program = program_of(
      [](ValueGraph& graph, Value x, Value y, Value R) {
        auto quotient = graph.operation(Op::divide, R, graph.operation(Op::exp, y));
        return std::vector{graph.operation(Op::multiply, x, quotient), quotient, graph.operation(Op::add, x, y)};
      },
      1);
  for (bool strided : {false, true}) {
    auto x = drawn({64, 10'007}, 1), y = drawn({64, 10'007}, 2), R = drawn({64, 10'007}, 3);
    if (strided) x = x.t().contiguous().t(), R = R.narrow(0, 0, 1);
    Tensors alone{at::empty({64, 10'007}, at::kDouble), at::empty({64, 10'007}, at::kDouble)}, shared, again;
    auto by_one = pass(program, x, y, R, alone);
    for (auto& each : alone) shared.push_back(at::empty_like(each)), again.push_back(at::empty_like(each));
    at::set_num_threads(4);
    auto by_many = pass(program, x, y, R, shared), once_more = pass(program, x, y, R, again);
    at::set_num_threads(1);
    for (std::size_t i = 0; i < alone.size(); ++i) {
      CHECK(at::equal(alone[i], shared[i]));
      CHECK(at::equal(alone[i], again[i]));
    }
    CHECK(by_many.sums[0] == once_more.sums[0]);
    CHECK(by_many.sums[0] == Approx(by_one.sums[0]).epsilon(1e-11));
    CHECK(by_many.finite);
  }
}

TEST_CASE("a tensor without a negative number and NaN is told from others") {
  using evaluate::plan::never_negative;
  for (auto type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16})
    for (std::int64_t count : {1, 511, 513, 200'000}) {
      auto x = drawn({count}, 1).abs().to(type);
      x[0] = -0.0;
      CHECK(never_negative(x));
      if (count > 1) x[count - 1] = HUGE_VAL;
      CHECK(never_negative(x));
      for (double bad : {-1.0, -HUGE_VAL, std::nan("")})
        for (auto place : {std::int64_t{0}, count / 2, count - 1}) {
          auto spoiled = x.clone();
          spoiled[place] = bad;
          CHECK(!never_negative(spoiled));
        }
    }
  auto x = drawn({4, 3}, 1).abs();
  CHECK(never_negative(x.t()));
  CHECK(never_negative(x.select(1, 0).unsqueeze(1).expand({4, 5})));
  x[2][1] = -1;
  CHECK(!never_negative(x.t()));
  CHECK(!never_negative(x.select(1, 1).unsqueeze(1).expand({4, 5})));
  CHECK(never_negative(x.select(1, 0)));  // beside it there is a negative number
}

}  // namespace
}  // namespace test
