// The functions that the language has built in: one table, which the checker, the evaluator, completion and the
// documentation read.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace ascribe::language {

enum class Builtin {
  abs,
  sign,
  sqrt,
  exp,
  log,
  tanh,
  sigmoid,
  min,
  max,
  stabilize,
  sum,
  mean,
  quantile,
  has,
  random,
  relevance
};

/// Where a built-in may be called.
enum class BuiltinPlace { anywhere, require, test };

struct BuiltinInfo {
  Builtin id;
  std::string_view name;
  std::string_view signature;
  std::size_t least, most;  ///< how many arguments it takes
  std::string_view documentation;
  BuiltinPlace place = BuiltinPlace::anywhere;
  std::size_t before_dimensions = 0;  ///< of a reduction: how many arguments stand in front of its dimensions

  bool reduces() const { return before_dimensions > 0; }
};

std::span<const BuiltinInfo> builtins();
/// Null where there is none of this name.
const BuiltinInfo* find_builtin(std::string_view name);
const BuiltinInfo& info(Builtin builtin);

}  // namespace ascribe::language
