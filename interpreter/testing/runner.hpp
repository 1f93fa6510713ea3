// Running `test` blocks: each builds its model, and holds what it expects against what the rules give. Float64.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "grammar/diagnostic.hpp"
#include "interpreter/language/resolved.hpp"

namespace ascribe::testing {

struct TestResult {
  std::shared_ptr<const language::Test> test;
  std::vector<Diagnostic> failures;  ///< empty: it passed
  double seconds = 0;
};

/// Runs one test. Failures are in the result; nothing is thrown but std::bad_alloc.
TestResult run(const std::shared_ptr<const language::Test>& test);

}  // namespace ascribe::testing
