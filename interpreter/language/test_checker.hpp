// `test` blocks: a model of layers in sequence, its input, and what is expected of relevance.
#pragma once

#include "interpreter/language/names.hpp"

namespace ascribe::language {

class TestChecker {
 public:
  /// A rule or composite, with its arguments, from a call inside a test; mistakes go to the reporter.
  using FindTarget = std::function<std::optional<Target>(const syntax::Call&, const Reporter&, LocalNames&, Clause)>;

  TestChecker(Reporter reporter, FindTarget find_target, std::function<FindFunction(const Reporter&)> find_function,
              std::vector<std::string> function_names);

  /// Nothing after a mistake, which is reported.
  std::shared_ptr<const Test> check(const syntax::Test& written, Place place);

 private:
  void collect(const syntax::Test& written);
  ExpressionPointer value(const syntax::Expression& written, Clause clause, Type wanted, const Reporter& reporter);
  bool model(const syntax::Expression& written, std::vector<BuiltLayer>& out);
  std::optional<BuiltLayer> layer(const syntax::Expression& written);
  bool layer_arguments(const syntax::Call& call, BuiltLayer& out);
  std::optional<Expectation> expectation(const syntax::Expect& written);
  void report_unused(const syntax::Test& written);

  Reporter reporter_;
  FindTarget find_target_;
  std::function<FindFunction(const Reporter&)> find_function_;
  std::vector<std::string> function_names_;
  LocalNames local_;
  std::map<std::string, const syntax::Field*, std::less<>> fields_;
};

}  // namespace ascribe::language
