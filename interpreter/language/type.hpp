// What kinds of values expressions have.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ascribe::language {

/// Where a number lives: scalar < sample < input, output; scalar < param. (`sample` is one number per sample.)
enum class Space { scalar, sample, input, output, param };

/// The smallest space that holds both, or nothing: input does not meet output, nor param anything but scalar.
constexpr std::optional<Space> join(Space a, Space b) {
  if (a == b || b == Space::scalar) return a;
  if (a == Space::scalar) return b;
  if (a == Space::param || b == Space::param) return {};
  if (a == Space::sample) return b;
  if (b == Space::sample) return a;
  return {};
}

/// `unknown` is what a mistake leaves behind, and what a function's parameters are until it is called: it goes with
/// everything, so that one mistake gives one message.
enum class Form { unknown, number, truth, names, text, array, stabilizer };

struct Type {
  Form form = Form::unknown;
  Space space = Space::scalar;  ///< of numbers, and of the numbers that a truth value compares
  bool operator==(const Type&) const = default;

  static constexpr Type number(Space space) { return {Form::number, space}; }
  static constexpr Type truth(Space space) { return {Form::truth, space}; }
  bool is_number() const { return form == Form::number || form == Form::unknown; }
};

inline constexpr Type unknown{}, truth{Form::truth}, names{Form::names}, text{Form::text}, array{Form::array},
    stabilizer{Form::stabilizer}, scalar{Form::number, Space::scalar};

/// What a parameter's annotation may say: `low: input`.
struct TypeWord {
  std::string_view word;
  Type type;
};
inline constexpr TypeWord type_words[] = {{"scalar", scalar},
                                          {"names", names},
                                          {"stabilizer", stabilizer},
                                          {"input", Type::number(Space::input)},
                                          {"output", Type::number(Space::output)},
                                          {"param", Type::number(Space::param)}};

constexpr const char* describe(Space space) {
  constexpr const char* words[] = {"a scalar", "one number per sample", "a value at the input", "a value at the output",
                                   "a value at a parameter"};
  return words[static_cast<int>(space)];
}

constexpr const char* describe(Type type) {
  constexpr const char* words[] = {
      "unknown", "", "a truth value", "a list of names", "a string", "a list of numbers", "a stabilizer"};
  return type.form == Form::number ? describe(type.space) : words[static_cast<int>(type.form)];
}

/// What a parameter of that type may be given, as it is written.
constexpr const char* example(Type type) {
  if (type == scalar) return "0.25";
  if (type == stabilizer) return "1e-6";
  if (type == names) return "[\"bias\"]";
  return "[-2.1, -2.0, -1.8]";
}

}  // namespace ascribe::language
