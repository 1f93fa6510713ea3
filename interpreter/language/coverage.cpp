#include "interpreter/language/coverage.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"

namespace ascribe::language {
namespace {

constexpr std::string_view special = "*?[]\\";

bool is_plain(std::string_view glob) { return glob.find_first_of(special) == std::string_view::npos; }

// `*` at the end of something plain, or at its beginning; what it stands for is matched as a whole.
std::optional<std::string_view> prefix(std::string_view glob) {
  if (!glob.ends_with('*') || !is_plain(glob.substr(0, glob.size() - 1))) return {};
  return glob.substr(0, glob.size() - 1);
}

std::optional<std::string_view> suffix(std::string_view glob) {
  if (!glob.starts_with('*') || !is_plain(glob.substr(1))) return {};
  return glob.substr(1);
}

// Whether every name that `inner` matches is matched by `outer`; "no" where it is not plain to see.
bool subsumes(std::string_view outer, std::string_view inner) {
  if (outer == inner) return true;
  if (auto it = prefix(outer); it && inner.starts_with(*it)) return true;
  auto it = suffix(outer);
  return it && inner.ends_with(*it);
}

bool selects_layers(const LayerSelector& selector) { return selector.selects == LayerSelector::Selects::layers; }

// Entries of one key count the same calls: the same word, and the same layers in any order.
std::string counting_key(const Entry& entry) {
  std::set<std::string> layers;
  for (auto& each : entry.layers) {
    auto word = selects_layers(each) ? each.kind : each.selects == LayerSelector::Selects::module ? "module" : "class";
    layers.insert(word + (each.glob ? " \"" + *each.glob : ""));
  }
  std::string out = entry.count == Entry::Count::first ? "first" : "last";
  for (auto& each : layers) out += "\n" + each;
  return out;
}

}  // namespace

// ---------------------------------------------------------------------------------------------------- sets of layers

Coverage::Kinds Coverage::kinds_of(const LayerSelector& selector) {
  Kinds out;
  auto table = kinds();
  for (std::size_t i = 0; i < table.size(); ++i)
    out.set(i, selector.kind.empty() || language::covers(selector.kind, table[i]));
  return out;
}

void Coverage::add(Kinds kinds, const std::string& glob) {
  globs_[glob] |= kinds;
  if (auto it = prefix(glob)) {
    prefixes_.kinds[std::string(*it)] |= kinds;
    prefixes_.lengths.insert(it->size());
  }
  if (auto it = suffix(glob)) {
    suffixes_.kinds[std::string(*it)] |= kinds;
    suffixes_.lengths.insert(it->size());
  }
}

void Coverage::add(const LayerSelector& selector) {
  if (!selects_layers(selector))
    modules_.emplace(selector.selects, *selector.glob);
  else if (selector.glob)
    add(kinds_of(selector), *selector.glob);
  else
    any_name_ |= kinds_of(selector);
}

void Coverage::add(const LayerSelector& selector, const Coverage& other) {
  bool hands_on_modules = !selector.glob && (selector.kind.empty() || selector.kind == "any");
  if (hands_on_modules) modules_.insert(other.modules_.begin(), other.modules_.end());
  auto wanted = kinds_of(selector);
  if (auto kinds = wanted & other.any_name_; kinds.any()) {
    if (selector.glob)
      add(kinds, *selector.glob);
    else
      any_name_ |= kinds;
  }
  for (auto& [glob, covered] : other.globs_) {
    auto kinds = wanted & covered;
    if (kinds.none()) continue;
    if (!selector.glob || subsumes(*selector.glob, glob))
      add(kinds, glob);
    else if (subsumes(glob, *selector.glob))
      add(kinds, *selector.glob);
  }
}

Coverage::Kinds Coverage::covered(const std::string& glob) const {
  auto out = any_name_;
  if (auto found = globs_.find(glob); found != globs_.end()) out |= found->second;
  std::string_view name = glob;
  auto look_up = [&](const Affixes& affixes, bool front) {
    for (auto length : affixes.lengths) {
      if (length > name.size()) break;
      auto part = front ? name.substr(0, length) : name.substr(name.size() - length);
      if (auto found = affixes.kinds.find(part); found != affixes.kinds.end()) out |= found->second;
    }
  };
  look_up(prefixes_, true);
  look_up(suffixes_, false);
  return out;
}

bool Coverage::covers(const LayerSelector& selector) const {
  if (!selects_layers(selector)) return modules_.contains({selector.selects, *selector.glob});
  auto taken = selector.glob ? covered(*selector.glob) : any_name_;
  return (kinds_of(selector) & ~taken).none();
}

// -------------------------------------------------------------------------------------------------------- composites

void CoverageChecker::add(const Entry& entry, const Coverage* target, Coverage& out) {
  if (entry.count != Entry::Count::all) return;  // layers beyond the count go on
  for (auto& each : entry.layers) {
    if (target)
      out.add(each, *target);
    else
      out.add(each);
  }
}

const Coverage* CoverageChecker::of(const Target& target) {
  auto* leads_to = std::get_if<std::shared_ptr<const Composite>>(&target.definition);
  if (!leads_to) return nullptr;
  if (auto found = known_.find(*leads_to); found != known_.end()) return &found->second;
  Coverage out;
  auto& composite = **leads_to;
  if (composite.alias)
    out = *of(*composite.alias);
  else
    for (auto& entry : composite.entries) add(entry, of(entry.target), out);
  return &known_.emplace(*leads_to, std::move(out)).first->second;
}

void CoverageChecker::check(const Composite& composite, const Reporter& reporter) {
  Coverage taken;
  std::map<std::string, std::uint64_t> counted;  // how many calls `first n` entries took, by what they count
  for (auto& entry : composite.entries) {
    auto* target = of(entry.target);
    bool covered =
        std::all_of(entry.layers.begin(), entry.layers.end(), [&](auto& each) { return taken.covers(each); });
    if (entry.count != Entry::Count::all) {
      auto& most = counted[counting_key(entry)];
      covered = covered || entry.number <= most;
      if (!target) most = std::max(most, entry.number);
    }
    if (covered)
      reporter.warn(Code::covered_entry, entry.span,
                    "this entry never applies: the entries above it take all of its layers",
                    "the first that fits wins: move it up, or leave it out");
    add(entry, target, taken);
  }
}

// ------------------------------------------------------------------------------------------ parameters that are not
// there

namespace {

// The parameters that the layers can have; nothing where they may have any.
std::optional<Names> parameters_of(const std::vector<LayerSelector>& layers) {
  Names out;
  for (auto& each : layers) {
    if (each.selects != LayerSelector::Selects::layers || each.kind.empty() || each.kind == "any") return {};
    for (auto& row : kinds())
      if (covers(each.kind, row)) out.insert(out.end(), row.parameters.begin(), row.parameters.end());
  }
  return out;
}

const Rule& without_alias(const Rule& rule) {
  return rule.alias ? without_alias(*std::get<std::shared_ptr<const Rule>>(rule.alias->definition)) : rule;
}

// The parameters that the rule modifies by name, if it does nothing else. Those that its caller names are not known.
std::optional<Names> only_modified(const Rule& rule) {
  if (rule.reduce || rule.forward || rule.backward) return {};
  Names out;
  for (auto& term : rule.terms) {
    if (term.input || term.output || term.map) return {};
    for (auto& clause : term.params) {
      if (!clause.selector.names) return {};
      out.insert(out.end(), clause.selector.names->begin(), clause.selector.names->end());
    }
  }
  return out;
}

std::string quoted(Names names, std::string_view between) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (auto& name : names) name = filled("\"{}\"", name);
  return filled("{}", fmt::join(names, between));
}

}  // namespace

void warn_without_effect(const Entry& entry, const Reporter& reporter) {
  auto* rule = std::get_if<std::shared_ptr<const Rule>>(&entry.target.definition);
  auto there = rule ? parameters_of(entry.layers) : std::nullopt;
  auto modified = there ? only_modified(without_alias(**rule)) : std::nullopt;
  if (!modified || modified->empty()) return;
  auto is_there = [&](auto& name) { return std::find(there->begin(), there->end(), name) != there->end(); };
  if (std::any_of(modified->begin(), modified->end(), is_there)) return;
  reporter.warn(
      Code::without_effect, entry.target.span,
      filled("`{}` changes nothing here: these layers have no {}", (*rule)->name, quoted(*modified, " and no ")),
      there->empty()
          ? "they have no parameters, so the rule does what `epsilon` does: write that"
          : filled("they have {}: write `param \"{}\" = …` in the rule", quoted(*there, " and "), there->front()));
}

}  // namespace ascribe::language
