// What pack.rule says about its pack: `pack acme { version = "1.2.0"; language = 2 }`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "grammar/diagnostic.hpp"
#include "grammar/syntax.hpp"

namespace ascribe::language {

/// The language that this program understands.
inline constexpr int language_version = 2;

struct PackInfo {
  std::string name, version;
  std::string author{}, licence{}, description{};  ///< as they are written; empty where they are not
  Label named{};                                   ///< where its name is written
  int language = 0;                                ///< that it is written in
};

/// The words that stand in front of `=` in a `pack`.
std::vector<std::string> pack_fields();

/// The message for a pack in a newer language. Nothing else of such a pack is worth a message: ask this first.
std::optional<Diagnostic> needs_newer_language(const syntax::File& pack_file);

/// The `pack` item of a pack.rule. Mistakes are appended to `diagnostics`.
PackInfo check_pack(const syntax::File& pack_file, std::vector<Diagnostic>& diagnostics);

/// Reports the `pack` items of a file that is no pack.rule.
void refuse_packs(const syntax::File& file, std::vector<Diagnostic>& diagnostics);

}  // namespace ascribe::language
