#include "interpreter/command/repl/commands.hpp"

#include <fmt/ranges.h>

#include <vector>

#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"

namespace ascribe::repl {
namespace {

using Id = Command::Id;
using Argument = Command::Argument;

constexpr Command table[] = {
    {Id::help, "help", "[topic]", false, "what can be entered; the page of a rule, function, layer or message",
     Argument::topic},
    {Id::load, "load", "PATH…", true, "loads rule files and packs, besides those that are loaded", Argument::rule_file,
     ":load mine.rule"},
    {Id::reload, "reload", "", false,
     "reads all anew that was loaded and imported; where there is a mistake, nothing changes", Argument::none},
    {Id::save, "save", "FILE", true, "writes the definitions that were entered as a rule file", Argument::rule_file,
     ":save mine.rule"},
    {Id::type, "type", "[expression]", false, "what an expression is, without evaluating it; alone, what all names are",
     Argument::expression},
    {Id::rules, "rules", "[glob]", false, "lists the rules, composites and functions that can be used",
     Argument::topic},
    {Id::plan, "plan", "rule kind [nonnegative]", true,
     "what a rule comes to on a kind of layer: which operators and passes over memory; `nonnegative` is behind a ReLU",
     Argument::rule_and_kind, ":plan zplus conv2d"},
    {Id::time, "time", "expression", true, "evaluates an expression, and says how long it takes", Argument::expression,
     ":time relevance(zplus)"},
    {Id::model, "model", "", false, "what is loaded: its file, format, inputs and parameters", Argument::none},
    {Id::layers, "layers", "[rules] [--tree]", false,
     "the model's layers for x; with rules, the rule that each gets and the entry that says so",
     Argument::rules_and_tree},
    {Id::labels, "labels", "[FILE|none]", false,
     "names the model's outputs, a line for each: in predictions, and for `target = \"…\"`", Argument::file},
    {Id::write, "write", "FILE [expression]", true,
     "writes the last value, or another, as .npy, or as a picture .png, .svg or .html", Argument::file_and_expression,
     ":write x.npy x"},
    {Id::reset, "reset", "[name…]", false, "forgets these names; without any, all that was entered and loaded",
     Argument::name},
    {Id::quit, "quit", "", false, "ends the session, as Ctrl-D does", Argument::none},
};

}  // namespace

std::span<const Command> commands() { return table; }

const Command& find_command(const SourcePointer& source, Span word) {
  auto written = source->text(word).substr(1);
  std::vector<const Command*> found;
  for (auto& each : table) {
    if (each.name == written) return each;
    if (each.name.starts_with(written)) found.push_back(&each);
  }
  if (found.size() == 1) return *found.front();
  std::vector<std::string> names;
  for (auto& each : table) names.push_back(filled(":{}", each.name));
  if (found.size() > 1 && !written.empty()) {
    std::vector<std::string> fitting;
    for (auto* each : found) fitting.push_back(filled(":{}", each->name));
    throw Error({.code = Code::usage,
                 .message = filled("`:{}` may be {}", written, fmt::join(fitting, " or ")),
                 .primary = {source, word, ""},
                 .help = "write more of its name"});
  }
  throw Error({.code = Code::usage,
               .message = filled("there is no command `:{}`", written),
               .primary = {source, word, ""},
               .help = did_you_mean(filled(":{}", written), names, "`:help` lists the commands")});
}

}  // namespace ascribe::repl
