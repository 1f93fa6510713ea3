// From a program's description in JSON to operators that can run: everything that can be known before an input is there
// is looked up and checked here, once.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "interpreter/model/exported_graph.hpp"
#include "interpreter/model/strict_json.hpp"

namespace ascribe::model {

class GraphCompiler {
 public:
  /// A graph whose inputs have these names. Throws Refusal.
  Graph compile(const Json& description, const std::vector<std::string>& inputs,
                const std::vector<const Json*>& outputs);

  /// Whether some operator may write into this input of the outermost graph.
  bool writes_into(std::size_t input);
  bool looks_up_integers() const { return looks_up_integers_; }

 private:
  using Alias = std::size_t;  ///< values that may share memory have one
  struct Name {
    std::size_t slot;
    Alias alias;
  };
  struct Scope {
    std::map<std::string, Name, std::less<>> names;
    std::vector<Alias> aliases;  ///< by slot
    Graph graph;
  };

  Graph compile(const Json& description, const std::vector<std::string>& inputs, const std::vector<Alias>& aliases,
                const std::vector<const Json*>& outputs);
  void add_node(const Json& node, Scope& scope);
  void add_operator(const Json& node, Scope& scope, Step step);
  void add_numbers(const Json& node, Scope& scope, Step step, const NumberOperator& op);
  void add_region(const Json& node, Scope& scope, Step step);
  void add_branch(const Json& node, Scope& scope, Step step);
  std::shared_ptr<const Graph> inner(const Json& argument, const Scope& scope,
                                     const std::vector<const Json*>& operands);
  std::vector<GraphArgument> arguments_of(const std::vector<const Json*>& operands, const Scope& scope);
  void define_results(const Json& node, Scope& scope, Step& step, const std::vector<Alias>& aliases);
  static void finish(Graph& graph);

  GraphArgument argument(const Json& value, const c10::Argument& formal, const Scope& scope);
  Source source(std::string_view kind, const Json& value, Wants wants, const Scope& scope);
  static const Name& find(const Json& name, const Scope& scope);
  static std::size_t define(const std::string& name, Scope& scope, Alias alias);

  Alias fresh();
  Alias whole(Alias alias);
  /// Of everything that the argument consists of; it becomes one.
  Alias joined(const GraphArgument& argument, const Scope& scope);
  Alias join(Alias one, Alias two);

  std::vector<Alias> parents_;
  std::set<Alias> overwritten_;
  bool looks_up_integers_ = false;
};

}  // namespace ascribe::model
