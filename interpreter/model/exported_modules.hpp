// The calls of modules that an exported program was made of, found again in its straight list of operators.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "interpreter/model/exported_graph.hpp"
#include "interpreter/model/strict_json.hpp"

namespace ascribe::model {

/// What nodes say of the modules that they belong to: a tree of calls, each within the one of the module around it.
/// Calls of torch.nn.functional.interpolate, of which decomposing leaves many operators, are calls, too.
class ModuleCalls {
 public:
  using Call = std::size_t;
  static constexpr Call none = 0;
  struct Entry {
    Call parent;
    std::size_t depth;  ///< 1 for the model itself
    std::string path, class_name;
    bool is_function = false;
  };

  /// The innermost call that a node belongs to.
  Call of(const Json& node);
  /// The innermost call that all nodes of a graph's description belong to which belong to any.
  Call of_all(const Json& description);
  const Entry& operator[](Call call) const { return entries_[call]; }
  bool is_within(Call call, Call other) const { return common(call, other) == other; }

 private:
  Call function_of(const Json& metadata, Call around);
  Call common(Call one, Call other) const;

  std::vector<Entry> entries_{{none, 0, {}, {}}};
  std::map<std::pair<Call, std::string>, Call> known_;
};

/// What the compiler knows of a graph, beside the graph itself.
struct GraphFacts {
  struct Step {
    ModuleCalls::Call call;
    std::vector<std::size_t> writes;  ///< aliases
  };
  struct Slot {
    std::size_t alias;  ///< equal for values that may share memory
    bool is_number = false;
    const std::vector<std::string>* weight = nullptr;  ///< the names of the weight that it holds
  };
  std::vector<Step> steps;  ///< as many as the graph's
  std::vector<Slot> slots;
  ModuleCalls::Call around = ModuleCalls::none;  ///< the call that all of the graph is in
  bool is_whole = true;                          ///< the program, and not a part of it
};

/// The graph's regions: the calls of modules that can be run as a whole, outer ones first. A call is none where
/// - steps of other modules are between its own (those that give only numbers may be, and its own may be elsewhere);
/// - no tensor leaves it, or a number that can only be known within it;
/// - it writes into memory that is read behind it under another name, or shares memory with its result that is written
///   into later.
/// Modules that the program does not mention (nn.Identity has no operator) and calls that an exporter has merged are
/// not found. The steps' `last_uses` must be complete.
std::vector<ModuleRegion> find_regions(const Graph& graph, const GraphFacts& facts, const ModuleCalls& calls);

}  // namespace ascribe::model
