// Any tests that pass the checker are run: they hold or fail with messages, the same each time.
#include "ascribe/pack.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/testing/runner.hpp"
#include "tests/fuzz/property.hpp"

using namespace ascribe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  std::vector<std::shared_ptr<const language::Test>> tests;
  try {
    tests = Inside::definitions(Pack::parse(text, "fuzz.rule")).tests;
  } catch (const Error&) {
    return 0;
  }
  for (auto& test : tests) {
    auto first = testing::run(test);
    fuzz::check_diagnostics(first.failures);
    auto shown = render_text(first.failures);
    fuzz::require(shown == render_text(testing::run(test).failures), "a test gives the same result each time", shown);
  }
  return 0;
}
