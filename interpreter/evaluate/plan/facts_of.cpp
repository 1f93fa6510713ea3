#include <algorithm>
#include <iterator>
#include <string_view>

#include "interpreter/evaluate/plan/plan.hpp"
#include "interpreter/layers/transposed.hpp"

namespace ascribe::evaluate::plan {

Facts facts_of(const language::Kind& kind, bool x_is_not_negative) {
  constexpr std::string_view of_two_inputs[] = {"add", "product", "quotient", "matmul", "bilinear"};
  auto* transposed = layering::find_transposed(kind);
  Facts out{.has_transposed = transposed != nullptr,
            .takes_weights = transposed && transposed->takes_weights,
            .can_be_stacked = layering::can_be_stacked(kind),
            .needs_output = transposed && transposed->needs_output,
            .parameters = {kind.parameters.begin(), kind.parameters.end()}};
  if (std::find(std::begin(of_two_inputs), std::end(of_two_inputs), kind.name) != std::end(of_two_inputs))
    out.inputs = out.receivers = 2;
  if (kind.name == "add") out.factors = {1, 1};
  out.x_is_not_negative = out.takes_weights && x_is_not_negative;
  return out;
}

}  // namespace ascribe::evaluate::plan
