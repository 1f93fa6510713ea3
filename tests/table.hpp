// Tables of how far from each other two ways to the same numbers are.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>

namespace test {
using namespace ascribe;

/// A table, printed and kept in the build folder when it ends: `./dev parity` shows them.
class Table {
 public:
  explicit Table(std::string name) : name_(std::move(name)) {}
  Table(const Table&) = delete;
  ~Table() {
    std::filesystem::path folder = ASCRIBE_TABLES;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / (name_ + ".txt")) << text_;
    std::cout << text_;
  }
  template <typename... Values>
  void line(fmt::format_string<Values...> format, Values&&... values) {
    text_ += fmt::format(format, std::forward<Values>(values)...) + "\n";
  }

 private:
  std::string name_, text_;
};

/// The largest of many differences, and how many there were.
struct Largest {
  std::size_t cases = 0;
  double difference = 0;
  void add(double each) {
    ++cases;
    difference = std::max(difference, each);
  }
};

}  // namespace test
