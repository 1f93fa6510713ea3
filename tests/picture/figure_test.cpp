// Relevance as a figure.
#include <ATen/ATen.h>

#include "ascribe/figure.hpp"
#include "interpreter/files/png.hpp"
#include "interpreter/picture/figure.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace test {
using namespace ascribe;
using Catch::Contains;
using Catch::StartsWith;
namespace {

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t out = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++out;
  return out;
}

std::vector<std::string> texts_of(const picture::Scene& scene) {
  std::vector<std::string> out;
  for (auto& item : scene.items)
    if (auto* text = std::get_if<picture::Text>(&item)) out.push_back(text->text);
  return out;
}
bool has(const std::vector<std::string>& texts, const std::string& wanted) {
  return std::find(texts.begin(), texts.end(), wanted) != texts.end();
}

at::Tensor quarter() { return at::tensor({4.0, -2.0, 0.0, 1.0}).reshape({1, 1, 2, 2}); }

}  // namespace

TEST_CASE("a figure is an SVG document that holds its pictures and its words") {
  auto text = figure(quarter(), {.title = "a title", .captions = {"Egyptian cat\n9.81"}});
  CHECK_THAT(text, StartsWith("<svg xmlns=") && Contains("data:image/png;base64,iVBORw0KGgo") &&
                       Contains(">a title</text>") && Contains(">Egyptian cat</text>") && Contains(">9.81</text>") &&
                       Contains(">-4</text>"));
  CHECK(text == figure(quarter(), {.title = "a title", .captions = {"Egyptian cat\n9.81"}}));
}

TEST_CASE("captions and titles may be any text") {
  auto text = figure(quarter(), {.title = "<script>alert(1)</script>",
                                 .captions = {std::string("a & b\x01\x1b[31m <b> ü 猫 \xFF", 24)},
                                 .column_titles = {"\"quoted\""}});
  CHECK_THAT(text, !Contains("<script>") && Contains("a &amp; b") && Contains("&lt;b&gt; ü 猫 \uFFFD") &&
                       !Contains("\x1b") && !Contains("\x01") && Contains("&quot;quoted&quot;"));
  auto wide = picture::figure_scene(quarter(), {.captions = {std::string(1000, 'm')}});
  CHECK(wide.width < 450);
  CHECK(texts_of(wide).back().size() < 100);
}

TEST_CASE("one scale has one bar, with the numbers of its ends") {
  auto one = texts_of(picture::figure_scene(quarter(), {}));
  CHECK(has(one, "4"));
  CHECK(has(one, "-4"));
  CHECK(has(one, "0"));
  auto two = at::cat({quarter(), 3 * quarter()});
  auto each = texts_of(picture::figure_scene(two, {}));
  for (auto* number : {"4", "-4", "12", "-12"}) CHECK(has(each, number));
  auto shared = texts_of(picture::figure_scene(two, {.heatmap = {.shared_scale = true}}));
  CHECK(has(shared, "12"));
  CHECK(!has(shared, "4"));
  CHECK(texts_of(picture::figure_scene(two, {.colour_bar = false})).empty());
}

TEST_CASE("numbers say where values lie beyond the colours") {
  auto map = at::full({1, 1, 40, 40}, 0.5, at::kDouble);
  map[0][0][3][3] = 100;
  CHECK(has(texts_of(picture::figure_scene(map, {})), "≥ 0.5"));
  CHECK(has(texts_of(picture::figure_scene(map, {.heatmap = {.clip = 100}})), "100"));
}

TEST_CASE("values that are not finite are counted") {
  auto map = quarter();
  map[0][0][0][0] = NAN;
  map[0][0][0][1] = INFINITY;
  CHECK(has(texts_of(picture::figure_scene(map, {})), "2 values are not finite"));
  CHECK(has(texts_of(picture::figure_scene(at::full({1, 1, 2, 2}, NAN), {})), "4 values are not finite"));
}

TEST_CASE("a table has titles for its columns and rows") {
  auto scene = picture::figure_scene(
      at::ones({4, 1, 8, 8}),
      {.heatmap = {.columns = 2}, .column_titles = {"zplus", "gamma"}, .row_titles = {"first", "second"}});
  auto texts = texts_of(scene);
  for (auto* each : {"zplus", "gamma", "first", "second"}) CHECK(has(texts, each));
  CHECK(scene.width > 2 * 256);
}

TEST_CASE("channels are called by their numbers") {
  auto relevance = at::zeros({1, 9, 2, 2});
  relevance[0][7] = 1;
  auto texts = texts_of(picture::figure_scene(relevance, {.heatmap = {.channels = 2}}));
  CHECK(has(texts, "channel 7"));
  CHECK(has(texts, "channel 0"));
}

TEST_CASE("a signal is a curve before the colours of its relevance") {
  auto signal = at::sin(at::linspace(0, 9, 300)).reshape({1, 1, 300});
  auto text = figure(at::ones({1, 1, 300}), {.captions = {"a heartbeat"}, .signal = signal});
  CHECK_THAT(text, Contains("<polyline") && Contains("a heartbeat") && Contains("300 values"));
  CHECK_THAT(figure(at::ones({2, 100000}), {.form = FigureForm::curves}), Contains("<polyline"));
  Folder folder;
  CHECK(failure(folder, [] {
          figure(at::ones({1, 30}), {.signal = at::ones({1, 31})});
        }) == "A0702 a signal of shape [1, 31] does not go with relevance of 1 sample of 30 values");
  CHECK(failure(folder, [] {
          figure(at::ones({1, 1, 3, 3}), {.form = FigureForm::curves});
        }).starts_with("A0702 curves are for vectors"));
}

TEST_CASE("named values are bars, the largest magnitude first, and the rest is summed up") {
  auto relevance = at::arange(30, at::kDouble).reshape({1, 30});
  relevance[0][3] = -100;
  auto scene = picture::figure_scene(relevance, {.names = {"age", "<sex>", "blood\npressure", "weight"}});
  auto texts = texts_of(scene);
  CHECK(texts.front() == "weight");
  CHECK(texts.at(1) == "-100");
  CHECK(texts.at(2) == "29");
  CHECK(has(texts, "10 others"));
  CHECK(has(texts, "sum 52"));
  CHECK(count(figure(relevance, {.form = FigureForm::bars}), "<rect") == 41);
  CHECK_THAT(figure(at::tensor({1.0, 2.0}).reshape({1, 2}), {.names = {"<sex>"}}), Contains("&lt;sex&gt;"));
}

TEST_CASE("nothing to see is said, and what is too large is refused") {
  CHECK(has(texts_of(picture::figure_scene(at::zeros({0, 3, 8, 8}), {})), "no elements"));
  CHECK_THAT(figure(at::zeros({1, 1, 1, 1})), StartsWith("<svg"));
  Folder folder;
  CHECK(failure(folder, [] { figure(at::zeros({1}).expand({10000, 3, 224, 224})); }).starts_with("A0004 "));
  CHECK(failure(folder, [] {
          figure(at::zeros({1}).expand({1000000, 40}), {.form = FigureForm::bars});
        }).starts_with("A0004 "));
  CHECK(failure(folder, [] { figure({}); }) == "A0702 an undefined tensor has no picture");
  CHECK_THAT(figure(at::zeros({10000, 1, 8, 8}), {.captions = {"x"}}), Contains("<svg"));
}

TEST_CASE("PNG within a figure is what libpng would read") {
  auto bytes = files::png_bytes(at::zeros({2, 3, 3}, at::kByte));
  CHECK_THAT(bytes, StartsWith("\x89PNG"));
  CHECK(picture::base64("a") == "YQ==");
  CHECK(picture::base64("ab") == "YWI=");
  CHECK(picture::base64("abc") == "YWJj");
}

}  // namespace test
