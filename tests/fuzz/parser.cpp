// Any bytes give a tree and messages, and both point into the source.
#include "grammar/parser.hpp"

#include <nlohmann/json.hpp>

#include "grammar/json.hpp"
#include "grammar/sarif.hpp"
#include "tests/fuzz/property.hpp"

using namespace ascribe;

namespace {

void check_reports(const std::vector<Diagnostic>& diagnostics, std::size_t size) {
  fuzz::check_diagnostics(diagnostics);
  fuzz::require(nlohmann::json::accept(render_json(diagnostics)), "a report in JSON is JSON");
  // The pages of all codes go with it: not each time.
  if (size % 32 == 0) fuzz::require(nlohmann::json::accept(render_sarif(diagnostics)), "a report in SARIF is JSON");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto source = fuzz::source_of(data, size);
  std::vector<Diagnostic> diagnostics;
  auto file = parse_file(source, diagnostics);
  check_reports(diagnostics, size);
  fuzz::check_spans(file);
  bool blank = source->text().find_first_not_of(" \t\r\n") == std::string_view::npos;
  fuzz::require(!file.items.empty() || !diagnostics.empty() || !file.comments.empty() || blank ||
                    source->text().starts_with("\xEF\xBB\xBF"),
                "a source that gives nothing gives a message");

  diagnostics.clear();
  auto call = parse_call(source, diagnostics);
  check_reports(diagnostics, size);
  fuzz::require(call.has_value() == diagnostics.empty(), "a call is there, or a message says why not");
  if (call) fuzz::check_spans(*call, {0, size});
  return 0;
}
