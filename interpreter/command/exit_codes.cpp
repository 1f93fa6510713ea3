#include "interpreter/command/exit_codes.hpp"

namespace ascribe::command {

int exit_code(const Error& error) {
  for (auto& diagnostic : error.diagnostics()) {
    if (diagnostic.severity == Severity::warning) continue;
    switch (diagnostic.code) {
      case Code::unreadable_file:
      case Code::unwritable_file:
      case Code::not_text:
      case Code::model_failed:
      case Code::no_batch:
      case Code::wrong_model:
      case Code::wrong_tensor:
      case Code::wrong_input:
        return bad_file;
      case Code::too_large:
      case Code::too_deep:
        return limit_reached;
      case Code::bad_target:
      case Code::unknown_layer:
      case Code::usage:
        return usage;
      case Code::stopped:
        return interrupted;
      case Code::internal_fault:
        return our_fault;
      case Code::syntax:
      case Code::unfinished_string:
      case Code::chained_comparison:
      case Code::missing_operator:
      case Code::foreign_operator:
      case Code::reserved_name:
      case Code::malformed_number:
      case Code::positional_after_named:
      case Code::unknown_name:
      case Code::unknown_rule:
      case Code::unknown_function:
      case Code::unknown_kind:
      case Code::duplicate_name:
      case Code::protected_name:
      case Code::wrong_space:
      case Code::wrong_type:
      case Code::not_visible:
      case Code::unused:
      case Code::unreachable_modifier:
      case Code::repeated_clause:
      case Code::mixed_rule:
      case Code::unknown_parameter_name:
      case Code::bad_dimension:
      case Code::wrong_argument_count:
      case Code::unknown_argument:
      case Code::repeated_argument:
      case Code::missing_argument:
      case Code::requirement_violated:
      case Code::cycle:
      case Code::bad_count:
      case Code::engine_target:
      case Code::composite_for_module:
      case Code::covered_entry:
      case Code::unstabilized_division:
      case Code::not_finite:
      case Code::without_effect:
      case Code::unused_entry:
      case Code::kept_gradient:
      case Code::explained_softmax:
      case Code::cut_off:
      case Code::rule_does_not_fit:
      case Code::refused_layer:
      case Code::no_input:
      case Code::training_mode:
      case Code::gradient_disabled:
      case Code::released_graph:
      case Code::overwritten_tensor:
      case Code::no_layer_matched:
      case Code::bad_import:
      case Code::import_cycle:
      case Code::bad_pack:
      case Code::newer_language:
      case Code::private_name:
      case Code::repeated_pack:
      case Code::bad_lock:
      case Code::differs_from_lock:
      case Code::not_locked:
      case Code::outside_of_pack:
      case Code::expectation_failed:
      case Code::no_tests:
        return findings;
    }
  }
  return fine;
}

Error usage_error(std::string message, std::string help) {
  return Error({.code = Code::usage, .message = std::move(message), .help = std::move(help)});
}

}  // namespace ascribe::command
