#include "interpreter/command/plan_text.hpp"

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/overloaded.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/evaluate/plan/plan.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/binding.hpp"

namespace ascribe::command {
namespace {

using language::BoundComposite;
using language::BoundEntry;
using language::BoundRule;
using language::Engine;
using language::Kind;
using language::LayerSelector;

// A rule by itself is for whatever layer is asked for.
bool is_one_rule(const BoundComposite& composite) {
  auto* rule = composite.entries.size() == 1 ? std::get_if<BoundRule>(&composite.entries.front().target) : nullptr;
  return rule && rule->description == composite.description;
}

enum class Fits { no, some, all };

// Whether an entry is for layers of a kind: counts and names are for some of them.
Fits fits(const BoundEntry& entry, const Kind& kind) {
  auto out = Fits::all;
  for (auto& condition : entry.conditions) {
    auto here = Fits::no;
    for (auto& selector : condition.layers) {
      bool covers = selector.selects == LayerSelector::Selects::layers &&
                    (selector.kind.empty() || language::covers(selector.kind, kind));
      if (covers) here = std::max(here, selector.glob ? Fits::some : Fits::all);
    }
    if (here == Fits::all && condition.count != language::Entry::Count::all) here = Fits::some;
    out = std::min(out, here);
  }
  return out;
}

std::string name_of(const BoundEntry& entry) {
  return std::visit(overloaded{[](const BoundRule& rule) { return rule.description; },
                               [](Engine engine) -> std::string {
                                 switch (engine) {
                                   case Engine::merge:
                                     return "merge";
                                   case Engine::refuse:
                                     return "refuse";
                                   case Engine::stop:
                                     return "stop";
                                 }
                                 return {};
                               }},
                    entry.target);
}

std::string text_of(Engine engine) {
  switch (engine) {
    case Engine::merge:
      return "  no rule: it becomes part of its neighbour, whose rule is for both\n";
    case Engine::refuse:
      return "  no rule: the run ends with a message\n";
    case Engine::stop:
      return "  no rule: its output is a constant, and no relevance goes through\n";
  }
  return {};
}

// "conv1d, conv2d", over as many lines as it takes.
std::string in_lines(const std::vector<std::string_view>& names) {
  constexpr std::size_t most = 96;
  std::string out;
  std::size_t begin = 0;
  for (auto name : names) {
    if (!out.empty()) out += ",";
    if (out.size() - begin + name.size() > most) {
      out += "\n";
      begin = out.size();
    } else if (!out.empty()) {
      out += " ";
    }
    out += name;
  }
  return out;
}

class Writer {
 public:
  explicit Writer(const PlanQuestion& question) : question_(question) {}

  std::string body(const BoundRule& rule, const Kind& kind) const {
    namespace plan = evaluate::plan;
    auto facts = plan::facts_of(kind, question_.not_negative && plan::looks_at_signs(rule));
    auto found = plan::make_plan(rule, facts);
    auto out = plan::describe(found, rule, facts);
    if (!found.obstacle.empty()) return out;
    std::vector<std::string> notes;
    if (facts.takes_weights && plan::looks_at_signs(rule))
      notes.push_back(question_.not_negative
                          ? "x has no negative number: each call looks"
                          : filled("x has any sign; {} shows it behind a ReLU", question_.how_to_ask_for_not_negative));
    if (question_.channels_last)
      notes.emplace_back(found.backward ? "channels last is kept: relevance lies as R does"
                                        : "channels last is kept: γ lies as y does, relevance as what comes back");
    for (auto& each : notes) out += "  " + each + "\n";
    return out;
  }

 private:
  const PlanQuestion& question_;
};

}  // namespace

std::vector<const Kind*> kinds_of(std::string_view word) {
  std::vector<const Kind*> out;
  for (auto& kind : language::kinds())
    if (language::covers(word, kind)) out.push_back(&kind);
  return out;
}

Diagnostic unknown_kind(std::string_view word) {
  std::vector<std::string> known;
  for (auto each : language::kind_words()) known.emplace_back(each);
  return {.code = Code::unknown_kind,
          .message = filled("unknown layer kind `{}`", word),
          .help = did_you_mean(word, known, "kinds are `linear`, `conv2d`, `softmax`, …; `any` is all of them")};
}

std::string plans_as_text(const Composite& rules, const PlanQuestion& question) {
  auto& composite = Inside::bound(rules);
  Writer writer(question);
  std::vector<std::pair<std::string, std::vector<std::string_view>>> blocks;  // of a text, for these kinds
  for (auto* kind : question.kinds) {
    std::string block;
    if (is_one_rule(composite)) {
      auto& rule = std::get<BoundRule>(composite.entries.front().target);
      block = rule.description + "\n" + writer.body(rule, *kind);
    } else {
      std::string before;
      auto entry = std::find_if(composite.entries.begin(), composite.entries.end(), [&](auto& each) {
        auto how = fits(each, *kind);
        if (how == Fits::some)
          before += filled("  some layers get {} instead, by {}\n", name_of(each), describe(each.place));
        return how == Fits::all;
      });
      if (entry == composite.entries.end()) {
        block = "no entry is for it\n  it keeps its gradient\n";
      } else {
        block = filled("{}, by {}\n", name_of(*entry), describe(entry->place));
        if (auto* rule = std::get_if<BoundRule>(&entry->target))
          block += writer.body(*rule, *kind);
        else
          block += text_of(std::get<Engine>(entry->target));
      }
      block += before;
    }
    auto same = std::find_if(blocks.begin(), blocks.end(), [&](auto& each) { return each.first == block; });
    if (same == blocks.end()) same = blocks.insert(same, {block, {}});
    same->second.push_back(kind->name);
  }
  std::string out;
  for (auto& [text, kinds] : blocks) out += filled("{}{}: {}", out.empty() ? "" : "\n", in_lines(kinds), text);
  return out;
}

}  // namespace ascribe::command
