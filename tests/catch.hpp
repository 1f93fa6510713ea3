// Catch2, version 2 or 3, beside LibTorch where a test links it (which then defines ASCRIBE_TEST_WITH_LIBTORCH).
#pragma once

#ifdef ASCRIBE_TEST_WITH_LIBTORCH
// LibTorch's logging has a CHECK too, which ends the program. Were it included after Catch2, it would replace Catch2's
// without a word; so it comes first, goes, and its include guard keeps it from coming back.
#include <ATen/core/Tensor.h>
#include <c10/util/Logging.h>
#undef CHECK
#endif

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
