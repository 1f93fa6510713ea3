#include "interpreter/pack/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "ascribe/files.hpp"
#include "grammar/filled_text.hpp"

namespace ascribe {
namespace {

namespace fs = std::filesystem;

Files::Kind kind_of(const fs::file_status& status) {
  switch (status.type()) {
    case fs::file_type::not_found:
      return Files::Kind::nothing;
    case fs::file_type::regular:
      return Files::Kind::file;
    case fs::file_type::directory:
      return Files::Kind::folder;
    case fs::file_type::symlink:
      return Files::Kind::link;
    case fs::file_type::none:
    case fs::file_type::block:
    case fs::file_type::character:
    case fs::file_type::fifo:
    case fs::file_type::socket:
    case fs::file_type::unknown:
      break;
  }
  return Files::Kind::other;
}

// An open file, closed at its end.
class Descriptor {
 public:
  // Without O_NONBLOCK, opening a pipe would wait for its writer.
  explicit Descriptor(const fs::path& path) : path_(path) {
    value_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (value_ < 0 && errno == ENOENT) throw unreadable(path, "no such file", "check the path");
    if (value_ < 0) throw unreadable(path, reason(errno), "check its permissions");
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void refuse_all_but_files() const {
    struct stat status {};
    if (::fstat(value_, &status) != 0) throw unreadable(path_, reason(errno), "check the disk");
    if (S_ISDIR(status.st_mode)) throw unreadable(path_, "it is a folder", "name a file");
    if (!S_ISREG(status.st_mode)) throw unreadable(path_, "it is no regular file", "name a file on a disk");
  }
  // At most `most` bytes from where the last call ended; fewer at the file's end only.
  std::string read(std::size_t most) const {
    constexpr std::size_t step = 1 << 16;
    std::string out;
    while (out.size() < most) {
      auto before = out.size();
      out.resize(std::min(before + step, most));
      auto got = ::read(value_, out.data() + before, out.size() - before);
      auto error = errno;
      out.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
      if (got == 0) break;
      if (got < 0 && error != EINTR) throw unreadable(path_, reason(error), "check the disk");
    }
    return out;
  }

 private:
  const fs::path& path_;
  int value_;
};

class Disk : public Files {
 public:
  Kind kind(const fs::path& path) const override {
    std::error_code error;
    return kind_of(fs::symlink_status(path, error));
  }

  std::string read(const fs::path& path, std::size_t most) const override {
    Descriptor file(path);
    file.refuse_all_but_files();
    return file.read(most + 1);
  }

  std::vector<Entry> list(const fs::path& folder, std::size_t most) const override {
    std::vector<Entry> out;
    std::error_code error;
    for (fs::directory_iterator each(folder, error), end; !error && each != end && out.size() <= most;
         each.increment(error)) {
      std::error_code unknown;
      out.push_back({each->path().filename().string(), kind_of(each->symlink_status(unknown))});
    }
    if (error) throw unreadable(folder, reason(error.value()), "check its permissions");
    return out;
  }

  fs::path resolve(const fs::path& path) const override {
    std::error_code error;
    auto found = fs::canonical(path, error);
    return error ? path : found;
  }
};

}  // namespace

std::shared_ptr<const Files> Files::disk() {
  static const auto files = std::make_shared<const Disk>();
  return files;
}

fs::path Files::resolve(const fs::path& path) const {
  auto normal = path.lexically_normal();
  if (!normal.has_filename() && normal.has_relative_path()) normal = normal.parent_path();
  return normal.empty() ? fs::path(".") : normal;
}

std::string reason(int error) {
  auto text = std::generic_category().message(error);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

bool is_control(std::string_view text, std::size_t at) {
  auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0xFF; };
  return byte(at) < 0x20 || byte(at) == 0x7F || (byte(at) == 0xC2 && byte(at + 1) < 0xA0);
}

Error unreadable(const fs::path& path, std::string_view why, std::string help) {
  return Error({.code = Code::unreadable_file,
                .message = filled("cannot read '{}': {}", shown(path), why),
                .help = std::move(help)});
}

std::string in_shell(const fs::path& path) {
  auto text = shown(path);
  auto is_plain = [](unsigned char c) { return std::isalnum(c) || std::strchr("_./-+,:@%=", c) || c >= 0x80; };
  if (std::all_of(text.begin(), text.end(), is_plain)) return text;
  for (auto at = text.find('\''); at != text.npos; at = text.find('\'', at + 4)) text.replace(at, 1, "'\\''");
  return "'" + text + "'";
}

std::string shown(const fs::path& path) {
  constexpr std::size_t longest = 200;
  auto text = path.string();
  if (auto bad = find_invalid_utf8(text); bad != std::string::npos)
    std::replace_if(
        text.begin() + static_cast<std::ptrdiff_t>(bad), text.end(), [](unsigned char c) { return c >= 0x80; }, '?');
  for (std::size_t i = 0; i < text.size(); ++i)
    if (is_control(text, i)) text.replace(i, text[i] == '\xC2' ? 2 : 1, "?");
  if (text.size() <= longest) return text;
  auto begin = text.size() - longest;
  while ((static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) ++begin;
  return "…" + text.substr(begin);
}

}  // namespace ascribe
