// Functions that are given for stabilizers, checked with the values that they will stabilize: what a rule does with its
// stabilizer is written in the rule, which function that is, where the rule is called.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "interpreter/language/spaces.hpp"

namespace ascribe::language {

class StabilizerUses {
 public:
  /// Reports functions among the target's arguments that cannot stabilize what the target has for them. `own`: the
  /// types of the parameters of the definition that the target stands in. Whether there are none.
  bool check(const Target& target, const std::vector<Type>& own, const Reporter& reporter);

  /// The same for the defaults of a rule's or composite's parameters.
  void check_defaults(const std::shared_ptr<const Rule>& rule, const Reporter& reporter);
  void check_defaults(const std::shared_ptr<const Composite>& composite, const Reporter& reporter);

 private:
  using Callee = std::variant<std::shared_ptr<const Rule>, std::shared_ptr<const Composite>>;
  struct Problem {
    Code code;
    std::string message;
    std::vector<Label> places;  ///< the use, and what is wrong inside the function
  };
  struct Known {
    Callee callee;  // kept, so that its address stays its own
    Given given;
    std::optional<Problem> problem;
  };

  std::optional<Problem> problem(const Callee& callee, std::size_t parameter, const Given& given);
  std::optional<Problem> look(const Rule& rule, std::size_t parameter, const Given& given);
  std::optional<Problem> look(const Composite& composite, std::size_t parameter, const Given& given);
  std::optional<Problem> look(const Target& target, const std::vector<Parameter>& own, std::size_t parameter,
                              const Given& given);
  static void report(const Problem& problem, Span where, const Reporter& reporter);
  template <typename Definition>
  void check_each_default(const std::shared_ptr<const Definition>& definition, const Reporter& reporter);

  std::map<std::string, Known> known_;  // by who is given what
};

}  // namespace ascribe::language
