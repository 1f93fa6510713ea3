// From "the grammar stopped here, where it could have gone on with these" to a message that helps.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "grammar/diagnostic.hpp"

namespace ascribe {

/// The furthest place that the grammar reached, and what would have let it go on there.
class Expectations {
 public:
  void note(std::size_t offset, std::string_view what);
  void forget();

  std::size_t offset() const { return offset_; }
  bool has(std::string_view what) const;
  /// "a clause or `}`"
  std::string listed() const;

 private:
  std::size_t offset_ = 0;
  std::vector<std::string_view> expected_;
};

/// What the grammar's rules are called in messages, and in which order several are listed.
namespace expecting {
inline constexpr std::string_view
    item = "a definition (`rule`, `composite`, `fn`, `test`, `pack`, `import`)",
    clause = "a clause (`input`, `param`, `output`, `map`, `term`, `let`, `reduce`, `forward`, `backward`, `require`)",
    modifier = "a modifier (`input`, `param`, `output`, `map`)", entry = "an entry (`convolution => epsilon`)",
    test_clause = "`expect`, `let` or a field (`model = …`)", expression = "an expression",
    layers = "a layer kind or a glob", name = "a name", string = "a string", parameters = "parameters in parentheses",
    equals = "`=`", arrow = "`=>`", comma = "`,`", open_brace = "`{`", then = "`then`", otherwise = "`else`",
    as = "`as`", close_parenthesis = "`)`", close_bracket = "`]`", close_brace = "`}`", operation = "an operator",
    end = "the end";
}  // namespace expecting

/// The diagnostic for a piece of a source that begins at `begin` and could not be read on beyond `expectations`.
/// `whole` is what the source is called where it ends: "the file".
Diagnostic explain_syntax_error(const SourcePointer& source, std::size_t begin, const Expectations& expectations,
                                const std::vector<std::string_view>& reserved_words, std::string_view whole);

}  // namespace ascribe
