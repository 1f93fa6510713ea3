// Runs a fuzz target over files, without a fuzzer: the corpus as an ordinary test. A file that breaks the target ends
// the program, and is the last one named.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "tests/folder.hpp"
#include "tests/fuzz/property.hpp"

int main(int count, char** arguments) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < count; ++i) {
    if (!std::filesystem::is_directory(arguments[i])) {
      files.emplace_back(arguments[i]);
      continue;
    }
    for (auto& entry : std::filesystem::directory_iterator(arguments[i])) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (auto& file : files) {
    std::printf("%s\n", file.c_str());
    std::fflush(stdout);
    auto bytes = test::bytes_of(file);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  std::printf("%zu files\n", files.size());
  return files.empty() ? 1 : 0;
}
