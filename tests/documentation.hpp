// The examples of a page of documentation: its fenced blocks.
#pragma once

#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/folder.hpp"

namespace test {
using namespace ascribe;

struct Block {
  std::string mark;  ///< what stands behind the opening fence: `rule`, `rule fails A0207`, `ebnf`
  std::string text;
  std::string place;  ///< "grammar/README.md:12"
};

/// The blocks of a page, in order; `page` is its path in the repository at `root`.
inline std::vector<Block> blocks_of(const std::filesystem::path& root, const std::string& page) {
  std::vector<Block> out;
  std::istringstream lines(bytes_of(root / page));
  std::string line;
  bool open = false;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.starts_with("```")) {
      open = !open;
      if (open) out.push_back({line.substr(3), "", page + ":" + std::to_string(number)});
    } else if (open) {
      out.back().text += line + "\n";
    }
  }
  if (open) throw std::runtime_error("a block of " + page + " has no end");
  return out;
}

}  // namespace test
