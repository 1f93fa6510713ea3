// Files in tests: a folder that goes with the test, and what became of reading and writing there.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>

#include "grammar/error.hpp"

namespace test {
using namespace ascribe;

// A folder of its own for a test, gone at its end.
class Folder {
 public:
  Folder() {
    auto name = (std::filesystem::temp_directory_path() / "ascribe-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no folder for the test");
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path / name; }
  /// Writes a file and gives its path.
  std::filesystem::path file(const std::string& name, const std::string& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
    return path / name;
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path), {}));
  }

  std::filesystem::path path;
};

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// "A0702 message", with the folder's name left out; any exception but Error fails the test.
inline std::string failure(const Folder& folder, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    auto& diagnostic = error.diagnostics().at(0);
    auto text = code_name(diagnostic.code) + " " + diagnostic.message;
    for (auto name = folder.path.string() + "/"; text.find(name) != text.npos;)
      text.erase(text.find(name), name.size());
    return text;
  }
  return "no error";
}

}  // namespace test
