#include "interpreter/language/clause.hpp"

#include <iterator>

#include "grammar/filled_text.hpp"

namespace ascribe::language {
namespace {

const Sight sights[] = {
    {Clause::input, "input", {Quantity::x}, {}},
    {Clause::param, "param", {Quantity::w}, {}},
    {Clause::output, "output", {Quantity::y}, {}},
    {Clause::map,
     "map",
     {Quantity::R, Quantity::y, Quantity::x, Quantity::layer_y, Quantity::inputs},
     {Quantity::y, Quantity::x}},
    {Clause::reduce,
     "reduce",
     {Quantity::x, Quantity::v, Quantity::y, Quantity::R, Quantity::layer_x, Quantity::inputs, Quantity::other},
     {Quantity::x, Quantity::v, Quantity::y}},
    {Clause::forward, "forward", {Quantity::y, Quantity::x, Quantity::layer_y}, {}},
    {Clause::backward,
     "backward",
     {Quantity::x, Quantity::y, Quantity::R, Quantity::grad, Quantity::inputs, Quantity::other},
     {}},
    {Clause::require, "require", {}, {}},
    {Clause::argument, "an argument", {}, {}},
    {Clause::function, "a function", {}, {}},
    {Clause::test, "a test", {Quantity::x, Quantity::y, Quantity::R}, {}},
    {Clause::test_model, "model", {}, {}},
    {Clause::test_x, "the input x", {}, {}},
    {Clause::test_R, "the start R", {Quantity::x, Quantity::y}, {}},
    {Clause::session, "a session", {Quantity::x, Quantity::y, Quantity::R}, {}},
};
static_assert(std::size(sights) == static_cast<std::size_t>(Clause::session) + 1, "a row for every clause, in order");

}  // namespace

const Sight& sight(Clause clause) { return sights[static_cast<std::size_t>(clause)]; }

bool is_in_test(Clause clause) { return clause >= Clause::test; }

std::string describe(Clause clause) {
  auto word = sight(clause).word;
  return word.find(' ') == std::string_view::npos ? filled("`{}`", word) : std::string(word);
}

}  // namespace ascribe::language
