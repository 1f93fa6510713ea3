#include "interpreter/command/load_arguments.hpp"

#include "grammar/filled_text.hpp"

#include <cstdlib>
#include <string_view>

namespace ascribe::command {

std::string counted(std::size_t count, const char* word) {
  return filled("{} {}{}", count, word, count == 1 ? "" : "s");
}

void LoadArguments::add_to(CLI::App& command) {
  command
      .add_option("--path", path,
                  "a folder in which imports by name are looked for, when there is nothing of that name beside the "
                  "importing file; several in this order, then those of ASCRIBE_PATH (with : between them)")
      ->type_name("DIR")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command.add_flag("--locked", locked,
                   "loads only what a lock covers: packs with a pack.lock, and no other rule files");
}

LoadOptions LoadArguments::options() const {
  LoadOptions out;
  out.require_lock = locked;
  auto add = [&](std::string_view folder) {
    if (!folder.empty()) out.path.emplace_back(folder);
  };
  for (auto& folder : path) add(folder);
  auto* listed = std::getenv("ASCRIBE_PATH");
  for (std::string_view rest = listed ? listed : ""; !rest.empty();) {
    auto end = std::min(rest.find(':'), rest.size());
    add(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

}  // namespace ascribe::command
