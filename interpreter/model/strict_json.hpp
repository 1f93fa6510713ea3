// JSON whose shape is checked at every step: what is missing or of another type is a Refusal, never a guess.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace ascribe::model {

using Json = nlohmann::json;

/// Throws Refusal for what is no JSON, is nested too deeply, or is larger than any program's description.
Json parse_json(const std::string& text, const std::string& name);

const Json& member(const Json& object, const char* key);
/// Null where it is missing or says `null`.
const Json* optional_member(const Json& object, const char* key);
const Json& list(const Json& value);
const std::string& text(const Json& value);
std::int64_t integer(const Json& value);
/// Numbers beyond JSON are written as text: "Infinity", "-Infinity", "NaN".
double floating(const Json& value);
bool boolean(const Json& value);
/// The one member of an object such as {"as_int": 3}.
std::pair<std::string_view, const Json&> alternative(const Json& value);

}  // namespace ascribe::model
