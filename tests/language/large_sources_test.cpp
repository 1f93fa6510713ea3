// Sources of costly shapes end in definitions or messages, and not in too many of them.
#include "tests/language/large_sources.hpp"

#include "grammar/limits.hpp"
#include "tests/catch.hpp"

using namespace ascribe;

TEST_CASE("large sources end in definitions or a limited number of messages") {
  for (auto& shape : large::shapes) {
    INFO(shape.name);
    auto text = shape.text(limits.source_bytes / 64);
    CHECK(text.size() > limits.source_bytes / 80);
    auto messages = large::process(text);
    CHECK(messages.size() <= limits.messages + 1);
    for (auto& message : messages) REQUIRE(message.code != Code::internal_fault);
  }
}
