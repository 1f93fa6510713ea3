// From a program's description in JSON to operators that can run: everything that can be known before an input is there
// is looked up and checked here, once.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "interpreter/model/exported_graph.hpp"
#include "interpreter/model/exported_modules.hpp"
#include "interpreter/model/strict_json.hpp"

namespace ascribe::model {

class GraphCompiler {
 public:
  /// A graph whose inputs have these names. The first ones are weights: `weights` says what these are called in the
  /// original model, each by all of its names. Throws Refusal.
  Graph compile(const Json& description, const std::vector<std::string>& inputs,
                const std::vector<std::vector<std::string>>& weights, const std::vector<const Json*>& outputs);

  /// Whether some operator may write into this input of the outermost graph.
  bool writes_into(std::size_t input) { return overwritten_.contains(whole(input)); }
  bool looks_up_integers() const { return looks_up_integers_; }

 private:
  using Alias = std::size_t;  ///< values that may share memory have one
  struct Scope {
    std::map<std::string, std::size_t, std::less<>> names;  ///< slots
    Graph graph;
    GraphFacts facts;
    ModuleCalls::Call call = ModuleCalls::none;  ///< of the step that is being added
  };

  Graph compile(const Json& description, const std::vector<std::string>& inputs,
                const std::vector<GraphFacts::Slot>& given, const std::vector<const Json*>& outputs, Scope scope);
  void add_node(const Json& node, Scope& scope);
  void add_operator(const Json& node, Scope& scope, Step step);
  void add_numbers(const Json& node, Scope& scope, Step step, const NumberOperator& op);
  void add_region(const Json& node, Scope& scope, Step step);
  void add_branch(const Json& node, Scope& scope, Step step);
  std::shared_ptr<const Graph> inner(const Json& argument, const Scope& scope,
                                     const std::vector<const Json*>& operands);
  static const Json& description_of(const Json& argument);
  std::vector<GraphArgument> arguments_of(const std::vector<const Json*>& operands, const Scope& scope);
  void define_results(const Json& node, Scope& scope, Step& step, const std::vector<Alias>& aliases);
  static void finish(Graph& graph);

  GraphArgument argument(const Json& value, const c10::Argument& formal, const Scope& scope);
  Source source(std::string_view kind, const Json& value, Wants wants, const Scope& scope);
  static std::size_t find(const Json& name, const Scope& scope);
  static std::size_t define(const std::string& name, Scope& scope, GraphFacts::Slot fact);

  Alias fresh();
  Alias whole(Alias alias);
  /// Of everything that the argument consists of; it becomes one.
  Alias joined(const GraphArgument& argument, const Scope& scope);
  Alias join(Alias one, Alias two);

  std::vector<Alias> parents_;
  std::vector<Alias> written_;  ///< by the steps so far, in their order
  std::set<Alias> overwritten_;
  ModuleCalls calls_;
  bool looks_up_integers_ = false;
};

}  // namespace ascribe::model
