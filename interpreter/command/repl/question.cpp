#include "interpreter/command/repl/question.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/command/target_arguments.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/picture/colour_map.hpp"

namespace ascribe::repl {
namespace {

using language::Space;

std::int64_t whole_number(Evaluator& evaluator, const syntax::Expression& written, double number, const char* what,
                          const char* example) {
  constexpr double most = 1LL << 53;
  if (number == std::floor(number) && std::abs(number) <= most) return static_cast<std::int64_t>(number);
  throw evaluator.refusal(Code::wrong_type, written.span, filled("{} is a whole number", what),
                          filled("write `{}`", example));
}

// `target = three`: names of outputs are strings.
void refuse_without_quotes(const Evaluator& evaluator, const syntax::Expression& written, std::string_view example) {
  auto* call = as_call(written);
  if (!call || call->has_arguments || call->path.qualifier || example.starts_with("position")) return;
  auto& name = call->path.name.text;
  auto& state = evaluator.state();
  if (state.values.contains(name) || language::is_protected(name)) return;
  auto argument = example.substr(0, example.find(' '));
  auto& names = state.labels.names;
  auto is_a_word = [&](std::string_view each) { return name == each; };
  bool known = is_a_word("all") || is_a_word("largest") || name.starts_with("top") ||
               std::find(names.begin(), names.end(), name) != names.end();
  auto help = known ? filled("write `{} = \"{}\"`", argument, name)
              : names.empty()
                  ? filled("write an index, `{} = 0`, or name the outputs: `:help labels`", argument)
                  : did_you_mean(name, names, filled("`:labels` names {} outputs, and none of them so", names.size()));
  throw evaluator.refusal(Code::unknown_name, written.span,
                          filled("`{}` has no value; an output's name stands in quotes", name), help);
}

// What an argument names: indices and strings, one or a list of them, in the words of a command line.
std::vector<std::string> choices_in(Evaluator& evaluator, const syntax::Expression& written, const char* what,
                                    const char* example) {
  if (auto* text = std::get_if<syntax::StringLiteral>(&written.node)) return {text->value};
  std::vector<std::string> out;
  if (auto* list = std::get_if<syntax::List>(&written.node)) {
    for (auto& each : list->elements)
      for (auto& one : choices_in(evaluator, each, what, example)) out.push_back(std::move(one));
    if (out.empty())
      throw evaluator.refusal(Code::bad_target, written.span, filled("{} is missing: the list is empty", what),
                              filled("write `{}`", example));
    return out;
  }
  refuse_without_quotes(evaluator, written, example);
  auto value = evaluator.value(written);
  if (auto* one = std::get_if<double>(&value))
    return {std::to_string(whole_number(evaluator, written, *one, what, example))};
  auto* several = std::get_if<TensorValue>(&value);
  if (!several || several->type.form != language::Form::number || several->tensor.dim() != 1)
    throw evaluator.refusal(Code::bad_target, written.span,
                            filled("{} is a whole number, a name, or a list of them", what),
                            filled("write `{}`", example));
  auto numbers = several->tensor.to(at::kDouble);
  for (std::int64_t i = 0; i < numbers.numel(); ++i)
    out.push_back(std::to_string(whole_number(evaluator, written, numbers[i].item<double>(), what, example)));
  return out;
}

std::optional<std::size_t> output_of(Evaluator& evaluator, const CallArguments& arguments) {
  auto* written = arguments.find("of_output");
  if (!written) return {};
  auto value = evaluator.value(*written);
  auto* number = std::get_if<double>(&value);
  if (!number || !(*number >= 0) || *number != std::floor(*number) || *number > 1e6)
    throw evaluator.refusal(Code::wrong_type, written->span, "`of_output` is the number of an output, counted from 0",
                            "write `of_output = 0`");
  return static_cast<std::size_t>(*number);
}

// What the arguments ask for, by the rules of `ascribe run`.
Target asked_target(Evaluator& evaluator, const CallArguments& arguments, std::optional<std::size_t> output) {
  command::TargetArguments given;
  const syntax::Expression* where = nullptr;
  if (auto* written = arguments.find("position")) {
    given.position =
        filled("{}", fmt::join(choices_in(evaluator, *written, "a position of the output", "position = -1"), ","));
    where = written;
  }
  if (auto* written = arguments.find("against")) {
    given.against = choices_in(evaluator, *written, "an index of the output", "against = 5");
    where = written;
  }
  if (auto* written = arguments.find("target")) {
    given.targets = choices_in(evaluator, *written, "an index of the output", "target = 3");
    if (given.targets == std::vector<std::string>{"largest"}) given.targets.clear();
    where = written;
  }
  if (output) given.of_output = static_cast<std::int64_t>(*output);
  try {
    return command::ChosenTarget(given, {&evaluator.state().labels}).whole();
  } catch (const Error& error) {
    auto wrong = error.diagnostics();
    for (auto& each : wrong)
      if (!each.primary.source) each.primary = {evaluator.source(), where->span, ""};
    throw Error(std::move(wrong));
  }
}

// What stands in the model's place, and is none.
void refuse_misplaced(const Evaluator& evaluator, const CallArguments& arguments) {
  auto& first = *arguments.positional.front();
  auto& second = *arguments.positional[1];
  if (arguments.positional.size() > 2 || evaluator.is_model(first)) return;
  auto text = [&](const syntax::Expression& each) { return evaluator.source()->text(each.span); };
  auto named_tensor = [&](const syntax::Expression& each) -> const Value* {
    auto* call = as_call(each);
    if (!call || call->has_arguments || call->path.qualifier) return nullptr;
    auto found = evaluator.state().values.find(call->path.name.text);
    bool is_one = found != evaluator.state().values.end() && std::holds_alternative<TensorValue>(found->second);
    return is_one ? &found->second : nullptr;
  };
  auto* tensor = named_tensor(first);
  std::string meant;
  if (evaluator.is_rules(first) && evaluator.is_model(second))
    meant = filled("{}({}, {})", arguments.name, text(second), text(first));
  else if (evaluator.is_rules(first) && evaluator.is_rules(second))
    meant = filled("compare({}, {})", text(first), text(second));
  else if (evaluator.is_rules(first))
    meant = filled("{}({}, {} = {})", arguments.name, text(first), named_tensor(second) ? "x" : "target", text(second));
  else if (tensor && evaluator.is_rules(second))
    meant = filled("{}({}, x = {})", arguments.name, text(second), text(first));
  if (!meant.empty())
    throw evaluator.refusal(
        Code::wrong_type, first.span,
        filled("`{}` is {}, not a model", text(first), tensor ? type_of(*tensor) : "a rule or a composite"),
        filled("write `{}`", meant));
}

bool are_classes(const at::Tensor& y) { return y.dim() == 2 && y.size(1) > 1; }

std::string told_largest(const command::Labels& labels, const std::vector<std::int64_t>& found) {
  constexpr std::size_t most = 8;
  if (found.empty()) return "";
  if (found.size() == 1) return filled("from {}, the largest output\n", labels.told(found[0]));
  std::vector<std::string> told;
  for (std::size_t i = 0; i < found.size() && i < most; ++i) told.push_back(labels.told(found[i]));
  return filled("from each sample's largest output: {}{}\n", fmt::join(told, ", "), found.size() > most ? ", …" : "");
}

}  // namespace

Target usual_target(Evaluator& evaluator, const ModelValue& model, const std::vector<at::Tensor>& inputs,
                    std::optional<std::size_t> output) {
  auto of_output = [&](Target target) { return output ? target.of_output(*output) : target; };
  auto y = evaluator.y(model, inputs, output);
  if (auto given = evaluator.R(y, model)) return of_output(Target::from(*given));
  return of_output(are_classes(y) ? Target::largest() : Target::all());
}

at::Tensor usual_start(Evaluator& evaluator, const at::Tensor& y) {
  if (!are_classes(y)) return y;
  auto largest = y.argmax(1, /*keepdim=*/true);
  std::vector<std::int64_t> indices(largest.cpu().data_ptr<std::int64_t>(),
                                    largest.cpu().data_ptr<std::int64_t>() + largest.numel());
  evaluator.note(told_largest(evaluator.state().labels, indices));
  return at::zeros_like(y).scatter_(1, largest, y.gather(1, largest));
}

Question question(Evaluator& evaluator, const CallArguments& arguments, std::size_t rules) {
  if (rules == 1 && arguments.positional.size() > 1) refuse_misplaced(evaluator, arguments);
  Question out{.model = arguments.positional.size() > rules ? evaluator.model(*arguments.positional.front())
                                                            : evaluator.current_model(),
               .inputs = {}};
  out.rules.assign(arguments.positional.end() - static_cast<std::ptrdiff_t>(rules), arguments.positional.end());
  std::optional<at::Tensor> x;
  if (auto* written = arguments.find("x")) {
    auto value = evaluator.value(*written);
    auto* tensor = std::get_if<TensorValue>(&value);
    if (!tensor || tensor->type.form != language::Form::number)
      throw evaluator.refusal(Code::wrong_type, written->span, "`x` is a tensor", "write `x = random(1, 3)`");
    x = tensor->tensor;
  }
  out.inputs = evaluator.inputs(out.model, std::move(x));
  auto output = output_of(evaluator, arguments);
  if (arguments.find("target") || arguments.find("against") || arguments.find("position")) {
    out.target = asked_target(evaluator, arguments, output);
  } else {
    out.target = usual_target(evaluator, out.model, out.inputs, output);
    out.is_usual = out.target.choice() == Target::Choice::largest;
  }
  return out;
}

Attribution answer(const Evaluator& evaluator, const Question& question, const Composite& rules, bool sums) {
  auto out = attribute(question.model.model, rules, question.inputs, question.target,
                       {.sum_embeddings = true, .sums = sums, .stop = evaluator.surroundings().stop});
  auto& labels = evaluator.state().labels;
  auto classes = static_cast<std::size_t>(command::outcome_of(out, question.target, 1).classes);
  if (!labels.path.empty() && classes != 0 && classes != labels.names.size())
    throw Error(
        {.code = Code::usage,
         .message = filled("{} has {} names, and the model {} outputs", labels.path, labels.names.size(), classes),
         .help = "`:labels none` forgets the names"});
  return out;
}

std::string told_start(const Evaluator& evaluator, const Question& question, const Attribution& answer) {
  if (!question.is_usual) return "";
  std::vector<std::int64_t> indices;
  for (auto& each : command::outcome_of(answer, question.target, 1).largest) indices.push_back(each.front().index);
  return told_largest(evaluator.state().labels, indices);
}

TensorValue as_value(const Question& question, const Attribution& answer, const Composite& rules,
                     const HeatmapOptions& colours) {
  auto x = command::first_explained(question.inputs, answer);
  return {.tensor = answer.relevance,
          .type = language::Type::number(Space::input),
          .origin = std::make_shared<const ModelValue>(question.model),
          .explanation =
              std::make_shared<const Explanation>(Explanation{answer, rules, question.target, std::move(x), colours})};
}

HeatmapOptions colours_of(Evaluator& evaluator, const CallArguments& arguments) {
  HeatmapOptions out;
  if (auto* written = arguments.find("colour_map")) {
    out.colour_map = evaluator.string(*written, "the colour map");
    try {
      picture::ColourMap known(out.colour_map);
    } catch (const Error& unknown) {
      auto& said = unknown.diagnostics().front();
      throw evaluator.refusal(said.code, written->span, said.message, said.help);
    }
  }
  if (auto* written = arguments.find("clip")) {
    auto value = evaluator.value(*written);
    auto* number = std::get_if<double>(&value);
    if (!number || !(*number > 0 && *number <= 100))
      throw evaluator.refusal(Code::wrong_type, written->span, "`clip` is a percentage above 0 and up to 100",
                              "write `clip = 99.5`; 100 is the largest magnitude");
    out.clip = *number;
  }
  return out;
}

}  // namespace ascribe::repl
