// The places that an expression can stand in, and what it sees there.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "interpreter/language/resolved.hpp"

namespace ascribe::language {

/// Where an expression stands; it decides what the expression sees (the table of the language's section 3).
enum class Clause {
  input,
  param,
  output,
  map,
  reduce,
  forward,
  backward,
  require,
  argument,
  function,
  test,  ///< an expectation; the others are the fields of a test
  test_model,
  test_x,
  test_R,
  session  ///< what is entered at a prompt; it sees what an expectation sees, and the session's values
};

bool is_in_test(Clause clause);

/// The word that messages use for a clause: "`map`".
std::string describe(Clause clause);

/// What a clause sees.
struct Sight {
  Clause clause;
  std::string_view word;  ///< or words, which are no word of the language
  std::initializer_list<Quantity> quantities;
  std::initializer_list<Quantity> terms;  ///< x, y and v of named terms
};
const Sight& sight(Clause clause);

}  // namespace ascribe::language
