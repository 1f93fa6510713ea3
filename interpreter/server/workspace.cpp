#include "interpreter/server/workspace.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "ascribe/version.hpp"

namespace ascribe::server {

namespace fs = std::filesystem;

// The disk, with the open documents in the places of their files.
class Workspace::Overlay : public Files {
 public:
  explicit Overlay(const Workspace& workspace) : workspace_(workspace) {}

  Kind kind(const fs::path& path) const override {
    if (find(path)) return Kind::file;
    return disk_->kind(path);
  }
  std::string read(const fs::path& path, std::size_t most) const override {
    if (auto* open = find(path)) return open->text.substr(0, most + 1);
    return disk_->read(path, most);
  }
  std::vector<Entry> list(const fs::path& folder, std::size_t most) const override {
    auto out = disk_->list(folder, most);
    auto real = resolve(folder);
    for (auto& [uri, each] : workspace_.documents_) {
      fs::path path(each.identity);
      if (each.path.empty() || path.parent_path() != real) continue;
      auto name = path.filename().string();
      if (std::none_of(out.begin(), out.end(), [&](auto& entry) { return entry.name == name; }))
        out.push_back({name, Kind::file});
    }
    return out;
  }
  fs::path resolve(const fs::path& path) const override {
    std::error_code error;
    auto out = fs::weakly_canonical(path, error);
    return error ? disk_->resolve(path) : out;
  }

 private:
  const Document* find(const fs::path& path) const {
    std::error_code error;
    if (fs::is_symlink(path, error)) return nullptr;  // what it leads to is asked for by its own name
    auto* found = workspace_.open_at(resolve(path).string());
    return found && !found->path.empty() ? found : nullptr;
  }

  const Workspace& workspace_;
  std::shared_ptr<const Files> disk_ = Files::disk();
};

Workspace::Workspace() : files_(std::make_shared<Overlay>(*this)) { options_.files = files_; }

const Document* Workspace::document(const std::string& uri) const {
  auto found = documents_.find(uri);
  return found == documents_.end() ? nullptr : &found->second;
}

const Document* Workspace::open_at(const std::string& identity) const {
  auto found = uris_.find(identity);
  return found == uris_.end() ? nullptr : document(found->second);
}

namespace {

// Whether a text is the one on the disk.
bool is_saved(const Document& document) try {
  return !document.path.empty() && Files::disk()->read(document.identity, document.text.size()) == document.text;
} catch (const std::exception&) {
  return false;
}

}  // namespace

void Workspace::open(std::string uri, std::string text, std::int64_t version) {
  Document out{uri, std::move(text), version};
  if (auto path = path_of(uri)) {
    out.path = *path;
    out.identity = files_->resolve(*path).string();
  } else {
    out.identity = uri;
  }
  // A file that is new, or says something else, may be what others look for.
  if (is_saved(out))
    forget(out.identity);
  else
    changed_outside();
  uris_[out.identity] = uri;
  documents_[std::move(uri)] = std::move(out);
}

void Workspace::change(const std::string& uri, const Json& changes, std::int64_t version, Encoding encoding) {
  auto found = documents_.find(uri);
  if (found == documents_.end()) return;
  auto text = found->second.text;
  for (auto& each : changes) {
    auto& put = each.at("text").get_ref<const std::string&>();
    if (!each.contains("range")) {
      text = put;
      continue;
    }
    auto span = Lines(text, encoding).span(each.at("range"));
    text.replace(span.begin, span.end - span.begin, put);
  }
  found->second.text = std::move(text);
  found->second.version = version;
  forget(found->second.identity);
}

void Workspace::close(const std::string& uri) {
  auto found = documents_.find(uri);
  if (found == documents_.end()) return;
  auto identity = found->second.identity;
  if (is_saved(found->second))
    forget(identity);
  else
    changed_outside();
  uris_.erase(identity);
  documents_.erase(found);
}

void Workspace::changed_outside() {
  projects_.clear();
  project_of_.clear();
}

void Workspace::set_search_path(std::vector<fs::path> path) {
  options_.path = std::move(path);
  changed_outside();
}

// What read this file, or could not read something, is loaded again when it is asked for.
void Workspace::forget(const std::string& identity) {
  project_of_.erase(identity);
  std::erase_if(projects_, [&](auto& each) {
    auto& files = each.second->files;
    bool read = std::binary_search(files.begin(), files.end(), identity);
    if (read) std::erase_if(project_of_, [&](auto& of) { return of.second == each.first; });
    return read;
  });
}

assist::ProjectPointer Workspace::project(const Document& document) {
  if (auto known = project_of_.find(document.identity); known != project_of_.end())
    if (auto found = projects_.find(known->second); found != projects_.end()) return found->second;
  auto loaded = document.path.empty() ? assist::text_project(document.uri, document.text)
                                      : assist::load_project(document.path, options_);
  auto key = loaded->own.empty() ? document.identity : loaded->own.front()->identity;
  projects_[key] = loaded;
  project_of_[document.identity] = key;
  for (auto& each : loaded->own) project_of_[each->identity] = key;
  return loaded;
}

Workspace::Place Workspace::place(const std::string& uri) {
  auto* open = document(uri);
  if (!open) return {};
  auto loaded = project(*open);
  auto page = loaded->page(open->identity);
  if (!page) {
    // A pack that could not be read: the text is looked at alone.
    loaded = assist::text_project(open->identity, open->text);
    page = loaded->own.front();
  }
  return {loaded, page};
}

std::string Workspace::uri(const assist::Page& page) const {
  if (auto* open = open_at(page.identity)) return open->uri;
  if (page.path.empty()) {
    auto file = shown_file(page.identity, page.source->text());
    return file ? uri_of(*file) : "";
  }
  return uri_of(page.identity);
}

std::optional<fs::path> shown_file(const std::string& name, std::string_view text) {
  static std::map<std::string, std::optional<fs::path>> known;
  if (auto found = known.find(name); found != known.end()) return found->second;
  auto write = [&]() -> std::optional<fs::path> {
    auto* cache = std::getenv("XDG_CACHE_HOME");
    auto* home = std::getenv("HOME");
    fs::path folder;
    if (cache && *cache == '/')
      folder = cache;
    else if (home && *home == '/')
      folder = fs::path(home) / ".cache";
    else
      return {};
    auto path = folder / "ascribe" / version() / name;
    std::error_code error;
    {
      std::ifstream in(path, std::ios::binary);
      if (std::string there{std::istreambuf_iterator<char>(in), {}}; in.good() || in.eof())
        if (there == text && !there.empty()) return path;
    }
    fs::create_directories(path.parent_path(), error);
    auto beside = path.string() + "." + std::to_string(::getpid());
    {
      std::ofstream out(beside, std::ios::binary);
      out << text;
      out.close();
      if (!out) return {};
    }
    fs::rename(beside, path, error);
    if (error) {
      fs::remove(beside, error);
      return {};
    }
    return path;
  };
  return known[name] = write();
}

}  // namespace ascribe::server
