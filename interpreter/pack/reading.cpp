#include "interpreter/pack/reading.hpp"

#include <algorithm>
#include <new>

#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"
#include "interpreter/pack/files.hpp"

namespace ascribe {
namespace {

namespace fs = std::filesystem;

// A host's own files throw what they like.
template <typename Action>
auto guarded(const fs::path& path, Action action) {
  try {
    return action();
  } catch (const Error& error) {
    if (has_errors(error.diagnostics())) throw;
    throw unreadable(path, error.what(), "check where it comes from");
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& failure) {
    std::string_view why = failure.what();
    throw unreadable(path, why.substr(0, why.find('\n')), "check where it comes from");
  }
}

GiveUp beyond(std::string message) {
  return GiveUp({.code = Code::too_large,
                 .message = std::move(message),
                 .help = "load less at a time: one pack, with what it imports"});
}

}  // namespace

Reading::Reading(const LoadOptions& options)
    : options_(options), files_(options.files ? options.files : Files::disk()) {}

Files::Kind Reading::kind(const fs::path& path) const {
  return guarded(path, [&] { return files_->kind(path); });
}

fs::path Reading::resolve(const fs::path& path) const {
  return guarded(path, [&] { return files_->resolve(path); });
}

void Reading::before_next() const {
  if (options_.stop.stop_requested())
    throw GiveUp({.code = Code::stopped, .message = "loading was stopped", .help = "load it again"});
}

void Reading::refuse_too_many(std::size_t more) const {
  if (more > options_.limits.files || count_ > options_.limits.files - more)
    throw beyond(filled("more than {} files are loaded together", options_.limits.files));
}

// An Error of the host's own ends the loading, as everything does that it throws: it is no mistake of the next file.
void Reading::tell(const fs::path& next) const {
  if (!options_.progress) return;
  try {
    options_.progress({next, count_, bytes_});
  } catch (const Error& error) {
    throw GiveUp(error.diagnostics());
  }
}

SourcePointer Reading::read(const fs::path& path) {
  auto& source = sources_[resolve(path)];
  if (source) return source;
  before_next();
  refuse_too_many(1);
  tell(path);
  // The parser takes no more, whatever a host allows.
  auto most = std::min(options_.limits.file_bytes, limits.source_bytes);
  auto text = guarded(path, [&] { return files_->read(path, most); });
  if (text.size() > most)
    throw Error({.code = Code::too_large,
                 .message = filled("cannot read '{}': it has more than {} bytes", shown(path), most),
                 .help = "cut it into several files"});
  ++count_;
  bytes_ += text.size();
  if (bytes_ > options_.limits.bytes)
    throw beyond(filled("the files that are loaded together have more than {} bytes", options_.limits.bytes));
  return source = std::make_shared<Source>(path.string(), std::move(text));
}

std::vector<Files::Entry> Reading::list(const fs::path& folder) {
  before_next();
  auto most = options_.limits.entries - entries_;
  auto entries = guarded(folder, [&] { return files_->list(folder, most); });
  if (entries.size() > most)
    throw GiveUp({.code = Code::too_large,
                  .message = filled("the folders of packs hold more than {} files and folders, those of '{}' "
                                    "among them",
                                    options_.limits.entries, shown(folder)),
                  .help = "keep in a pack's folder what belongs to the pack"});
  entries_ += entries.size();
  for (auto& [name, kind] : entries)
    if (name.empty() || name == "." || name == ".." || name.find_first_of(std::string_view("/\0", 2)) != name.npos)
      throw unreadable(folder, filled("a file in it is called '{}'", shown(name)), "check where it comes from");
  return entries;
}

}  // namespace ascribe
