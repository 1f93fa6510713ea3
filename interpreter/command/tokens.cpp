#include "interpreter/command/tokens.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "grammar/filled_text.hpp"
#include "grammar/html_text.hpp"
#include "grammar/shown_shape.hpp"
#include "grammar/text_width.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/pack/files.hpp"

namespace ascribe::command {
namespace {

std::vector<double> row_of(const at::Tensor& relevance, std::size_t sample) {
  auto row = relevance[static_cast<std::int64_t>(sample)].contiguous();
  auto* values = row.const_data_ptr<double>();
  return {values, values + row.numel()};
}

double largest_of(const at::Tensor& relevance) {
  auto finite = relevance.masked_select(relevance.isfinite());
  auto out = finite.numel() == 0 ? 0 : finite.abs().max().item<double>();
  return out > 0 ? out : 1;
}

// Whether letters on this colour have to be white.
bool is_dark(const Colour& colour) { return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 130; }

constexpr const char* style = R"(
body { font: 16px/2 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff; }
h1 { font-size: 1.2rem; } p.note { color: #555; font-size: 0.9rem; }
span.token { padding: 0.15rem 0.25rem; border-radius: 0.2rem; white-space: pre; }
span.token.strong { color: #fff; }
)";

}  // namespace

std::string without_controls(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    auto character = character_at(text, i);
    auto code = character.code;
    constexpr char32_t not_utf8 = 0xFFFD;
    bool control = code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x202A && code <= 0x202E) ||
                   (code >= 0x2066 && code <= 0x2069);
    out += control ? "·" : code == not_utf8 ? "\uFFFD" : std::string(text.substr(i, character.bytes));
    i += character.bytes;
  }
  return out;
}

std::vector<std::string> read_lines(const std::string& path, const char* what) {
  constexpr std::size_t largest = 1 << 24;
  auto refuse = [&](const std::string& why) {
    return Error({.code = Code::unreadable_file,
                  .message = filled("cannot read {} {}: {}", what, files::quoted_name(path), why),
                  .help = "give a text file with one on each line"});
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw refuse(errno == ENOENT ? "no such file" : reason(errno));
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) throw refuse("it is a folder");
  std::string text(largest + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) throw refuse("it is empty");
  if (text.find('\0') != std::string::npos) throw refuse("it is no text");
  if (text.size() > largest)
    throw Error({.code = Code::too_large,
                 .message = filled("{} {} have more than {} bytes", what, files::quoted_name(path), largest),
                 .help = "give a text file with one on each line"});
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line); lines.push_back(line))
    if (line.ends_with('\r')) line.pop_back();
  return lines;
}

TokenRelevance tokens_of(const std::string& path, const std::vector<std::string>& lines, const at::Tensor& input,
                         const at::Tensor& relevance) {
  if (input.dim() != 2 && !(input.dim() == 3 && input.is_floating_point()))
    throw usage_error(
        filled("--tokens is for an input [samples, length] of tokens' numbers, or [samples, length, size] of "
               "embeddings; this one has the shape {}",
               shown_shape(input.sizes())),
        "leave --tokens out");
  TokenRelevance out;
  out.relevance = relevance.detach().to(at::kCPU, at::kDouble);
  if (out.relevance.dim() == 3) out.relevance = out.relevance.sum(-1);
  auto samples = input.size(0), length = input.size(1), count = samples * length;
  auto given = static_cast<std::int64_t>(lines.size());
  bool by_place = given == count;
  auto numbers = input.to(at::kCPU, at::kLong).contiguous();
  bool are_numbers = !input.is_floating_point() && input.dim() == 2;
  if (!by_place && are_numbers && count > 0) {
    auto smallest = numbers.min().item<std::int64_t>(), largest = numbers.max().item<std::int64_t>();
    if (smallest < 0 || largest >= given)
      throw usage_error(
          filled("{} has {} lines: neither one for each of the {} tokens of the input {}, nor a vocabulary "
                 "in which the token {} would be",
                 files::quoted_name(path), given, count, shown_shape(input.sizes()), smallest < 0 ? smallest : largest),
          "give the tokens' texts, a line for each, or the vocabulary that the model was trained with");
  } else if (!by_place) {
    throw usage_error(filled("{} has {} lines, and the input {} {} tokens", files::quoted_name(path), given,
                             shown_shape(input.sizes()), count),
                      "give a line for each token, of all samples one after the other");
  }
  for (std::int64_t i = 0; i < samples; ++i) {
    out.tokens.emplace_back();
    for (std::int64_t k = 0; k < length; ++k) {
      auto place = i * length + k;
      auto line = by_place ? place : numbers.const_data_ptr<std::int64_t>()[place];
      out.tokens.back().push_back(lines[static_cast<std::size_t>(line)]);
    }
  }
  return out;
}

std::string tokens_as_text(const TokenRelevance& found, const Screen& screen, const std::string& colour_map) {
  std::string out;
  auto scale = largest_of(found.relevance);
  for (std::size_t i = 0; i < found.tokens.size(); ++i) {
    auto values = row_of(found.relevance, i);
    if (found.tokens.size() > 1) out += filled("sample {}\n", i);
    auto colours = colours_of(values, scale, colour_map);
    int column = 0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      auto token = without_controls(found.tokens[i][k]);
      if (screen.depth == Screen::Depth::none) {
        out += filled("{:>12.5g}  {}\n", values[k], token);
        continue;
      }
      auto width = static_cast<int>(text_width(token)) + 2;
      if (column > 0 && column + width > screen.columns) out += "\n", column = 0;
      constexpr Colour black{0, 0, 0}, white{255, 255, 255};
      out += painted(colours[k], Paint::background, screen.depth) +
             painted(is_dark(colours[k]) ? white : black, Paint::character, screen.depth) + " " + token + " \033[0m";
      column += width;
    }
    if (column > 0) out += "\n";
  }
  return out;
}

std::string tokens_as_html(const TokenRelevance& found, const std::string& title, const std::string& colour_map) {
  auto shown = escaped_html(without_controls(title));
  auto out = filled(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n",
      shown, style, shown);
  auto scale = largest_of(found.relevance);
  for (std::size_t i = 0; i < found.tokens.size(); ++i) {
    auto values = row_of(found.relevance, i);
    auto colours = colours_of(values, scale, colour_map);
    out += "<p>";
    for (std::size_t k = 0; k < values.size(); ++k) {
      auto& [red, green, blue] = colours[k];
      bool strong = is_dark(colours[k]);
      out += filled("<span class=\"token{}\" style=\"background: #{:02x}{:02x}{:02x}\" title=\"{:.5g}\">{}</span>\n",
                    strong ? " strong" : "", red, green, blue, values[k],
                    escaped_html(without_controls(found.tokens[i][k])));
    }
    out += "</p>\n";
  }
  out += colour_map == "bwr"
             ? filled("<p class=\"note\">Red speaks for the target, blue against it; full colours are ±{:.5g}.</p>\n",
                      scale)
             : filled("<p class=\"note\">Colours are those of {}, from {:.5g} to {:.5g}.</p>\n",
                      escaped_html(colour_map), -scale, scale);
  return out + "</body>\n</html>\n";
}

}  // namespace ascribe::command
