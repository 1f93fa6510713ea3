#include "interpreter/language/checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "interpreter/language/call_checker.hpp"
#include "interpreter/language/import_checker.hpp"
#include "interpreter/language/scope.hpp"

namespace ascribe::language {
namespace {

bool has_errors_in(const SourcePointer& source, const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [&](auto& d) { return d.severity == Severity::error && d.primary.source == source; });
}

// Where each sort of item goes.
struct Dispatch {
  const syntax::Item& item;
  Scope& scope;
  FileScope& file;
  ImportChecker& imports;

  void operator()(const syntax::Rule&) const { scope.declare(item, file); }
  void operator()(const syntax::Composite&) const { scope.declare(item, file); }
  void operator()(const syntax::Function&) const { scope.declare(item, file); }
  void operator()(const syntax::Import& written) const { imports.add(written); }
  void operator()(const syntax::Pack&) const {}  // read before, with the folder that it is about
  void operator()(const syntax::Test&) const {
    file.reporter().report(Code::not_yet, {item.span.begin, item.span.begin + std::string_view("test").size()},
                           "`test` is not supported yet", "leave it out for now");
  }
};

}  // namespace

Definitions check(const std::vector<const syntax::File*>& files, const Surroundings& surroundings,
                  std::vector<Diagnostic>& diagnostics) {
  Scope scope(surroundings, diagnostics);
  std::deque<FileScope> views;  // what is declared points at them
  for (auto* file : files) {
    auto& view = views.emplace_back(scope, file->source);
    ImportChecker imports(surroundings.imports, view);
    for (auto& item : file->items) std::visit(Dispatch{item, scope, view, imports}, item.node);
    // What a file that was not read to its end does not use, it may use in the rest.
    if (file->whole) imports.report_unused(*file);
  }
  auto out = scope.check_all();
  out.complete = out.complete && std::none_of(files.begin(), files.end(),
                                              [&](auto* file) { return has_errors_in(file->source, diagnostics); });
  put_in_order(diagnostics);
  return out;
}

std::optional<Target> check_call(const syntax::Call& call, const SourcePointer& source,
                                 const Surroundings& surroundings, std::vector<Diagnostic>& diagnostics) {
  Scope scope(surroundings, diagnostics);
  FileScope view(scope, source);
  LocalNames nothing;
  auto target = check_target_call(call, view, nothing);
  if (target && std::holds_alternative<Engine>(target->definition)) {
    view.reporter().report(Code::engine_target, call.span, "`merge` and `refuse` stand in composites only",
                           "name a rule or a composite");
    return {};
  }
  return target;
}

}  // namespace ascribe::language
