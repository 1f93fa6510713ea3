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
      default:
        return findings;
    }
  }
  return fine;
}

Error usage_error(std::string message, std::string help) {
  return Error({.code = Code::usage, .message = std::move(message), .help = std::move(help)});
}

}  // namespace ascribe::command
