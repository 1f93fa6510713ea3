// `ascribe pack`: what a pack is made of, and its lock.
#include <unistd.h>

#include <iostream>

#include "ascribe/pack.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/parser.hpp"
#include "interpreter/command/colour.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/load_arguments.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/language/pack_checker.hpp"
#include "interpreter/pack/files.hpp"
#include "interpreter/pack/loader.hpp"
#include "interpreter/pack/lock.hpp"

namespace ascribe::command {
namespace {

namespace fs = std::filesystem;

struct PackOptions {
  std::vector<std::string> paths;
  LoadArguments load;
};

// Does the same for every path; one that is wrong does not keep the others from it. Gives the worst exit code.
template <typename Action>
int for_each_path(const PackOptions& options, Action action) {
  int worst = fine;
  for (auto& path : options.paths) {
    try {
      worst = std::max<int>(worst, action(fs::path(path)));
    } catch (const Error& error) {
      std::cerr << render_text(error.diagnostics(), wants_colour(STDERR_FILENO)) << std::flush;
      worst = std::max(worst, exit_code(error));
    }
  }
  return worst;
}

// A lock stands for a pack that this program can read: its pack.rule has to be sound.
void check_manifest(const PackText& manifest) {
  std::vector<Diagnostic> mistakes;
  auto tree = parse_file(manifest.source, mistakes);
  if (auto newer = language::needs_newer_language(tree)) throw Error(std::move(*newer));
  language::check_pack(tree, mistakes);
  if (has_errors(mistakes)) throw Error(std::move(mistakes));
}

int lock(const fs::path& path) {
  LoadOptions options;
  Reading reading(options);
  auto folder = folder_of_pack(reading, path);
  has_lock(reading, folder);  // what is no file is not overwritten
  auto texts = texts_of_pack(reading, folder);
  reading.refuse_too_many(1);  // who loads the pack reads the lock, too
  check_manifest(texts.front());
  files::write_file(folder / lock_file_name, {lock_of(texts)});
  std::cout << filled("{}: {}\n", (folder / lock_file_name).string(), counted(texts.size(), "file"));
  return fine;
}

int verify(const fs::path& path) {
  LoadOptions options;
  Reading reading(options);
  auto folder = folder_of_pack(reading, path);
  auto source = find_lock(reading, folder);
  if (!source) throw Error(has_no_lock(folder));
  auto lock = read_lock(source);
  auto texts = texts_of_pack(reading, folder);
  auto found = differences(lock, texts);
  for (auto& each : found) std::cout << filled("{:7}  {}\n", word_of(each.kind), shown(folder / each.name));
  std::cout << (found.empty() ? filled("{}: {}, all as locked\n", shown(folder), counted(texts.size(), "file"))
                              : filled("{}: {} from its lock\n", shown(folder), counted(found.size(), "difference")));
  return found.empty() ? fine : findings;
}

template <typename Wanted>
std::vector<std::string> names_of(const language::Definitions& definitions) {
  std::vector<std::string> out;
  for (auto& [name, definition] : definitions.targets)
    if (std::holds_alternative<std::shared_ptr<const Wanted>>(definition)) out.push_back(name);
  return out;
}

void print(const char* heading, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  std::cout << heading << ":\n";
  for (auto& line : lines) std::cout << "  " << line << "\n";
}

int list(const fs::path& path, const LoadOptions& options) {
  Reading reading(options);
  auto folder = folder_of_pack(reading, path);
  auto loaded = load_files({folder}, options, Inside::definitions(Pack::standard()));
  auto& pack = loaded.pack;
  std::cout << filled("{} {}, language {}, {}\n", pack.name, pack.version, pack.language,
                      has_lock(reading, folder) ? "locked" : "not locked");
  for (auto& [word, text] : {std::pair("description", &pack.description), std::pair("author", &pack.author),
                             std::pair("licence", &pack.licence)})
    if (!text->empty()) std::cout << filled("{}: {}\n", word, *text);
  std::vector<std::string> files, functions, imports;
  for (auto& each : files_of_pack(reading, folder)) files.push_back(shown(each.name));
  for (auto& [name, function] : loaded.definitions->functions) functions.push_back(name);
  for (auto& each : loaded.imports) {
    auto leads = each.name.empty() ? "" : filled("{} {}, ", each.name, each.version);
    imports.push_back(filled("{}: {}{}", each.alias, leads, shown(each.leads)));
  }
  print("files", files);
  print("rules", names_of<language::Rule>(*loaded.definitions));
  print("composites", names_of<language::Composite>(*loaded.definitions));
  print("functions", functions);
  print("imports", imports);
  return fine;
}

}  // namespace

Run add_pack(CLI::App& app) {
  auto* command = app.add_subcommand("pack", "Locks packs, verifies their locks, and shows what is in them");
  command->require_subcommand(1);
  auto options = std::make_shared<PackOptions>();
  auto add = [&](const char* name, const char* help) {
    auto* out = command->add_subcommand(name, help);
    out->add_option("PATH", options->paths, "packs: their folders, or the pack.rule in them")
        ->type_name("DIR|FILE.rule")
        ->required();
    return out;
  };
  auto* lock_command = add("lock",
                           "Writes pack.lock: the SHA-256 digests of the pack's rule files, which `sha256sum -c "
                           "pack.lock` reads in its folder");
  auto* verify_command =
      add("verify", "Compares a pack with its pack.lock, and lists each rule file that is changed, missing or added");
  auto* list_command =
      add("list", "Shows a pack's version, its files, what it defines and imports, and whether it is locked");
  options->load.add_to(*list_command);
  return [options, lock_command, verify_command] {
    if (lock_command->parsed()) return for_each_path(*options, lock);
    if (verify_command->parsed()) return for_each_path(*options, verify);
    return for_each_path(*options, [&](const fs::path& path) { return list(path, options->load.options()); });
  };
}

}  // namespace ascribe::command
