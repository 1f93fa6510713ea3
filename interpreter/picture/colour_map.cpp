#include "interpreter/picture/colour_map.hpp"

#include <algorithm>
#include <cmath>

#include "ascribe/error.hpp"
#include "ascribe/heatmap.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"

namespace ascribe::picture {
namespace {

// A colour at a place between 0 and 255; between two of them, colours change linearly. Of a diverging map, 127.5 is
// zero.
struct Stop {
  double place;
  std::uint32_t colour;
};
struct MapRow {
  const char* name;
  bool diverging;
  Rgb not_finite;  // which the map has nowhere
  std::vector<Stop> stops;
};

constexpr Rgb yellow{255, 220, 0}, green{0, 255, 0};

const std::vector<MapRow>& table() {
  static const std::vector<MapRow> rows{
      {"bwr", true, yellow, {{0, 0x0000FF}, {127.5, 0xFFFFFF}, {255, 0xFF0000}}},
      {"coldnhot",
       true,
       green,
       {{0, 0x00FFFF},
        {64, 0x0000FF},
        {127.5, 0x000000},
        {128, 0x000000},
        {170, 0xFF0000},
        {212, 0xFFFF00},
        {255, 0xFFFFFF}}},
      {"france", true, yellow, {{0, 0x0055A4}, {127.5, 0xFFFFFF}, {255, 0xEF4135}}},
      {"seismic", true, yellow, {{0, 0x0000D0}, {127, 0xCECED0}, {127.5, 0xD0D0D0}, {255, 0xD00000}}},
      {"coolio", true, yellow, {{0, 0x00D0D0}, {127, 0xCED0D0}, {127.5, 0xD0D0D0}, {255, 0xD000D0}}},
      {"coleus", true, yellow, {{0, 0x00D000}, {127, 0xCED0CE}, {127.5, 0xD0D0D0}, {255, 0xD000D0}}},
      {"coolwarm",
       true,
       yellow,
       {{0, 0x3A4CC0},
        {24, 0x5775E1},
        {44, 0x7194F4},
        {63, 0x8BAEFD},
        {85, 0xAAC6FD},
        {103, 0xC1D4F4},
        {121, 0xD6DBE4},
        {127.5, 0xDDDCDC},
        {148, 0xEECFBE},
        {167, 0xF6BBA0},
        {185, 0xF6A384},
        {209, 0xEA7B60},
        {234, 0xD1493E},
        {247, 0xBF282E},
        {255, 0xB30326}}},
      {"RdBu",
       true,
       yellow,
       {{0, 0x67001F},
        {26, 0xB2192B},
        {52, 0xD7624F},
        {77, 0xF4A683},
        {102, 0xFDDBC7},
        {127.5, 0xF7F6F6},
        {154, 0xCEE3EF},
        {180, 0x8DC2DC},
        {205, 0x4191C2},
        {230, 0x2064AA},
        {255, 0x053061}}},
      {"PiYG",
       true,
       green,
       {{0, 0x8E0152},
        {26, 0xC51C7D},
        {51, 0xDE77AE},
        {78, 0xF1B8DB},
        {102, 0xFDE0EF},
        {127.5, 0xF7F6F6},
        {154, 0xE4F4CD},
        {180, 0xB4DE81},
        {205, 0x7DBA3F},
        {230, 0x4C9120},
        {255, 0x276419}}},
      {"PRGn",
       true,
       green,
       {{0, 0x40004B},
        {26, 0x762B83},
        {53, 0x9C74AD},
        {79, 0xC5A9D1},
        {103, 0xE7D5E8},
        {127.5, 0xF6F6F6},
        {154, 0xD7EFD1},
        {179, 0xA4DA9E},
        {205, 0x57AB5F},
        {230, 0x1A7636},
        {255, 0x00441B}}},
      {"BrBG",
       true,
       green,
       {{0, 0x543005},
        {26, 0x8D510A},
        {51, 0xBF812D},
        {78, 0xE0C481},
        {102, 0xF6E8C3},
        {127.5, 0xF5F4F4},
        {153, 0xC7EAE5},
        {179, 0x7ECBC0},
        {205, 0x32958D},
        {230, 0x00655D},
        {255, 0x003C30}}},
      {"mpl_seismic",
       true,
       yellow,
       {{0, 0x00004C}, {64, 0x0101FF}, {127.5, 0xFFFFFF}, {191, 0xFF0000}, {255, 0x7F0000}}},
      {"gray", false, yellow, {{0, 0x000000}, {255, 0xFFFFFF}}},
      {"wred", false, yellow, {{0, 0xFFFFFF}, {255, 0xFF0000}}},
      {"wblue", false, yellow, {{0, 0xFFFFFF}, {255, 0x0000FF}}},
      {"hot", false, green, {{0, 0x000000}, {85, 0xFF0000}, {170, 0xFFFF00}, {255, 0xFFFFFF}}},
      {"cold", false, yellow, {{0, 0x000000}, {127, 0x0000FF}, {255, 0x00FFFF}}},
      {"viridis",
       false,
       green,
       {{0, 0x440154},
        {23, 0x482172},
        {43, 0x433A83},
        {69, 0x38578C},
        {113, 0x25828E},
        {139, 0x1E9A89},
        {152, 0x21A784},
        {167, 0x30B47A},
        {184, 0x4DC26B},
        {204, 0x79D151},
        {235, 0xCAE01E},
        {242, 0xDCE218},
        {249, 0xEEE51B},
        {255, 0xFDE724}}},
      {"magma",
       false,
       green,
       {{0, 0x000003},
        {11, 0x050417},
        {30, 0x1A1041},
        {45, 0x301065},
        {55, 0x420F74},
        {67, 0x55137D},
        {92, 0x7C2381},
        {119, 0xA7317D},
        {147, 0xD4436D},
        {164, 0xEB5660},
        {177, 0xF56C5B},
        {189, 0xFA825F},
        {204, 0xFD9F6C},
        {228, 0xFECB8E},
        {255, 0xFBFCBF}}},
      {"inferno",
       false,
       green,
       {{0, 0x000003},
        {5, 0x01010B},
        {17, 0x0B0726},
        {31, 0x1F0C47},
        {43, 0x34095F},
        {55, 0x480B6A},
        {73, 0x65156E},
        {95, 0x88216A},
        {120, 0xAF315B},
        {141, 0xCD4247},
        {162, 0xE65C2E},
        {186, 0xF78310},
        {195, 0xFA9306},
        {203, 0xFBA208},
        {215, 0xFBB91E},
        {228, 0xF6D33F},
        {239, 0xF1E864},
        {248, 0xF3F689},
        {255, 0xFCFEA4}}},
      {"plasma",
       false,
       green,
       {{0, 0x0C0786},
        {6, 0x1D068D},
        {24, 0x3F039C},
        {48, 0x6500A7},
        {63, 0x7C02A7},
        {74, 0x8C0AA4},
        {96, 0xA92395},
        {132, 0xCF4B74},
        {169, 0xEC7754},
        {198, 0xFA9D3A},
        {222, 0xFDC128},
        {236, 0xFAD824},
        {253, 0xF0F525},
        {255, 0xEFF821}}},
      {"cividis",
       false,
       green,
       {{0, 0x00224D},
        {20, 0x003070},
        {23, 0x003170},
        {29, 0x14366F},
        {43, 0x2B3F6D},
        {71, 0x4A536B},
        {115, 0x717273},
        {133, 0x817F78},
        {165, 0xA09775},
        {200, 0xC4B468},
        {224, 0xDEC957},
        {243, 0xF3DA42},
        {252, 0xFDE333},
        {255, 0xFDE737}}},
      {"jet",
       false,
       green,
       {{0, 0x00007F},
        {28, 0x0000FE},
        {32, 0x0000FF},
        {87, 0x00DCFE},
        {90, 0x02E8F4},
        {96, 0x15FFE1},
        {163, 0xEDFF08},
        {166, 0xF7F400},
        {168, 0xFEED00},
        {227, 0xFE1200},
        {232, 0xE80000},
        {255, 0x7F0000}}},
      {"turbo", false, green, {{0, 0x30123B},   {7, 0x38266C},   {15, 0x3F3D9C},  {24, 0x4456C7},  {33, 0x466DE6},
                               {41, 0x4682F8},  {47, 0x4291FE},  {55, 0x38A5FB},  {65, 0x26BDE9},  {74, 0x1AD1D2},
                               {81, 0x17DEBF},  {88, 0x1EE8AF},  {95, 0x2FF09A},  {104, 0x4DF97C}, {118, 0x84FE50},
                               {126, 0x9EFD3E}, {134, 0xB3F835}, {143, 0xCAED33}, {156, 0xE7D738}, {168, 0xF8BE39},
                               {181, 0xFE9E2E}, {194, 0xF9771E}, {207, 0xEC520E}, {222, 0xD43205}, {236, 0xB41B01},
                               {250, 0x8B0901}, {255, 0x7A0402}}},
      {"mpl_hot", false, green, {{0, 0x0A0000}, {93, 0xFE0000}, {190, 0xFFFE00}, {193, 0xFFFF0A}, {255, 0xFFFFFF}}},
  };
  return rows;
}

Rgb parts_of(std::uint32_t colour) {
  return {static_cast<std::uint8_t>(colour >> 16), static_cast<std::uint8_t>(colour >> 8),
          static_cast<std::uint8_t>(colour)};
}

}  // namespace

ColourMap::ColourMap(const std::string& name) {
  constexpr std::string_view reversing = "_r";
  reversed_ = name.ends_with(reversing);
  auto wanted = reversed_ ? name.substr(0, name.size() - reversing.size()) : name;
  if (wanted == "grey") wanted = "gray";
  auto found = std::find_if(table().begin(), table().end(), [&](auto& each) { return each.name == wanted; });
  if (found == table().end())
    throw Error({.code = Code::usage,
                 .message = filled("there is no colour map '{}'", name),
                 .help = did_you_mean(wanted, colour_maps(), filled("there are {}", listed(colour_maps())))});
  diverging_ = found->diverging;
  not_finite_ = found->not_finite;
  for (auto& each : found->stops) stops_.push_back({each.place / 255, parts_of(each.colour)});
}

Rgb ColourMap::at(double position) const {
  if (!std::isfinite(position)) return not_finite_;
  position = std::clamp(reversed_ ? 1 - position : position, 0.0, 1.0);
  auto above = std::find_if(stops_.begin() + 1, stops_.end() - 1, [&](auto& each) { return each.place >= position; });
  auto below = above - 1;
  auto share = (position - below->place) / (above->place - below->place);
  Rgb out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(std::lround(below->colour[i] + share * (above->colour[i] - below->colour[i])));
  return out;
}

}  // namespace ascribe::picture

namespace ascribe {

std::vector<std::string> colour_maps() {
  std::vector<std::string> out;
  for (auto& each : picture::table()) {
    out.emplace_back(each.name);
    if (out.back() == "gray") out.emplace_back("grey");
  }
  return out;
}

}  // namespace ascribe
