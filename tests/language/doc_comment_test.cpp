// What `##` comments say: the description and the labelled parts.
#include "interpreter/language/doc_comment.hpp"

#include "tests/catch.hpp"

namespace {

using namespace ascribe::language;

std::vector<std::string> texts(const DocComment& comment, DocLabel label) {
  auto found = comment.texts(label);
  return {found.begin(), found.end()};
}

std::string summary(const std::string& text) { return read_doc_comment(text).summary(); }

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a doc comment is a description and parts that begin with labels") {
  auto comment = read_doc_comment(
      "What it does, in a\nline or two. More.\n\nA second paragraph.\nFormula: R_i = x_i\n         + 1\nSource: Bach "
      "et al. 2015.\nUse: often.\nAssumes: nothing,\nor little.\nExample: linear => a\nExample: any => b(1)");
  CHECK(comment.description == "What it does, in a\nline or two. More.\n\nA second paragraph.");
  CHECK(comment.summary() == "What it does, in a line or two.");
  CHECK(texts(comment, DocLabel::formula) == Texts{"R_i = x_i\n         + 1"});
  CHECK(texts(comment, DocLabel::source) == Texts{"Bach et al. 2015."});
  CHECK(texts(comment, DocLabel::use) == Texts{"often."});
  CHECK(texts(comment, DocLabel::assumes) == Texts{"nothing,\nor little."});
  CHECK(texts(comment, DocLabel::example) == Texts{"linear => a", "any => b(1)"});
}

TEST_CASE("a doc comment without labels is all description") {
  auto comment = read_doc_comment("One.\n\nTwo.");
  CHECK(comment.description == "One.\n\nTwo.");
  CHECK(comment.parts.empty());
  for (auto* nothing : {"", "\n\n", " \t\r\n"}) {
    CHECK(read_doc_comment(nothing).description == "");
    CHECK(read_doc_comment(nothing).parts.empty());
    CHECK(summary(nothing) == "");
  }
}

TEST_CASE("a label is a word of the table and a colon, at the beginning of a line") {
  for (auto* text :
       {"In a line: Formula: x.", " Formula: x.", "formula: x.", "Formula : x.", "Formulas: x.", "Formula"}) {
    INFO(text);
    CHECK(read_doc_comment(text).parts.empty());
    CHECK(read_doc_comment(text).description == text);
  }
  CHECK(texts(read_doc_comment("Formula:x"), DocLabel::formula) == Texts{"x"});
  CHECK(texts(read_doc_comment("Use: a\nnot the Source: b"), DocLabel::use) == Texts{"a\nnot the Source: b"});
  auto first = read_doc_comment("Use: a");
  CHECK(first.description == "");
  CHECK(texts(first, DocLabel::use) == Texts{"a"});
}

TEST_CASE("a label without a text is no part, and its text may begin below it") {
  auto comment = read_doc_comment("What.\nFormula:\nSource:  \n\nUse:\n\n  now\n\nExample:");
  REQUIRE(comment.parts.size() == 1);
  CHECK(texts(comment, DocLabel::use) == Texts{"  now"});
}

TEST_CASE("line ends of either sort are line ends") {
  auto comment = read_doc_comment("What.\r\n\r\nMore.\r\nFormula: a\r\n  b\r\n");
  CHECK(comment.description == "What.\n\nMore.");
  CHECK(texts(comment, DocLabel::formula) == Texts{"a\n  b"});
}

TEST_CASE("the first sentence ends at a full stop before a blank, but not at an abbreviation's") {
  CHECK(summary("Gives 0.5 of it. And more.") == "Gives 0.5 of it.");
  CHECK(summary("As Bach et al. 2015 say (cf. there), e.g. here. Not this.") ==
        "As Bach et al. 2015 say (cf. there), e.g. here.");
  CHECK(summary("α - β = 1. α is large.") == "α - β = 1.");
  CHECK(summary("Why? Because.") == "Why?");
  CHECK(summary("no full stop\n\nnot this") == "no full stop");
  CHECK(summary("Ends with the\nline.\nNext.") == "Ends with the line.");
}

TEST_CASE("a summary is never long, and no character is cut") {
  std::string greek;
  for (int i = 0; i < 1'000; ++i) greek += "α";
  auto cut = summary(greek);
  CHECK(cut.size() == 2 * 240 + std::string(" …").size());
  CHECK(summary(std::string(1 << 20, 'a')).size() < 260);
  std::string words;
  for (int i = 0; i < 200; ++i) words += "word ";
  CHECK(summary(words).ends_with(" word …"));
}

TEST_CASE("paragraphs are apart by empty lines") {
  CHECK(paragraphs("a\n  b\t\n\n \n\nc\n") == Texts{"a\nb", "c"});
  CHECK(paragraphs("\n\n").empty());
}

TEST_CASE("what stands between two backticks is code") {
  auto shown = [](std::string_view text) {
    std::string out;
    for (auto& piece : pieces(text))
      out += (piece.is_code ? "<" : "[") + std::string(piece.text) + (piece.is_code ? ">" : "]");
    return out;
  };
  CHECK(shown("a `b c` d") == "[a ]<b c>[ d]");
  CHECK(shown("`b`") == "<b>");
  CHECK(shown("a ` b") == "[a ` b]");
  CHECK(shown("a `` b") == "[a `` b]");
  CHECK(shown("`a` ` b") == "<a>[ ` b]");
  CHECK(shown("") == "");
  CHECK(pieces(std::string(1 << 20, '`')).size() == 1);
}
