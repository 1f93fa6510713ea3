#include "interpreter/pack/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "grammar/limits.hpp"

namespace ascribe {
namespace {

namespace fs = std::filesystem;

Error refuse(Code code, const fs::path& path, const std::string& why, std::string help) {
  return Error(
      {.code = code, .message = fmt::format("cannot read '{}': {}", shown(path), why), .help = std::move(help)});
}

FileReader::Kind kind_of(const fs::file_status& status) {
  switch (status.type()) {
    case fs::file_type::not_found:
      return FileReader::Kind::missing;
    case fs::file_type::regular:
      return FileReader::Kind::file;
    case fs::file_type::directory:
      return FileReader::Kind::folder;
    default:
      return FileReader::Kind::other;
  }
}

class Disk : public FileReader {
 public:
  Kind kind(const fs::path& path) const override {
    std::error_code error;
    return kind_of(fs::status(path, error));
  }

  std::string identity(const fs::path& path) const override {
    std::error_code error;
    auto found = fs::canonical(path, error);
    return error ? path.string() : found.string();
  }

  std::string read(const fs::path& path) const override {
    std::ifstream file(path, std::ios::binary);
    if (!file && errno == ENOENT) throw refuse(Code::unreadable_file, path, "no such file", "check the path");
    if (!file) throw refuse(Code::unreadable_file, path, std::strerror(errno), "check its permissions");
    // One byte more than is allowed: what has no end, such as a device, is not read to its end.
    std::string text(limits.source_bytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) throw refuse(Code::unreadable_file, path, "reading failed", "check the disk");
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > limits.source_bytes)
      throw refuse(Code::too_large, path, fmt::format("it has more than {} bytes", limits.source_bytes),
                   "cut it into several files");
    text.shrink_to_fit();
    return text;
  }

  std::vector<Entry> list(const fs::path& folder, std::size_t most) const override {
    std::vector<Entry> out;
    std::error_code error;
    for (fs::directory_iterator each(folder, error), end; !error && each != end && out.size() < most;
         each.increment(error)) {
      std::error_code unknown;
      out.push_back({each->path().filename().string(), kind_of(each->status(unknown))});
    }
    if (error) throw refuse(Code::unreadable_file, folder, error.message(), "check its permissions");
    return out;
  }
};

}  // namespace

const FileReader& disk() {
  static const Disk reader;
  return reader;
}

std::string shown(const fs::path& path) {
  constexpr std::size_t longest = 200;
  auto text = path.string();
  if (auto bad = find_invalid_utf8(text); bad != std::string::npos)
    std::replace_if(
        text.begin() + static_cast<std::ptrdiff_t>(bad), text.end(), [](unsigned char c) { return c >= 0x80; }, '?');
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  if (text.size() <= longest) return text;
  auto begin = text.size() - longest;
  while ((static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) ++begin;
  return "…" + text.substr(begin);
}

}  // namespace ascribe
