// LibTorch's random numbers begin anywhere in each process: in tests they are the same each time.
#define ASCRIBE_TEST_WITH_LIBTORCH
#define CATCH_CONFIG_EXTERNAL_INTERFACES  // Catch2 2 has its listeners only then
#include <ATen/Context.h>

#include "tests/catch.hpp"

namespace {

#if __has_include(<catch2/catch_all.hpp>)
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

struct Seed : Listener {
  using Listener::Listener;
  void testCaseStarting(const Catch::TestCaseInfo& test) override {
    Listener::testCaseStarting(test);
    at::manual_seed(1);
  }
};

}  // namespace

CATCH_REGISTER_LISTENER(Seed)
