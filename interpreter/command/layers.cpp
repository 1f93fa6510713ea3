// `ascribe layers`: a model's layers, which rule each of them gets, and why.
#include <ATen/ATen.h>
#include <unistd.h>

#include <iostream>

#include "ascribe/attribute.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/input_misfit.hpp"
#include "interpreter/command/model_arguments.hpp"
#include "interpreter/command/report_table.hpp"
#include "interpreter/command/screen.hpp"

namespace ascribe::command {

Run add_layers(CLI::App& app) {
  auto* command =
      app.add_subcommand("layers", "Lists a model's layers, the rule that each gets, and the entry that says so");
  auto arguments = std::make_shared<ModelArguments>();
  auto format = std::make_shared<std::string>("text");
  auto tree = std::make_shared<bool>(false);
  arguments->add_to(*command, /*rules_required=*/false);
  command->add_flag("--tree", *tree, "as a tree, by the parts of the layers' names");
  one_of(command->add_option("--report", *format, "how it is shown"), {"text", "json"});
  return [arguments, format, tree] {
    std::optional<Composite> rules;
    if (!arguments->rules.empty()) rules = arguments->read_rules();
    auto inputs = arguments->read_inputs();
    auto model = arguments->read_model();
    auto found =
        telling_misfits(*arguments, [&] { return rules ? layers(model, *rules, inputs) : layers(model, inputs); });
    std::cout << (*format == "json"
                      ? describe_layers_as_json(found, rules.has_value())
                      : describe_layers_as_text(found, rules.has_value(), *tree, width_of(STDOUT_FILENO)));
    return fine;
  };
}

}  // namespace ascribe::command
