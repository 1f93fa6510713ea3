#include "interpreter/model/exported_modules.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "grammar/filled_text.hpp"
#include "interpreter/layers/table.hpp"

namespace ascribe::model {
namespace {

constexpr std::size_t deepest_call = 100;  // of calls within calls; what is deeper is of the last

// Some exporters write Python instead of the path: L['self'].features, or a number for a call: relu@1.
std::string plain_path(std::string_view path) {
  constexpr std::string_view self = "L['self']";
  if (path.starts_with(self)) path.remove_prefix(self.size());
  if (path.starts_with('.')) path.remove_prefix(1);
  return std::string(path.substr(0, path.find('@')));
}

std::string plain_class(std::string_view name) {
  auto dot = name.rfind('.');
  return std::string(dot == name.npos ? name : name.substr(dot + 1));
}

// What an interpolating operator is called in the history of a node, which is JSON within JSON: [{"target":
// "aten.upsample_linear1d.vec", …}]. Programs of PyTorch before 2.7 have none: there it is the one with most freedom.
std::string interpolating_operator(const Json* history) {
  if (!history) return "aten::upsample_bicubic2d";
  std::string_view written = text(*history);
  constexpr std::string_view library = "aten.";
  auto begin = std::min(written.find("aten.upsample_"), written.find("aten._upsample_"));
  if (begin == written.npos) return {};
  written.remove_prefix(begin + library.size());
  return filled("aten::{}", written.substr(0, written.find_first_of(".\"")));
}

}  // namespace

// ----------------------------------------------------------------------------------------------------------- the calls

// `key,path,class;key,path,class`, from the outermost module to the innermost. Keys say which call it is: relu, relu@1.
ModuleCalls::Call ModuleCalls::of(const Json& node) {
  auto* metadata = optional_member(node, "metadata");
  if (!metadata) return none;
  auto* stack = optional_member(*metadata, "nn_module_stack");
  Call call = none;
  std::string_view rest = stack ? std::string_view(text(*stack)) : std::string_view();
  while (!rest.empty() && entries_[call].depth < deepest_call) {
    auto entry = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    auto first = entry.find(',');
    if (first == entry.npos || entry.starts_with("_empty_nn_module_stack")) continue;
    auto second = std::min(entry.find(',', first + 1), entry.size());
    auto [found, is_new] = known_.try_emplace({call, std::string(entry)}, entries_.size());
    if (is_new)
      entries_.push_back({.parent = call,
                          .depth = entries_[call].depth + 1,
                          .path = plain_path(entry.substr(first + 1, second - first - 1)),
                          .class_name = plain_class(entry.substr(std::min(second + 1, entry.size())))});
    call = found->second;
  }
  return function_of(*metadata, call);
}

// `interpolate_1;function.interpolate`, the first with a number for each call.
ModuleCalls::Call ModuleCalls::function_of(const Json& metadata, Call around) {
  auto* written = optional_member(metadata, "torch_fn");
  if (!written || !text(*written).ends_with(";function.interpolate")) return around;
  auto op = interpolating_operator(optional_member(metadata, "from_node"));
  if (op.empty()) return around;
  auto path = entries_[around].path;
  auto [found, is_new] = known_.try_emplace({around, text(*written)}, entries_.size());
  if (is_new)
    entries_.push_back({.parent = around,
                        .depth = entries_[around].depth + 1,
                        .path = std::move(path),
                        .class_name = std::move(op),
                        .is_function = true});
  return found->second;
}

ModuleCalls::Call ModuleCalls::of_all(const Json& description) {
  Call call = none;
  for (auto& node : list(member(description, "nodes"))) {
    auto each = of(node);
    if (each != none) call = call == none ? each : common(call, each);
  }
  return call;
}

ModuleCalls::Call ModuleCalls::common(Call one, Call other) const {
  while (one != other) {
    auto& deeper = entries_[one].depth > entries_[other].depth ? one : other;
    deeper = entries_[deeper].parent;
  }
  return one;
}

// --------------------------------------------------------------------------------------------------------- the regions

namespace {

// Whether a step computes tensors, or writes into some. Others give numbers, such as sizes, or check something.
bool computes(const Step& step) {
  auto* call = std::get_if<OperatorCall>(&step.call);
  if (!call) return !std::holds_alternative<NumberCall>(step.call);
  auto& schema = call->op.schema();
  auto holds_tensors = [](const c10::Argument& each) {
    auto type = each.type();
    return type->kind() == c10::TypeKind::TensorType || type->kind() == c10::TypeKind::ListType;
  };
  return schema.is_mutable() || std::any_of(schema.returns().begin(), schema.returns().end(), holds_tensors);
}

std::size_t count_operators(const Graph& graph, std::size_t first, std::size_t end);

std::size_t count_operators(const Step& step) {
  auto whole = [](const Graph& graph) { return count_operators(graph, 0, graph.steps.size()); };
  if (auto* call = std::get_if<OperatorCall>(&step.call))
    return computes(step) && !layering::follows_indices(call->op.operator_name().name);
  if (auto* region = std::get_if<GradientRegion>(&step.call)) return whole(*region->graph);
  if (auto* branch = std::get_if<Branch>(&step.call))
    return std::max(whole(*branch->chosen), whole(*branch->otherwise));
  return 0;
}

std::size_t count_operators(const Graph& graph, std::size_t first, std::size_t end) {
  std::size_t out = 0;
  for (auto i = first; i < end; ++i) out += count_operators(graph.steps[i]);
  return out;
}

template <typename Visit>
void for_each_slot_read(const Step& step, const Visit& visit) {
  for (auto& argument : step.arguments)
    for (auto& source : argument.sources)
      if (source.from == Source::From::slot) visit(source.slot);
}

template <typename Visit>
void for_each_slot_made(const Step& step, const Visit& visit) {
  for (auto& result : step.results)
    for (auto& slot : result.slots)
      if (slot) visit(*slot);
}

// Where each slot is made and read last; the graph's inputs are made before all, its outputs read behind all.
class Lifetimes {
 public:
  Lifetimes(const Graph& graph, const GraphFacts& facts) : made_(graph.slots, 0), read_(graph.slots, 0) {
    for (std::size_t i = 0; i < graph.steps.size(); ++i) {
      for_each_slot_read(graph.steps[i], [&](auto slot) { read_[slot] = i + 1; });
      for_each_slot_made(graph.steps[i], [&](auto slot) { made_[slot] = i + 1; });
      for (auto alias : facts.steps[i].writes) written_[alias] = i + 1;
    }
    for (auto& each : graph.outputs)
      if (each.from == Source::From::slot) read_[each.slot] = graph.steps.size() + 1;
    // What a part of the program is given may be read behind it.
    if (!facts.is_whole)
      for (auto slot : graph.inputs) read_[slot] = graph.steps.size() + 1;
    for (std::size_t slot = 0; slot < graph.slots; ++slot)
      if (read_[slot] > 0) by_alias_[facts.slots[slot].alias].push_back(slot);
  }
  bool made_within(std::size_t slot, const ModuleRegion& region) const {
    return made_[slot] > region.first && made_[slot] <= region.end;
  }
  bool read_behind(std::size_t slot, const ModuleRegion& region) const { return read_[slot] > region.end; }
  // Whether what was there before may be read behind the region, by whatever name.
  bool outlives(std::size_t alias, const ModuleRegion& region) const {
    auto found = by_alias_.find(alias);
    return found != by_alias_.end() && std::any_of(found->second.begin(), found->second.end(), [&](auto slot) {
             return made_[slot] <= region.first && read_behind(slot, region);
           });
  }
  bool written_behind(std::size_t alias, const ModuleRegion& region) const {
    auto found = written_.find(alias);
    return found != written_.end() && found->second > region.end;
  }
  bool written(std::size_t alias) const { return written_.contains(alias); }

 private:
  std::vector<std::size_t> made_, read_;                      // 1 for the first step
  std::map<std::size_t, std::size_t> written_;                // last, by alias
  std::map<std::size_t, std::vector<std::size_t>> by_alias_;  // slots that are read
};

// A weight's name within a module; empty where it is of another one.
std::string name_within(const std::vector<std::string>& names, const std::string& path) {
  if (path.empty()) return names.front();
  for (auto& name : names)
    if (name.size() > path.size() + 1 && name.starts_with(path) && name[path.size()] == '.')
      return name.substr(path.size() + 1);
  return {};
}

// Fills in what enters and leaves; false where the call cannot be run as a whole.
bool complete_region(ModuleRegion& region, const Graph& graph, const GraphFacts& facts, const Lifetimes& lives) {
  std::set<std::size_t> entered, entered_aliases, left_aliases, written;
  std::set<std::size_t> known;  // numbers within that follow from what enters
  for (auto i = region.first; i < region.end; ++i) {
    auto& step = graph.steps[i];
    bool follows = !computes(step);
    for_each_slot_read(step, [&](auto slot) {
      if (lives.made_within(slot, region)) {
        follows &= known.contains(slot);
      } else if (entered.insert(slot).second) {
        auto& fact = facts.slots[slot];
        region.entering.push_back({.slot = slot, .is_weight = fact.weight != nullptr});
        if (fact.weight) region.entering.back().name = name_within(*fact.weight, region.callee.path);
        entered_aliases.insert(fact.alias);
      }
    });
    bool is_needed = false;
    for_each_slot_made(step, [&](auto slot) {
      bool number = facts.slots[slot].is_number;
      if (number && follows) known.insert(slot);
      if (!lives.read_behind(slot, region)) return;
      is_needed |= number;
      if (number) return;
      region.leaving.push_back(slot);
      left_aliases.insert(facts.slots[slot].alias);
    });
    if (is_needed && !follows) return false;
    if (follows) region.numbers.push_back(i);
    written.insert(facts.steps[i].writes.begin(), facts.steps[i].writes.end());
  }
  if (region.leaving.empty()) return false;
  for (auto& each : region.entering) {
    auto alias = facts.slots[each.slot].alias;
    bool shared = left_aliases.contains(alias) && lives.written_behind(alias, region);
    if ((written.contains(alias) || shared) && lives.outlives(alias, region)) return false;
    each.is_written = written.contains(alias);
    each.changes = lives.written(alias);
  }
  // Numbers are found once more only where somebody behind needs one.
  bool needed = std::any_of(region.numbers.begin(), region.numbers.end(), [&](auto i) {
    bool found = false;
    for_each_slot_made(graph.steps[i], [&](auto slot) { found |= lives.read_behind(slot, region); });
    return found;
  });
  if (!needed) region.numbers.clear();
  return true;
}

}  // namespace

std::vector<ModuleRegion> find_regions(const Graph& graph, const GraphFacts& facts, const ModuleCalls& calls) {
  struct Extent {
    std::size_t first, end, own = 0;
  };
  std::map<ModuleCalls::Call, Extent> extents;
  std::size_t computing = 0;
  std::vector<std::size_t> before;  // how many steps that compute are before each
  ModuleCalls::Call model = ModuleCalls::none;
  for (std::size_t i = 0; i < facts.steps.size(); ++i) {
    before.push_back(computing);
    if (!computes(graph.steps[i])) continue;
    ++computing;
    for (auto each = facts.steps[i].call; each != ModuleCalls::none; each = calls[each].parent) {
      if (calls.is_within(facts.around, each)) break;
      auto& extent = extents.try_emplace(each, Extent{i, i, 0}).first->second;
      extent.end = i + 1, ++extent.own;
      if (calls[each].parent == ModuleCalls::none && calls[each].path.empty() && !calls[each].is_function) model = each;
    }
  }
  before.push_back(computing);
  // Some steps say nothing of where they are from; in the model they are.
  if (model != ModuleCalls::none && facts.is_whole) extents[model] = {0, facts.steps.size(), computing};

  Lifetimes lives(graph, facts);
  std::vector<std::pair<std::size_t, ModuleRegion>> found;
  for (auto& [call, extent] : extents) {
    if (before[extent.end] - before[extent.first] != extent.own) continue;
    auto& entry = calls[call];
    ModuleRegion region{.callee = {.path = entry.path,
                                   .class_name = entry.class_name,
                                   .operators = count_operators(graph, extent.first, extent.end),
                                   .is_function = entry.is_function},
                        .first = extent.first,
                        .end = extent.end};
    if (complete_region(region, graph, facts, lives)) found.emplace_back(calls[call].depth, std::move(region));
  }
  std::sort(found.begin(), found.end(), [](auto& a, auto& b) {
    return std::tuple(a.second.first, b.second.end, a.first) < std::tuple(b.second.first, a.second.end, b.first);
  });
  std::vector<ModuleRegion> regions;
  for (auto& each : found) regions.push_back(std::move(each.second));
  return regions;
}

}  // namespace ascribe::model
