// What names mean in files that share one scope: their own definitions, checked when something first needs them, then
// what lies beside them, then the standard pack; `alias.name` is what a file imports, and only that file sees it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "grammar/syntax.hpp"
#include "interpreter/language/coverage.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/language/function_scope.hpp"
#include "interpreter/language/reporter.hpp"
#include "interpreter/language/stabilizer_uses.hpp"

namespace ascribe::language {

class FileScope;

/// A definition is checked when something first needs it, so that the order in a file does not matter.
template <typename Result>
struct Pending {
  const syntax::Item* item = nullptr;
  FileScope* file = nullptr;
  enum { untouched, open, done } state = untouched;
  Result result{};
};

class Scope {
 public:
  Scope(const Surroundings& surroundings, std::vector<Diagnostic>& diagnostics)
      : surroundings_(surroundings), diagnostics_(diagnostics) {}

  /// Names whose definitions could not be read: they have their message.
  void add_broken(const std::vector<std::string>& read) { broken_.insert(read.begin(), read.end()); }
  /// Adds a rule, composite or function under its name.
  void declare(const syntax::Item& item, FileScope& file);
  /// Checks every definition and gives the sound ones.
  Definitions check_all();

 private:
  friend class FileScope;
  template <typename Result>
  using Names = std::map<std::string, Pending<Result>, std::less<>>;

  /// The place of the definition that has the name already.
  template <typename Result, typename Beside>
  std::optional<Place> declare(Names<Result>& own, Beside beside, const std::string& name, const syntax::Item& item,
                               FileScope& file);
  template <typename Result, typename Check>
  Result once(Pending<Result>& pending, const std::string& name, Span use, const Reporter* user, Check check);
  std::optional<Definition> check(Pending<std::optional<Definition>>& pending, const std::string& name, Span use,
                                  const Reporter* user);
  std::shared_ptr<const Function> check(Pending<std::shared_ptr<const Function>>& pending, const std::string& name,
                                        Span use, const Reporter* user);
  bool too_deep(std::size_t depth, Span use, const Reporter& user) const;

  const Surroundings& surroundings_;
  std::vector<Diagnostic>& diagnostics_;
  Names<std::optional<Definition>> targets_;
  Names<std::shared_ptr<const Function>> functions_;
  std::set<std::string, std::less<>> broken_;
  std::vector<std::string> order_;
  StabilizerUses stabilizer_uses_;
  CoverageChecker coverage_;
  std::size_t operations_ = 0;
  std::vector<std::size_t> deepest_;  // of what the definitions that are being checked lead to, one inside another
};

/// A file of a scope: where its definitions look names up.
class FileScope : public FunctionScope {
 public:
  FileScope(Scope& scope, SourcePointer source) : scope_(scope), source_(std::move(source)) {}

  /// Makes `alias.name` lead there, null where it could not be loaded.
  void add_alias(const std::string& alias, std::shared_ptr<const Definitions> definitions) {
    aliases_.emplace(alias, std::move(definitions));
  }

  /// The rule or composite of that name. Nothing where there is none or where it has a mistake: that is reported.
  std::optional<Definition> find_target(const syntax::Path& path, const Reporter& reporter);

  std::optional<std::shared_ptr<const Function>> find(const syntax::Path& path, const Reporter& reporter) override;
  bool is_function(std::string_view name) const override;
  bool is_target(std::string_view name) const override;
  std::vector<std::string> function_names() const override;
  bool is_pack(std::string_view qualifier) const override { return qualifier == "std" || aliases_.contains(qualifier); }
  std::vector<std::string> packs() const override;
  void spend(std::size_t operations, Span where) override;

  /// Where a rule or composite may come from that is not there.
  virtual std::string help_for_unknown_target() const {
    return "`ascribe check` takes the file that defines it; `--load` brings it to `ascribe run`";
  }

  /// One more than the depth of what the definition that is being checked leads to so far.
  std::size_t depth() const { return 1 + (scope_.deepest_.empty() ? 0 : scope_.deepest_.back()); }
  Reporter reporter() const { return {source_, scope_.diagnostics_}; }
  std::size_t error_count() const { return reporter().error_count(); }
  StabilizerUses& stabilizer_uses() { return scope_.stabilizer_uses_; }
  CoverageChecker& coverage() { return scope_.coverage_; }
  const SourcePointer& source() const { return source_; }

 private:
  const Definitions* standard() const { return scope_.surroundings_.standard; }
  /// What `std` or an alias leads to; may be null.
  const Definitions* behind(const std::string& pack) const;
  template <typename Result, typename Named>
  std::optional<Result> look_up(const syntax::Path& path, const Reporter& reporter, Scope::Names<Result>& own,
                                Named named);

  Scope& scope_;
  SourcePointer source_;
  std::map<std::string, std::shared_ptr<const Definitions>, std::less<>> aliases_;
};

/// The engine's target of this name: `merge`, `refuse`, `stop`.
std::optional<Engine> find_engine(std::string_view name);
std::vector<std::string_view> engine_words();
inline constexpr const char* engine_help = "it stands in composites: `softmax => refuse`";

}  // namespace ascribe::language
