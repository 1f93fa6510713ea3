// Operators that exporting writes for what current models are made of.
#include "tests/attach/exported.hpp"

namespace test {
using namespace ascribe;
namespace {

TEST_CASE("what decoders are made of computes what PyTorch computes") {
  at::NoGradGuard no_grad;
  for (std::string name : {"bits", "causal", "rotary", "rotary_complex", "cache", "experts", "constants",
                           "scaled_attention", "bags", "replaced"})
    for (std::string kind : {"", "_decomposed"}) {
      INFO(name << kind);
      std::string found;
      CHECK(failure([&] { found = against_pytorch(exported_model(name + kind)); }) == "no error");
      CHECK(found == "");
    }
}

}  // namespace
}  // namespace test
