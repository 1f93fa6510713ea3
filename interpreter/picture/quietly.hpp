// What all pictures have in common with LibTorch.
#pragma once

#include <ATen/core/grad_mode.h>

#include "ascribe/error.hpp"
#include "interpreter/libtorch/dispatch.hpp"
#include "interpreter/libtorch/failure.hpp"

namespace ascribe::picture {

/// Draws unseen by the rules that are attached, without history, and with errors of ours.
template <typename Drawing>
auto quietly(const Drawing& draw) {
  try {
    libtorch::Pause pause;  // drawing is no layer of whatever rules are attached to
    at::NoGradGuard no_grad;
    return draw();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(libtorch::describe(failure, "the relevance", Code::wrong_tensor, "cannot be drawn",
                                   "give the relevance of an attribution that went to its input"));
  }
}

}  // namespace ascribe::picture
