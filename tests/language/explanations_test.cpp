// The pages of `ascribe explain`: one for each code, with examples that do what they say.
#include <regex>
#include <set>

#include "ascribe/pack.hpp"
#include "grammar/explanation.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace {

using namespace ascribe;

std::vector<Diagnostic> messages_of(const std::string& text) {
  try {
    return Pack::parse(text, "example.rule").warnings();
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

// The numbers of `enum class Code`, as they are written.
std::set<int> all_codes() {
  auto text = test::bytes_of(ASCRIBE_TEST_DATA "/../../grammar/code.hpp");
  auto begin = text.find("enum class Code");
  text = text.substr(begin, text.find("};", begin) - begin);
  std::set<int> out;
  std::regex row(R"(\n  \w+ = (\d+),)");
  for (std::sregex_iterator it(text.begin(), text.end(), row), end; it != end; ++it) out.insert(std::stoi((*it)[1]));
  return out;
}

}  // namespace

TEST_CASE("every code has a page, and every page a code and a title of its own") {
  auto codes = all_codes();
  CHECK(codes.size() >= 56);
  std::set<int> explained;
  std::set<std::string> titles;
  for (auto& page : explanations()) {
    INFO(code_name(page.code) << " " << page.title);
    CHECK(explained.insert(static_cast<int>(page.code)).second);
    CHECK(titles.insert(page.title).second);
    CHECK(page.title.size() <= 80);
    CHECK(page.title.back() != '.');
    CHECK(page.text.size() > 60);
    CHECK(page.text.find('.') != std::string::npos);
    CHECK(page.failing.text != "");
    CHECK(page.mended.text != "");
    CHECK(page.failing.text != page.mended.text);
    CHECK(page.failing.kind == page.mended.kind);
  }
  CHECK(explained == codes);
}

TEST_CASE("what the checker finds is shown by rule files: one fails with the page's code, one is sound") {
  for (auto& page : explanations()) {
    INFO(code_name(page.code));
    auto hundred = static_cast<int>(page.code) / 100;
    if (page.failing.kind != Example::Kind::generated && hundred >= 1 && hundred <= 4)
      CHECK(page.failing.kind == Example::Kind::rule);
    if (page.failing.kind != Example::Kind::rule) continue;
    auto found = messages_of(page.failing.text);
    INFO(render_text(found));
    REQUIRE_FALSE(found.empty());
    CHECK(code_name(found.front().code) == code_name(page.code));
    CHECK(found.size() == 1);
    CHECK(render_text(messages_of(page.mended.text)) == "");
  }
}

TEST_CASE("codes are read with and without their letter and their zeros") {
  for (auto* written : {"A0207", "a0207", "A207", "a207", "207", "0207"}) CHECK(read_code(written) == 207);
  for (auto* written : {"", "A", "B0207", "A0207x", "AA0207", "-207", "A-207", " 207", "2e2", "99999999999999"})
    CHECK_FALSE(read_code(written));
}

TEST_CASE("a page is a title, wrapped text, the failing example with its message, and the mended one") {
  Explanation page{Code::unknown_name,
                   "a title",
                   "Some words that are wrapped.\n\nMore.",
                   {Example::Kind::rule, "rule a {\n  map = yy\n}\n"},
                   {Example::Kind::rule, "rule a {}\n"}};
  CHECK(render_explanation(page, messages_of) == R"(A0201: a title

Some words that are wrapped.

More.

This fails:

    rule a {
      map = yy
    }

    error[A0201]: unknown name `yy`
     --> example.rule:2:9
    2 |   map = yy
      |         ^^
      = help: did you mean `y`?

This is right:

    rule a {}
)");
  page.failing.kind = Example::Kind::generated;
  CHECK(render_explanation(page, messages_of).find("error[") == std::string::npos);
  CHECK(render_explanation(page, messages_of, true).starts_with("\033[1mA0201: a title\033[0m\n"));
}

TEST_CASE("every page fits 100 columns") {
  for (auto& page : explanations()) {
    auto text = render_explanation(page, messages_of);
    for (std::size_t begin = 0; begin < text.size();) {
      auto end = text.find('\n', begin);
      INFO(text.substr(begin, end - begin));
      if (text[begin] != ' ') CHECK(count_characters(std::string_view(text).substr(begin, end - begin)) <= 100);
      begin = end + 1;
    }
  }
}

TEST_CASE("a page that is not whole is noticed") {
  const std::string example = "```rule\na\n```\n", page = "# A0101 t\n\ntext\n\n" + example + example;
  CHECK(read_explanations(page + page).size() == 2);
  const std::vector<std::string> malformed{"# A0101 t\n\ntext\n\n" + example,
                                           "# A0101 t\n\n" + example + example,
                                           "text\n" + page,
                                           page + example,
                                           page + "text\n",
                                           "# 0x12 t\n\ntext\n\n" + example + example,
                                           "# A0101\n\ntext\n\n" + example + example,
                                           "# A0101 t\n\ntext\n\n```rule\na\n",
                                           "# A0101 t\n\ntext\n\n```prose\na\n```\n" + example};
  for (auto& file : malformed) CHECK_THROWS_AS(read_explanations(file), std::logic_error);
}
