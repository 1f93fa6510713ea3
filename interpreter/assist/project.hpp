// What the names of a file can lead to: the files that share its scope, those that it imports, the standard pack. All
// of it is read from texts as they are now, also from broken ones; what the checker made of the sound parts is beside
// it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ascribe/pack.hpp"
#include "interpreter/assist/outline.hpp"
#include "interpreter/pack/loader.hpp"

namespace ascribe::assist {

/// A text and what stands where in it. Immutable.
struct Page {
  std::filesystem::path path;  ///< empty for the standard pack's, whose sources are called `std/epsilon.rule`
  std::string identity;        ///< the path, resolved; of the standard pack's the source's name
  SourcePointer source;
  Outline outline;
  std::unordered_map<std::string_view, std::vector<std::size_t>> named{};  ///< items, by their names

  std::string_view text(Span span) const { return source->text(span); }
};
using PagePointer = std::shared_ptr<const Page>;
using Pages = std::vector<PagePointer>;

PagePointer make_page(std::filesystem::path path, std::string identity, SourcePointer source);

/// The pages of the standard pack: made once.
const Pages& standard_pages();

/// A place in a page.
struct Spot {
  PagePointer page;
  Span span;
};

/// The files that are looked at together. Immutable; shared freely.
struct Project {
  Pages own;                                                                 ///< they share one scope
  std::map<std::string, std::map<std::string, Pages, std::less<>>> imports;  ///< by a page's identity, then by alias
  std::shared_ptr<const language::Definitions> definitions;                  ///< of `own`, what is sound; may be null
  std::map<std::string, std::shared_ptr<const language::Definitions>>
      others;                           ///< of imported units, by their pages' identities
  std::vector<Diagnostic> diagnostics;  ///< of all files
  std::vector<std::string> files;       ///< the identities of all that were read, in order
  bool pack = false;
  std::string name;

  /// Null where it is none of `own`.
  PagePointer page(std::string_view identity) const;
  /// What `alias.` leads to in a page; `std` everywhere. Null where there is none.
  const Pages* behind(const Page& page, std::string_view alias) const;
  std::vector<std::string> aliases(const Page& page) const;
};
using ProjectPointer = std::shared_ptr<const Project>;

/// The project of a file: its pack, or itself alone where it lies in none. Never fails; what is wrong is in the
/// diagnostics.
ProjectPointer load_project(const std::filesystem::path& file, const LoadOptions& options);

/// That of a text that lies in no folder, and so imports nothing.
ProjectPointer text_project(std::string name, std::string text);

}  // namespace ascribe::assist
