#include "interpreter/model/failure.hpp"

#include <c10/util/Exception.h>

#include <string_view>

namespace ascribe::model {

std::string reason(const std::exception& failure) {
  auto* own = dynamic_cast<const c10::Error*>(&failure);
  std::string text = own ? own->what_without_backtrace() : failure.what();
  // TorchScript's interpreter puts its listing in front of the reason.
  constexpr std::string_view interpreter_mark = "RuntimeError: ";
  if (auto found = text.rfind(interpreter_mark); found != std::string::npos)
    text = text.substr(found + interpreter_mark.size());
  auto begin = text.find_first_not_of(" \n");
  text = begin == std::string::npos ? "unknown reason" : text.substr(begin);
  text = text.substr(0, text.find('\n'));
  for (std::string_view kind : {"AssertionError: ", "Exception: ", "ValueError: "})
    if (text.starts_with(kind)) text = text.substr(kind.size());
  while (!text.empty() && (text.back() == '.' || text.back() == ' ' || text.back() == ':')) text.pop_back();
  return text;
}

}  // namespace ascribe::model
