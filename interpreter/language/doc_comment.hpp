// What the `##` comment above a definition says, by the convention of grammar/README.md: a description, then parts that
// begin with a label.
//
//     ## LRP-ε: relevance in proportion to each input's share. More sentences may follow.
//     ## Formula: R_i = x_i Σ_j w_ij R_j / s(z_j)
//     ## Source: Bach et al. 2015.
//     ## Example: linear => epsilon(1e-6)
//
// A comment without labels is all description.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ascribe::language {

enum class DocLabel { formula, source, use, assumes, example };

/// How a part is to be shown.
enum class DocForm {
  sentences,     ///< as in the description
  preformatted,  ///< line by line as it is written
  code,          ///< the same, in the language
};

struct DocLabelEntry {
  DocLabel label;
  std::string_view word;    ///< what a line begins with, before the colon
  std::string_view plural;  ///< the heading of several parts of this label
  DocForm form;
};

/// Every label, in the order in which parts are shown: the one table for reading and writing.
std::span<const DocLabelEntry> doc_labels();

/// From a label at a line's beginning to the next: what stands behind the colon and on the lines below.
struct DocPart {
  DocLabel label;
  std::string text;  ///< never empty: a label without a text is no part
};

struct DocComment {
  std::string description;     ///< all before the first label; empty lines are between its paragraphs
  std::vector<DocPart> parts;  ///< in the order in which they are written

  /// The description's first sentence, on one line and shortened where it is very long.
  std::string summary() const;
  /// The texts of all parts with this label.
  std::vector<std::string_view> texts(DocLabel label) const;
};

/// Reads a definition's `##` lines, given without their marks.
DocComment read_doc_comment(std::string_view documentation);

/// The paragraphs of a text, which empty lines separate. Their lines are without blanks at either end.
std::vector<std::string> paragraphs(std::string_view text);

/// A stretch of a paragraph: a text, or what stands between two backticks, which is code.
struct DocPiece {
  std::string_view text;  ///< of code: without the backticks
  bool is_code;
};

/// A backtick without a second one is a character as any other, and so are two without anything between them.
std::vector<DocPiece> pieces(std::string_view paragraph);

}  // namespace ascribe::language
