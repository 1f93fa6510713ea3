// `relevance(…)`, `explain(…)` and `compare(…)`: relevance as numbers, as a picture, and what the layers did with it.
#include <ATen/ATen.h>

#include "grammar/filled_text.hpp"
#include "interpreter/command/repl/question.hpp"
#include "interpreter/command/report_table.hpp"
#include "interpreter/evaluate/evaluator.hpp"

namespace ascribe::repl {
namespace {

// How many of the arguments without a name are rules: all but a model in front.
std::size_t compared_rules(const Evaluator& evaluator, const CallArguments& arguments) {
  auto count = arguments.positional.size();
  return count > 2 && evaluator.is_model(*arguments.positional.front()) ? count - 1 : count;
}

std::string written_as(const Evaluator& evaluator, const syntax::Expression& written) {
  return std::string(evaluator.source()->text(written.span));
}

}  // namespace

Result relevance(Evaluator& evaluator, const CallArguments& arguments) {
  auto asked = question(evaluator, arguments, 1);
  auto rules = evaluator.rules(*asked.rules.front(), asked.model);
  auto found = answer(evaluator, asked, rules, /*sums=*/false);
  for (auto& warning : found.warnings) evaluator.warn(warning);
  evaluator.note(told_start(evaluator, asked, found));
  return {.value = as_value(asked, found, rules)};
}

Result explain(Evaluator& evaluator, const CallArguments& arguments) {
  auto colours = colours_of(evaluator, arguments);
  auto asked = question(evaluator, arguments, 1);
  auto rules = evaluator.rules(*asked.rules.front(), asked.model);
  auto found = answer(evaluator, asked, rules, /*sums=*/true);
  auto& screen = evaluator.surroundings().screen;
  std::string text;
  if (found.relevance.dim() <= 5)
    text = draw({{written_as(evaluator, *asked.rules.front()), found.relevance}}, screen, colours) + "\n";
  text += command::describe_as_text(found,
                                    {.model = "",
                                     .rules = rules.description(),
                                     .target = "",
                                     .labels = evaluator.state().labels,
                                     .outcome = command::outcome_of(found, asked.target, 1)},
                                    static_cast<std::size_t>(screen.columns));
  for (auto& warning : found.warnings) evaluator.warn(warning);
  evaluator.note(told_start(evaluator, asked, found));
  return {.value = as_value(asked, found, rules, colours), .text = std::move(text)};
}

Result compare(Evaluator& evaluator, const CallArguments& arguments) {
  auto colours = colours_of(evaluator, arguments);
  auto asked = question(evaluator, arguments, compared_rules(evaluator, arguments));
  std::vector<Titled> maps;
  for (auto* written : asked.rules) {
    auto found = answer(evaluator, asked, evaluator.rules(*written, asked.model), /*sums=*/false);
    evaluator.note(told_start(evaluator, asked, found));
    maps.push_back({written_as(evaluator, *written), found.relevance});
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
  Result out{.value = TensorValue{.tensor = difference,
                                  .type = language::Type::number(language::Space::input),
                                  .origin = std::make_shared<const ModelValue>(asked.model)},
             .text = std::move(text)};
  if (count > 2)
    out.without_value =
        evaluator
            .refusal(Code::wrong_type, arguments.span, "`compare` of more than two has no value",
                     filled("of two it has their difference: `compare({}, {})`", written_as(evaluator, *asked.rules[0]),
                            written_as(evaluator, *asked.rules[1])))
            .diagnostics()
            .front();
  return out;
}

}  // namespace ascribe::repl
