// The open documents, the files around them, and the projects that these make: each loaded once, and again when
// something that it read has changed.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "interpreter/assist/project.hpp"
#include "interpreter/server/positions.hpp"

namespace ascribe::server {

struct Document {
  std::string uri;  ///< as the client calls it
  std::string text;
  std::int64_t version = 0;
  std::filesystem::path path{};  ///< empty for one that lies in no folder
  std::string identity{};        ///< the path, resolved; of others the URI
};

class Workspace {
 public:
  Workspace();

  void open(std::string uri, std::string text, std::int64_t version);
  /// Throws Json::exception for changes that are none; nothing is changed then.
  void change(const std::string& uri, const Json& changes, std::int64_t version, Encoding encoding);
  void close(const std::string& uri);
  /// Something on the disk is no longer what it was.
  void changed_outside();

  const Document* document(const std::string& uri) const;
  const std::map<std::string, Document>& documents() const { return documents_; }

  /// A document's page and its project, as they are now. A null page where it is not open.
  struct Place {
    assist::ProjectPointer project;
    assist::PagePointer page;
  };
  Place place(const std::string& uri);
  assist::ProjectPointer project(const Document& document);
  /// The projects that are loaded, by what they are made from.
  const std::map<std::string, assist::ProjectPointer>& projects() const { return projects_; }

  /// The URI of a page: the client's, where it is open.
  std::string uri(const assist::Page& page) const;

  LoadOptions& options() { return options_; }
  void set_search_path(std::vector<std::filesystem::path> path);

 private:
  class Overlay;
  void forget(const std::string& identity);

  const Document* open_at(const std::string& identity) const;

  std::map<std::string, Document> documents_;  // by URI
  std::map<std::string, std::string> uris_;    // by identity
  std::shared_ptr<Overlay> files_;
  LoadOptions options_;
  std::map<std::string, assist::ProjectPointer> projects_;  // by the first identity of their files
  std::map<std::string, std::string> project_of_;           // by a document's identity
};

/// Where texts that are part of the program are written, so that editors can show them: the standard pack and the pages
/// of messages. Nothing where that cannot be done.
std::optional<std::filesystem::path> shown_file(const std::string& name, std::string_view text);

}  // namespace ascribe::server
