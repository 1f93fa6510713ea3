#include "interpreter/attach/cost.hpp"

#include <ATen/record_function.h>

namespace ascribe::attaching {
namespace {

thread_local std::size_t called = 0;
thread_local int depth = 0;

}  // namespace

Measuring::Measuring(double& seconds, std::size_t& operators)
    : seconds_(seconds),
      operators_(operators),
      before_(called),
      callback_(at::addThreadLocalCallback(at::RecordFunctionCallback(
                                               [](const at::RecordFunction&) -> std::unique_ptr<at::ObserverContext> {
                                                 if (depth++ == 0) ++called;
                                                 return nullptr;
                                               },
                                               [](const at::RecordFunction&, at::ObserverContext*) { --depth; })
                                               .scopes({at::RecordScope::FUNCTION}))),
      begin_(std::chrono::steady_clock::now()) {}

Measuring::~Measuring() {
  at::removeCallback(callback_);
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  operators_ += called - before_;
}

}  // namespace ascribe::attaching
