// Relevance as a picture.
#include "tests/catch.hpp"

#include <ATen/ATen.h>

#include "ascribe/heatmap.hpp"
#include "tests/folder.hpp"

namespace test {
using namespace ascribe;
namespace {

struct Rgb {
  int red, green, blue;
  bool operator==(const Rgb&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Rgb& c) { return out << c.red << ' ' << c.green << ' ' << c.blue; }
constexpr Rgb white{255, 255, 255}, red{255, 0, 0}, blue{0, 0, 255}, grey{128, 128, 128}, yellow{255, 220, 0};

Rgb pixel(const at::Tensor& picture, std::int64_t y, std::int64_t x) {
  auto at = [&](std::int64_t c) { return static_cast<int>(picture[y][x][c].item<std::uint8_t>()); };
  return {at(0), at(1), at(2)};
}
at::Tensor values(std::initializer_list<double> list, at::IntArrayRef shape) {
  return at::tensor(at::ArrayRef<double>(list)).to(at::kDouble).reshape(shape);
}

TEST_CASE("zero is white, the largest magnitude full red or blue, and both sides have one scale") {
  auto picture = heatmap(values({4, -2, 0, 2}, {1, 1, 2, 2}));
  CHECK(picture.sizes() == at::IntArrayRef{256, 256, 3});
  CHECK(pixel(picture, 0, 0) == red);
  CHECK(pixel(picture, 127, 127) == red);
  CHECK(pixel(picture, 127, 128) == Rgb{128, 128, 255});
  CHECK(pixel(picture, 255, 0) == white);
  CHECK(pixel(picture, 255, 255) == Rgb{255, 128, 128});
  CHECK(pixel(heatmap(values({1, -3}, {1, 2})), 0, 255) == blue);
}

TEST_CASE("channels are summed before the scale is taken") {
  auto picture = heatmap(values({9, 1, -9, 1}, {1, 2, 1, 2}));
  CHECK(pixel(picture, 0, 0) == white);
  CHECK(pixel(picture, 0, 255) == red);
  CHECK(pixel(heatmap(at::full({1, 2, 2, 2}, 40000, at::kHalf)), 0, 0) == red);  // the sum is beyond float16
}

TEST_CASE("samples stand side by side under one scale, slices below one another") {
  auto maps = heatmap(values({1, 1, 1, 1, -2, -2, -2, -2}, {2, 1, 2, 2}));
  CHECK(maps.sizes() == at::IntArrayRef{256, 516, 3});
  CHECK(pixel(maps, 9, 255) == Rgb{255, 128, 128});
  CHECK(pixel(maps, 9, 256) == grey);
  CHECK(pixel(maps, 9, 259) == grey);
  CHECK(pixel(maps, 9, 260) == blue);
  auto volumes = heatmap(at::cat({at::full({1, 3, 2, 4, 4}, 1.0), at::full({1, 3, 2, 4, 4}, -1.0)}));
  CHECK(volumes.sizes() == at::IntArrayRef{516, 516, 3});
  CHECK(pixel(volumes, 515, 0) == red);
  CHECK(pixel(volumes, 0, 515) == blue);
}

TEST_CASE("a map is enlarged by a whole number to 256 pixels or more") {
  CHECK(heatmap(at::zeros({1, 3, 224, 224})).sizes() == at::IntArrayRef{448, 448, 3});
  CHECK(heatmap(at::zeros({1, 3, 256, 300})).sizes() == at::IntArrayRef{256, 300, 3});
  CHECK(heatmap(at::zeros({1, 1, 3, 4})).sizes() == at::IntArrayRef{258, 344, 3});
  CHECK(heatmap(at::zeros({1, 1, 2, 1000})).sizes() == at::IntArrayRef{4, 2000, 3});
}

TEST_CASE("vectors are strips, one below another") {
  CHECK(heatmap(at::zeros({1, 10})).sizes() == at::IntArrayRef{32, 260, 3});
  CHECK(heatmap(at::zeros({3, 500})).sizes() == at::IntArrayRef{104, 500, 3});
  CHECK(heatmap(at::zeros({2, 7, 300})).sizes() == at::IntArrayRef{68, 300, 3});
  CHECK(heatmap(at::zeros({4})).sizes() == at::IntArrayRef{32, 256, 3});
  CHECK(heatmap(at::zeros({})).sizes() == at::IntArrayRef{32, 256, 3});
  auto strips = heatmap(values({1, 0, 0, -1}, {2, 2}));
  CHECK(pixel(strips, 31, 127) == red);
  CHECK(pixel(strips, 32, 127) == grey);
  CHECK(pixel(strips, 36, 255) == blue);
}

TEST_CASE("nothing to see is white, what is not finite yellow") {
  CHECK(pixel(heatmap(at::zeros({1, 3, 8, 8})), 100, 100) == white);
  CHECK(heatmap(at::zeros({0, 3, 8, 8})).sizes() == at::IntArrayRef{256, 256, 3});
  CHECK(pixel(heatmap(at::zeros({2, 0})), 100, 100) == white);
  auto infinity = std::numeric_limits<double>::infinity();
  auto picture = heatmap(values({std::nan(""), infinity, -infinity, -1}, {1, 4}));
  for (auto x : {0, 64, 128}) CHECK(pixel(picture, 0, x) == yellow);
  CHECK(pixel(picture, 0, 192) == blue);
  CHECK(pixel(heatmap(at::full({1, 4}, -std::numeric_limits<double>::denorm_min(), at::kDouble)), 0, 0) == blue);
}

TEST_CASE("a picture beyond all use is refused before it is made") {
  Folder folder;
  CHECK(failure(folder,
                [] {
                  heatmap(at::zeros({1}).expand({10000, 3, 224, 224}));
                }) ==
        "A0004 relevance of shape [10000, 3, 224, 224] makes a picture of 448 × 4519996 pixels; the limit is 67108864");
  CHECK(failure(folder, [] { heatmap(at::zeros({1}).expand({std::int64_t{1} << 62, 1})); }).starts_with("A0004 "));
  CHECK(failure(folder, [] {
          heatmap(at::zeros({1, 1, 1, 1, 1, 1}));
        }) == "A0702 relevance of 6 dimensions has no picture");
}

TEST_CASE("what is no dense tensor of real numbers has no picture") {
  Folder folder;
  CHECK(failure(folder, [] { heatmap({}); }) == "A0702 an undefined tensor has no picture");
  for (auto& each : {at::zeros({1, 3}, at::kComplexFloat), at::zeros({1, 3}).to_sparse()})
    CHECK(failure(folder, [&] { heatmap(each); }) ==
          "A0702 relevance that is no dense tensor of real numbers has no picture");
  CHECK(failure(folder, [] { heatmap(at::zeros({1, 3}, at::kMeta)); }).starts_with("A0702 "));
}

TEST_CASE("a picture is plain bytes, whatever type the relevance has, and whoever draws where") {
  auto expected = heatmap(values({4, -2, 0, 2}, {1, 1, 2, 2}));
  CHECK(expected.scalar_type() == at::kByte);
  CHECK(expected.is_contiguous());
  for (auto type : {at::kFloat, at::kHalf, at::kBFloat16, at::kLong})
    CHECK(at::equal(heatmap(values({4, -2, 0, 2}, {1, 1, 2, 2}).to(type)), expected));
  CHECK(at::equal(heatmap(values({4, -2, 0, 2}, {1, 1, 2, 2}).requires_grad_()), expected));
}

}  // namespace
}  // namespace test
