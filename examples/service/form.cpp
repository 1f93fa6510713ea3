#include "form.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

#include "failure.hpp"

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// `name="image"` or `name=image`, between semicolons.
std::optional<std::string> parameter(std::string_view header, std::string_view name) {
  auto names = lower(header);
  auto key = std::string(name) + "=";
  for (std::size_t at = 0; (at = names.find(key, at)) != names.npos; at += key.size()) {
    if (at == 0 || (names[at - 1] != ';' && names[at - 1] != ' ' && names[at - 1] != '\t')) continue;
    auto value = header.substr(at + key.size());
    if (value.starts_with('"')) return std::string(value.substr(1, value.find('"', 1) - 1));
    return std::string(value.substr(0, value.find_first_of("; \t\r")));
  }
  return {};
}

[[noreturn]] void refuse(const std::string& message) {
  throw Failure(400, "bad_form", message, "send the picture as the body itself, or as `curl -F image=@FILE` does");
}

// Cuts off what is in front of `mark`, and gives it.
std::string_view take_until(std::string_view& text, std::string_view mark) {
  auto end = text.find(mark);
  if (end == text.npos) refuse("the form is not whole: something of it is missing");
  auto out = text.substr(0, end);
  text.remove_prefix(end + mark.size());
  return out;
}

}  // namespace

bool is_form(std::string_view content_type) { return lower(content_type).starts_with("multipart/form-data"); }

std::string_view picture_of(std::string_view body, const std::string& content_type) {
  if (!is_form(content_type)) return body;
  auto boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > 70) refuse("the form's Content-Type has no proper boundary");

  std::optional<std::string_view> image, first_file;
  auto mark = "--" + *boundary;
  take_until(body, mark);
  while (!body.starts_with("--")) {
    if (!body.starts_with("\r\n")) refuse("the form is not whole: a boundary has no line to itself");
    body.remove_prefix(2);
    std::string disposition;
    for (auto line = take_until(body, "\r\n"); !line.empty(); line = take_until(body, "\r\n"))
      if (lower(line.substr(0, 20)) == "content-disposition:") disposition = line.substr(20);
    auto content = take_until(body, "\r\n" + mark);
    if (!image && parameter(disposition, "name") == "image") image = content;
    if (!first_file && parameter(disposition, "filename")) first_file = content;
  }
  if (!image) image = first_file;
  if (!image) refuse("no part of the form is called image, and none has a file name");
  return *image;
}
