// Several copies of the library in one process work together: whichever attached last serves, whichever runs the model.
#include <dlfcn.h>

#include <atomic>
#include <exception>
#include <iostream>
#include <thread>

#include "copy.hpp"

namespace {

int failures = 0;

void check(bool holds, const std::string& what) {
  if (holds) return;
  std::cout << "does not hold: " << what << std::endl;
  ++failures;
}

std::vector<double> under(Copy& copy, const std::string& rule) {
  copy.attach(rule);
  auto out = copy.relevance();
  copy.remove();
  return out;
}

struct Plugin {
  explicit Plugin(const char* file) : library(dlopen(file, RTLD_NOW | RTLD_LOCAL)) {
    if (!library) throw std::runtime_error(dlerror());
    auto make = reinterpret_cast<Copy* (*)()>(dlsym(library, "make_copy"));
    if (!make) throw std::runtime_error(dlerror());
    copy = make();
  }
  void* library;
  Copy* copy;
};

void run(const char* first, const char* second, const std::string& model) {
  Plugin one(first), two(second);
  Copy* own = make_copy();

  // They meet for the first time, on two threads at once.
  std::vector<double> zplus, gamma;
  std::atomic<int> ready = 0;
  auto begin = [&](Copy* copy, const char* rule, std::vector<double>& into) {
    ++ready;
    while (ready < 2) {
    }
    into = under(*copy, rule);
  };
  std::thread a([&] { begin(one.copy, "zplus", zplus); }), b([&] { begin(two.copy, "gamma", gamma); });
  a.join(), b.join();
  auto epsilon = under(*own, "epsilon"), plain = own->relevance();
  check(zplus != gamma && gamma != epsilon && zplus != epsilon && plain != epsilon, "rules differ");
  check(plain == std::vector<double>{0.5, 0.5, 4.5}, "without rules, it is the gradient");

  for (bool in_order : {true, false}) {
    one.copy->attach("zplus");
    two.copy->attach("gamma");
    for (auto* each : {own, one.copy, two.copy}) check(each->relevance() == gamma, "the last one attached serves");
    (in_order ? two : one).copy->remove();
    for (auto* each : {own, one.copy, two.copy})
      check(each->relevance() == (in_order ? zplus : gamma), "then the one that is left");
    own->attach("epsilon");
    for (auto* each : {own, one.copy, two.copy}) check(each->relevance() == epsilon, "then the newest");
    own->remove();
    (in_order ? one : two).copy->remove();
    for (auto* each : {own, one.copy, two.copy}) check(each->relevance() == plain, "and in the end none");
  }

  const std::string names =
      "features.0 features.1 features.2 features.3 features.4 features.5 features.6 features.7 classifier ";
  two.copy->attach("gamma");
  for (auto* each : {own, one.copy, two.copy}) check(each->layers(model) == names, "each knows its modules' names");
  two.copy->remove();

  std::atomic<int> wrong = 0;
  auto work = [&](Copy* copy, const char* rule, const std::vector<double>& expected) {
    for (int turn = 0; turn < 200; ++turn) wrong += under(*copy, rule) != expected;
  };
  std::thread threads[] = {std::thread(work, one.copy, "zplus", zplus), std::thread(work, two.copy, "gamma", gamma),
                           std::thread(work, own, "epsilon", epsilon)};
  for (auto& each : threads) each.join();
  check(wrong == 0, "threads with different copies do not see each other");

  // Whichever has registered the kernel, it stays.
  delete one.copy, delete two.copy;
  dlclose(one.library), dlclose(two.library);
  check(under(*own, "epsilon") == epsilon, "a copy goes on when the others are closed");
  Plugin again(first);
  check(under(*again.copy, "zplus") == zplus, "a copy that was closed comes back");
  check(again.copy->layers(model) == names, "with its modules' names");
}

}  // namespace

int main(int, char** arguments) {
  try {
    run(arguments[1], arguments[2], arguments[3]);
  } catch (const std::exception& failure) {
    check(false, failure.what());
  }
  if (failures == 0) std::cout << "all as if alone\n";
}
