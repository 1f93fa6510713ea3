// What a program computes, as it would be written in a rule.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "interpreter/evaluate/plan/program.hpp"

namespace ascribe::evaluate::plan {

/// One expression for each output: `R / stabilize(positive.y, 1e-06)`. `name` says what sources are called.
std::vector<std::string> formulas(const Program& program, const std::function<std::string(const Source&)>& name);

}  // namespace ascribe::evaluate::plan
