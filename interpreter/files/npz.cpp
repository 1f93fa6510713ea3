#include "interpreter/files/npz.hpp"

#include <fmt/ranges.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "grammar/filled_text.hpp"
#include "interpreter/files/npy.hpp"

namespace ascribe::files {
namespace {

constexpr std::string_view array_ending = ".npy";

std::vector<std::string> arrays_in(const model::Archive& archive) {
  std::vector<std::string> names;
  for (auto& each : archive.in(""))
    if (each.ends_with(array_ending)) names.push_back(each.substr(0, each.size() - array_ending.size()));
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 8;
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) shown.push_back(quoted_name(names[i]));
  return filled("{}{}", fmt::join(shown, ", "), names.size() > most ? ", …" : "");
}

[[noreturn]] void refuse_archive(const ArrayPath& path, const std::string& what, std::string help) {
  throw Error(
      Diagnostic{.code = Code::wrong_tensor, .message = quoted(path.file) + " " + what, .help = std::move(help)});
}

// Numbers of a zip archive: little-endian.
class Record {
 public:
  Record& number(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) text_.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
  Record& text(std::string_view bytes) {
    text_.append(bytes);
    return *this;
  }
  const std::string& bytes() const { return text_; }

 private:
  std::string text_;
};

// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3: sizes and places always stand in the extra fields
// of 64 bits, so that there is one way to write them.
class ArchiveWriter {
 public:
  explicit ArchiveWriter(const Write& write) : write_(write) {}

  void add(const std::string& name, const NpyParts& parts) {
    auto sum = static_cast<std::uint32_t>(crc32_z(0, nullptr, 0));
    for (auto bytes : {std::string_view(parts.header), parts.bytes()})
      sum = static_cast<std::uint32_t>(crc32_z(sum, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
    auto size = parts.header.size() + parts.bytes().size(), place = place_;
    Record common;  // of both headers: version, names in UTF-8, stored as it is, the first day that there is
    common.number(version, 2).number(1 << 11, 2).number(0, 2).number(0, 2).number(0x21, 2).number(sum, 4);
    common.number(elsewhere, 4).number(elsewhere, 4).number(name.size(), 2);
    put(Record().number(0x04034b50, 4).text(common.bytes()).number(20, 2).text(name).bytes());
    put(Record().number(1, 2).number(16, 2).number(size, 8).number(size, 8).bytes());
    put(parts.header), put(parts.bytes());
    directory_.number(0x02014b50, 4).number(version, 2).text(common.bytes()).number(28, 2);
    directory_.number(0, 8).number(0, 2).number(elsewhere, 4).text(name);
    directory_.number(1, 2).number(24, 2).number(size, 8).number(size, 8).number(place, 8);
    ++count_;
  }

  void finish() {
    auto begin = place_;
    put(directory_.bytes());
    auto end = place_, size = end - begin;
    Record last;
    last.number(0x06064b50, 4).number(44, 8).number(version, 2).number(version, 2).number(0, 8);
    last.number(count_, 8).number(count_, 8).number(size, 8).number(begin, 8);
    last.number(0x07064b50, 4).number(0, 4).number(end, 8).number(1, 4);
    last.number(0x06054b50, 4).number(0, 4).number(0xFFFF, 2).number(0xFFFF, 2);
    last.number(elsewhere, 4).number(elsewhere, 4).number(0, 2);
    put(last.bytes());
  }

 private:
  static constexpr std::uint64_t version = 45, elsewhere = 0xFFFFFFFF;

  void put(std::string_view bytes) {
    write_(bytes);
    place_ += bytes.size();
  }

  const Write& write_;
  std::uint64_t place_ = 0, count_ = 0;
  Record directory_;
};

}  // namespace

void write_npz(const std::filesystem::path& path, const std::vector<std::string>& names,
               const std::function<at::Tensor(std::size_t)>& array) {
  write_file(path, [&](const Write& write) {
    ArchiveWriter archive(write);
    for (std::size_t i = 0; i < names.size(); ++i)
      archive.add(names[i] + std::string(array_ending), npy_parts(array(i), quoted(path)));
    archive.finish();
  });
}

ArrayPath array_path(const std::filesystem::path& path) {
  auto& text = path.native();
  std::error_code ignored;
  auto lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  auto found = lower.rfind(".npz:");
  if (found == text.npos || std::filesystem::exists(path, ignored)) return {path, {}};
  return {text.substr(0, found + 4), text.substr(found + 5)};
}

at::Tensor read_npz(const model::Archive& archive, const std::string& name, const ArrayPath& path) {
  auto names = arrays_in(archive);
  auto named = [&](const std::string& array) { return files::quoted(path.file.native() + ":" + array); };
  if (names.empty())
    refuse_archive(path, "is a zip archive without arrays", "save some: numpy.savez('arrays.npz', x=array)");
  if (name.empty() && names.size() > 1)
    refuse_archive(path, filled("holds {} arrays: {}", names.size(), listed(names)),
                   filled("name one of them: {}", named(names.front())));
  auto chosen = name.empty() ? names.front() : name;
  if (std::find(names.begin(), names.end(), chosen) == names.end() && chosen.ends_with(array_ending))
    chosen.resize(chosen.size() - array_ending.size());
  if (std::find(names.begin(), names.end(), chosen) == names.end())
    refuse_archive(path, filled("holds no array {}; it has {}", quoted_name(chosen), listed(names)),
                   filled("write {}", named(names.front())));
  auto bytes = std::make_shared<const std::string>(archive.text(chosen + std::string(array_ending)));
  return array_in(*bytes, name.empty() && names.size() == 1 ? quoted(path.file) : named(chosen), bytes);
}

}  // namespace ascribe::files
