// `test` blocks: a model of layers in sequence, its input, and what is expected of relevance.
#pragma once

#include "interpreter/language/local_names.hpp"
#include "interpreter/language/reporter.hpp"
#include "interpreter/language/scope.hpp"
#include "interpreter/language/test_expressions.hpp"

namespace ascribe::language {

class TestChecker {
 public:
  explicit TestChecker(FileScope& file) : file_(file), reporter_(file.reporter()) {}

  /// Nothing after a mistake, which is reported.
  std::shared_ptr<const Test> check(const syntax::Test& written, Place place);

 private:
  void collect(const syntax::Test& written);
  std::optional<Expectation> expectation(const syntax::Expect& written);
  void report_unused(const syntax::Test& written);

  FileScope& file_;
  Reporter reporter_;
  LocalNames local_;
  TestExpressions expressions_{file_, local_};
  std::map<std::string, const syntax::Field*, std::less<>> fields_;
};

}  // namespace ascribe::language
