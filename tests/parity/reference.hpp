// What Zennit gives: read from what zennit_reference.py wrote just now, or else from the stored arrays.
#pragma once

#include "tests/attach/layers.hpp"
#include "tests/table.hpp"

#include <fmt/format.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <fstream>
#include <iterator>

namespace test {
using namespace ascribe;

/// A value in one of the files: a dictionary, a list, a text or a tensor.
class Entry {
 public:
  explicit Entry(c10::IValue value) : value_(std::move(value)) {}
  Entry operator[](const std::string& key) const { return Entry(value_.toGenericDict().at(key)); }
  bool has(const std::string& key) const { return value_.toGenericDict().contains(key); }
  std::vector<std::string> keys() const {
    std::vector<std::string> out;
    for (auto& each : value_.toGenericDict()) out.push_back(each.key().toStringRef());
    return out;
  }
  std::vector<Entry> list() const {
    std::vector<Entry> out;
    for (const c10::IValue& each : value_.toListRef()) out.emplace_back(each);
    return out;
  }
  at::Tensor tensor() const { return value_.toTensor(); }
  std::string text() const { return value_.toStringRef(); }
  const c10::IValue& value() const { return value_; }

 private:
  c10::IValue value_;
};

/// A folder that zennit_reference.py has written.
class Reference {
 public:
  explicit Reference(std::filesystem::path folder) : folder_(std::move(folder)) {}

  static Reference stored() { return Reference(ASCRIBE_PARITY_STORED); }
  /// Zennit beside us: written in this build by the test "parity: Zennit", where Zennit is installed.
  static std::optional<Reference> live() {
    Reference out(ASCRIBE_PARITY_LIVE);
    return std::filesystem::exists(out.file("made_of.txt")) ? std::optional(out) : std::nullopt;
  }
  /// The live one if it is there.
  static Reference best() { return live().value_or(stored()); }

  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  Entry read(const std::string& name) const {
    auto bytes = content(name);
    return Entry(torch::jit::pickle_load({bytes.begin(), bytes.end()}));
  }
  /// "live, Zennit 0.5.1, PyTorch 2.13.0"
  std::string shown() const {
    auto made_of = content("made_of.txt");
    return (folder_ == ASCRIBE_PARITY_STORED ? "stored arrays of " : "live, ") + made_of.substr(0, made_of.find('\n'));
  }

 private:
  std::string content(const std::string& name) const {
    std::ifstream in(file(name), std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + file(name).string());
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path folder_;
};

}  // namespace test
