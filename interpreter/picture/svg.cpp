#include <ATen/ATen.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/html_text.hpp"
#include "grammar/text_width.hpp"
#include "interpreter/files/png.hpp"
#include "interpreter/picture/scene.hpp"

namespace ascribe::picture {
namespace {

std::string hex(const Rgb& colour) { return filled("#{:02x}{:02x}{:02x}", colour[0], colour[1], colour[2]); }

// Shares of the font's size, at the generous end of what sans-serif fonts have.
double share_of(char32_t code) {
  if (code >= 0x80) return width_of(code) == 2 ? 1.05 : width_of(code) == 0 ? 0 : 0.75;
  constexpr struct {
    std::string_view letters;
    double share;
  } kinds[] = {
      {" .,:;'|/\\ijlI", 0.35}, {"frt()[]{}!-\"", 0.42}, {"cksvxyzJ", 0.59}, {"mwMW@%", 0.98}, {"+<=>#~_", 0.84}};
  for (auto& kind : kinds)
    if (kind.letters.find(static_cast<char>(code)) != std::string_view::npos) return kind.share;
  return code >= 'A' && code <= 'Z' ? 0.74 : 0.64;
}

std::string element(const Image& image) {
  return filled(
      "<image x=\"{:g}\" y=\"{:g}\" width=\"{:g}\" height=\"{:g}\" preserveAspectRatio=\"none\" "
      "image-rendering=\"pixelated\" href=\"data:image/png;base64,{}\"/>\n",
      image.x, image.y, image.width, image.height, base64(files::png_bytes(image.pixels)));
}
std::string element(const Rectangle& each) {
  return filled("<rect x=\"{:g}\" y=\"{:g}\" width=\"{:g}\" height=\"{:g}\" fill=\"{}\"/>\n", each.x, each.y,
                each.width, each.height, hex(each.colour));
}
std::string element(const Line& line) {
  std::string points;
  for (auto& each : line.points) points += filled("{}{:.2f},{:.2f}", points.empty() ? "" : " ", each.x, each.y);
  return filled(
      "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{:g}\" stroke-linejoin=\"round\"/>\n", points,
      hex(line.colour), line.width);
}
std::string element(const Text& text) {
  constexpr const char* anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
  return filled("<text x=\"{:g}\" y=\"{:g}\" font-size=\"{:g}\"{}{} fill=\"{}\">{}</text>\n", text.x, text.y, text.size,
                anchors[static_cast<int>(text.anchor)], text.bold ? " font-weight=\"bold\"" : "",
                hex(text.faint ? faint_ink : ink), escaped_html(one_line(text.text)));
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    auto character = character_at(text, i);
    auto code = character.code;
    bool control = code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x2028 && code <= 0x202E) ||
                   (code >= 0x2066 && code <= 0x2069) || code == 0xFFFE || code == 0xFFFF;
    if (control)
      out += ' ';
    else if (code == 0xFFFD)
      out += "\uFFFD";
    else
      out += text.substr(i, character.bytes);
    i += character.bytes;
  }
  return out;
}

double text_extent(std::string_view text, double size) {
  double out = 0;
  for (std::size_t i = 0; i < text.size();) {
    auto character = character_at(text, i);
    out += share_of(character.code) * size;
    i += character.bytes;
  }
  return out;
}

std::string shortened(const std::string& text, double size, double width) {
  auto line = one_line(text);
  if (text_extent(line, size) <= width) return line;
  auto left = width - text_extent("…", size);
  std::size_t end = 0;
  for (std::size_t i = 0; i < line.size();) {
    auto character = character_at(line, i);
    left -= share_of(character.code) * size;
    if (left < 0) break;
    i += character.bytes;
    end = i;
  }
  return end == 0 ? "" : line.substr(0, end) + "…";
}

std::string svg(const Scene& scene) {
  auto out = filled(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:g} {1:g}\" width=\"{0:g}\" height=\"{1:g}\" "
      "font-family=\"'DejaVu Sans', Verdana, sans-serif\">\n<rect width=\"{0:g}\" height=\"{1:g}\" "
      "fill=\"#ffffff\"/>\n",
      scene.width, scene.height);
  for (auto& item : scene.items) out += std::visit([](auto& each) { return element(each); }, item);
  return out + "</svg>\n";
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    auto there = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) three = three << 8 | (k < there ? static_cast<std::uint8_t>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) out += k <= there ? digits[three >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace ascribe::picture
