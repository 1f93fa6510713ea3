// `R[0, 1:4]`: parts of tensors, which only sessions have. To the grammar each of them is a name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "grammar/parser.hpp"
#include "interpreter/command/repl/value.hpp"

namespace ascribe::repl {

/// A part of a tensor as it is written. What stands within its base or its places is read when it is needed.
struct Indexing {
  /// Of one dimension: an index in `first`, or a slice `first:last:step`. Empty spans were left out.
  struct Place {
    bool is_slice = false;
    Span first{}, last{}, step{};
  };
  std::string name;  ///< which stands for it in the tree; as long as what is written, and nowhere else in the source
  Span whole, base;  ///< `R[0]` and its `R`
  std::vector<Place> places;
};

/// What was entered, and the outermost indexings in its statements.
struct SessionInput {
  ParsedInput parsed;
  std::vector<Indexing> indexings{};
};

/// parse_input() for a session.
SessionInput parse_session_input(const SourcePointer& source, std::vector<Diagnostic>& diagnostics);

/// Diagnostics about the tree as they are about what was written.
void show_as_written(std::vector<Diagnostic>& diagnostics, const SourcePointer& source,
                     const std::vector<Indexing>& indexings);

/// What is taken of one dimension: one index, or a slice, in which nothing means from the beginning and to the end. As
/// NumPy has it, a slice takes what is there of it; an index has to be there.
struct Taken {
  bool is_slice = false;
  std::optional<std::int64_t> first, last, step;
};

/// A view of that part; negative numbers count from the end. Throws Error (bad_dimension): what is not there. The error
/// has no place.
at::Tensor part_of(const at::Tensor& tensor, const std::vector<Taken>& taken);

}  // namespace ascribe::repl
