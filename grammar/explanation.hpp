// What every code means, at length: the pages of `ascribe explain`. A page is a section of a file in explanations/, one
// file for each hundred codes; to add one, add the section. The format:
//
//     # A0207 a value of one space where another is needed
//
//     Why this is a mistake, and what to do, in a few sentences.
//
//     ```rule
//     what fails
//     ```
//
//     ```rule
//     what does not
//     ```
//
// The word behind the marks says what an example is, and with it what a test can do with it:
//
//     rule       a rule file: the first fails with the page's code, the second without an error
//     test       `test` blocks, for what only shows on a layer
//     shell      a command in examples/, and files that it needs as `cat > name <<'end'`
//     cpp        a program that uses the library
//     generated  too large to be written out: a line that says what it is
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/diagnostic.hpp"

namespace ascribe {

struct Example {
  enum class Kind { rule, test, shell, cpp, generated };
  Kind kind;
  std::string text;  ///< with its last line end
};

struct Explanation {
  Code code;
  std::string title;  ///< One line, lower case, no full stop.
  std::string text;   ///< Paragraphs, each one line, with empty lines between them.
  Example failing, mended;
};

/// All pages, in the order of their codes. The first call reads them; throws std::logic_error where one is malformed.
const std::vector<Explanation>& explanations();

/// The page for a code; null where there is none.
const Explanation* find_explanation(Code code);

/// The number in `A0207`, `a207` or `207`; nothing for anything else.
std::optional<int> read_code(std::string_view written);

/// A page as text of at most 100 columns. `messages` gives what a rule file's check says; it is shown below the failing
/// example.
std::string render_explanation(const Explanation& page,
                               const std::function<std::vector<Diagnostic>(const std::string& text)>& messages,
                               bool colour = false);

/// The files that the pages are made of, as they are written.
std::span<const std::string_view> explanation_files();

/// The pages of one such file.
std::vector<Explanation> read_explanations(std::string_view file);

}  // namespace ascribe
