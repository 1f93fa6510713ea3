// One who watches the modules of a running model, and takes some.
#pragma once

#include "interpreter/libtorch/module_calls.hpp"
#include "interpreter/libtorch/module_scope.hpp"
#include "tests/attach/exported.hpp"

namespace test {
using namespace ascribe;

/// Watches while it lives; answers what it takes with what the module computes.
class Watching : public libtorch::ModuleObserver {
 public:
  using Takes = std::function<bool(const std::string& path, const std::string& class_name)>;

  explicit Watching(Takes takes = {}) : takes_(std::move(takes)) { libtorch::module_observer() = this; }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;
  ~Watching() override { libtorch::module_observer() = nullptr; }

  bool wants(const libtorch::Callee& callee) override {
    asked.push_back(callee.path + ":" + callee.class_name);
    counts[callee.path] = callee.operators;
    return takes_ && takes_(callee.path, callee.class_name);
  }
  std::vector<at::Tensor> call(const libtorch::ModuleCall& call) override {
    calls.push_back(call);
    answers.push_back(call.run(call.inputs));
    return answers.back();
  }

  std::vector<std::string> asked;
  std::map<std::string, std::size_t> counts;
  std::vector<libtorch::ModuleCall> calls;
  std::vector<Tensors> answers;

 private:
  Takes takes_;
};

inline Watching::Takes takes_path(const std::string& path) {
  return [path](auto& each, auto&) { return each == path; };
}
inline Watching::Takes takes_class(const std::string& name) {
  return [name](auto&, auto& each) { return each == name; };
}

/// Copies, as models may write into what they are given.
inline Tensors copies(const Tensors& tensors) {
  Tensors out;
  for (auto& each : tensors) out.push_back(each.clone());
  return out;
}

inline bool same_bits(const Tensors& found, const Tensors& expected) {
  return found.size() == expected.size() &&
         std::equal(found.begin(), found.end(), expected.begin(), [](auto& a, auto& b) { return same_bits(a, b); });
}

}  // namespace test
