#include "interpreter/libtorch/failure.hpp"

#include <c10/util/Exception.h>

#include <algorithm>
#include <new>
#include <string_view>

#include "grammar/filled_text.hpp"

namespace ascribe::libtorch {
namespace {

std::string text_of(const std::exception& failure) {
  auto* own = dynamic_cast<const c10::Error*>(&failure);
  return own ? own->what_without_backtrace() : failure.what();
}

}  // namespace

std::string reason(const std::exception& failure) {
  auto text = text_of(failure);
  // TorchScript's interpreter puts its listing in front of the reason.
  constexpr std::string_view interpreter_mark = "RuntimeError: ";
  if (auto found = text.rfind(interpreter_mark); found != std::string::npos)
    text = text.substr(found + interpreter_mark.size());
  auto begin = text.find_first_not_of(" \n");
  text = begin == std::string::npos ? "unknown reason" : text.substr(begin);
  text = text.substr(0, text.find('\n'));
  text = text.substr(0, text.find(". This could be because the operator"));  // then, all backends there are
  for (std::string_view kind : {"AssertionError: ", "Exception: ", "ValueError: "})
    if (text.starts_with(kind)) text = text.substr(kind.size());
  while (!text.empty() && (text.back() == '.' || text.back() == ' ' || text.back() == ':')) text.pop_back();
  return text;
}

bool out_of_memory(const std::exception& failure) {
  if (dynamic_cast<const std::bad_alloc*>(&failure) || dynamic_cast<const c10::OutOfMemoryError*>(&failure))
    return true;
  auto text = text_of(failure);
  constexpr std::string_view words[] = {"std::bad_alloc", "can't allocate memory", "out of memory"};
  return std::any_of(std::begin(words), std::end(words), [&](auto each) { return text.find(each) != text.npos; });
}

Diagnostic describe(const std::exception& failure, const std::string& what, Code code, const std::string& so,
                    std::string help) {
  if (out_of_memory(failure))
    return {.code = Code::too_large,
            .message = filled("{}: memory is exhausted", what),
            .help = "give smaller inputs, or fewer samples at a time"};
  return {.code = code, .message = filled("{} {}: {}", what, so, reason(failure)), .help = std::move(help)};
}

std::exception_ptr& last_error() {
  thread_local std::exception_ptr error;
  return error;
}

}  // namespace ascribe::libtorch
