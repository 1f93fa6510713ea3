// The codes of messages: what a message is about, as a number that never changes.
#pragma once

#include <string>

#include "export.hpp"  // as a neighbour: hosts find these headers in another folder

namespace ascribe {

/// Every message has a stable number, shown as A0201. The hundreds say what it is about.
enum class Code {
  // Files and limits
  unreadable_file = 1,
  unwritable_file = 2,
  not_text = 3,
  too_large = 4,
  too_deep = 5,
  // Syntax
  syntax = 101,
  unfinished_string = 102,
  chained_comparison = 103,
  missing_operator = 104,
  foreign_operator = 105,
  reserved_name = 106,
  malformed_number = 107,
  positional_after_named = 108,
  // Names and spaces
  unknown_name = 201,
  unknown_rule = 202,
  unknown_function = 203,
  unknown_kind = 204,
  duplicate_name = 205,
  protected_name = 206,
  wrong_space = 207,
  wrong_type = 208,
  not_visible = 209,
  unused = 210,
  unreachable_modifier = 211,
  repeated_clause = 212,
  mixed_rule = 213,
  unknown_parameter_name = 215,
  bad_dimension = 216,
  // Calls
  wrong_argument_count = 301,
  unknown_argument = 302,
  repeated_argument = 303,
  missing_argument = 304,
  requirement_violated = 305,
  cycle = 306,
  // Composites
  bad_count = 401,
  engine_target = 402,
  composite_for_module = 403,
  // Warnings
  covered_entry = 501,
  unstabilized_division = 502,
  not_finite = 503,
  without_effect = 504,
  unused_entry = 505,
  kept_gradient = 506,
  explained_softmax = 507,
  cut_off = 508,
  // Meeting the model
  rule_does_not_fit = 601,
  refused_layer = 602,
  no_input = 603,
  no_batch = 604,
  training_mode = 605,
  gradient_disabled = 606,
  released_graph = 607,
  overwritten_tensor = 608,
  model_failed = 609,
  no_layer_matched = 610,
  unknown_layer = 611,
  stopped = 612,
  // Models, tensors and arguments
  wrong_model = 701,
  wrong_tensor = 702,
  wrong_input = 703,
  bad_target = 704,
  usage = 705,
  internal_fault = 799,
  // Packs and imports
  bad_import = 801,
  import_cycle = 802,
  bad_pack = 803,
  newer_language = 804,
  private_name = 805,
  repeated_pack = 806,
  bad_lock = 807,
  differs_from_lock = 808,
  not_locked = 809,
  outside_of_pack = 810,
  // Tests
  expectation_failed = 901,
  no_tests = 902,
};

/// "A0201"
ASCRIBE_EXPORT std::string code_name(Code code);

}  // namespace ascribe
