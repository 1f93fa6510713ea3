// What the answers have in common: the document that is asked about, and how places and edits are said. Part of the
// answers, which are its only users.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "interpreter/assist/symbols.hpp"
#include "interpreter/server/answers.hpp"

namespace ascribe::server {

/// What a request about a document is about.
struct About {
  const Document* document;
  Workspace::Place place;
  Lines lines;
  std::string uri;

  const assist::PagePointer& page() const { return place.page; }
  const assist::Project& project() const { return *place.project; }
};

/// Throws Refusal where the document is not open.
About about(const Asked& asked);
std::size_t offset_in(const Asked& asked, const About& in);

/// null for a page that cannot be shown.
Json location(const Asked& asked, const assist::Spot& spot);
Json edits(const std::vector<Edit>& made, const Lines& lines);
/// The edits of documents, for their versions where the client tells versions apart.
Json workspace_edit(const Asked& asked, const std::map<std::string, Json>& by_uri);

// One for each request; the table in answers.cpp says which.
Json completion(const Asked& asked);
Json resolved_completion(const Asked& asked);
Json hover(const Asked& asked);
Json signature_help(const Asked& asked);
Json definition(const Asked& asked);
Json references(const Asked& asked);
Json highlights(const Asked& asked);
Json prepare_rename(const Asked& asked);
Json rename(const Asked& asked);
Json document_symbols(const Asked& asked);
Json workspace_symbols(const Asked& asked);
Json folding_ranges(const Asked& asked);
Json selection_ranges(const Asked& asked);
Json semantic_tokens(const Asked& asked);
Json semantic_tokens_range(const Asked& asked);
Json inlay_hints(const Asked& asked);
Json document_links(const Asked& asked);
Json code_lenses(const Asked& asked);
Json formatting(const Asked& asked);
Json range_formatting(const Asked& asked);
Json code_actions(const Asked& asked);

}  // namespace ascribe::server
