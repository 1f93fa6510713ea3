// Any text is checked against the standard pack: it gives definitions or messages, the same each time. What is sound
// can be called by its name.
#include "ascribe/pack.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/definitions.hpp"
#include "tests/fuzz/property.hpp"

using namespace ascribe;

namespace {

// What checking says, as text.
template <typename Action>
std::string messages(Action action) {
  try {
    auto warnings = action();
    fuzz::check_diagnostics(warnings);
    fuzz::require(!has_errors(warnings), "what is sound has warnings only", render_text(warnings));
    return render_text(warnings);
  } catch (const Error& error) {
    fuzz::check_diagnostics(error.diagnostics());
    fuzz::require(has_errors(error.diagnostics()), "what is refused has a mistake", error.what());
    return error.what();
  }
}

// A definition's description is a call that makes the same definition again.
void check_definitions(const Pack& pack) {
  for (auto& [name, definition] : Inside::definitions(pack).targets)
    messages([&, &name = name, &definition = definition] {
      bool rule = std::holds_alternative<std::shared_ptr<const language::Rule>>(definition);
      auto description = rule ? pack.rule(name).description() : pack.composite(name).description();
      fuzz::require(description.starts_with(name), "a description begins with the name", description);
      return std::vector<Diagnostic>{};
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  auto check = [&] {
    auto pack = Pack::parse(text, "fuzz.rule");
    check_definitions(pack);
    return pack.warnings();
  };
  auto first = messages(check);
  fuzz::require(first == messages(check), "checking gives the same messages each time", first);
  messages([&] {
    Pack::standard().call(text);
    return std::vector<Diagnostic>{};
  });
  return 0;
}
