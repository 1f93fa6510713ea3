#include "interpreter/model/archive.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"

namespace ascribe::model {
namespace {

// The zip format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.7 to 4.3.16 and 4.5.3.
constexpr std::size_t local_header_size = 30, central_header_size = 46, end_size = 22, locator_size = 20,
                      wide_end_size = 56;
constexpr std::uint32_t local_header = 0x04034b50, central_header = 0x02014b50, end_of_directory = 0x06054b50,
                        wide_locator = 0x07064b50, wide_end = 0x06064b50;
constexpr std::uint64_t directory_limit = std::uint64_t{1} << 30;
constexpr std::uint16_t plain = 0, deflated = 8;  // methods of compression
// How large compressed records may be together: masks and zeros shrink to a thousandth, whole models hardly at all.
constexpr std::uint64_t grown_limit = std::uint64_t{1} << 28, grown_ratio = 20;

// A little-endian number at a place that was checked to be there.
template <typename Number>
Number number(std::string_view bytes, std::size_t place) {
  Number value = 0;
  for (std::size_t i = sizeof(Number); i-- > 0;)
    value = static_cast<Number>(static_cast<std::uint64_t>(value) << 8 | static_cast<unsigned char>(bytes[place + i]));
  return value;
}

NoArchive no_archive() {
  return NoArchive("is no model, or is cut short: it is no zip archive, as torch.export.save and torch.jit.save write",
                   "save the model with torch.export.save(torch.export.export(model, (x,)), 'model.pt2')");
}

Error unreadable(const std::filesystem::path& path, const char* why, const char* help) {
  return Error({.code = Code::unreadable_file,
                .message = filled("cannot read model '{}': {}", path.string(), why),
                .help = help});
}

}  // namespace

Refusal damaged(const std::string& how) {
  return Refusal("is damaged, or was changed by hand: " + how, "save it again");
}

std::string shown_name(std::string_view name) {
  std::string out = "'";
  for (char c : name.substr(0, 80)) out += c < ' ' || c > '~' || c == '\'' ? '?' : c;
  return out + (name.size() > 80 ? "…'" : "'");
}

namespace {

class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { ::close(descriptor_); }

  void read(std::uint64_t place, void* into, std::size_t count) const {
    auto* to = static_cast<char*>(into);
    while (count > 0) {
      auto got = ::pread(descriptor_, to, count, static_cast<off_t>(place));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw damaged("it cannot be read to its end");
      to += got, place += static_cast<std::uint64_t>(got), count -= static_cast<std::size_t>(got);
    }
  }

 private:
  int descriptor_;
};

}  // namespace

Archive::Archive(const std::filesystem::path& path) {
  constexpr auto path_help = "give the path of an exported program (.pt2) or a TorchScript file (.pt)";
  std::error_code error;
  auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw unreadable(path, "no such file", path_help);
  if (!std::filesystem::is_regular_file(status)) throw unreadable(path, "it is no file", path_help);
  auto descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    throw unreadable(path, errno == EACCES ? "permission denied" : std::strerror(errno), "check its permissions");
  auto file = std::make_shared<OpenFile>(descriptor);
  struct stat found {};
  if (::fstat(descriptor, &found) != 0 || !S_ISREG(found.st_mode)) throw unreadable(path, "it is no file", path_help);
  if (found.st_size == 0) throw Refusal("is empty", "save it again");
  *this = Archive(static_cast<std::uint64_t>(found.st_size),
                  [file](auto place, auto* into, auto count) { file->read(place, into, count); });
}

Archive::Archive(std::uint64_t size, Read read, bool has_folder) : size_(size), read_(std::move(read)) {
  read_directory(has_folder);
  find_data();
}

void Archive::read_at(std::uint64_t place, void* into, std::size_t count) const {
  if (place > size_ || count > size_ - place) throw damaged("it is shorter than it says");
  read_(place, into, count);
}

void Archive::read_directory(bool has_folder) {
  auto bytes_at = [&](std::uint64_t place, std::uint64_t count) {
    if (place > size_ || count > size_ - place || count > directory_limit) throw no_archive();
    std::string bytes(count, '\0');
    read_at(place, bytes.data(), bytes.size());
    return bytes;
  };
  // The end of the directory stands last, but for a comment.
  auto tail = bytes_at(size_ - std::min<std::uint64_t>(size_, end_size + 0xFFFF),
                       std::min<std::uint64_t>(size_, end_size + 0xFFFF));
  if (tail.size() < end_size) throw no_archive();
  auto end = tail.size() - end_size + 1;
  do {
    if (end == 0) throw no_archive();
    --end;
  } while (number<std::uint32_t>(tail, end) != end_of_directory);
  std::uint64_t count = number<std::uint16_t>(tail, end + 10), length = number<std::uint32_t>(tail, end + 12),
                place = number<std::uint32_t>(tail, end + 16), end_place = size_ - tail.size() + end;
  if ((count == 0xFFFF || length == 0xFFFFFFFF || place == 0xFFFFFFFF) && end_place >= locator_size) {
    auto locator = bytes_at(end_place - locator_size, locator_size);
    if (number<std::uint32_t>(locator, 0) == wide_locator) {
      auto wide = bytes_at(number<std::uint64_t>(locator, 8), wide_end_size);
      if (number<std::uint32_t>(wide, 0) != wide_end) throw no_archive();
      count = number<std::uint64_t>(wide, 32), length = number<std::uint64_t>(wide, 40),
      place = number<std::uint64_t>(wide, 48);
    }
  }

  auto directory = bytes_at(place, length);
  std::size_t at = 0;
  std::string root;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (directory.size() - at < central_header_size || number<std::uint32_t>(directory, at) != central_header)
      throw no_archive();
    Record record{.header = number<std::uint32_t>(directory, at + 42),
                  .begin = 0,
                  .stored = number<std::uint32_t>(directory, at + 20),
                  .size = number<std::uint32_t>(directory, at + 24),
                  .checksum = number<std::uint32_t>(directory, at + 16),
                  .method = number<std::uint16_t>(directory, at + 10),
                  .encrypted = (number<std::uint16_t>(directory, at + 8) & 1) != 0};
    std::size_t name_size = number<std::uint16_t>(directory, at + 28),
                extra_size = number<std::uint16_t>(directory, at + 30),
                comment_size = number<std::uint16_t>(directory, at + 32);
    at += central_header_size;
    if (directory.size() - at < name_size + extra_size + comment_size) throw no_archive();
    std::string_view name = std::string_view(directory).substr(at, name_size),
                     extra = std::string_view(directory).substr(at + name_size, extra_size);
    at += name_size + extra_size + comment_size;
    // Sizes and places beyond 32 bits stand in an extra field, those that need it, in this order.
    while (extra.size() >= 4) {
      std::size_t field_size = number<std::uint16_t>(extra, 2);
      if (extra.size() - 4 < field_size) break;
      auto field = extra.substr(4, field_size);
      if (number<std::uint16_t>(extra, 0) == 1)
        for (auto* wide : {&record.size, &record.stored, &record.header})
          if (*wide == 0xFFFFFFFF && field.size() >= 8) {
            *wide = number<std::uint64_t>(field, 0);
            field.remove_prefix(8);
          }
      extra.remove_prefix(4 + field_size);
    }
    if (i == 0 && has_folder) root = name.substr(0, name.find('/') == name.npos ? 0 : name.find('/') + 1);
    if (!name.starts_with(root)) throw damaged("its records are in several folders");
    if (record.method == plain && record.stored != record.size) throw damaged("a record has two sizes");
    if (!records_.emplace(name.substr(root.size()), record).second)
      throw damaged(filled("it holds {} twice", shown_name(name)));
  }
}

// Where each record's bytes are. Records that overlap could be much larger together than the file.
void Archive::find_data() {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  std::uint64_t grown = 0;
  for (auto& [name, record] : records_) {
    if (record.method != plain && __builtin_add_overflow(grown, record.size, &grown)) grown = ~std::uint64_t{0};
    std::string header(local_header_size, '\0');
    read_at(record.header, header.data(), header.size());
    if (number<std::uint32_t>(header, 0) != local_header)
      throw damaged(shown_name(name) + " is not where it should be");
    record.begin =
        record.header + local_header_size + number<std::uint16_t>(header, 26) + number<std::uint16_t>(header, 28);
    if (record.begin > size_ || record.stored > size_ - record.begin) throw damaged(shown_name(name) + " is cut short");
    ranges.emplace_back(record.header, record.begin + record.stored);
  }
  std::sort(ranges.begin(), ranges.end());
  for (std::size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].first < ranges[i - 1].second) throw damaged("its records overlap");
  if (grown > grown_limit && grown / grown_ratio > size_)
    throw Refusal(filled("would grow from {} bytes to {}", size_, grown),
                  "write the archive as torch.export.save does, without compression");
}

std::vector<std::string> Archive::in(std::string_view folder) const {
  std::vector<std::string> names;
  for (auto found = records_.lower_bound(folder); found != records_.end() && found->first.starts_with(folder); ++found)
    names.push_back(found->first);
  return names;
}

const Archive::Record& Archive::record(const std::string& name) const {
  auto found = records_.find(name);
  if (found == records_.end()) throw damaged(shown_name(name) + " is missing");
  if (found->second.encrypted)
    throw Refusal(filled("has an encrypted record, {}", shown_name(name)), "save the model without a password");
  if (found->second.method != plain && found->second.method != deflated)
    throw Refusal(filled("has a record that is compressed in an unknown way, {}", shown_name(name)),
                  "write the archive as torch.export.save does, without compression");
  return found->second;
}

std::uint64_t Archive::size(const std::string& name) const { return record(name).size; }

void Archive::read(const std::string& name, void* into) const {
  auto& found = record(name);
  if (found.method == deflated)
    inflate(name, found, into);
  else
    read_at(found.begin, into, found.size);
  if (found.checksum == 0) return;  // PyTorch can be told to write none
  auto sum = ::crc32_z(0, static_cast<const Bytef*>(into), found.size);
  if (sum != found.checksum) throw damaged(filled("the bytes of {} are not those that were written", shown_name(name)));
}

// Never writes beyond the size that the directory says, whatever the bytes are.
void Archive::inflate(const std::string& name, const Record& record, void* into) const {
  struct Stream : z_stream {
    Stream() : z_stream{} {
      if (::inflateInit2(this, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
    }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream() { ::inflateEnd(this); }
  } stream;
  constexpr std::uint64_t piece = 1 << 20;
  std::string bytes;
  std::uint64_t taken = 0, given = 0;
  Bytef nowhere = 0;  // zlib wants a place even for nothing
  int state = Z_OK;
  while (state == Z_OK) {
    if (stream.avail_in == 0 && taken < record.stored) {
      bytes.resize(std::min(piece, record.stored - taken));
      read_at(record.begin + taken, bytes.data(), bytes.size());
      taken += bytes.size();
      stream.next_in = reinterpret_cast<Bytef*>(bytes.data()), stream.avail_in = static_cast<uInt>(bytes.size());
    }
    auto room = std::min(piece, record.size - given);
    stream.next_out = record.size == 0 ? &nowhere : static_cast<Bytef*>(into) + given;
    stream.avail_out = static_cast<uInt>(room);
    state = ::inflate(&stream, Z_NO_FLUSH);
    given += room - stream.avail_out;
    if (state == Z_BUF_ERROR && stream.avail_in == 0 && taken < record.stored)
      state = Z_OK;  // wants more than this piece
  }
  if (state == Z_MEM_ERROR) throw std::bad_alloc();
  if (state != Z_STREAM_END || given != record.size || taken != record.stored || stream.avail_in != 0)
    throw damaged(filled("{} cannot be decompressed", shown_name(name)));
}

std::string Archive::text(const std::string& name) const {
  std::string bytes(size(name), '\0');
  read(name, bytes.data());
  return bytes;
}

}  // namespace ascribe::model
