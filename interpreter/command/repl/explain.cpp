// `explain(…)` and `compare(…)`: relevance as a picture, and what the layers did with it.
#include <ATen/ATen.h>

#include <cmath>

#include "grammar/filled_text.hpp"
#include "interpreter/command/repl/evaluator.hpp"
#include "interpreter/command/report_table.hpp"
#include "interpreter/evaluate/evaluator.hpp"
#include "interpreter/picture/colour_map.hpp"

namespace ascribe::repl {
namespace {

using language::Space;

// What is explained: which model, on what, starting from where. The rules are the positional arguments that are left.
struct Question {
  ModelValue model;
  at::Tensor x;
  Target target = Target::largest();
  std::vector<const syntax::Expression*> rules;
};

std::int64_t index_of(Evaluator& evaluator, const syntax::Expression& written, double number) {
  constexpr double most = 1LL << 53;
  if (number == std::floor(number) && std::abs(number) <= most) return static_cast<std::int64_t>(number);
  throw evaluator.refusal(Code::wrong_type, written.span, "an index of the output is a whole number",
                          "write `target = 3`");
}

Target target_of(Evaluator& evaluator, const syntax::Expression& written) {
  if (auto* text = std::get_if<syntax::StringLiteral>(&written.node)) {
    if (text->value == "all") return Target::all();
    if (text->value == "largest") return Target::largest();
    throw evaluator.refusal(Code::bad_target, text->span, filled("there is no target \"{}\"", text->value),
                            "write an index, `target = 3`, a list of them, or \"all\"");
  }
  auto value = evaluator.value(written);
  if (auto* one = std::get_if<double>(&value)) return Target(index_of(evaluator, written, *one));
  auto* several = std::get_if<TensorValue>(&value);
  if (!several || several->type.form != language::Form::number || several->tensor.dim() != 1)
    throw evaluator.refusal(Code::bad_target, written.span, "a target is an index of the output, or a list of them",
                            "write `target = 3`, `target = [3, 8]` or `target = \"all\"`");
  std::vector<std::int64_t> indices;
  auto numbers = several->tensor.to(at::kDouble);
  for (std::int64_t i = 0; i < numbers.numel(); ++i)
    indices.push_back(index_of(evaluator, written, numbers[i].item<double>()));
  return Target(std::move(indices));
}

// Without a target: from R, if it is there; otherwise from the largest output, where outputs are classes.
Target usual_target(Evaluator& evaluator, const ModelValue& model, const at::Tensor& x) {
  auto y = evaluator.y(model, x);
  if (auto given = evaluator.R(y)) return Target::from(*given);
  return y.dim() == 2 && y.size(1) > 1 ? Target::largest() : Target::all();
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

// How many of the arguments without a name are rules: all but a model in front.
std::size_t compared_rules(const Evaluator& evaluator, const CallArguments& arguments) {
  auto count = arguments.positional.size();
  return count > 2 && evaluator.is_model(*arguments.positional.front()) ? count - 1 : count;
}

Question question(Evaluator& evaluator, const CallArguments& arguments, std::size_t rules) {
  Question out{
      arguments.positional.size() > rules ? evaluator.model(*arguments.positional.front()) : evaluator.current_model(),
      {},
      Target::largest(),
      {}};
  out.rules.assign(arguments.positional.end() - static_cast<std::ptrdiff_t>(rules), arguments.positional.end());
  if (auto* written = arguments.find("x")) {
    auto value = evaluator.value(*written);
    auto* tensor = std::get_if<TensorValue>(&value);
    if (!tensor || tensor->type.form != language::Form::number)
      throw evaluator.refusal(Code::wrong_type, written->span, "`x` is a tensor", "write `x = random(1, 3)`");
    out.x = tensor->tensor;
  } else {
    out.x = evaluator.x();
  }
  auto* target = arguments.find("target");
  auto* output = arguments.find("of_output");
  out.target = target   ? target_of(evaluator, *target)
               : output ? Target::largest()
                        : usual_target(evaluator, out.model, out.x);
  if (output) {
    auto value = evaluator.value(*output);
    auto* number = std::get_if<double>(&value);
    auto index = number ? index_of(evaluator, *output, *number) : -1;
    if (index < 0)
      throw evaluator.refusal(Code::wrong_type, output->span, "`of_output` is the number of an output, counted from 0",
                              "write `of_output = 0`");
    out.target = out.target.of_output(static_cast<std::size_t>(index));
  }
  return out;
}

std::string written_as(const Evaluator& evaluator, const syntax::Expression& written) {
  return std::string(evaluator.source()->text(written.span));
}

TensorValue as_value(const at::Tensor& relevance) { return {relevance, language::Type::number(Space::input)}; }

}  // namespace

Result explain(Evaluator& evaluator, const CallArguments& arguments) {
  auto colours = colours_of(evaluator, arguments);
  auto asked = question(evaluator, arguments, 1);
  auto rules = evaluator.rules(*asked.rules.front(), asked.model);
  auto found = attribute(asked.model.model, rules, asked.x, asked.target, {.stop = evaluator.surroundings().stop});
  std::string text;
  if (found.relevance.dim() <= 5)
    text = draw({{written_as(evaluator, *asked.rules.front()), found.relevance}}, evaluator.surroundings().screen,
                colours) +
           "\n";
  auto& screen = evaluator.surroundings().screen;
  text += command::describe_as_text(
      found,
      {.model = "", .rules = rules.description(), .target = "", .outcome = command::outcome_of(found, asked.target, 1)},
      static_cast<std::size_t>(screen.columns));
  for (auto& warning : found.warnings) text += render_text(warning);
  return {as_value(found.relevance), std::move(text)};
}

Result compare(Evaluator& evaluator, const CallArguments& arguments) {
  auto colours = colours_of(evaluator, arguments);
  auto asked = question(evaluator, arguments, compared_rules(evaluator, arguments));
  std::vector<Titled> maps;
  for (auto* written : asked.rules) {
    auto rules = evaluator.rules(*written, asked.model);
    auto relevance = attribute(asked.model.model, rules, asked.x, asked.target,
                               {.sums = false, .stop = evaluator.surroundings().stop})
                         .relevance;
    maps.push_back({written_as(evaluator, *written), relevance});
  }
  auto difference = maps[0].relevance - maps[1].relevance;
  auto count = maps.size();
  if (count == 2) maps.push_back({"difference", difference});
  std::string text;
  if (difference.dim() <= 5) text = draw(maps, evaluator.surroundings().screen, colours) + "\n";
  std::size_t widest = 0;
  for (auto& each : maps) widest = std::max(widest, count_characters(each.title));
  auto cosine = [&](std::size_t i) -> std::optional<double> {
    auto a = maps[0].relevance.to(at::kDouble).flatten(), b = maps[i].relevance.to(at::kDouble).flatten();
    auto norms = a.norm().item<double>() * b.norm().item<double>();
    return norms > 0 ? std::optional(at::dot(a, b).item<double>() / norms) : std::nullopt;
  };
  for (std::size_t i = 0; i < maps.size(); ++i) {
    auto& each = maps[i];
    auto alike = count > 2 && i > 0 ? cosine(i) : std::nullopt;
    text += filled("{}{}  sum {}, largest magnitude {}{}\n", each.title,
                   std::string(widest - count_characters(each.title), ' '), number(evaluate::total(each.relevance)),
                   number(each.relevance.numel() == 0 ? 0 : each.relevance.abs().max().item<double>()),
                   alike ? filled(", cosine to the first {:.4g}", *alike) : "");
  }
  if (auto alike = count == 2 ? cosine(1) : std::nullopt)
    text += filled("cosine of the angle between the two: {:.4g}\n", *alike);
  return {as_value(difference), std::move(text)};
}

}  // namespace ascribe::repl
