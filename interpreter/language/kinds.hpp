// The kinds of layers that selectors know: one table, which the checker, the matching of layers and the documentation
// read.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ascribe::language {

struct Kind {
  std::string_view name;                         ///< the member: `conv2d`
  std::string_view group;                        ///< the word for all of its like: `convolution`; may equal the name
  std::span<const std::string_view> parameters;  ///< what `param` clauses may name
  int sample_rank;                               ///< dimensions of its input with the batch in front; 0: any
};

/// Sets of kinds have room for so many.
inline constexpr std::size_t most_kinds = 128;

std::span<const Kind> kinds();
/// Null where there is none of this name.
const Kind* find_kind(std::string_view name);
/// Whether a word (a member, a group or `any`) covers a kind.
bool covers(std::string_view word, const Kind& kind);
bool is_kind_word(std::string_view word);
/// Every word that a selector may use.
std::vector<std::string_view> kind_words();

/// What selects modules instead of layers, each with a string behind it: by their path, and by their class's name.
inline constexpr std::string_view module_words[] = {"module", "class"};
constexpr bool is_module_word(std::string_view word) { return word == module_words[0] || word == module_words[1]; }

/// The names of parameters that the kinds of layers have.
std::vector<std::string_view> parameter_names();
bool is_parameter_name(std::string_view name);
/// Why no layer and no module can have a parameter of this name, as the help of the message that says so; nothing where
/// one can. A module that is taken as one layer calls its own as it likes, and those inside by their path: `0.weight`.
/// What is nearly a name of the kinds' is a slip of the hand.
std::optional<std::string> refused_parameter_name(std::string_view name);

}  // namespace ascribe::language
