// A host program with many threads: eight of them serve requests on one model, with one of two packs each, and one pack
// is loaded anew while they work.
//
//     threads PACK PACK MODEL
//
// prints how many requests got what they would have got alone: all of them.
#include <ascribe/attribute.hpp>
#include <ascribe/error.hpp>
#include <ascribe/model.hpp>
#include <ascribe/pack.hpp>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <array>
#include <atomic>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int thread_count = 8, requests = 40;

// What is loaded now. A pack never changes; loading it anew makes another one, which takes its place here. Who works
// with the old one keeps it until the work is done.
using Current = std::atomic<std::shared_ptr<const ascribe::Pack>>;

at::Tensor explain(const ascribe::Model& model, const ascribe::Pack& pack, const at::Tensor& x) {
  return ascribe::attribute(model, pack.composite("explain"), x).relevance;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: threads PACK PACK MODEL\n";
    return 2;
  }
  try {
    at::set_num_threads(1);  // of each operator: the requests are what runs side by side
    std::array<Current, 2> packs;
    for (std::size_t i = 0; i < packs.size(); ++i)
      packs[i] = std::make_shared<const ascribe::Pack>(ascribe::Pack::load(arguments[1 + i]));
    auto model = ascribe::Model::load(arguments[3]);

    at::manual_seed(1);
    auto x = at::rand({1, 1, 8, 8});
    std::array<at::Tensor, 2> alone;
    for (std::size_t i = 0; i < packs.size(); ++i) alone[i] = explain(model, *packs[i].load(), x);

    std::atomic<int> right = 0, done = 0;
    std::array<std::exception_ptr, thread_count> failures;  // an exception must not leave its thread
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < thread_count; ++t)
      threads.emplace_back([&, t] {
        try {
          for (int request = 0; request < requests; ++request, ++done) {
            auto pack = packs[t % 2].load();  // for this request, whatever is loaded meanwhile
            right += at::equal(explain(model, *pack, x), alone[t % 2]);
          }
        } catch (...) {
          failures[t] = std::current_exception();
          done += requests;  // nobody waits for it
        }
      });

    // In the middle of it, the first pack's files are read again. Were there a mistake in them, the threads would go on
    // with what they have.
    while (done < thread_count * requests / 2) std::this_thread::yield();
    std::string reloaded = "reloaded";
    try {
      packs[0] = std::make_shared<const ascribe::Pack>(packs[0].load()->reload());
    } catch (const ascribe::Error& error) {
      reloaded = error.what();
    }

    for (auto& each : threads) each.join();
    for (auto& each : failures)
      if (each) std::rethrow_exception(each);
    std::cout << packs[0].load()->name() << " " << packs[0].load()->version() << ": " << reloaded << "\n"
              << right << " of " << done << " requests as if they were alone\n";
    return right == thread_count * requests ? 0 : 1;
  } catch (const ascribe::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
