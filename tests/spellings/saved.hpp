// What export.py has saved.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/attach/layers.hpp"

namespace test {
using namespace ascribe;

/// The lines of a list of networks.
inline std::vector<std::string> listed_in(const std::string& list) {
  std::ifstream file(std::string(ASCRIBE_SPELLINGS) + "/" + list);
  std::vector<std::string> out;
  for (std::string line; std::getline(file, line); out.push_back(line)) continue;
  return out;
}

inline at::Tensor input_of(const std::string& name) {
  std::ifstream file(std::string(ASCRIBE_SPELLINGS) + "/" + name + ".input.txt");
  std::string line;
  std::getline(file, line);
  std::istringstream sizes(line), numbers;
  std::vector<std::int64_t> shape;
  for (std::int64_t size = 0; sizes >> size;) shape.push_back(size);
  std::getline(file, line);
  numbers.str(line);
  std::vector<double> values;
  for (double value = 0; numbers >> value;) values.push_back(value);
  return at::tensor(values, at::kDouble).reshape(shape);
}

inline std::filesystem::path saved_as(const std::string& name, const std::string& way) {
  return std::filesystem::path(ASCRIBE_SPELLINGS) / (name + "." + way);
}

inline std::string shown(const Report& report) {
  std::string out;
  for (auto& row : report) out += row.name + " " + row.kind + " " + row.rule + "\n";
  return out;
}

}  // namespace test
