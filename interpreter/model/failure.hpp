// LibTorch's exceptions as people can read them.
#pragma once

#include <exception>
#include <string>

namespace ascribe::model {

/// The reason of a failure in one line: never a backtrace, a source position of LibTorch's, or an interpreter's
/// listing.
std::string reason(const std::exception& failure);

}  // namespace ascribe::model
