#include "interpreter/language/composite_checker.hpp"

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/limits.hpp"
#include "interpreter/language/call_checker.hpp"
#include "interpreter/language/coverage.hpp"
#include "interpreter/language/declared_parameters.hpp"
#include "interpreter/language/habits.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/mentions.hpp"
#include "interpreter/language/name_resolver.hpp"

namespace ascribe::language {

namespace {

std::size_t count_entries(const Target& target) {
  auto* composite = std::get_if<std::shared_ptr<const Composite>>(&target.definition);
  return 1 + (composite ? (*composite)->all_entries : 0);
}

std::optional<LayerSelector> check_selector(const syntax::Layers& written, const Reporter& reporter) {
  LayerSelector out;
  if (written.glob) out.glob = written.glob->value;
  if (!written.kind) return out;
  auto& word = written.kind->text;
  if (is_module_word(word)) {
    bool by_class = word == "class";
    out.selects = by_class ? LayerSelector::Selects::module_class : LayerSelector::Selects::module;
    if (out.glob) return out;
    reporter.report(Code::unknown_kind, written.kind->span,
                    by_class ? "which class? `class` takes a string" : "which module? `module` takes a string",
                    by_class ? "write `class \"SMELU\"`, with the name of the module's class"
                             : "write `module \"encoder.*.act\"`, with the module's path");
    return {};
  }
  out.kind = word;
  if (is_kind_word(word)) return out;
  std::vector<std::string> known(std::begin(module_words), std::end(module_words));
  for (auto each : kind_words()) known.emplace_back(each);
  auto help = help_for_kind(word, known);
  if (written.glob && word.size() == 1) help = filled("a string has no letter in front: write `\"{}\"`", *out.glob);
  reporter.report(Code::unknown_kind, written.kind->span, filled("unknown layer kind `{}`", word),
                  !help.empty() ? help
                                : "kinds are `linear`, `convolution`, `activation`, `any`, …; a module is named by a "
                                  "string: `\"features.*\"`");
  return {};
}

// A module that is one layer gets one rule: what it has inside is no layer any more.
bool check_modules_target(const syntax::Entry& written, const Entry& entry, const Reporter& reporter) {
  auto modules = std::find_if(entry.layers.begin(), entry.layers.end(),
                              [](auto& each) { return each.selects != LayerSelector::Selects::layers; });
  if (modules == entry.layers.end()) return true;
  auto& name = written.target.path;
  bool by_class = modules->selects == LayerSelector::Selects::module_class;
  if (auto* engine = std::get_if<Engine>(&entry.target.definition); engine && *engine == Engine::merge) {
    reporter.report(Code::engine_target, name.span, "a module that is one layer has nothing to merge into",
                    "`merge` is for batch norm: write `batch_norm => merge`");
    return false;
  }
  if (!std::holds_alternative<std::shared_ptr<const Composite>>(entry.target.definition)) return true;
  reporter.report(Code::composite_for_module, name.span,
                  filled("`{}` is a composite, and a module that is one layer gets one rule", shown(name)),
                  by_class ? filled("name a rule; a composite for the layers inside goes by the module's name: "
                                    "`\"encoder.*\" => {}`",
                                    shown(name))
                           : filled("name a rule, or leave `module` out for the layers inside: `\"{}\" => {}`",
                                    *modules->glob, shown(name)));
  return false;
}

std::optional<Entry> check_entry(const syntax::Entry& written, FileScope& file, LocalNames& local) {
  auto reporter = file.reporter();
  Entry out;
  out.span = written.span;
  bool sound = true;
  if (written.count) {
    out.count = written.count->last ? Entry::Count::last : Entry::Count::first;
    out.number = written.count->number.value_or(1);
    if (out.number == 0)
      reporter.report(Code::bad_count, written.count->span, "a count is at least 1",
                      "leave the entry out, or write `first 1`");
    sound = out.number > 0;
  }
  for (auto& each : written.layers) {
    auto selector = check_selector(each, reporter);
    sound = sound && selector;
    if (selector) out.layers.push_back(std::move(*selector));
  }
  auto leads = check_target_call(written.target, file, local, Clause::argument, file.reporter());
  if (!leads || !sound) return {};
  out.target = std::move(*leads);
  if (!check_modules_target(written, out, reporter)) return {};
  auto* engine = std::get_if<Engine>(&out.target.definition);
  if (engine && *engine == Engine::stop && out.count == Entry::Count::last) {
    reporter.report(Code::engine_target, written.count->span,
                    "`last` is settled after the forward pass, and `stop` makes a constant in it",
                    "name the layers by a glob: `softmax \"encoder.5.*\" => stop`");
    return {};
  }
  check_constant_call(out.target, reporter);
  warn_without_effect(out, reporter);
  return out;
}

}  // namespace

std::optional<Definition> check_composite(const syntax::Composite& written, const std::string& documentation,
                                          const Place& place, FileScope& file) {
  auto reporter = file.reporter();
  auto before = file.error_count();
  auto out = with_head<Composite>(written, documentation, place, file);
  LocalNames local{.parameters = &out->parameters};
  bool sound = true;  // a definition that leads to an unsound one is unsound, too: that one has its message already
  if (written.alias) {
    out->alias = check_target_call(*written.alias, file, local, Clause::argument, file.reporter());
    sound = out->alias.has_value();
    if (out->alias && !std::holds_alternative<std::shared_ptr<const Composite>>(out->alias->definition))
      reporter.report(
          Code::unknown_rule, written.alias->path.span, filled("`{}` is no composite", written.alias->path.name.text),
          std::holds_alternative<Engine>(out->alias->definition) ? engine_help
                                                                 : "a rule's alias is written `rule a = b`");
    else if (out->alias)
      check_constant_call(*out->alias, reporter);
  }
  Mentions mentions;
  if (written.alias) collect_argument_mentions(*written.alias, mentions);
  for (auto& each : written.entries) {
    collect_argument_mentions(each.target, mentions);
    if (auto checked = check_entry(each, file, local))
      out->entries.push_back(std::move(*checked));
    else
      sound = false;
  }
  if (out->alias) out->all_entries = count_entries(*out->alias);
  for (auto& each : out->entries) out->all_entries += each.layers.size() * count_entries(each.target);
  if (out->alias) out->operations = operations_of(*out->alias);
  for (auto& each : out->entries) out->operations += operations_of(each.target);
  if (out->all_entries > limits.composite_entries)
    reporter.report(Code::too_large, written.name.span,
                    filled("the composite `{}` has {} entries, those that it leads to included; {} is the limit",
                           written.name.text, out->all_entries, limits.composite_entries),
                    "let fewer entries lead to composites");
  if (file.error_count() == before) report_unused(mentions, written.name, written.parameters, reporter);
  if (!sound) return {};
  file.stabilizer_uses().check_defaults(out, reporter);
  if (out->all_entries <= limits.composite_entries) file.coverage().check(*out, reporter);
  out->depth = file.depth();
  return out;
}

}  // namespace ascribe::language
