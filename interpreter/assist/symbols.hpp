// What names mean: from a name in a text to what it stands for, and from there to every other place that means the
// same.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "interpreter/assist/project.hpp"

namespace ascribe::assist {

/// What a name stands for. Two are the same where all of it is.
struct Symbol {
  enum class Sort {
    rule,
    composite,
    function,
    test,
    pack,
    import,
    parameter,
    let,
    term,
    field,
    quantity,  ///< `x`, `layer.y`: a value of the layer
    builtin,
    kind,    ///< of layers, `any` and `module` included
    layer,   ///< of a test's model
    engine,  ///< `merge`
    type,
    argument,  ///< of a layer in a test or of `random`
    parameter_name,
    code,
    standard_pack
  };
  Sort sort;
  std::string name;
  std::string page{};       ///< the identity of the page that defines it; empty for the language's own
  Span definition{};        ///< its name there
  std::size_t item = none;  ///< of that page
  std::string owner{};      ///< of an argument: whose

  bool operator==(const Symbol&) const = default;
  /// Whether some text defines it.
  bool is_written() const { return !page.empty(); }
};

/// The word for a sort: `rule`.
std::string_view word_for(Symbol::Sort sort);

/// What a mention of a page means, by the rules of the language's scope. Nothing where it means nothing that is known.
std::optional<Symbol> meaning(const Project& project, const PagePointer& page, const Mention& mention);
/// The same of the name at an offset, or that ends there.
std::optional<Symbol> symbol_at(const Project& project, const PagePointer& page, std::size_t offset);

/// What a call calls.
std::optional<Symbol> callee(const Project& project, const PagePointer& page, const WrittenCall& call);

/// The page and the item of a written symbol; a null page for the language's own.
struct Written {
  PagePointer page;
  const OutlinedItem* item = nullptr;
};
Written written(const Project& project, const PagePointer& from, const Symbol& symbol);

/// Where a symbol is defined; nothing for the language's own.
std::optional<Spot> definition(const Project& project, const PagePointer& from, const Symbol& symbol);

/// Every place in the project's own files that means it, the definition included if it lies there.
std::vector<Spot> references(const Project& project, const Symbol& symbol);

/// All definitions of items of the given sort in pages, in order.
std::vector<Symbol> items_of(const Pages& pages, OutlinedItem::Sort sort);

}  // namespace ascribe::assist
