// The page of a pack, or of rule files: what signatures and doc comments say of each definition, and how that is
// written for readers.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ascribe/pack.hpp"
#include "interpreter/language/doc_comment.hpp"

namespace ascribe {

/// A rule, a composite or a function. All texts are as they are written: writers escape them.
struct DocumentedDefinition {
  /// What a definition is another name of: `epsilon(epsilon)`.
  struct Alias {
    std::string call;
    std::string anchor;  ///< of what is called, if that is on the page; otherwise empty
  };

  std::string name;
  std::string anchor;     ///< the only one of this name on the page
  std::string signature;  ///< `rule norm(epsilon: stabilizer = 1e-6)`, in canonical form: perhaps several lines
  std::optional<Alias> alias;
  language::DocComment documentation;
  std::string file;
  std::string code;  ///< the whole definition in canonical form, without its doc comment
};

/// The definitions of one sort, in the order of their files' names, and in a file as they are written.
struct PageSection {
  std::string title, anchor;  ///< `Rules`
  std::string column;         ///< the heading of their names in a table: `Rule`
  std::vector<DocumentedDefinition> definitions;
};

struct Page {
  std::string title;
  std::string introduction;           ///< paragraphs, perhaps none
  std::vector<PageSection> sections;  ///< without those that hold nothing
};

/// What a page is made from: what was loaded, and the folder from which the names of its files are given.
struct PageSource {
  Pack pack;
  std::filesystem::path folder{};
};

/// Names that cannot be asked of a pack, because they begin with `_`, are left out, but for those that public
/// definitions use: these have a section of their own, so that every name of a formula is explained on the page.
/// Anchors are what GitHub makes from the headings of `markdown(page)`.
Page make_page(std::string title, const std::string& introduction, const std::vector<PageSource>& sources);

/// The page of the rules that come with Ascribe: the same wherever it is made.
Page standard_page();

/// The page as Markdown (GitHub's). Nothing in names, texts and code can become anything but text and code.
std::string markdown(const Page& page);

/// The page as one HTML file that needs no other, without scripts. The same holds.
std::string html(const Page& page);

}  // namespace ascribe
