// LibTorch's exceptions as people can read them.
#pragma once

#include <exception>
#include <string>

#include "ascribe/error.hpp"

namespace ascribe::libtorch {

/// The reason of a failure in one line: never a backtrace, a source position of LibTorch's, or an interpreter's
/// listing.
std::string reason(const std::exception& failure);

/// Whether memory ran out, in whatever words: std::bad_alloc, LibTorch's allocators, TorchScript's account of either.
bool out_of_memory(const std::exception& failure);

/// What happened to `what` ("layer 'features.0' (conv2d)") as an error of ours: too_large where memory ran out, else
/// `code` with the reason behind `so` ("cannot run").
Diagnostic describe(const std::exception& failure, const std::string& what, Code code, const std::string& so,
                    std::string help = "");

/// The error of ours, or the exception of a callback, that went through somebody else's code last on this thread:
/// TorchScript's interpreter makes its own of it.
std::exception_ptr& last_error();

}  // namespace ascribe::libtorch
