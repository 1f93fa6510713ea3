// The grammar itself, without any text.
#include "tests/catch.hpp"

#include <tao/pegtl/contrib/analyze.hpp>

#include "grammar/grammar.hpp"

using namespace ascribe;

TEST_CASE("no rule of the grammar can go on without reading anything") {
  CHECK(grammar::analyze<grammar::item_line>() == 0);
  CHECK(grammar::analyze<grammar::blanks>() == 0);
  CHECK(grammar::analyze<grammar::single_call>() == 0);
  CHECK(grammar::analyze<grammar::session_input>() == 0);
}
