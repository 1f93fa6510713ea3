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

// LibTorch's C++ names of element types as Python has them.
std::string type_of(std::string_view name) {
  for (std::string_view begin : {"torch.", "cuda.", "CPU", "CUDA"})
    if (name.starts_with(begin)) name.remove_prefix(begin.size());
  for (std::string_view end : {"Tensor", "Type"})
    if (name.ends_with(end)) name.remove_suffix(end.size());
  constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"Byte", "uint8"},   {"Char", "int8"},     {"Short", "int16"},    {"Int", "int32"},         {"Long", "int64"},
      {"Half", "float16"}, {"Float", "float32"}, {"Double", "float64"}, {"BFloat16", "bfloat16"}, {"Bool", "bool"}};
  for (auto& [ours, python] : names)
    if (name == ours) return std::string(python);
  return std::string(name);
}

// "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got
// torch.FloatTensor instead (while checking arguments for embedding)"
std::string with_plain_types(const std::string& text) {
  constexpr std::string_view begin = "Expected tensor for argument #", types = "scalar types: ", but = "; but got ",
                             end = " instead";
  if (!text.starts_with(begin)) return text;
  auto name = text.find('\''), name_end = text.find('\'', name + 1), first = text.find(types), got = text.find(but),
       last = text.find(end);
  if (name_end == text.npos || first == text.npos || got == text.npos || last == text.npos || got > last) return text;
  std::string wanted;
  first += types.size();
  for (auto comma = first; first < got; first = comma + 2) {
    comma = std::min(text.find(", ", first), got);
    wanted += (wanted.empty() ? "" : " or ") + type_of(std::string_view(text).substr(first, comma - first));
  }
  got += but.size();
  return filled("{} is of {}, not of {}", text.substr(name + 1, name_end - name - 1),
                type_of(std::string_view(text).substr(got, last - got)), wanted);
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
  text = with_plain_types(text);
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
  auto why = reason(failure);
  if (why.find("modified by an inplace operation") != why.npos) {  // then, how to look for it in Python
    why = "an operator writes into a tensor that the derivative of another one needs";
    help = "write `x = x * y` instead of `x *= y` in the model, or take it from torch.export, which does so";
  }
  return {.code = code, .message = filled("{} {}: {}", what, so, why), .help = std::move(help)};
}

std::exception_ptr& last_error() {
  thread_local std::exception_ptr error;
  return error;
}

}  // namespace ascribe::libtorch
