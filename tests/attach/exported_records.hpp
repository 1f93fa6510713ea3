// Exported programs that tests change.
#pragma once

#include "tests/attach/exported.hpp"

#include <caffe2/serialize/inline_container.h>

#include <map>
#include <nlohmann/json.hpp>

#include "interpreter/model/archive.hpp"

namespace test {
using namespace ascribe;

// An exported program whose records can be changed.
struct Records {
  explicit Records(const std::filesystem::path& path) {
    model::Archive archive(path);
    for (auto& each : archive.in("")) records[each] = archive.text(each);
  }
  nlohmann::json program() const { return nlohmann::json::parse(records.at("models/" + name + ".json")); }
  void program(const nlohmann::json& changed) { records["models/" + name + ".json"] = changed.dump(); }
  std::filesystem::path write(const Folder& folder) const {
    auto path = folder / "changed.pt2";
    caffe2::serialize::PyTorchStreamWriter zip(path.string());
    for (auto& [each, bytes] : records)
      if (each != "version" && each != "byteorder" && !each.starts_with(".data/"))
        zip.writeRecord(each, bytes.data(), bytes.size());
    zip.writeEndOfFile();
    return path;
  }
  std::map<std::string, std::string> records;
  std::string name = "model";
};

}  // namespace test
