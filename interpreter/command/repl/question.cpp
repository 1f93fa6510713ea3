#include "interpreter/command/repl/question.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <cmath>

#include "grammar/filled_text.hpp"
#include "interpreter/command/target_arguments.hpp"
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

}  // namespace

Target usual_target(Evaluator& evaluator, const ModelValue& model, const std::vector<at::Tensor>& inputs,
                    std::optional<std::size_t> output) {
  auto of_output = [&](Target target) { return output ? target.of_output(*output) : target; };
  auto y = evaluator.y(model, inputs, output);
  if (auto given = evaluator.R(y, model)) return of_output(Target::from(*given));
  return of_output(y.dim() == 2 && y.size(1) > 1 ? Target::largest() : Target::all());
}

Question question(Evaluator& evaluator, const CallArguments& arguments, std::size_t rules) {
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
  constexpr std::size_t most = 8;
  auto found = command::outcome_of(answer, question.target, 1).largest;
  if (found.empty()) return "";
  auto& labels = evaluator.state().labels;
  if (found.size() == 1) return filled("from {}, the largest output\n", labels.told(found[0].front().index));
  std::vector<std::string> told;
  for (std::size_t i = 0; i < found.size() && i < most; ++i) told.push_back(labels.told(found[i].front().index));
  return filled("from each sample's largest output: {}{}\n", fmt::join(told, ", "), found.size() > most ? ", …" : "");
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
