#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "grammar/filled_text.hpp"
#include "interpreter/command/many/batches.hpp"
#include "interpreter/command/many/many.hpp"

namespace ascribe::command {
namespace fs = std::filesystem;
namespace {

// What is not a part of the question: which inputs, and how the work is done.
constexpr std::array not_settings = {"--help",   "--input",   "--threads", "--batch-size", "--strict",
                                     "--resume", "--shard",   "--report",  "--load",       "--path",
                                     "--output", "--heatmap", "--model"};

std::string shown_digest(XXH128_hash_t hash) { return filled("{:016x}{:016x}", hash.high64, hash.low64); }

}  // namespace

std::string digest_of(const std::string& text) { return shown_digest(XXH3_128bits(text.data(), text.size())); }

void ManyArguments::add_to(CLI::App& command) {
  constexpr const char* group = "Many inputs";
  command
      .add_option("--batch-size", batch_size,
                  "inputs that are explained at once (default: what memory allows, 32 at most)")
      ->check(CLI::PositiveNumber)
      ->group(group);
  command.add_flag("--resume", resume, "goes on where an earlier run of the same command was cut")->group(group);
  command
      .add_flag("--strict", strict,
                "ends at the first input that cannot be explained, instead of telling it at the end")
      ->group(group);
  command.add_option("--shard", shard, "of n processes or machines, the part of this one: 1/n to n/n")
      ->type_name("K/N")
      ->group(group);
}

std::string digest_of_file(const fs::path& path) {
  std::error_code failed;
  if (!fs::is_regular_file(path, failed)) return {};
  std::ifstream file(path, std::ios::binary);
  std::string buffer(1 << 20, '\0');
  auto* state = XXH3_createState();
  XXH3_128bits_reset(state);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0)
    XXH3_128bits_update(state, buffer.data(), static_cast<std::size_t>(file.gcount()));
  auto out = shown_digest(XXH3_128bits_digest(state));
  XXH3_freeState(state);
  return out;
}

std::string settings_of(const CLI::App& command) {
  std::string out;
  for (auto* option : command.get_options()) {
    auto name = option->get_name();
    if (option->count() == 0 || std::find(not_settings.begin(), not_settings.end(), name) != not_settings.end())
      continue;
    out += name;
    for (auto value : option->results()) {
      out += filled("\n  {}", value);
      if (value.starts_with('@')) value.erase(0, 1);
      if (auto digest = digest_of_file(value); !digest.empty()) out += " " + digest;
    }
    out += "\n";
  }
  return out;
}

}  // namespace ascribe::command
