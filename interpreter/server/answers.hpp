// What is answered to each request about a document: from assist's values to the protocol's.
#pragma once

#include <set>
#include <string>

#include "interpreter/server/workspace.hpp"

namespace ascribe::server {

/// What the client can do.
struct Client {
  Encoding encoding = Encoding::utf16;
  bool snippets = false;
  bool nested_symbols = false;
  bool document_changes = false;
};

/// A request that cannot be answered: its code in the protocol, and why.
struct Refusal {
  int code;
  std::string why;
};
inline constexpr int parse_error = -32700, invalid_request = -32600, method_not_found = -32601,
                     invalid_parameters = -32602, internal_error = -32603, not_initialized = -32002,
                     request_failed = -32803, cancelled = -32800, content_modified = -32801;

struct Asked {
  Workspace& workspace;
  const Client& client;
  const Json& parameters;
};

using Answer = Json (*)(const Asked&);

/// What answers a request; null where nothing does.
Answer find_answer(std::string_view method);
/// Whether a request is asked again when the text has changed, so that it need not be answered for a text that is gone.
bool is_asked_again(std::string_view method);

/// What the server can do, for `initialize`.
Json capabilities(const Client& client);

/// A message as the protocol has it; `lines` are those of its source.
Json diagnostic(const Diagnostic& diagnostic, const Lines& lines, Workspace& workspace, const Client& client);

/// The messages that are about a page: those in its source, and for the first page those without a place.
std::vector<const Diagnostic*> diagnostics_of(const assist::Project& project, const assist::Page& page);

}  // namespace ascribe::server
