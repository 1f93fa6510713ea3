#include "interpreter/files/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cctype>
#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include "grammar/filled_text.hpp"
#include "interpreter/pack/files.hpp"

namespace ascribe::files {
namespace fs = std::filesystem;
namespace {

constexpr const char* readable_files = "give the path of a .png, .jpg, .npy, .npz or .pt file";

[[noreturn]] void cannot_read(const fs::path& path, const std::string& why) {
  throw Error(Diagnostic{.code = Code::unreadable_file,
                         .message = filled("cannot read {}: {}", quoted(path), why),
                         .help = readable_files});
}

[[noreturn]] void cannot_write(const fs::path& path, const std::string& why, std::string help) {
  throw Error(Diagnostic{.code = Code::unwritable_file,
                         .message = filled("cannot write {}: {}", quoted(path), why),
                         .help = std::move(help)});
}

[[noreturn]] void writing_failed(const fs::path& path, int error) {
  cannot_write(path, reason(error), "nothing was written; make room or choose another place, then try again");
}

// What LibTorch's errors say before their backtrace, without "[enforce fail at file.cc:12] condition. " before it.
std::string first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  if (auto end = text.find("] "); text.starts_with('[') && end != text.npos)
    if (end = text.find(". ", end); end != text.npos) text.remove_prefix(end + 2);
  return std::string(text);
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// A file descriptor that writes, and reports its failures as those of `path`.
class Output {
 public:
  Output(const fs::path& path, int descriptor) : path_(path), descriptor_(descriptor) {
    if (descriptor_ < 0) writing_failed(path_, errno);
  }
  ~Output() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      auto written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) writing_failed(path_, errno);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  // A rename is only as good as the data behind it: a file system may keep the new name and lose the bytes in a crash.
  void sync() {
    if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != ENOTSUP) writing_failed(path_, errno);
  }
  // Some file systems (quotas, networks) report a failed write only here.
  void close() {
    if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) writing_failed(path_, errno);
  }

 private:
  const fs::path& path_;
  int descriptor_;
};

// A new file beside the final one, gone again unless it is kept.
// Without a name as long as it is written, so that nothing is left of it when the process is killed; where a file
// system has no such files, with one that begins with a dot.
class TemporaryFile {
 public:
  TemporaryFile(const fs::path& folder, const fs::path& shown) : folder_(folder) {
    descriptor_ = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) kept_ = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
    if (kept_ >= 0 && ::access(unnamed().c_str(), F_OK) == 0) return;
    forget_unnamed();
    do {
      path_ = next_name();
      descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
    if (descriptor_ < 0) writing_failed(shown, errno);
  }
  ~TemporaryFile() {
    if (kept_ >= 0) ::close(kept_);
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  // To be closed by whoever writes.
  int descriptor() const { return descriptor_; }
  void keep_as(const fs::path& target, const fs::path& shown) {
    if (path_.empty() && link_to(target)) return;
    while (path_.empty()) {  // a link replaces nothing: a name does
      if (errno != EEXIST) writing_failed(shown, errno);
      if (auto name = next_name(); link_to(name)) path_ = name;
    }
    if (::rename(path_.c_str(), target.c_str()) != 0) writing_failed(shown, errno);
    path_.clear();
  }

 private:
  std::string unnamed() const { return filled("/proc/self/fd/{}", kept_); }
  bool link_to(const fs::path& path) const {
    return ::linkat(AT_FDCWD, unnamed().c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0;
  }
  fs::path next_name() const {
    static std::atomic<unsigned> counter = 0;
    return folder_ / filled(".ascribe-{}-{}.part", ::getpid(), counter++);
  }
  void forget_unnamed() {
    for (auto* each : {&descriptor_, &kept_})
      if (*each >= 0) ::close(std::exchange(*each, -1));
  }

  fs::path folder_, path_;  // path_: its name, while it has one
  int descriptor_ = -1, kept_ = -1;
};

}  // namespace

std::string quoted(const fs::path& path) {
  auto name = path.native();
  for (auto& c : name)
    if (std::iscntrl(static_cast<unsigned char>(c))) c = '?';
  return "'" + name + "'";
}

std::string quoted_name(std::string_view name) {
  std::string out(name.substr(0, 80));
  for (auto& c : out)
    if (c < 0x20 || c > 0x7E) c = '?';
  return "'" + out + "'";
}

InputFile::InputFile(const fs::path& path) : path_(path) {
  // Without O_NONBLOCK, opening a pipe would wait for its writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor_ < 0) cannot_read(path, errno == ENOENT ? "no such file" : reason(errno));
  struct stat status {};
  auto refused = ::fstat(descriptor_, &status) != 0 ? reason(errno)
                 : S_ISDIR(status.st_mode)          ? "it is a folder"
                 : !S_ISREG(status.st_mode)         ? "it is no regular file"
                                                    : "";
  if (!refused.empty() || status.st_size == 0) {
    ::close(descriptor_);
    if (!refused.empty()) cannot_read(path, refused);
    throw Error(
        Diagnostic{.code = Code::wrong_tensor, .message = filled("{} is empty", quoted(path)), .help = readable_files});
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read(std::uint64_t offset, void* into, std::size_t count) const {
  auto* to = static_cast<char*>(into);
  while (count > 0) {
    auto got = ::pread(descriptor_, to, count, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) cannot_read(path_, reason(errno));
    if (got == 0) cannot_read(path_, "it ends early");
    to += got;
    offset += static_cast<std::uint64_t>(got);
    count -= static_cast<std::size_t>(got);
  }
}

void check_writable(const fs::path& path) {
  std::error_code ignored;
  auto status = fs::status(path, ignored);
  if (path.empty()) cannot_write(path, "the name is empty", "name a file");
  if (fs::is_directory(status) || !path.has_filename()) cannot_write(path, "it is a folder", "add a file name");
  if (fs::exists(status)) {
    if (::access(path.c_str(), W_OK) != 0)
      cannot_write(path, reason(errno), "choose another name, or make the file writable");
    if (!fs::is_regular_file(status)) return;
  }
  auto folder = folder_of(path);
  auto folder_status = fs::status(folder, ignored);
  if (!fs::exists(folder_status))
    cannot_write(path, filled("the folder {} does not exist", quoted(folder)), filled("mkdir -p {}", quoted(folder)));
  if (!fs::is_directory(folder_status))
    cannot_write(path, filled("{} is not a folder", quoted(folder)), "choose another folder");
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    cannot_write(path, filled("the folder {} is not writable", quoted(folder)), "choose another folder");
}

void make_folder(const fs::path& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed && !fs::is_directory(path)) cannot_write(path, failed.message(), "choose another folder");
  if (::access(path.c_str(), W_OK | X_OK) != 0)
    cannot_write(path, reason(errno), "choose another folder, or make it writable");
}

void write_file(const fs::path& path, std::initializer_list<std::string_view> parts, bool durably) {
  write_file(
      path,
      [&](const Write& write) {
        for (auto part : parts) write(part);
      },
      durably);
}

void write_file(const fs::path& path, const std::function<void(const Write&)>& content, bool durably) try {
  check_writable(path);
  auto status = fs::status(path);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    Output output(path, ::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    content([&](std::string_view bytes) { output.write(bytes); });
    return output.close();
  }
  auto target = fs::exists(status) ? fs::canonical(path) : path;
  TemporaryFile file(folder_of(target), path);
  Output output(path, file.descriptor());
  if (fs::exists(status)) ::fchmod(file.descriptor(), static_cast<mode_t>(status.permissions()));
  content([&](std::string_view bytes) { output.write(bytes); });
  if (durably) output.sync();
  output.close();
  file.keep_as(target, path);
} catch (...) {
  rethrow_as_error(Code::unwritable_file, "cannot write " + quoted(path));
}

void rethrow_as_error(Code code, std::string what) {
  std::string why;
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    why = "not enough memory";
  } catch (const std::exception& error) {
    why = first_line(error.what());
  } catch (...) {
    why = "an unknown failure";
  }
  throw Error(Diagnostic{.code = code, .message = std::move(what) + ": " + why});
}

}  // namespace ascribe::files
