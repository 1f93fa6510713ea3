// Rules and composites: from `.rule` files to values that can be attached to a model.
//
//     auto pack  = ascribe::Pack::load("mine.rule");
//     auto rules = pack.composite("mine", {{"low", -3.0}, {"high", 3.0}});
//     auto rule  = ascribe::Pack::standard().rule("zplus");
//
// Everything here is immutable after it is made, cheap to copy, and may be shared between threads; threads may load at
// the same time. All functions throw `ascribe::Error` and nothing else (but std::bad_alloc, and what a host's own
// progress callback throws). No LibTorch is needed to load and check rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "ascribe/error.hpp"
#include "ascribe/files.hpp"

namespace ascribe {

namespace language {
struct BoundRule;
struct BoundComposite;
struct Definitions;
}  // namespace language
struct Inside;  // what only Ascribe's own parts see
struct Loaded;
struct PackOwners;

/// Numbers with a shape, in C order, for parameters that are tensors: `{{3}, {-2.1, -2.0, -1.8}}` is one bound per
/// channel.
struct Numbers {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
};

/// A function for a stabilizer, as a call without its first argument: `relative(0.1)`, `acme_soft`, `std.clipped`. It
/// is looked up and checked like the argument of a call in a file; functions of imports are not reached.
struct ASCRIBE_EXPORT Stabilizer {
  explicit Stabilizer(std::string written) : call(std::move(written)) {}
  std::string call;
};

/// What a rule's or composite's parameter is given: a number (for scalars, stabilizers and tensors alike), names,
/// numbers, or a stabilizer function.
///
///     pack.rule("gamma", {{"gamma", 0.5}, {"epsilon", ascribe::Stabilizer("relative(0.1)")}});
///     pack.rule("gamma", {{"zero_params", std::vector<std::string>{"bias"}}});
///     pack.rule("zbox", {{"low", ascribe::Numbers{{3}, {-2.1, -2.0, -1.8}}}, {"high", 2.6}});
class ASCRIBE_EXPORT Argument {
 public:
  using Value = std::variant<double, std::vector<std::string>, Numbers, Stabilizer>;

  template <typename Number, typename = std::enable_if_t<std::is_arithmetic_v<Number>>>
  Argument(Number number) : value_(static_cast<double>(number)) {}  // NOLINT: {"gamma", 0.25} is how it should read
  Argument(std::vector<std::string> names) : value_(std::move(names)) {}
  Argument(Numbers numbers) : value_(std::move(numbers)) {}
  Argument(Stabilizer stabilizer) : value_(std::move(stabilizer)) {}

  const Value& value() const { return value_; }

 private:
  Value value_;
};

/// Arguments by parameter name; what is not named takes its default.
using Arguments = std::vector<std::pair<std::string, Argument>>;

/// A rule with its arguments.
class ASCRIBE_EXPORT Rule {
 public:
  Rule(const Rule&) = default;  // moving copies, too: none of these classes is ever empty
  Rule& operator=(const Rule&) = default;
  /// The call that makes it: `gamma(gamma = 0.25, epsilon = 1e-06)`.
  const std::string& description() const;

 private:
  friend struct Inside;
  explicit Rule(std::shared_ptr<const language::BoundRule> bound) : bound_(std::move(bound)) {}
  std::shared_ptr<const language::BoundRule> bound_;
};

/// Which layers get which rules. A single rule is one, too: it goes to all linear and convolution layers.
class ASCRIBE_EXPORT Composite {
 public:
  Composite(const Composite&) = default;
  Composite& operator=(const Composite&) = default;
  Composite(const Rule& rule);  // NOLINT: attach(rule, model) is how it should read
  /// The call that makes it: `epsilon_plus(epsilon = 1e-06, stabilizer = 1e-06)`.
  const std::string& description() const;

 private:
  friend struct Inside;
  explicit Composite(std::shared_ptr<const language::BoundComposite> bound) : bound_(std::move(bound)) {}
  std::shared_ptr<const language::BoundComposite> bound_;
};

/// How much one loading may read. What lies beyond gets a message, A0004 or A0005: nobody writes such packs, but files
/// come from anywhere.
struct LoadLimits {
  std::size_t files = 1'000;         ///< files that are read, imported ones and locks included
  std::size_t file_bytes = 1 << 20;  ///< bytes of one file; 1 MiB at most, whatever is set here
  std::size_t bytes = 16 << 20;      ///< bytes of all files
  std::size_t entries = 10'000;      ///< files and folders that are looked at to find the files of packs
  std::size_t folder_depth = 32;     ///< folders in the folder of a pack, one inside another
};

/// How far a loading is, told before each file is read. How much there will be is not known: files import others.
struct LoadProgress {
  std::filesystem::path file;  ///< the one that is read next
  std::size_t files = 0;       ///< read so far
  std::size_t bytes = 0;       ///< of these files
};

/// How packs are loaded. All has a default:
///
///     auto pack = ascribe::Pack::load("rules/mine", {.path = {"/usr/share/rules"}, .require_lock = true});
struct LoadOptions {
  /// Where files are read; null is Files::disk().
  std::shared_ptr<const Files> files{};

  /// The search path: folders in which an import such as `import "acme" as acme` is looked for, in this order, when
  /// there is nothing of that name beside the importing file. Imports that begin with `./` or `../` are not looked for
  /// here. This is the only way by which a pack's files lead out of its folder. What is not there is passed over. The
  /// environment is not asked: ASCRIBE_PATH is the command's.
  std::vector<std::filesystem::path> path{};

  /// Loads only what a lock covers: each pack, imported ones included, needs its pack.lock, and rule files that belong
  /// to no pack are refused. A lock that is there is verified in any case, before anything of its pack is parsed.
  bool require_lock = false;

  LoadLimits limits{};

  /// Looked at before each file and folder. A loading that is stopped throws Error (A0612).
  std::stop_token stop{};

  /// Called on the thread that loads. What it throws ends the loading, and comes out of it as it is.
  std::function<void(const LoadProgress& progress)> progress{};
};

/// Checked definitions of rules, composites and functions.
class ASCRIBE_EXPORT Pack {
 public:
  Pack(const Pack&) = default;
  Pack& operator=(const Pack&) = default;

  /// The rules that come with Ascribe; no path is needed.
  static const Pack& standard();
  /// A `.rule` file, or a pack: a folder with a pack.rule (whose path names the pack, too) and all `.rule` files in it
  /// and in its folders, which share one scope; nested packs and hidden files are left out. What the files import is
  /// loaded with them, each file once. Their own names win over the standard ones; `std.name` still reaches those.
  /// Names that begin with `_` cannot be asked of a pack, but of a file that is loaded itself. Warnings do not stop
  /// loading. The path may be a link, or have some on its way; a pack itself holds none.
  ///
  /// Throws Error with every mistake of all files that are loaded; unreadable_file, too_large and too_deep (a limit),
  /// stopped; bad_import, import_cycle, outside_of_pack; of packs bad_pack, newer_language, repeated_pack; of their
  /// locks bad_lock, differs_from_lock, not_locked.
  static Pack load(const std::filesystem::path& path, const LoadOptions& options = {});
  /// Several: the files share one scope, which the public names of the packs join.
  static Pack load(const std::vector<std::filesystem::path>& paths, const LoadOptions& options = {});
  /// Rules from text, which imports nothing (bad_import); `name` is what messages call it. Throws Error with every
  /// mistake of the text.
  static Pack parse(std::string text, std::string name = "text");

  /// The same once more, as its files are now: from the same paths (relative ones from the working directory of now),
  /// with the same files, search path, limits and lock options; the stop token and the progress of the first loading
  /// are not kept. This pack stays what it is, and so does what was asked of it: threads that run keep their rules.
  /// Throws what load() throws, and changes nothing then. The standard pack, and what was parsed from text, is returned
  /// as it is.
  Pack reload(std::stop_token stop = {}, std::function<void(const LoadProgress& progress)> progress = {}) const;

  /// A rule or composite of this pack, or else of the standard one. Throws Error: unknown_rule (with the nearest known
  /// name), private_name; of arguments unknown_argument, missing_argument, wrong_type; requirement_violated.
  Rule rule(const std::string& name, const Arguments& arguments = {}) const;
  Composite composite(const std::string& name, const Arguments& arguments = {}) const;

  /// From a call as it is written in a composite: `epsilon_gamma_box(low = -3, high = 3)`, or a rule for all linear
  /// layers. What is loaded is called by its own name; imports are known in their files only. Throws Error with every
  /// mistake of the text.
  Composite call(const std::string& text, const std::string& name = "call") const;

  /// What pack.rule says: `acme`, `1.2.0`. Empty unless one pack is what was loaded.
  const std::string& name() const { return name_; }
  const std::string& version() const { return version_; }
  /// What it says besides, as it is written: "Ada Lovelace", an SPDX expression ("MIT OR Apache-2.0"), a line on what
  /// the pack is for. Each is empty where pack.rule leaves it out.
  const std::string& author() const { return author_; }
  const std::string& licence() const { return licence_; }
  const std::string& description() const { return description_; }

  /// What is worth knowing about the files, imported ones included, although they are sound.
  const std::vector<Diagnostic>& warnings() const { return *warnings_; }

 private:
  friend struct Inside;
  explicit Pack(Loaded loaded);

  std::shared_ptr<const language::Definitions> definitions_;
  std::shared_ptr<const PackOwners> packs_;
  std::shared_ptr<const std::vector<Diagnostic>> warnings_;
  std::string name_, version_, author_, licence_, description_;
  struct Origin;
  std::shared_ptr<const Origin> origin_;  // null where there is nothing to reload
};

}  // namespace ascribe
