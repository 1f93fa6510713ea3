// The kinds of layers that selectors know: one table, which the checker, the matching of layers and the documentation
// read.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace ascribe::language {

struct Kind {
  std::string_view name;                         ///< the member: `conv2d`
  std::string_view group;                        ///< the word for all of its like: `convolution`; may equal the name
  std::span<const std::string_view> parameters;  ///< what `param` clauses may name
  int sample_rank;                               ///< dimensions of its input with the batch in front; 0: any
};

std::span<const Kind> kinds();
/// Null where there is none of this name.
const Kind* find_kind(std::string_view name);
/// Whether a word (a member, a group or `any`) covers a kind.
bool covers(std::string_view word, const Kind& kind);
bool is_kind_word(std::string_view word);
/// Every word that a selector may use.
std::vector<std::string_view> kind_words();
/// Whether some kind of layer has a parameter of this name.
bool is_parameter_name(std::string_view name);
std::vector<std::string_view> parameter_names();

}  // namespace ascribe::language
