// Files: read with a message for every way that can fail, written whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "grammar/error.hpp"

namespace ascribe::files {

/// A path as messages show it: in single quotes, on one line.
std::string quoted(const std::filesystem::path& path);
/// A name found in a file as messages show it: in single quotes, plain ASCII, 80 characters at most.
std::string quoted_name(std::string_view name);

/// A regular file, open for reading.
class InputFile {
 public:
  /// Throws Error: unreadable_file for what cannot be opened or is no regular file, wrong_tensor for an empty one.
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// In bytes; at least 1.
  std::uint64_t size() const { return size_; }
  /// Fills `into` with `count` bytes from `offset` on. Throws Error (unreadable_file) when the file has fewer.
  void read(std::uint64_t offset, void* into, std::size_t count) const;
  int descriptor() const { return descriptor_; }

 private:
  std::filesystem::path path_;
  int descriptor_;
  std::uint64_t size_;
};

/// Throws Error (unwritable_file) where write_file could not succeed, so that a command can say so before long work:
/// the folder is missing or read-only, or `path` is a folder or a read-only file. Creates nothing.
void check_writable(const std::filesystem::path& path);

/// Makes sure that there is a folder that files can be written into, with all that are above it. Throws Error
/// (unwritable_file).
void make_folder(const std::filesystem::path& path);

/// Writes `parts`, one after the other, as the file `path`. The file appears whole or not at all: a new one is written
/// beside it, then takes its name and, if there was one before, its permissions. Links are followed; a device or a pipe
/// is written directly. `durably`: it is on the disk when this returns, which takes its time; without it, a failing
/// power supply may leave it empty, nothing else. Throws Error (unwritable_file).
void write_file(const std::filesystem::path& path, std::initializer_list<std::string_view> parts, bool durably = true);

/// The same of what is made piece by piece: `content` gets a function that takes the next bytes. What it throws leaves
/// the file as it was.
using Write = std::function<void(std::string_view)>;
void write_file(const std::filesystem::path& path, const std::function<void(const Write&)>& content,
                bool durably = true);

/// For `catch (...)`: passes an Error on, and turns any other exception into one that says "`what`: its first line".
[[noreturn]] void rethrow_as_error(Code code, std::string what);

}  // namespace ascribe::files
