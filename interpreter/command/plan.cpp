// `ascribe plan`: what a rule comes to on a kind of layer, before anything runs.
#include <iostream>

#include "grammar/filled_text.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/model_arguments.hpp"
#include "interpreter/command/plan_text.hpp"

namespace ascribe::command {
namespace {

struct PlanOptions {
  RuleArguments rules;
  std::string kind;
  bool not_negative = false, channels_last = false;
};

// Layouts are of pictures and volumes: four and five dimensions.
void check_layout(const std::string& word, const std::vector<const language::Kind*>& kinds) {
  for (auto* kind : kinds)
    if (kind->sample_rank == 0 || kind->sample_rank > 3) return;
  throw usage_error(filled("--channels-last is for inputs of 4 or 5 dimensions, and those of {} have 3", word),
                    "leave it out");
}

int plan(const PlanOptions& options) {
  PlanQuestion question{.kinds = kinds_of(options.kind),
                        .not_negative = options.not_negative,
                        .channels_last = options.channels_last,
                        .how_to_ask_for_not_negative = "--nonnegative"};
  if (question.kinds.empty()) throw Error(unknown_kind(options.kind));
  if (options.channels_last) check_layout(options.kind, question.kinds);
  std::cout << plans_as_text(options.rules.read(), question);
  return fine;
}

}  // namespace

Run add_plan(CLI::App& app) {
  auto* command =
      app.add_subcommand("plan", "Shows what a rule comes to on a kind of layer: which operators and passes");
  auto options = std::make_shared<PlanOptions>();
  command
      ->add_option("RULE", options->rules.rules,
                   "a rule, such as 'alpha_beta(2, 1)', or a composite, whose entries then say which rule it is")
      ->type_name("RULE")
      ->required();
  options->rules.name = "RULE";
  command->add_option("--layer", options->kind, "a kind of layer, such as conv2d, or a word for several: activation")
      ->type_name("KIND")
      ->required();
  command->add_flag("--nonnegative", options->not_negative,
                    "for an input without negative numbers, such as that of a layer behind a ReLU");
  command->add_flag("--channels-last", options->channels_last,
                    "for an input in PyTorch's channels_last layout: says what becomes of it");
  options->rules.add_loading_to(*command);
  return [options] { return plan(*options); };
}

}  // namespace ascribe::command
