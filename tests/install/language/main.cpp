#include <ascribe/error.hpp>
#include <ascribe/pack.hpp>
#include <ascribe/version.hpp>

#include <cstring>
#include <iostream>

static_assert(ASCRIBE_VERSION == 10000 * ASCRIBE_VERSION_MAJOR + 100 * ASCRIBE_VERSION_MINOR + ASCRIBE_VERSION_PATCH);

int main() {
  if (std::strcmp(ascribe::version(), ASCRIBE_VERSION_TEXT) != 0) return 1;
  std::cout << ascribe::Pack::parse("rule halved = std.gamma(0.5)").rule("halved").description() << "\n";
  try {
    (void)ascribe::Pack::parse("rule wrong { map = nothing }");
  } catch (const ascribe::Error& error) {
    std::cout << ascribe::code_name(error.diagnostics().front().code) << "\n";
  }
}
