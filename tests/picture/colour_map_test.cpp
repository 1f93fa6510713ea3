// Colour maps have the colours that Zennit and matplotlib give them.
#include <algorithm>
#include <cstdlib>

#include "ascribe/heatmap.hpp"
#include "interpreter/picture/colour_map.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/picture/colour_fixtures.hpp"

namespace test {
using namespace ascribe;
using picture::ColourMap, picture::Rgb;
namespace {

Rgb written(std::string_view digits) {
  auto part = [&](std::size_t i) {
    return static_cast<std::uint8_t>(std::stoi(std::string(digits.substr(2 * i, 2)), nullptr, 16));
  };
  return {part(0), part(1), part(2)};
}

int distance(const Rgb& a, const Rgb& b) {
  int out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) out = std::max(out, std::abs(a[i] - b[i]));
  return out;
}

}  // namespace

TEST_CASE("colour maps are within a level of Zennit's and matplotlib's, from either end") {
  for (auto& [name, colours] : colour_fixtures) {
    INFO(name);
    ColourMap map(name), reversed(std::string(name) + "_r");
    for (std::size_t i = 0; i * 6 < colours.size(); ++i) {
      auto position = static_cast<double>(3 * i) / 255;
      CHECK(distance(map.at(position), written(colours.substr(6 * i, 6))) <= 1);
      CHECK(distance(map.at(position), reversed.at(1 - position)) <= 1);
    }
  }
}

TEST_CASE("every colour map has a fixture, ends beyond which nothing changes, and a colour for what is not finite") {
  for (auto& name : colour_maps()) {
    INFO(name);
    auto tested = [&](auto& each) { return each.name == (name == "grey" ? "gray" : name); };
    CHECK(std::any_of(std::begin(colour_fixtures), std::end(colour_fixtures), tested));
    ColourMap map(name);
    CHECK(map.at(-3) == map.at(0));
    CHECK(map.at(3) == map.at(1));
    CHECK(map.at(std::nan("")) == map.not_finite());
    for (int i = 0; i <= 1000; ++i) CHECK(distance(map.at(i / 1000.0), map.not_finite()) > 40);
  }
}

TEST_CASE("zero has the colour in the middle of a diverging map") {
  CHECK(ColourMap("bwr").at(0.5) == Rgb{255, 255, 255});
  CHECK(ColourMap("coldnhot").at(0.5) == Rgb{0, 0, 0});
  CHECK(ColourMap("mpl_seismic_r").at(0.5) == Rgb{255, 255, 255});
}

TEST_CASE("a colour map that is not there has a neighbour") {
  try {
    ColourMap("viridus_r");
    FAIL();
  } catch (const Error& error) {
    CHECK(error.diagnostics().front().help == "did you mean `viridis`?");
  }
}

}  // namespace test
