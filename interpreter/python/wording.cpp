#include "interpreter/python/wording.hpp"

#include <regex>
#include <string>
#include <utility>

namespace ascribe::python {
namespace {

// In order: a class has its module before its colons go.
void put(std::string& text) {
  static const std::pair<std::regex, const char*> words[] = {
      {std::regex("`--[^`]*`, in C\\+\\+ `"), "`ascribe."},
      {std::regex("`--start one`, `from_one\\(\\)`"), "`ascribe.Target(…).from_one()`"},
      {std::regex("`--at`"), "`layers`"},
      {std::regex("`ascribe layers`"), "`ascribe.layers(model, inputs)`"},
      {std::regex("NoGradGuard"), "torch.no_grad()"},
      {std::regex("InferenceMode"), "torch.inference_mode()"},
      {std::regex("\\b(Pack|Target)::"), "$1."}};
  for (auto& [theirs, ours] : words) text = std::regex_replace(text, theirs, ours);
}

}  // namespace

Diagnostic in_python(Diagnostic message) {
  for (auto* text : {&message.message, &message.note, &message.help}) put(*text);
  return message;
}

}  // namespace ascribe::python
