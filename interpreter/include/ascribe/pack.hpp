// Rules and composites: from `.rule` files to values that can be attached to a model.
//
//     auto pack  = ascribe::Pack::load("mine.rule");
//     auto rules = pack.composite("mine", {{"low", -3.0}, {"high", 3.0}});
//     auto rule  = ascribe::Pack::standard().rule("zplus");
//
// Everything here is immutable after it is made, cheap to copy, and may be shared between threads. All functions throw
// `ascribe::Error` and nothing else (but std::bad_alloc). No LibTorch is needed to load and check rules.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "ascribe/error.hpp"

namespace ascribe {

namespace language {
struct BoundRule;
struct BoundComposite;
struct Definitions;
}  // namespace language
struct Loaded;

/// Numbers with a shape, in C order, for parameters that are tensors: `{{3}, {-2.1, -2.0, -1.8}}` is one bound per
/// channel.
struct Numbers {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
};

/// What a rule's or composite's parameter is given: a number (for scalars, stabilizers and tensors alike), names, or
/// numbers.
class ASCRIBE_EXPORT Argument {
 public:
  template <typename Number, typename = std::enable_if_t<std::is_arithmetic_v<Number>>>
  Argument(Number number) : value_(static_cast<double>(number)) {}  // NOLINT: {"gamma", 0.25} is how it should read
  Argument(std::vector<std::string> names) : value_(std::move(names)) {}
  Argument(Numbers numbers) : value_(std::move(numbers)) {}

  const std::variant<double, std::vector<std::string>, Numbers>& value() const { return value_; }

 private:
  std::variant<double, std::vector<std::string>, Numbers> value_;
};

/// Arguments by parameter name; what is not named takes its default.
using Arguments = std::vector<std::pair<std::string, Argument>>;

/// A rule with its arguments.
class ASCRIBE_EXPORT Rule {
 public:
  Rule(const Rule&) = default;  // moving copies, too: none of these classes is ever empty
  Rule& operator=(const Rule&) = default;
  /// For Ascribe's own parts, as bound().
  explicit Rule(std::shared_ptr<const language::BoundRule> bound) : bound_(std::move(bound)) {}
  /// The call that makes it: `gamma(gamma = 0.25, epsilon = 1e-06)`.
  const std::string& description() const;
  const language::BoundRule& bound() const { return *bound_; }

 private:
  std::shared_ptr<const language::BoundRule> bound_;
};

/// Which layers get which rules. A single rule is one, too: it goes to all linear and convolution layers.
class ASCRIBE_EXPORT Composite {
 public:
  Composite(const Composite&) = default;
  Composite& operator=(const Composite&) = default;
  /// For Ascribe's own parts, as bound().
  explicit Composite(std::shared_ptr<const language::BoundComposite> bound) : bound_(std::move(bound)) {}
  Composite(const Rule& rule);  // NOLINT: attach(rule, model) is how it should read
  /// The call that makes it: `epsilon_plus(epsilon = 1e-06, stabilizer = 1e-06)`.
  const std::string& description() const;
  const language::BoundComposite& bound() const { return *bound_; }

 private:
  std::shared_ptr<const language::BoundComposite> bound_;
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
  /// loading.
  static Pack load(const std::filesystem::path& path);
  /// Several: the files share one scope, which the public names of the packs join.
  static Pack load(const std::vector<std::filesystem::path>& paths);
  /// Rules from text, which imports nothing; `name` is what messages call it.
  static Pack parse(std::string text, std::string name = "text");

  /// A rule or composite of this pack, or else of the standard one. Errors: an unknown name (with the nearest known
  /// one), an argument that the definition lacks or cannot take, a violated `require`.
  Rule rule(const std::string& name, const Arguments& arguments = {}) const;
  Composite composite(const std::string& name, const Arguments& arguments = {}) const;

  /// From a call as it is written in a composite: `epsilon_gamma_box(low = -3, high = 3)`, or a rule for all linear
  /// layers. What is loaded is called by its own name; imports are known in their files only.
  Composite call(const std::string& text, const std::string& name = "call") const;

  /// For Ascribe's own parts: what was checked.
  const language::Definitions& definitions() const { return *definitions_; }

  /// What pack.rule says: `acme`, `1.2.0`. Empty unless one pack is what was loaded.
  const std::string& name() const { return name_; }
  const std::string& version() const { return version_; }

  /// What is worth knowing about the files, imported ones included, although they are sound.
  const std::vector<Diagnostic>& warnings() const { return *warnings_; }

 private:
  explicit Pack(Loaded loaded);

  std::shared_ptr<const language::Definitions> definitions_;
  std::shared_ptr<const std::vector<Diagnostic>> warnings_;
  std::string name_, version_;
};

}  // namespace ascribe
