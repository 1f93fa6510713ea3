// The operators of an exported program, in the order in which they run.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <c10/core/Device.h>

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "interpreter/libtorch/module_calls.hpp"
#include "interpreter/model/symbols.hpp"

namespace ascribe::model {

using Values = std::vector<c10::IValue>;

/// Where a value comes from when the graph runs.
struct Source {
  enum class From { constant, slot, device };
  From from = From::constant;
  std::size_t slot = 0;  ///< of the running graph's values
  c10::IValue constant{};
};

/// What an operator takes at one place.
enum class Wants { tensor, integer, floating, number, boolean, text, device, anything };

struct GraphArgument {
  Wants wants = Wants::number;
  bool optional = false;  ///< single values and the elements of lists may be nothing
  bool is_list = false;
  std::vector<Source> sources{};
  c10::IValue constant{};  ///< the whole argument where it needs no slot and no device
  bool is_constant = false;
};

/// Where a result goes: nowhere where nobody needs it.
struct GraphResult {
  bool is_list = false;
  std::vector<std::optional<std::size_t>> slots{};
};

struct Graph;

struct OperatorCall {
  c10::OperatorHandle op;
  bool copies = false;  ///< it is `copy`, which has no derivative: it is done by operators that have one
};
struct NumberCall {
  const NumberOperator* op;
};
/// A part that may run with gradients switched on or off; the arguments are its inputs.
struct GradientRegion {
  std::optional<bool> enabled;
  std::shared_ptr<const Graph> graph;
};
/// One of two parts; the first argument says which, the others are its inputs.
struct Branch {
  std::shared_ptr<const Graph> chosen, otherwise;
};

struct Step {
  std::variant<OperatorCall, NumberCall, GradientRegion, Branch> call;
  std::string name;    ///< of the node, for messages
  std::string module;  ///< the original model's
  std::vector<GraphArgument> arguments{};
  std::vector<GraphResult> results{};
  std::vector<std::size_t> last_uses{};  ///< slots that nobody reads after this step
};

/// The steps of one call of a module, or of a function.
struct ModuleRegion {
  struct Entering {
    std::size_t slot;
    bool is_weight = false;
    std::string name{};       ///< of a weight of the module's own, within it
    bool is_written = false;  ///< by the region
    bool changes = false;     ///< by anybody
  };
  libtorch::Callee callee;
  std::size_t first, end;  ///< steps
  std::vector<Entering> entering{};
  std::vector<std::size_t> leaving{};  ///< slots of tensors
  std::vector<std::size_t> numbers{};  ///< steps that find, from what enters, the numbers that leave
};

struct Graph {
  std::size_t slots = 0;
  std::vector<std::size_t> inputs{};
  std::vector<Step> steps{};
  std::vector<Source> outputs{};
  std::vector<ModuleRegion> regions{};  ///< by their first steps, outer ones first
};

/// The argument as operators take it, from a value for each of its sources. Throws std::exception where one is of
/// another type: LibTorch itself would end the process.
c10::IValue make_argument(const GraphArgument& argument, const Values& values);

/// Runs the steps; values are dropped after their last use. Calls of modules that the module observer wants are handed
/// over to it. Throws what operators throw.
Values run_graph(const std::shared_ptr<const Graph>& graph, Values inputs, c10::Device device);

}  // namespace ascribe::model
