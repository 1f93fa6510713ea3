// A session as somebody at a prompt has it, without a terminal: lines in, answers out.
#pragma once

#include <string>
#include <string_view>

#include "interpreter/command/repl/completion.hpp"
#include "interpreter/command/repl/session.hpp"

namespace test {
using namespace ascribe;

struct Entering {
  explicit Entering(repl::SessionOptions options = {}) : session(std::move(options)) {}

  /// Enters lines, and gives the last answer; one that says "incomplete" where the last input is not whole.
  repl::Answer operator()(std::string_view lines) {
    repl::Answer out{.text = "incomplete"};
    while (true) {
      auto end = lines.find('\n');
      if (auto entered = reader.add(lines.substr(0, end)))
        out = session.run(std::move(*entered));
      else if (reader.is_open())
        out = {.text = "incomplete"};
      if (end == std::string_view::npos) return out;
      lines.remove_prefix(end + 1);
    }
  }

  repl::Session session;
  repl::InputReader reader{repl::InputReader::Naming::by_number};
};

/// The words of a completion.
inline std::vector<std::string> texts(const repl::Completion& completion) {
  std::vector<std::string> out;
  for (auto& each : completion.words) out.push_back(each.text);
  return out;
}

/// "A0201 input:3:1:5 unknown name `z`": the first message of an answer that failed.
inline std::string mistake(const repl::Answer& answer) {
  if (!answer.failed || answer.messages.empty()) return "no mistake: " + answer.text;
  auto& first = answer.messages.front();
  auto out = code_name(first.code) + " ";
  if (first.primary.source) {
    auto place = first.primary.source->position(first.primary.span.begin);
    out += first.primary.source->name() + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + " ";
  }
  return out + first.message;
}

}  // namespace test
