#include "interpreter/files/npz.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "grammar/filled_text.hpp"
#include "interpreter/files/npy.hpp"

namespace ascribe::files {
namespace {

constexpr std::string_view array_ending = ".npy";

std::vector<std::string> arrays_in(const model::Archive& archive) {
  std::vector<std::string> names;
  for (auto& each : archive.in(""))
    if (each.ends_with(array_ending)) names.push_back(each.substr(0, each.size() - array_ending.size()));
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 8;
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) shown.push_back(quoted_name(names[i]));
  return filled("{}{}", fmt::join(shown, ", "), names.size() > most ? ", …" : "");
}

[[noreturn]] void refuse_archive(const ArrayPath& path, const std::string& what, std::string help) {
  throw Error(
      Diagnostic{.code = Code::wrong_tensor, .message = quoted(path.file) + " " + what, .help = std::move(help)});
}

}  // namespace

ArrayPath array_path(const std::filesystem::path& path) {
  auto& text = path.native();
  std::error_code ignored;
  auto lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  auto found = lower.rfind(".npz:");
  if (found == text.npos || std::filesystem::exists(path, ignored)) return {path, {}};
  return {text.substr(0, found + 4), text.substr(found + 5)};
}

at::Tensor read_npz(const model::Archive& archive, const std::string& name, const ArrayPath& path) {
  auto names = arrays_in(archive);
  auto named = [&](const std::string& array) { return files::quoted(path.file.native() + ":" + array); };
  if (names.empty())
    refuse_archive(path, "is a zip archive without arrays", "save some: numpy.savez('arrays.npz', x=array)");
  if (name.empty() && names.size() > 1)
    refuse_archive(path, filled("holds {} arrays: {}", names.size(), listed(names)),
                   filled("name one of them: {}", named(names.front())));
  auto chosen = name.empty() ? names.front() : name;
  if (std::find(names.begin(), names.end(), chosen) == names.end() && chosen.ends_with(array_ending))
    chosen.resize(chosen.size() - array_ending.size());
  if (std::find(names.begin(), names.end(), chosen) == names.end())
    refuse_archive(path, filled("holds no array {}; it has {}", quoted_name(chosen), listed(names)),
                   filled("write {}", named(names.front())));
  auto bytes = std::make_shared<const std::string>(archive.text(chosen + std::string(array_ending)));
  return array_in(*bytes, name.empty() && names.size() == 1 ? quoted(path.file) : named(chosen), bytes);
}

}  // namespace ascribe::files
