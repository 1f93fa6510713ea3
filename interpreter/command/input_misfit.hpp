// Inputs that do not fit a model, in terms of the options that they came from.
#pragma once

#include <string>

#include "interpreter/command/input_arguments.hpp"
#include "interpreter/model/misfit.hpp"

namespace ascribe::command {

/// The same error, with the file's name, and the options that mend it.
Error in_options(const model::InputMisfit& error, const std::string& path, const InputArguments& arguments);

/// Runs what gives a model the inputs of these arguments, and says so of what does not fit.
template <typename Work>
auto telling_misfits(const InputArguments& arguments, Work work) {
  try {
    return work();
  } catch (const model::InputMisfit& error) {
    throw in_options(error, arguments.inputs.at(error.misfit().input), arguments);
  }
}

}  // namespace ascribe::command
