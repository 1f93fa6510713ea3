#include "interpreter/server/transport.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace ascribe::server {
namespace {

constexpr std::size_t most_bytes = std::size_t{64} << 20;  // of one message
constexpr std::size_t most_header = 16 << 10;

// Deeper than any request is: what nests more would end on the stack.
constexpr int most_depth = 200;

std::optional<std::size_t> length_in(std::string_view header) {
  std::optional<std::size_t> out;
  while (!header.empty()) {
    auto end = std::min(header.find('\n'), header.size());
    auto line = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (name != "content-length") continue;
    auto value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    while (value.ends_with(' ')) value.remove_suffix(1);
    std::size_t number = 0;
    auto [rest, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || rest != value.data() + value.size()) return {};
    out = number;
  }
  return out;
}

Json parsed(const std::string& text, std::string& mistake) {
  int depth = 0;
  auto limit = [&](int at, Json::parse_event_t, Json&) {
    depth = std::max(depth, at);
    return at <= most_depth;
  };
  auto out = Json::parse(text, limit, false);
  if (out.is_discarded() || depth > most_depth) {
    mistake = "the message is no JSON that could be a request";
    return nullptr;
  }
  return out;
}

}  // namespace

bool Input::more() {
  char bytes[65536];
  while (true) {
    auto count = ::read(descriptor_, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }
}

std::optional<Input::Message> Input::next() {
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (buffer_.size() > most_header) {
      buffer_.erase(0, buffer_.size() - 3);  // of the four that end a header
      return Message{nullptr, "the header has no end"};
    }
    if (!more()) return {};
  }
  auto length = length_in(std::string_view(buffer_).substr(0, end));
  buffer_.erase(0, end + 4);
  if (!length) return Message{nullptr, "the header says no Content-Length"};
  if (*length > most_bytes) {
    for (auto left = *length; left > 0;) {
      if (buffer_.empty() && !more()) return {};
      auto taken = std::min(left, buffer_.size());
      buffer_.erase(0, taken);
      left -= taken;
    }
    return Message{nullptr, "the message is too large"};
  }
  while (buffer_.size() < *length)
    if (!more()) return {};
  auto text = buffer_.substr(0, *length);
  buffer_.erase(0, *length);
  Message out;
  out.content = parsed(text, out.mistake);
  return out;
}

bool Output::write(const Json& content) {
  auto text = content.dump(-1, ' ', false, Json::error_handler_t::replace);
  text = "Content-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text;
  std::lock_guard lock(mutex_);
  for (std::size_t done = 0; done < text.size();) {
    auto count = ::write(descriptor_, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace ascribe::server
