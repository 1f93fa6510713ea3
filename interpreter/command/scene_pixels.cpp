#include "interpreter/command/scene_pixels.hpp"

#include <ATen/ATen.h>
#include <ft2build.h>
#include FT_FREETYPE_H

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <new>

#include "grammar/text_width.hpp"

namespace ascribe::command {
namespace {

using picture::Anchor, picture::Image, picture::Line, picture::Point, picture::Rectangle, picture::Rgb, picture::Scene,
    picture::Text;

// Where distributions put the fonts: Debian, Arch and openSUSE, Fedora.
std::string font_file(bool bold) {
  for (auto* folder : {"/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/TTF", "/usr/share/fonts/truetype",
                       "/usr/share/fonts/dejavu-sans-fonts", "/usr/share/fonts/dejavu"}) {
    auto path = std::filesystem::path(folder) / (bold ? "DejaVuSans-Bold.ttf" : "DejaVuSans.ttf");
    std::error_code error;
    if (std::filesystem::is_regular_file(path, error)) return path.string();
  }
  return "";
}

// Which colour lies over a pixel, and how much of it.
struct Canvas {
  std::int64_t height, width;
  at::Tensor pixels = at::full({height, width, 3}, 255, at::kByte);
  std::uint8_t* bytes = pixels.mutable_data_ptr<std::uint8_t>();

  void blend(std::int64_t x, std::int64_t y, const Rgb& colour, double share) {
    if (x < 0 || y < 0 || x >= width || y >= height || !(share > 0)) return;
    auto* pixel = bytes + (y * width + x) * 3;
    for (std::size_t i = 0; i < 3; ++i)
      pixel[i] = static_cast<std::uint8_t>(std::lround(pixel[i] + (colour[i] - pixel[i]) * std::min(share, 1.0)));
  }
};

struct Pen {
  FT_Library library = nullptr;
  FT_Face plain = nullptr, bold = nullptr;

  Pen() {
    if (FT_Init_FreeType(&library) != 0) throw std::bad_alloc();
    open(plain, false);
    open(bold, true);
  }
  ~Pen() { FT_Done_FreeType(library); }
  Pen(const Pen&) = delete;
  Pen& operator=(const Pen&) = delete;

  void open(FT_Face& face, bool heavy) const {
    auto path = font_file(heavy);
    if (path.empty() || FT_New_Face(library, path.c_str(), 0, &face) != 0) face = nullptr;
  }

  template <typename Use>  // of each character's glyph, rendered
  static void each_glyph(FT_Face face, std::string_view text, const Use& use) {
    for (std::size_t i = 0; i < text.size();) {
      auto character = character_at(text, i);
      i += character.bytes;
      if (FT_Load_Char(face, character.code, FT_LOAD_RENDER | FT_LOAD_TARGET_LIGHT) == 0) use(*face->glyph);
    }
  }

  void write(Canvas& canvas, const Text& text) const {
    auto* face = text.bold && bold ? bold : plain;
    constexpr FT_F26Dot6 units = 64;
    if (!face || FT_Set_Char_Size(face, 0, std::lround(text.size * units), 72, 72) != 0) return;
    auto line = picture::one_line(text.text);
    double width = 0;
    auto advance = [](const FT_GlyphSlotRec& glyph) { return static_cast<double>(glyph.advance.x) / units; };
    each_glyph(face, line, [&](auto& glyph) { width += advance(glyph); });
    auto x = text.x - (text.anchor == Anchor::end ? width : text.anchor == Anchor::middle ? width / 2 : 0);
    auto baseline = std::llround(text.y);
    each_glyph(face, line, [&](auto& glyph) {
      auto left = std::llround(x) + glyph.bitmap_left, top = baseline - glyph.bitmap_top;
      for (unsigned row = 0; row < glyph.bitmap.rows; ++row)
        for (unsigned column = 0; column < glyph.bitmap.width; ++column)
          canvas.blend(left + column, top + row, text.faint ? picture::faint_ink : picture::ink,
                       glyph.bitmap.buffer[static_cast<std::ptrdiff_t>(row) * glyph.bitmap.pitch + column] / 255.0);
      x += advance(glyph);
    });
  }
};

void put(Canvas& canvas, const Pen&, const Rectangle& each) {
  auto left = std::llround(each.x), top = std::llround(each.y);
  auto right = std::max(left + 1, std::llround(each.x + each.width)),
       low = std::max(top + 1, std::llround(each.y + each.height));
  for (auto y = top; y < low; ++y)
    for (auto x = left; x < right; ++x) canvas.blend(x, y, each.colour, 1);
}

void put(Canvas& canvas, const Pen&, const Image& image) {
  auto left = std::llround(image.x), top = std::llround(image.y);
  auto width = std::max<std::int64_t>(1, std::llround(image.width)),
       height = std::max<std::int64_t>(1, std::llround(image.height));
  auto whole = image.pixels.contiguous();
  auto* from = whole.const_data_ptr<std::uint8_t>();
  for (std::int64_t y = std::max<std::int64_t>(0, -top); y < height && top + y < canvas.height; ++y)
    for (std::int64_t x = std::max<std::int64_t>(0, -left); x < width && left + x < canvas.width; ++x) {
      auto* pixel = from + (y * whole.size(0) / height * whole.size(1) + x * whole.size(1) / width) * 3;
      std::copy(pixel, pixel + 3, canvas.bytes + ((top + y) * canvas.width + left + x) * 3);
    }
}

double distance(const Point& at, const Point& a, const Point& b) {
  auto dx = b.x - a.x, dy = b.y - a.y;
  auto length = dx * dx + dy * dy;
  auto along = length > 0 ? std::clamp(((at.x - a.x) * dx + (at.y - a.y) * dy) / length, 0.0, 1.0) : 0;
  return std::hypot(at.x - a.x - along * dx, at.y - a.y - along * dy);
}

// By how far each pixel's centre is from the line; where two pieces meet, the nearer one counts.
void put(Canvas& canvas, const Pen&, const Line& line) {
  if (line.points.empty()) return;
  auto reach = line.width / 2 + 1;
  auto [least_x, most_x] =
      std::minmax_element(line.points.begin(), line.points.end(), [](auto& a, auto& b) { return a.x < b.x; });
  auto [least_y, most_y] =
      std::minmax_element(line.points.begin(), line.points.end(), [](auto& a, auto& b) { return a.y < b.y; });
  auto inside = [](double value, std::int64_t side) { return std::clamp<std::int64_t>(std::llround(value), 0, side); };
  auto left = inside(least_x->x - reach, canvas.width), right = inside(most_x->x + reach + 1, canvas.width);
  auto top = inside(least_y->y - reach, canvas.height), low = inside(most_y->y + reach + 1, canvas.height);
  if (left >= right || top >= low) return;
  std::vector<float> cover(static_cast<std::size_t>((right - left) * (low - top)));
  for (std::size_t i = 1; i < line.points.size(); ++i) {
    auto &a = line.points[i - 1], &b = line.points[i];
    for (auto y = std::max(top, inside(std::min(a.y, b.y) - reach, canvas.height));
         y < std::min(low, inside(std::max(a.y, b.y) + reach + 1, canvas.height)); ++y)
      for (auto x = std::max(left, inside(std::min(a.x, b.x) - reach, canvas.width));
           x < std::min(right, inside(std::max(a.x, b.x) + reach + 1, canvas.width)); ++x) {
        auto share =
            line.width / 2 + 0.5 - distance({static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5}, a, b);
        auto& there = cover[static_cast<std::size_t>((y - top) * (right - left) + x - left)];
        there = std::max(there, static_cast<float>(std::clamp(share, 0.0, 1.0)));
      }
  }
  for (auto y = top; y < low; ++y)
    for (auto x = left; x < right; ++x)
      canvas.blend(x, y, line.colour, cover[static_cast<std::size_t>((y - top) * (right - left) + x - left)]);
}

void put(Canvas& canvas, const Pen& pen, const Text& text) { pen.write(canvas, text); }

}  // namespace

bool has_font() { return !font_file(false).empty(); }

at::Tensor pixels_of(const Scene& scene) {
  Canvas canvas{static_cast<std::int64_t>(std::ceil(scene.height)), static_cast<std::int64_t>(std::ceil(scene.width))};
  Pen pen;
  for (auto& item : scene.items) std::visit([&](auto& each) { put(canvas, pen, each); }, item);
  return canvas.pixels;
}

}  // namespace ascribe::command
