// Where tensors hold their samples behind operators, told from where their arguments do.
#include "interpreter/layers/sample_place.hpp"

#include "tests/layers/calls.hpp"

using namespace ascribe;
using layering::SamplePlace;
using test::Called;

namespace {

using Places = std::vector<std::pair<at::Tensor, SamplePlace>>;

std::optional<SamplePlace> place_behind(const Called& called, const Places& places) {
  auto of = [&](const at::Tensor& tensor) -> std::optional<SamplePlace> {
    for (auto& [each, place] : places)
      if (each.is_same(tensor)) return place;
    return {};
  };
  bool moves = layering::moves_indices(called.call());
  return layering::places_behind(called.op, moves, called.arguments, {called.run()}, of).front();
}

const SamplePlace unknown{SamplePlace::unknown};

}  // namespace

TEST_CASE("operators that move indices take the samples along") {
  auto x = at::randn({3, 5, 8});  // three samples
  CHECK(place_behind({"transpose", "int", {x, 0, 1}}, {{x, {}}}) == SamplePlace{1});
  CHECK(place_behind({"permute", "", {x, std::vector<std::int64_t>{2, 1, 0}}}, {{x, {}}}) == SamplePlace{2});
  CHECK(place_behind({"reshape", "", {x, std::vector<std::int64_t>{15, 8}}}, {{x, {}}}) == SamplePlace{0, 1, 5});
  CHECK(place_behind({"select", "int", {x, 1, 0}}, {{x, {}}}) == SamplePlace{0});
  auto lengths_first = x.transpose(0, 1).contiguous();
  CHECK(place_behind({"reshape", "", {lengths_first, std::vector<std::int64_t>{15, 8}}}, {{lengths_first, {1}}}) ==
        SamplePlace{0, 5, 1});
  CHECK(place_behind({"reshape", "", {lengths_first, std::vector<std::int64_t>{5, 6, 4}}}, {{lengths_first, {1}}}) ==
        SamplePlace{1, 1, 2});  // two heads for each
  auto rows = lengths_first.reshape({15, 8});
  CHECK(place_behind({"view", "", {rows, std::vector<std::int64_t>{5, 3, 8}}}, {{rows, {0, 5, 1}}}) == SamplePlace{1});
}

TEST_CASE("copies in types that would round a number keep the samples where they are") {
  auto x = at::randn({5, 3, 8});
  CHECK(place_behind({"to", "dtype", {x, at::kHalf}}, {{x, {1}}}) == SamplePlace{1});
  CHECK(place_behind({"clone", "", {x}}, {{x, {0, 5, 1}}}) == SamplePlace{0, 5, 1});
}

TEST_CASE("constants beside samples and zeros around them belong to none") {
  auto x = at::randn({3, 5, 8}), token = at::randn({3, 1, 8});
  CHECK(place_behind({"cat", "", {std::vector<at::Tensor>{token, x}, 1}}, {{x, {}}}) == SamplePlace{0});
  CHECK(place_behind({"constant_pad_nd", "", {x, std::vector<std::int64_t>{1, 1}, 0}}, {{x, {}}}) == SamplePlace{0});
  CHECK(place_behind({"transpose", "int", {token, 0, 1}}, {}) == std::nullopt);
}

TEST_CASE("layers leave the batch where it is, and what is spread over it takes its place") {
  auto x = at::randn({5, 3, 8}), W = at::randn({4, 8}), y = at::randn({3, 8});
  CHECK(place_behind({"linear", "", {x, W}}, {{x, {1}}}) == SamplePlace{1});
  CHECK(place_behind({"add", "Tensor", {x, y}}, {{x, {1}}, {y, {0}}}) == SamplePlace{1});
  CHECK(place_behind({"embedding", "", {at::randn({9, 4}), at::ones({5, 3}, at::kLong)}}, {}) == std::nullopt);
  auto words = at::ones({5, 3}, at::kLong);
  CHECK(place_behind({"embedding", "", {at::randn({9, 4}), words}}, {{words, {1}}}) == SamplePlace{1});
}

TEST_CASE("reductions within samples keep them apart, over several samples they end it") {
  auto x = at::randn({5, 3, 8});
  std::vector<std::int64_t> lengths{0}, batch{1};
  CHECK(place_behind({"sum", "dim_IntList", {x, lengths, false}}, {{x, {1}}}) == SamplePlace{0});
  CHECK(place_behind({"mean", "dim", {x, lengths, true}}, {{x, {1}}}) == SamplePlace{1});
  CHECK(place_behind({"amax", "", {x, batch, true}}, {{x, {1}}}) == unknown);
}

TEST_CASE("an einsum's labels say where the samples go") {
  auto x = at::randn({3, 5, 8}), W = at::randn({4, 8});
  auto einsum = [&](const char* equation) {
    return place_behind({"einsum", "", {equation, std::vector<at::Tensor>{x, W}}}, {{x, {}}});
  };
  CHECK(einsum("blc,kc->blk") == SamplePlace{0});
  CHECK(einsum("blc, kc -> klb") == SamplePlace{2});
  CHECK(einsum("blc,kc->lk") == unknown);
}

TEST_CASE("where samples mix or lie in several dimensions, their place is unknown") {
  auto x = at::randn({4, 6});
  CHECK(place_behind({"view", "", {x, std::vector<std::int64_t>{2, 2, 6}}}, {{x, {}}}) == unknown);
  CHECK(place_behind({"slice", "Tensor", {x, 0, 0, 3}}, {{x, {}}}) == unknown);
  CHECK(place_behind({"relu", "", {x}}, {{x, unknown}}) == unknown);
}

TEST_CASE("a single sample is everywhere") {
  auto x = at::randn({1, 5, 8});
  CHECK(place_behind({"transpose", "int", {x, 0, 1}}, {{x, {}}}) == SamplePlace{0, 5, 1});
}

TEST_CASE("what is written into a part of a tensor tells where the whole holds its samples") {
  auto whole = at::zeros({5, 3, 8});
  CHECK(layering::place_around(whole, whole[2], {0}) == SamplePlace{1});
  CHECK(layering::place_around(whole, whole.transpose(0, 1), {0}) == SamplePlace{1});
}
