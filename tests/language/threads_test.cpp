// Threads that load at the same time, and ask packs while others reload them. The same tests run under the thread
// sanitizer (`./dev test`).
#include <atomic>
#include <fstream>
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
  auto write = [&](int number) {
    std::ofstream(folder / "acme/pack.rule") << pack_rule("acme") << "rule soft(a = " << number << ") { map = a * R }";
    return "soft(a = " + std::to_string(number) + ")";
  };
  write(0);
  std::mutex mutex;
  auto current = Pack::load(folder / "acme");
  int reloads = 0;  // of the thread that does it
  auto failures = in_threads([&](std::size_t i) {
    auto mine = [&] {
      std::lock_guard lock(mutex);
      return current;
    }();
    auto before = mine.rule("soft").description();
    if (i == 0) {
      auto written = write(++reloads);
      auto newer = mine.reload();
      if (newer.rule("soft").description() != written) throw std::logic_error("what was before, once more");
      std::lock_guard lock(mutex);
      current = newer;
    }
    if (mine.rule("soft").description() != before) throw std::logic_error("another one's rule");
  });
  CHECK(failures == 0);
  CHECK(current.rule("soft").description() == "soft(a = " + std::to_string(reloads) + ")");
}
