#include "interpreter/language/definitions.hpp"

namespace ascribe::language {
namespace {

template <typename Named>
void hide(std::map<std::string, Named, std::less<>>& names, std::map<std::string, Place, std::less<>>& hidden) {
  for (auto each = names.begin(); each != names.end();) {
    if (!is_private(each->first)) {
      ++each;
      continue;
    }
    hidden.emplace(each->first, place_of(each->second));
    each = names.erase(each);
  }
}

}  // namespace

const Place& place_of(const Definition& definition) {
  return std::visit([](auto& each) -> const Place& { return each->place; }, definition);
}

const Place& place_of(const std::shared_ptr<const Function>& function) { return function->place; }

bool is_private(std::string_view name) { return name.starts_with('_'); }

Definitions exported(Definitions definitions) {
  hide(definitions.targets, definitions.hidden);
  hide(definitions.functions, definitions.hidden);
  return definitions;
}

}  // namespace ascribe::language
