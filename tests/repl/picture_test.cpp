// Heatmaps in a terminal: what is drawn, in which colours, and how wide.
#include "interpreter/command/repl/picture.hpp"

#include <ATen/ATen.h>

#include <sstream>

#include "grammar/error.hpp"
#include "grammar/text_width.hpp"
#include "tests/catch.hpp"

using namespace ascribe;
using namespace ascribe::repl;
using Catch::Contains;
using Catch::StartsWith;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

// The columns that a line takes, without its escape sequences.
std::size_t columns(const std::string& line) {
  std::string shown;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\033')
      i = line.find('m', i);
    else
      shown += line[i];
  }
  return text_width(shown);
}

std::size_t widest(const std::string& text) {
  std::size_t out = 0;
  for (auto& line : lines_of(text)) out = std::max(out, columns(line));
  return out;
}

at::Tensor map_2x2() { return at::tensor({1.0, -1.0, 0.0, 0.5}, at::kDouble).reshape({1, 1, 2, 2}); }

}  // namespace

TEST_CASE("without colour, relevance is drawn in characters") {
  auto lines = lines_of(draw({{"title", at::tensor({1.0, 0.5, 0.0, -0.5, -1.0, NAN}).reshape({1, 6})}}, {}));
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == "title");
  CHECK(lines[1] == "####++++    ~~~~%%%%????");
  CHECK(lines[2] == "scale: ±1");
  CHECK_THAT(lines[3], Contains(".:+*#") && Contains("'-~=%"));
}

TEST_CASE("with all colours, two rows are one line of half blocks") {
  auto text = draw({{"title", map_2x2()}}, {Screen::Depth::full, 80, 24});
  CHECK_THAT(text, Contains("\033[38;2;255;0;0m") && Contains("\033[38;2;0;0;255m"));
  CHECK_THAT(text, Contains("▀") && !Contains("38;5;"));
  auto lines = lines_of(text);
  CHECK(lines.size() == 1 + 16 + 1);
  CHECK(columns(lines[1]) == 32);
  CHECK(lines[1].ends_with("\033[0m"));
}

TEST_CASE("with 256 colours, the nearest of the palette stand for them") {
  auto text = draw({{"title", map_2x2()}}, {Screen::Depth::palette, 80, 24});
  CHECK_THAT(text,
             Contains("\033[38;5;196m") && Contains("\033[38;5;21m") && Contains("\033[48;5;231m") && !Contains(";2;"));
}

TEST_CASE("pictures fit the terminal, whatever their shape") {
  for (auto& shape : std::vector<std::vector<std::int64_t>>{{1, 3, 224, 224},
                                                            {2, 1, 50, 400},
                                                            {1, 1, 400, 20},
                                                            {3, 1000},
                                                            {1, 4, 77},
                                                            {2, 1, 3, 9, 9},
                                                            {12},
                                                            {20, 1, 5, 5},
                                                            {1, 1}})
    for (int width : {20, 33, 80, 200})
      for (auto colour : {Screen::Depth::none, Screen::Depth::palette, Screen::Depth::full}) {
        INFO(shape.size() << " dimensions, " << width << " columns");
        auto relevance = at::randn(shape, at::kDouble);
        auto text = draw({{"a title that is longer than a narrow terminal is wide", relevance}}, {colour, width, 24});
        auto legend = colour == Screen::Depth::none ? text.rfind("for: ") : text.size();
        CHECK(widest(text.substr(0, legend)) <= static_cast<std::size_t>(width));
        CHECK(lines_of(text).size() <= 60);
      }
}

TEST_CASE("several maps stand side by side where there is room") {
  std::vector<Titled> maps{{"a", map_2x2()}, {"b", 2 * map_2x2()}, {"difference", map_2x2()}};
  auto wide = lines_of(draw(maps, {Screen::Depth::full, 120, 24}));
  CHECK_THAT(wide[0], StartsWith("a ") && Contains("b ") && Contains("difference"));
  CHECK(columns(wide[1]) == 3 * 32 + 2 * 2);
  CHECK(wide.back() == "scale: ±1" + std::string(25, ' ') + "scale: ±2" + std::string(25, ' ') + "scale: ±1");
  auto narrow = lines_of(draw(maps, {Screen::Depth::full, 40, 24}));
  CHECK(narrow[0] == "a");
  CHECK(narrow.size() == 3 * (1 + 16 + 1));
}

TEST_CASE("what has no values has no picture") {
  CHECK(draw({{"empty", at::empty({0, 3})}}, {Screen::Depth::full, 80, 24}) == "empty\n(no elements)\n");
  CHECK_THAT(draw({{"zero", at::zeros({1, 1, 4, 4})}}, {Screen::Depth::full, 80, 24}), Contains("255;255;255"));
  CHECK_THROWS_AS(draw({{"large", at::zeros({1, 1, 1, 1, 1, 1})}}, {}), Error);
}
