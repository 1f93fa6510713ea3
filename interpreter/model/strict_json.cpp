#include "interpreter/model/strict_json.hpp"

#include <limits>

#include "grammar/filled_text.hpp"
#include "interpreter/model/archive.hpp"

namespace ascribe::model {
namespace {

constexpr std::size_t size_limit = std::size_t{1} << 26;  // the largest models that people export have a few MB
constexpr int deepest_nesting = 200;

Refusal wrong(const char* expected, const Json& value) {
  return damaged(filled("its description holds a {} where a {} belongs", value.type_name(), expected));
}

}  // namespace

Json parse_json(const std::string& source, const std::string& name) {
  if (source.size() > size_limit) throw damaged(filled("{} is larger than any description", shown_name(name)));
  Json::parser_callback_t bound = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > deepest_nesting) throw damaged(filled("{} is nested too deeply", shown_name(name)));
    return true;
  };
  try {
    return Json::parse(source, bound);
  } catch (const Json::exception&) {
    throw damaged(filled("{} is no JSON", shown_name(name)));
  }
}

const Json* optional_member(const Json& object, const char* key) {
  if (!object.is_object()) throw wrong("object", object);
  auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const Json& member(const Json& object, const char* key) {
  auto* found = optional_member(object, key);
  if (!found) throw damaged(filled("its description lacks '{}'", key));
  return *found;
}

const Json& list(const Json& value) {
  if (!value.is_array()) throw wrong("list", value);
  return value;
}

const std::string& text(const Json& value) {
  if (!value.is_string()) throw wrong("string", value);
  return value.get_ref<const std::string&>();
}

std::int64_t integer(const Json& value) {
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() &&
       value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())))
    throw wrong("whole number", value);
  return value.get<std::int64_t>();
}

double floating(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value == "Infinity") return std::numeric_limits<double>::infinity();
  if (value == "-Infinity") return -std::numeric_limits<double>::infinity();
  if (value == "NaN") return std::numeric_limits<double>::quiet_NaN();
  throw wrong("number", value);
}

bool boolean(const Json& value) {
  if (!value.is_boolean()) throw wrong("truth value", value);
  return value.get<bool>();
}

std::pair<std::string_view, const Json&> alternative(const Json& value) {
  if (!value.is_object() || value.size() != 1) throw wrong("choice", value);
  auto only = value.begin();
  return {only.key(), only.value()};
}

}  // namespace ascribe::model
