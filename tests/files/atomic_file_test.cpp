// Writing that is whole or not at all.
#include "interpreter/files/atomic_file.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace ascribe::files {
namespace {
namespace fs = std::filesystem;

using test::bytes_of;
using test::failure;
using test::Folder;

TEST_CASE("a place that cannot be written to is known before, and nothing is left behind") {
  Folder folder;
  auto refused = [&](const fs::path& path) {
    auto before = failure(folder, [&] { check_writable(path); });
    CHECK(before == failure(folder, [&] { write_file(path, {"x"}); }));
    return before;
  };
  folder.file("file", "old");
  CHECK(refused(folder / "no/x.npy") == "A0002 cannot write 'no/x.npy': the folder 'no' does not exist");
  CHECK(refused(folder / "file/x.npy").find("A0002 cannot write 'file/x.npy': ") == 0);
  CHECK(refused(folder.path).find("it is a folder") != std::string::npos);
  CHECK(refused(folder / "x/").find("it is a folder") != std::string::npos);
  CHECK(refused("") == "A0002 cannot write '': the name is empty");
  if (::geteuid() != 0) {  // the superuser may write everywhere
    fs::permissions(folder / "file", fs::perms::owner_read);
    CHECK(refused(folder / "file") == "A0002 cannot write 'file': permission denied");
    fs::permissions(folder.path, fs::perms::owner_read | fs::perms::owner_exec);
    CHECK(refused(folder / "x.npy").find("is not writable") != std::string::npos);
    fs::permissions(folder.path, fs::perms::owner_all);
  }
  CHECK(folder.files() == 1);
  CHECK(bytes_of(folder / "file") == "old");
}

TEST_CASE("a file is replaced whole and keeps its permissions; links are followed") {
  Folder folder;
  folder.file("file", "old and long");
  fs::permissions(folder / "file", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("file", folder / "link");
  check_writable(folder / "link");
  write_file(folder / "link", {"new", "", "er"});
  CHECK(bytes_of(folder / "file") == "newer");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(fs::status(folder / "file").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  write_file(folder / "new", {"x"});
  CHECK(folder.files() == 3);
}

TEST_CASE("a write that fails half-way leaves the old file and nothing else") {
  Folder folder;
  folder.file("file", "old");
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit small{1000, before.rlim_max};
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  auto replaced = failure(folder, [&] { write_file(folder / "file", {std::string(5000, 'x')}); });
  auto made = failure(folder, [&] { write_file(folder / "new", {std::string(5000, 'x')}); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(replaced == "A0002 cannot write 'file': file too large");
  CHECK(made == "A0002 cannot write 'new': file too large");
  CHECK(bytes_of(folder / "file") == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("a device is written to, never replaced") {
  Folder folder;
  check_writable("/dev/null");
  write_file("/dev/null", {"x"});
  CHECK(fs::is_character_file("/dev/null"));
  CHECK(failure(folder, [&] { write_file("/dev/full", {"x"}); }) ==
        "A0002 cannot write '/dev/full': no space left on device");
}

TEST_CASE("what is made piece by piece is a file when all of it is there, and none before") {
  Folder folder;
  folder.file("file", "old");
  write_file(folder / "file", [&](const Write& write) {
    write("new");
    CHECK(bytes_of(folder / "file") == "old");
    write("er");
  });
  CHECK(bytes_of(folder / "file") == "newer");
  auto failed = failure(folder, [&] {
    write_file(folder / "file", [](const Write& write) {
      write("half");
      throw Error({.code = Code::wrong_tensor, .message = "there is no more of it"});
    });
  });
  CHECK(failed == "A0702 there is no more of it");
  CHECK(bytes_of(folder / "file") == "newer");
  CHECK(folder.files() == 1);
}

}  // namespace
}  // namespace ascribe::files
