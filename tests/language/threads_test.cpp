// Threads that load at the same time, and ask packs while others reload them. The same tests run under the thread
// sanitizer (`./dev test`).
#include <atomic>
#include <latch>
#include <mutex>
#include <thread>

#include "tests/catch.hpp"
#include "tests/folder.hpp"
#include "tests/language/loading.hpp"

namespace {

using namespace ascribe;
using test::pack_rule;

constexpr std::size_t thread_count = 8;
constexpr int turns = 10;

// Runs an action in each thread, all at once; gives how many of them threw.
template <typename Action>
int in_threads(Action action) {
  std::latch start(thread_count);
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < thread_count; ++i)
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      try {
        for (int turn = 0; turn < turns; ++turn) action(i);
      } catch (const std::exception&) {
        ++failures;
      }
    });
  for (auto& each : threads) each.join();
  return failures;
}

std::shared_ptr<const Files> acme() {
  return Files::memory({{"acme/pack.rule", pack_rule("acme")},
                        {"acme/soft.rule", "import \"base\" as base\nrule soft(a = 1) = base.plain(a)"},
                        {"lib/base/pack.rule", pack_rule("base")},
                        {"lib/base/plain.rule", "rule plain(a = 1) { map = a * R / stabilize(y) }"},
                        {"bad/pack.rule", pack_rule("bad") + "rule bad { map = RR }"}});
}

}  // namespace

TEST_CASE("threads load at the same time, sound packs and others") {
  auto files = acme();
  std::atomic<int> refused = 0;
  auto failures = in_threads([&](std::size_t i) {
    auto pack = Pack::load("acme", {.files = files, .path = {"lib"}});
    if (pack.rule("soft", {{"a", i}}).description() != "soft(a = " + std::to_string(i) + ")")
      throw std::logic_error("another thread's rule");
    Pack::standard().call("epsilon_plus");
    try {
      Pack::load("bad", {.files = files});
    } catch (const Error& error) {
      if (error.diagnostics().size() == 1) ++refused;
    }
  });
  CHECK(failures == 0);
  CHECK(refused == static_cast<int>(thread_count) * turns);
}

TEST_CASE("threads keep the pack that they have while one reloads it from disk") {
  test::Folder folder;
  std::filesystem::create_directory(folder / "acme");
  folder.file("acme/pack.rule", pack_rule("acme") + "rule soft(a = 1) { map = a * R }");
  std::mutex mutex;
  auto current = Pack::load(folder / "acme");
  auto failures = in_threads([&](std::size_t i) {
    auto mine = [&] {
      std::lock_guard lock(mutex);
      return current;
    }();
    if (i == 0) {
      auto newer = mine.reload();
      std::lock_guard lock(mutex);
      current = newer;
    }
    if (mine.rule("soft").description() != "soft(a = 1)") throw std::logic_error("a broken rule");
  });
  CHECK(failures == 0);
}
