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

TEST_CASE("each sample has its own scale, or all have one") {
  auto two = values({1, 1, 1, 1, -2, -2, -2, -2}, {2, 1, 2, 2});
  auto maps = heatmap(two, {.shared_scale = true});
  CHECK(maps.sizes() == at::IntArrayRef{256, 516, 3});
  CHECK(pixel(maps, 9, 255) == Rgb{255, 128, 128});
  CHECK(pixel(maps, 9, 256) == grey);
  CHECK(pixel(maps, 9, 259) == grey);
  CHECK(pixel(maps, 9, 260) == blue);
  CHECK(pixel(heatmap(two), 9, 255) == red);
  CHECK(pixel(heatmap(two), 9, 260) == blue);
}

TEST_CASE("slices of a volume stand beside each other, its samples below one another") {
  auto volumes = heatmap(at::cat({at::full({1, 3, 3, 4, 4}, 1.0), at::full({1, 3, 3, 4, 4}, -1.0)}));
  CHECK(volumes.sizes() == at::IntArrayRef{516, 776, 3});
  CHECK(pixel(volumes, 0, 775) == red);
  CHECK(pixel(volumes, 515, 0) == blue);
  CHECK(heatmap(at::zeros({1, 1, 4, 8, 8})).sizes() == at::IntArrayRef{516, 516, 3});
}

TEST_CASE("a batch is a table that is nearly square, or as wide as asked") {
  auto square = heatmap(at::zeros({500, 1, 8, 8}));
  CHECK(square.size(0) > square.size(1) / 2);
  CHECK(square.size(1) < 3000);
  CHECK(heatmap(at::zeros({500, 3, 224, 224})).sizes() == at::IntArrayRef{22 * 228 - 4, 23 * 228 - 4, 3});
  CHECK(heatmap(at::zeros({6, 1, 8, 8}), {.columns = 2}).sizes() == at::IntArrayRef{776, 516, 3});
  CHECK(heatmap(at::zeros({3, 1, 8, 8}), {.columns = 9}).sizes() == at::IntArrayRef{256, 776, 3});
  CHECK(heatmap(at::zeros({500, 10})).size(0) < 3000);
}

TEST_CASE("a size is had to the pixel: enlarged by repeating, or averaged") {
  auto small = values({4, 0, 0, 0}, {1, 1, 2, 2});
  CHECK(heatmap(small, {.size = 31}).sizes() == at::IntArrayRef{31, 31, 3});
  CHECK(heatmap(small, {.size = 1}).sizes() == at::IntArrayRef{1, 1, 3});
  CHECK(pixel(heatmap(small, {.size = 1}), 0, 0) == Rgb{255, 191, 191});  // a fourth of the largest
  CHECK(heatmap(at::zeros({1, 1, 100, 50}), {.size = 10}).sizes() == at::IntArrayRef{10, 5, 3});
  CHECK(heatmap(at::zeros({1, 100}), {.size = 10}).sizes() == at::IntArrayRef{32, 10, 3});
}

TEST_CASE("a few pixels beyond all others do not bleach them, unless asked to") {
  auto map = at::full({1, 1, 40, 40}, 0.01, at::kDouble);
  map[0][0][0][0] = 100;
  CHECK(pixel(heatmap(map), 200, 200) == red);
  CHECK(pixel(heatmap(map, {.clip = 100}), 200, 200) == white);
  map[0][0][0][0] = 0.02;
  CHECK(pixel(heatmap(map), 200, 200) == Rgb{255, 128, 128});
  CHECK(pixel(heatmap(map, {.clip = 50}), 200, 200) == red);
  auto sparse = at::zeros({1, 1, 40, 40}, at::kDouble);  // nearly all are zero: so is any quantile
  sparse[0][0][39][39] = -3;
  CHECK(pixel(heatmap(sparse), 275, 275) == blue);
}

TEST_CASE("maps that do not diverge go from zero, or from the smallest value to the largest") {
  auto positive = values({0, 1, 2, 4}, {1, 1, 2, 2}), mixed = values({-4, 0, 2, 4}, {1, 1, 2, 2});
  CHECK(pixel(heatmap(positive, {.colour_map = "gray"}), 0, 0) == Rgb{0, 0, 0});
  CHECK(pixel(heatmap(positive, {.colour_map = "gray"}), 200, 0) == Rgb{128, 128, 128});
  CHECK(pixel(heatmap(mixed, {.colour_map = "gray"}), 0, 200) == Rgb{128, 128, 128});
  CHECK(pixel(heatmap(mixed, {.colour_map = "gray", .range = ColourRange::from_zero}), 0, 200) == Rgb{0, 0, 0});
  CHECK(pixel(heatmap(at::full({1, 1, 2, 2}, 7), {.colour_map = "gray_r"}), 0, 0) == Rgb{0, 0, 0});
  CHECK(pixel(heatmap(at::full({1, 1, 2, 2}, 7), {.range = ColourRange::whole}), 0, 0) == red);
}

TEST_CASE("the strongest channels stand beside each other, the sum nowhere") {
  auto relevance = at::zeros({2, 4, 2, 2});
  relevance[0][2] = 1;
  relevance[0][1] = -5;
  relevance[1][3] = 2;
  auto picture = heatmap(relevance, {.shared_scale = true, .channels = 3});
  CHECK(picture.sizes() == at::IntArrayRef{516, 776, 3});
  CHECK(pixel(picture, 0, 0) == blue);
  CHECK(pixel(picture, 0, 260) == Rgb{255, 204, 204});
  CHECK(pixel(picture, 260, 0) == Rgb{255, 153, 153});
  CHECK(heatmap(relevance, {.channels = 9}).size(1) == 4 * 260 - 4);
}

TEST_CASE("smoothing keeps what is constant, spreads what is not, and lets what is not finite be") {
  CHECK(pixel(heatmap(at::ones({1, 1, 8, 8}), {.clip = 100, .smooth = 2}), 0, 0) == red);
  auto dot = at::zeros({1, 1, 9, 9});
  dot[0][0][4][4] = 1;
  dot[0][0][0][0] = NAN;
  auto picture = heatmap(dot, {.smooth = 1});
  auto cell = picture.size(0) / 9;
  CHECK(pixel(picture, 4 * cell, 4 * cell) == red);
  CHECK(pixel(picture, 4 * cell, 5 * cell).green < 200);
  CHECK(pixel(picture, 0, 0) == yellow);
  CHECK(pixel(picture, 0, cell) == white);
}

TEST_CASE("a map lies over the original, or stands beside it") {
  auto relevance = values({1, 0, 0, -1}, {1, 1, 2, 2});
  auto image = at::full({1, 3, 4, 4}, 0.5);
  auto over = heatmap(relevance, {.original = image, .overlay = 1});
  CHECK(pixel(over, 0, 0) == red);
  CHECK(pixel(over, 0, 200) == grey);
  CHECK(pixel(over, 200, 200) == blue);
  CHECK(pixel(heatmap(relevance, {.original = image, .overlay = 0.5}), 0, 0) == Rgb{192, 64, 64});
  auto pair = heatmap(relevance, {.original = (image * 255).to(at::kByte), .beside = true});
  CHECK(pair.sizes() == at::IntArrayRef{256, 516, 3});
  CHECK(pixel(pair, 0, 0) == Rgb{127, 127, 127});
  CHECK(pixel(pair, 0, 260) == red);
}

TEST_CASE("contours are lines where magnitudes pass thirds of the scale") {
  auto ramp = at::linspace(0, 1, 16, at::kDouble).reshape({1, 1, 1, 16}).expand({1, 1, 16, 16});
  auto lines = heatmap(ramp, {.contours = true});
  int dark = 0;
  for (std::int64_t x = 0; x < lines.size(1); ++x) dark += pixel(lines, 99, x) == Rgb{40, 40, 40};
  CHECK(dark == 2);
}

TEST_CASE("high frequencies are at the top where a map is turned") {
  auto map = values({1, 1, 0, 0}, {1, 1, 2, 2});
  CHECK(pixel(heatmap(map, {.upside_down = true}), 0, 0) == white);
  CHECK(pixel(heatmap(map, {.upside_down = true}), 255, 0) == red);
}

TEST_CASE("options out of their range are refused with what would serve") {
  Folder folder;
  auto said = [&](const HeatmapOptions& options) {
    return failure(folder, [&] { heatmap(at::zeros({1, 1, 4, 4}), options); });
  };
  CHECK(said({.colour_map = "coldhot"}) == "A0705 there is no colour map 'coldhot'");
  CHECK(said({.colour_map = ""}) == "A0705 there is no colour map ''");
  CHECK(said({.clip = 0}) == "A0705 a clip is a percentage above 0 and up to 100, not 0");
  CHECK(said({.clip = NAN}).starts_with("A0705 "));
  CHECK(said({.channels = -1}).starts_with("A0705 "));
  CHECK(said({.smooth = -1}).starts_with("A0705 "));
  CHECK(said({.smooth = NAN}).starts_with("A0705 "));
  CHECK(said({.size = -5}) == "A0705 a size is 1 pixel or more, not -5");
  CHECK(said({.size = 20000}) ==
        "A0004 relevance of shape [1, 1, 4, 4] makes a picture of 20000 × 20000 pixels; the limit is 67108864");
  CHECK(said({.size = std::int64_t{1} << 62}).starts_with("A0004 "));
  CHECK(said({.columns = -1}).starts_with("A0705 "));
  CHECK(said({.overlay = 2}) == "A0705 an opacity lies between 0 and 1, not at 2");
  CHECK(said({.overlay = 0.5}) == "A0702 there is no original to draw over, or beside");
  CHECK(said({.original = at::zeros({2, 3, 4, 4}), .beside = true}) ==
        "A0702 an original of shape [2, 3, 4, 4] does not go with 1 map of relevance");
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
        "A0004 relevance of shape [10000, 3, 224, 224] makes a picture of 22796 × 22796 pixels; the limit is 67108864");
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
