#include "interpreter/command/repl/calls.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"

namespace ascribe::repl {

std::span<const SessionCall> session_calls() {
  static const std::vector<SessionCall> table{
      {SessionCall::Id::load,
       "load",
       "load(\"net.pt2\")",
       "load(\"net.pt2\")",
       1,
       1,
       {},
       "a model (.pt2 of torch.export, .pt of TorchScript) or a tensor (.npy, .npz, .pt, .png, .jpg) from a file"},
      {SessionCall::Id::image,
       "image",
       "image(\"cat.png\")",
       "image(\"cat.png\", mean = …, std = …)",
       1,
       1,
       {"mean", "std"},
       "a picture (.png, .jpg, .npy, .pt) as [1, channels, height, width]; `mean` is subtracted, then `std` divided "
       "by: "
       "numbers, or lists with one for each channel"},
      {SessionCall::Id::relevance,
       "relevance",
       "relevance(zplus)",
       "relevance(model, rules, target = …, against = …, position = …, of_output = 0, x = x)",
       1,
       2,
       {"target", "against", "position", "of_output", "x"},
       "the relevance of x, in its shape; without a model, of the current one. `target` is where it starts: an index "
       "of "
       "the output, a name of `:labels`, a list of them, \"top3\" or \"all\"; without it, relevance starts from R if "
       "there is one, from each sample's largest output of [batch, classes], otherwise from all outputs. `against` is "
       "an output that is taken off, `position` the place that the target is of, as in `ascribe run`"},
      {SessionCall::Id::explain,
       "explain",
       "explain(epsilon_plus)",
       "explain(model, rules, target = …, colour_map = \"bwr\", clip = …)",
       1,
       2,
       {"target", "against", "position", "of_output", "x", "colour_map", "clip"},
       "the relevance of x as a heatmap, and what became of it at each layer. It starts where `relevance` does, and "
       "takes "
       "its arguments. `colour_map` is one of those of `ascribe run`, and colours are full at the magnitude that "
       "`clip` "
       "percent of the values lie below"},
      {SessionCall::Id::compare,
       "compare",
       "compare(zplus, gamma)",
       "compare(model, rules, rules, …, target = …, colour_map = \"bwr\", clip = …)",
       2,
       9,
       {"target", "against", "position", "of_output", "x", "colour_map", "clip"},
       "the heatmaps of two rules or composites, and their difference; or of up to eight, and how alike they are"},
  };
  return table;
}

const SessionCall* find_session_call(std::string_view name) {
  auto calls = session_calls();
  auto found = std::find_if(calls.begin(), calls.end(), [&](auto& each) { return each.name == name; });
  return found == calls.end() ? nullptr : &*found;
}

namespace {

// The names that other libraries give such arguments.
std::string called_elsewhere(const std::string& name) {
  constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"cmap", "colour_map"},  {"class", "target"}, {"label", "target"}, {"index", "target"},
      {"output", "of_output"}, {"input", "x"},      {"inputs", "x"},     {"baseline", "against"}};
  for (auto& [other, own] : names)
    if (other == name) return std::string(own);
  return name;
}

// `explain(model, zplus, 3)`: what is too much is where relevance starts.
std::string with_target(const SessionCall& call, const CallArguments& arguments, const SourcePointer& source) {
  auto& given = arguments.positional;
  auto known = std::find(call.named.begin(), call.named.end(), "target") != call.named.end();
  if (!known || given.size() != call.most + 1 || !std::holds_alternative<syntax::Number>(given.back()->node) ||
      !arguments.named.empty())
    return "";
  std::vector<std::string_view> before;
  for (auto* each : given)
    if (each != given.back()) before.push_back(source->text(each->span));
  return filled("write `{}({}, target = {})`", call.name, fmt::join(before, ", "), source->text(given.back()->span));
}

}  // namespace

CallArguments read_arguments(const SessionCall& call, const syntax::Call& written, const SourcePointer& source) {
  CallArguments out{.name = call.name, .span = written.span};
  auto usage = filled("write `{}`; it is called as `{}`", call.example, call.signature);
  for (auto& argument : written.arguments) {
    if (!argument.name) {
      out.positional.push_back(argument.value.get());
      continue;
    }
    auto& name = *argument.name;
    auto known = std::find(call.named.begin(), call.named.end(), name.text);
    if (known == call.named.end())
      throw Error(
          {.code = Code::unknown_argument,
           .message = filled("`{}` has no argument `{}`", call.name, name.text),
           .primary = {source, name.span, ""},
           .help = did_you_mean(called_elsewhere(name.text), {call.named.begin(), call.named.end()},
                                call.named.empty() ? usage : filled("it has: {}", fmt::join(call.named, ", ")))});
    if (!out.named.emplace(*known, argument.value.get()).second)
      throw Error({.code = Code::repeated_argument,
                   .message = filled("`{}` is given twice", name.text),
                   .primary = {source, argument.span, ""},
                   .help = "leave one out"});
  }
  auto count = out.positional.size();
  auto meant = with_target(call, out, source);
  if (count < call.least || count > call.most)
    throw Error({.code = Code::wrong_argument_count,
                 .message = filled("`{}` takes {}, not {}", call.name,
                                   call.least == call.most
                                       ? filled("{} argument{} without a name", call.least, call.least == 1 ? "" : "s")
                                       : filled("{} {} {} arguments without a name", call.least,
                                                call.most - call.least > 1 ? "to" : "or", call.most),
                                   count),
                 .primary = {source, written.span, ""},
                 .help = meant.empty() ? usage : meant});
  return out;
}

}  // namespace ascribe::repl
