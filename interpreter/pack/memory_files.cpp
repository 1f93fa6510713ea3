// Packs from memory: names and texts.

#include <map>

#include "ascribe/files.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/pack/files.hpp"

namespace ascribe {
namespace {

namespace fs = std::filesystem;

class Memory : public Files {
 public:
  // NOLINTNEXTLINE(performance-unnecessary-value-param): the texts are moved from, through a structured binding
  explicit Memory(std::vector<std::pair<std::string, std::string>> texts) {
    for (auto& [name, text] : texts) {
      auto path = resolve(name);
      if (name.empty() || path == "." || !path.has_filename() || *path.begin() == "..")
        throw refuse(name, "it leads to no file", "give names such as `acme/pack.rule`");
      if (!texts_.emplace(path.string(), std::move(text)).second)
        throw refuse(name, "it is there twice", "give each file once");
    }
    for (auto& [name, text] : texts_)
      for (auto folder = fs::path(name).parent_path(); folder.has_filename(); folder = folder.parent_path())
        if (texts_.contains(folder.string()))
          throw refuse(folder, "it is a file and a folder", "rename one of the two");
  }

  Kind kind(const fs::path& path) const override {
    if (texts_.contains(resolve(path).string())) return Kind::file;
    auto prefix = prefix_of(path);
    auto inside = texts_.lower_bound(prefix);
    return inside != texts_.end() && inside->first.starts_with(prefix) ? Kind::folder : Kind::nothing;
  }

  std::string read(const fs::path& path, std::size_t most) const override {
    auto found = texts_.find(resolve(path).string());
    if (found == texts_.end()) throw unreadable(path, "no such file", "check the path");
    return found->second.substr(0, most + 1);
  }

  std::vector<Entry> list(const fs::path& folder, std::size_t most) const override {
    std::map<std::string, Kind> found;
    auto prefix = prefix_of(folder);
    for (auto each = texts_.lower_bound(prefix);
         each != texts_.end() && each->first.starts_with(prefix) && found.size() <= most; ++each) {
      auto rest = each->first.substr(prefix.size());
      auto inner = rest.find('/');
      found.emplace(rest.substr(0, inner), inner == std::string::npos ? Kind::file : Kind::folder);
    }
    std::vector<Entry> out;
    for (auto& [name, kind] : found) out.push_back({name, kind});
    return out;
  }

 private:
  static Error refuse(const fs::path& name, const char* why, std::string help) {
    return Error({.code = Code::unreadable_file,
                  .message = filled("'{}' cannot be a file in memory: {}", shown(name), why),
                  .help = std::move(help)});
  }
  // What the names in a folder begin with.
  std::string prefix_of(const fs::path& folder) const {
    auto name = resolve(folder).string();
    return name == "." ? "" : name.ends_with('/') ? name : name + "/";
  }

  std::map<std::string, std::string> texts_;  // by normal names
};

}  // namespace

std::shared_ptr<const Files> Files::memory(std::vector<std::pair<std::string, std::string>> texts) {
  return std::make_shared<const Memory>(std::move(texts));
}

}  // namespace ascribe
