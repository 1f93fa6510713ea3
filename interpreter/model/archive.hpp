// Zip archives, as PyTorch writes models and tensors: read with bounds, so that a damaged or hostile file costs no more
// than its size. Compressed records, as other zip programs write them, are read, too: these cost 256 MiB or 20 times
// the file's size, whichever is more.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ascribe::model {

/// Why a file cannot be a model: "'net.pt2' …", with a help line. Turned into an Error where the file's name is known.
struct Refusal : std::runtime_error {
  explicit Refusal(const std::string& what, std::string help_line = {})
      : std::runtime_error(what), help(std::move(help_line)) {}
  std::string help;
};

/// Of what is no zip archive, or has lost its end.
struct NoArchive : Refusal {
  using Refusal::Refusal;
};

/// For files whose parts contradict each other.
[[nodiscard]] Refusal damaged(const std::string& how);

/// A name from a file as messages show it: one line of at most 80 plain characters, in single quotes.
std::string shown_name(std::string_view name);

/// An open archive. Records are called without the archive's own folder: `models/model.json`. No two share bytes, so
/// that all of them together are no larger than the file, but for compressed ones.
class Archive {
 public:
  /// Reads `count` bytes from `place` on, all of which are within the file.
  using Read = std::function<void(std::uint64_t place, void* into, std::size_t count)>;

  /// That of a model. Throws Error (unreadable_file) for what cannot be opened, Refusal for what is no archive.
  explicit Archive(const std::filesystem::path& path);
  /// Of an open file. Throws Refusal, and what `read` throws. Without a folder of its own, names are as they stand
  /// there.
  Archive(std::uint64_t size, Read read, bool has_folder = true);

  bool has(const std::string& name) const { return records_.contains(name); }
  /// The names that begin with `folder`.
  std::vector<std::string> in(std::string_view folder) const;

  /// In bytes. Throws Refusal: there is none of that name, or it is compressed in an unknown way.
  std::uint64_t size(const std::string& name) const;
  /// Fills `into` with the whole record. Throws Refusal where the bytes are not those that were written.
  void read(const std::string& name, void* into) const;
  std::string text(const std::string& name) const;

 private:
  struct Record {
    std::uint64_t header, begin, stored, size;
    std::uint32_t checksum;
    std::uint16_t method;  ///< of compression
    bool encrypted;
  };
  void read_directory(bool has_folder);
  void find_data();
  const Record& record(const std::string& name) const;
  void read_at(std::uint64_t place, void* into, std::size_t count) const;
  void inflate(const std::string& name, const Record& record, void* into) const;

  std::uint64_t size_ = 0;
  Read read_;
  std::map<std::string, Record, std::less<>> records_;
};

}  // namespace ascribe::model
