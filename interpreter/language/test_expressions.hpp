// What stands in `test` blocks and is entered into sessions: expressions on tensors, and models of layers in sequence.
#pragma once

#include <optional>
#include <vector>

#include "interpreter/language/clause.hpp"
#include "interpreter/language/local_names.hpp"
#include "interpreter/language/reporter.hpp"
#include "interpreter/language/scope.hpp"

namespace ascribe::language {

class TestExpressions {
 public:
  /// `local` are the names that the expressions see besides those of the file.
  TestExpressions(FileScope& file, LocalNames& local) : file_(file), local_(local), reporter_(file.reporter()) {}

  /// Null after a mistake, which is reported. The expression's spaces are not looked at.
  ExpressionPointer resolve(const syntax::Expression& written, Clause clause, const Reporter& reporter);
  /// The same for an expression of this type.
  ExpressionPointer value(const syntax::Expression& written, Clause clause, Type wanted);
  /// Whether `written` is a layer, or a list of them, which are appended.
  bool model(const syntax::Expression& written, std::vector<BuiltLayer>& out);
  std::optional<BuiltLayer> layer(const syntax::Expression& written);

 private:
  bool sequence(const syntax::Expression& written, std::vector<BuiltLayer>& out);
  bool layer_arguments(const syntax::Call& call, BuiltLayer& out);

  FileScope& file_;
  LocalNames& local_;
  Reporter reporter_;
};

}  // namespace ascribe::language
