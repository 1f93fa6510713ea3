// What is beyond the limits gets one clear message: names, terms, and messages themselves.
#include <fmt/format.h>

#include "ascribe/pack.hpp"
#include "grammar/limits.hpp"
#include "tests/catch.hpp"

namespace {

using namespace ascribe;

std::vector<Diagnostic> errors(const std::string& text) {
  try {
    Pack::parse(text);
    return {};
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

}  // namespace

TEST_CASE("a name may have so many characters and no more") {
  std::string longest(limits.name_bytes, 'a');
  CHECK(errors("rule " + longest + " { map = R }").empty());
  auto found = errors("rule " + longest + "a { map = R }");
  REQUIRE(found.size() == 1);
  CHECK(found[0].code == Code::too_large);
  CHECK(found[0].message == "the name has 257 characters; 256 is the limit");
  CHECK(errors("rule a { map = R * " + std::string(1'000'000, 'b') + " }").size() == 1);
}

TEST_CASE("a rule may have so many terms and no more") {
  auto rule = [](std::size_t terms) {
    std::string out = "rule many {\n";
    for (std::size_t i = 0; i < terms; ++i) out += fmt::format("  term t{} {{}}\n", i);
    return out + "}\n";
  };
  CHECK(errors(rule(limits.terms)).empty());
  auto found = errors(rule(limits.terms + 1));
  REQUIRE(found.size() == 1);
  CHECK(found[0].message == "the rule has 1001 terms; 1000 is the limit");
}

TEST_CASE("parameters and clauses are limited in number") {
  auto many = [](const char* begin, const char* piece, std::size_t times, const char* end) {
    std::string out = begin;
    for (std::size_t i = 0; i < times; ++i) out += fmt::format(fmt::runtime(piece), i);
    return out + end;
  };
  auto parameters = [&](std::size_t count) {
    return many("fn f(z", ", p{} = 1", count - 1, ") = z") + many("", " + p{}", count - 1, "");
  };
  CHECK(errors(parameters(limits.parameters)).empty());
  auto found = errors(parameters(limits.parameters + 1));
  REQUIRE(found.size() == 1);
  CHECK(found[0].message == "the definition has 1001 parameters; 1000 is the limit");
  auto clauses = [&](std::size_t count) { return many("rule r {\n", "require 1 + {} > 0\n", count, "}"); };
  CHECK(errors(clauses(limits.clauses)).empty());
  found = errors(clauses(limits.clauses + 1));
  REQUIRE(found.size() == 1);
  CHECK(found[0].message == "the definition has 2001 clauses; 2000 is the limit");
}

TEST_CASE("definitions that multiply end in one message") {
  std::string text = "fn f(z) = z";
  for (int i = 0; i < 9'000; ++i) text += " + z";
  auto fine = text + "\n";
  for (int i = 0; i < 100; ++i) fine += fmt::format("rule r{} {{ map = f(R) }}\n", i);
  CHECK(errors(fine).empty());
  for (int i = 0; i < 1'000; ++i) text += fmt::format("\nrule r{} {{ map = f(R) }}", i);
  auto found = errors(text);
  REQUIRE(found.size() == 1);
  CHECK(found[0].code == Code::too_large);
  CHECK(found[0].message == "the definitions have more than 5000000 operations together");
  CHECK(found[0].primary.source->position(found[0].primary.span.begin).line > 2);
}

TEST_CASE("of very many mistakes the first are shown, and that there are more") {
  std::string wrong, unreadable;
  for (int i = 0; i < 20'000; ++i) {
    wrong += fmt::format("rule r{} {{ map = q }}\n", i);
    unreadable += fmt::format("rule r{} {{ map }}\n", i);
  }
  for (auto& text : {wrong, unreadable}) {
    auto found = errors(text);
    REQUIRE(found.size() == limits.messages + 1);
    CHECK(found.front().primary.source->position(found.front().primary.span.begin).line == 1);
    CHECK(found.back().message == "there are more than 1000 messages; the others are left out");
  }
}
