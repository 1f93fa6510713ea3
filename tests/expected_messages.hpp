// Messages as data: a line of a rule file says behind `#!` which messages it makes, as CODE:COLUMN and the text.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "grammar/diagnostic.hpp"

namespace test {
using namespace ascribe;

/// "12:5 A0201 unknown name `yy`", one for each `#!` of the file.
inline std::vector<std::string> expected_messages(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    for (auto begin = line.find("#! "); begin != std::string::npos;) {
      auto next = line.find("  #! ", begin);
      auto message = line.substr(begin + 3, next == std::string::npos ? next : next - begin - 3);
      auto colon = message.find(':'), space = message.find(' ');
      out.push_back(std::to_string(number) + message.substr(colon, space - colon) + " " + message.substr(0, colon) +
                    message.substr(space));
      begin = next == std::string::npos ? next : next + 2;
    }
  }
  return out;
}

/// A message in the same form.
inline std::string shown_message(const Diagnostic& diagnostic) {
  if (!diagnostic.primary.source) return "nowhere " + code_name(diagnostic.code) + " " + diagnostic.message;
  auto [line, column] = diagnostic.primary.source->position(diagnostic.primary.span.begin);
  return std::to_string(line) + ":" + std::to_string(column) + " " + code_name(diagnostic.code) + " " +
         diagnostic.message;
}

}  // namespace test
