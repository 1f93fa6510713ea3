// Loading in tests: packs in memory, and what is said of them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ascribe/pack.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/pack/loader.hpp"

namespace test {
using namespace ascribe;

// Files in memory, of which one may vanish; counts what is read.
class Memory : public Files {
 public:
  explicit Memory(const std::map<std::string, std::string>& files)
      : files_(Files::memory({files.begin(), files.end()})) {}
  Kind kind(const std::filesystem::path& path) const override { return files_->kind(path); }
  std::string read(const std::filesystem::path& path, std::size_t most) const override {
    if (vanishing == resolve(path)) throw std::runtime_error("it is gone");
    ++reads;
    return files_->read(path, most);
  }
  std::vector<Entry> list(const std::filesystem::path& folder, std::size_t most) const override {
    return files_->list(folder, most);
  }
  mutable int reads = 0;
  std::string vanishing;

 private:
  std::shared_ptr<const Files> files_;
};

/// What loads from files that live longer.
inline LoadOptions from(const Files& files) {
  LoadOptions out;
  out.files = std::shared_ptr<const Files>(std::shared_ptr<void>(), &files);
  return out;
}

/// Loads without the standard pack.
inline Loaded load(const std::vector<std::filesystem::path>& paths, const LoadOptions& options) {
  static const language::Definitions no_standard_pack;
  return load_files(paths, options, no_standard_pack);
}

/// "acme/a.rule:1:8 A0801 message", one line for each.
inline std::string messages(const std::vector<Diagnostic>& diagnostics) {
  std::string out;
  for (auto& d : diagnostics) {
    if (auto& source = d.primary.source) {
      auto [line, column] = source->position(d.primary.span.begin);
      out += source->name() + ":" + std::to_string(line) + ":" + std::to_string(column) + " ";
    }
    out += code_name(d.code) + " " + d.message + "\n";
  }
  return out;
}

inline std::string messages(const std::vector<std::filesystem::path>& paths, const LoadOptions& options) {
  try {
    return messages(load(paths, options).warnings);
  } catch (const Error& error) {
    return messages(error.diagnostics());
  }
}

inline std::string messages(const Files& files, const std::vector<std::filesystem::path>& paths) {
  return messages(paths, from(files));
}

/// A pack.rule.
inline std::string pack_rule(const std::string& name) {
  return "pack " + name + " { version = \"1.2.0\"; language = 1 }\n";
}

}  // namespace test
