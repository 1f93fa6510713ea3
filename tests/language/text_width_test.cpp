// Columns of a terminal.
#include "grammar/text_width.hpp"

#include "tests/catch.hpp"

using namespace ascribe;

TEST_CASE("most characters take one column, East Asian ones and emoji two, combining ones none") {
  CHECK(text_width("plain") == 5);
  CHECK(text_width("Größe") == 5);
  CHECK(text_width("関連") == 4);
  CHECK(text_width("ｗ") == 2);  // full width
  CHECK(text_width("🔥") == 2);
  CHECK(text_width("o\u0308") == 1);
  CHECK(text_width("\u200B\u200D\uFE0F") == 0);
  CHECK(text_width("한글") == 4);
  CHECK(text_width("\u1112\u1161\u11AB") == 2);  // the same syllable from its parts
  CHECK(text_width("αβγ…×") == 5);
  CHECK(text_width("") == 0);
}

TEST_CASE("the tables' ends belong to them") {
  CHECK(width_of(0x10FF) == 1);
  CHECK(width_of(0x1100) == 2);
  CHECK(width_of(0x115F) == 2);
  CHECK(width_of(0x2FF) == 1);
  CHECK(width_of(0x300) == 0);
  CHECK(width_of(0x36F) == 0);
  CHECK(width_of(0x370) == 1);
  CHECK(width_of(0x10FFFF) == 1);
  CHECK(width_of('\n') == 0);
  CHECK(width_of(0x9B) == 0);
}

TEST_CASE("bytes that are no UTF-8 are one replacement character each") {
  for (std::string_view text : {"\xFF", "\xC3", "\xED\xA0\x80", "\x80", "\xF0\x9F\x94", "\xC0\xAF"}) {
    CHECK(character_at(text, 0).code == 0xFFFD);
    CHECK(character_at(text, 0).bytes == 1);
    CHECK(text_width(text) == text.size());
  }
  CHECK(character_at("\xC3\xA9", 0).code == 0xE9);
  CHECK(character_at("\xC3\xA9", 0).bytes == 2);
  CHECK(character_at("🔥", 0).code == 0x1F525);
}
