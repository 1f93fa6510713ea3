// LibTorch's warnings reach nobody who has not asked for them.
#include "tests/attach/scripts.hpp"

#include <c10/util/Exception.h>
#include <fcntl.h>
#include <unistd.h>

namespace test {
using namespace ascribe;
namespace {

// What is written to stderr meanwhile.
std::string stderr_of(const std::function<void()>& work) {
  Folder folder;
  auto path = folder / "stderr.txt";
  std::fflush(stderr);
  int before = ::dup(STDERR_FILENO), file = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
  ::dup2(file, STDERR_FILENO);
  work();
  std::fflush(stderr), std::cerr.flush();
  ::dup2(before, STDERR_FILENO);
  ::close(before), ::close(file);
  return bytes_of(path);
}

// The variance of one number: LibTorch warns each time.
Model warning_model() {
  return loaded(script("def forward(self, x):\n  return torch.relu(x) + torch.var(x[:1].detach()).nan_to_num()\n"));
}

TEST_CASE("what LibTorch warns of is not printed") {
  auto x = at::ones({1, 1});
  REQUIRE(stderr_of([&] { (void)at::var(at::ones({1}), true); }).find("degrees of freedom") != std::string::npos);
  auto model = warning_model();
  CHECK(stderr_of([&] { (void)model.run({x}); }) == "");
  CHECK(stderr_of([&] { (void)attribute(model, epsilon_plus(), x); }) == "");
  CHECK(stderr_of([&] { (void)layers(model, {x}); }) == "");
  CHECK(stderr_of([&] { (void)at::var(at::ones({1}), true); }) != "");  // and afterwards all is as it was
}

TEST_CASE("a handler of the program's own hears what it heard before") {
  struct Counting : c10::WarningHandler {
    void process(const c10::Warning&) override { ++count; }
    int count = 0;
  } counting;
  c10::WarningUtils::WarningHandlerGuard guard(&counting);
  (void)warning_model().run({at::ones({1, 1})});
  CHECK(counting.count == 1);
}

}  // namespace
}  // namespace test
