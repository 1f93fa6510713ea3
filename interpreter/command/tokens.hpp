// Relevance of each token of a text: what `ascribe run --tokens` prints, and writes as a page.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <vector>

#include "interpreter/command/screen.hpp"

namespace ascribe::command {

/// A text's tokens, one text for each sample, and the relevance of each.
struct TokenRelevance {
  std::vector<std::vector<std::string>> tokens;
  at::Tensor relevance;  ///< [samples, length], double, on the CPU
};

/// From a file with a line for each token, of the texts one after the other; or with a vocabulary, whose line n + 1 is
/// the token n, for inputs of integers. `input` is [samples, length], or [samples, length, size] for embeddings;
/// `relevance` has its shape. `lines` are the file's. Throws Error: usage where they fit neither.
TokenRelevance tokens_of(const std::string& path, const std::vector<std::string>& lines, const at::Tensor& input,
                         const at::Tensor& relevance);

/// The tokens in their colours where there are some, as running text; otherwise a line for each with its number.
/// Control characters are shown as ·.
std::string tokens_as_text(const TokenRelevance& found, const Screen& screen, const std::string& colour_map = "bwr");

/// A page of its own, which loads nothing: the texts in colours, a token's number where the pointer rests.
std::string tokens_as_html(const TokenRelevance& found, const std::string& title,
                           const std::string& colour_map = "bwr");

/// A text from a file as a terminal can bear it: control characters are shown as ·.
std::string without_controls(std::string_view text);

/// The lines of a text file. Throws Error: unreadable_file, too_large.
std::vector<std::string> read_lines(const std::string& path, const char* what);

}  // namespace ascribe::command
