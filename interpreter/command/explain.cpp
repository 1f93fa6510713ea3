// `ascribe explain`: what a message's code means, with an example that fails and one that does not.
#include <unistd.h>

#include <iostream>

#include "ascribe/pack.hpp"
#include "grammar/explanation.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/command/colour.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"

namespace ascribe::command {
namespace {

std::vector<Diagnostic> messages(const std::string& text) {
  try {
    return Pack::parse(text, "example.rule").warnings();
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

Error unknown_code(const std::string& written) {
  std::vector<std::string> known;
  for (auto& page : explanations()) known.push_back(code_name(page.code));
  auto number = read_code(written);
  auto meant = nearest(number ? code_name(static_cast<Code>(*number)) : written, known);
  return Error({.code = Code::usage,
                .message = filled("there is no code '{}'", written),
                .help = meant.empty() ? filled("codes go from {} to {}; `ascribe explain` lists them", known.front(),
                                               known.back())
                                      : filled("did you mean `ascribe explain {}`?", meant)});
}

int explain(const std::string& written) {
  if (written.empty()) {
    for (auto& page : explanations()) std::cout << code_name(page.code) << "  " << page.title << "\n";
    return fine;
  }
  auto number = read_code(written);
  auto* page = number ? find_explanation(static_cast<Code>(*number)) : nullptr;
  if (!page) throw unknown_code(written);
  std::cout << render_explanation(*page, messages, wants_colour(STDOUT_FILENO));
  return fine;
}

}  // namespace

Run add_explain(CLI::App& app) {
  auto* command = app.add_subcommand("explain", "Says what a message's code means, with examples");
  auto code = std::make_shared<std::string>();
  command->add_option("CODE", *code, "such as A0207; without it, all codes are listed")->type_name("CODE");
  return [code] { return explain(*code); };
}

}  // namespace ascribe::command
