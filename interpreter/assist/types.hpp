// What the checker knows of expressions: the spaces that they live in, and the values of those that are constant.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "interpreter/assist/project.hpp"
#include "interpreter/language/type.hpp"

namespace ascribe::assist {

struct TypedExpression {
  Span span;
  language::Type type;
  std::optional<double> value{};
};

/// The innermost expression of a sound rule around an offset. Nothing where there is none, or its type depends on a
/// call.
std::optional<TypedExpression> expression_at(const Project& project, const Page& page, std::size_t offset);

/// The space of a let's value, by the let's name, where every use gives the same.
std::optional<language::Type> type_of_let(const Project& project, const Page& page, std::size_t item, Span name);

/// A word for a type, as an annotation has it: `output`; `sample` and `truth` are none of the language.
std::string short_word(language::Type type);

/// A few words that are shown between those of a text.
struct Hint {
  std::size_t offset;
  std::string text;
  bool is_type;  ///< otherwise the name of an argument, in front of it
};

/// The spaces of lets, and the names of arguments that are given by position, in a stretch of a page.
std::vector<Hint> hints(const Project& project, const PagePointer& page, Span within);

}  // namespace ascribe::assist
