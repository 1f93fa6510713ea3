#include "interpreter/model/exported_compiler.hpp"

#include <ATen/core/jit_type.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/model/archive.hpp"
#include "interpreter/model/exported_operators.hpp"
#include "interpreter/model/exported_types.hpp"

namespace ascribe::model {
namespace {

// What an element of a schema's type takes; nothing where no file can hold it.
std::optional<Wants> wants(const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::TensorType:
      return Wants::tensor;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
    case c10::TypeKind::ScalarTypeType:
    case c10::TypeKind::LayoutType:
    case c10::TypeKind::MemoryFormatType:
      return Wants::integer;
    case c10::TypeKind::FloatType:
    case c10::TypeKind::SymFloatType:
      return Wants::floating;
    case c10::TypeKind::NumberType:
      return Wants::number;
    case c10::TypeKind::BoolType:
    case c10::TypeKind::SymBoolType:
      return Wants::boolean;
    case c10::TypeKind::StringType:
      return Wants::text;
    case c10::TypeKind::DeviceObjType:
      return Wants::device;
    default:
      return {};
  }
}

Refusal does_not_fit(std::string_view kind, const char* what) {
  return damaged(filled("it gives {} where an operator takes a {}", shown_name(kind), what));
}

struct ListKind {
  std::string_view list, element;
};
constexpr ListKind list_kinds[] = {{"as_tensors", "as_tensor"},    {"as_optional_tensors", "as_optional_tensor"},
                                   {"as_ints", "as_int"},          {"as_floats", "as_float"},
                                   {"as_strings", "as_string"},    {"as_bools", "as_bool"},
                                   {"as_sym_ints", "as_sym_int"},  {"as_sym_floats", "as_sym_float"},
                                   {"as_sym_bools", "as_sym_bool"}};
const ListKind* find_list(std::string_view kind) {
  auto found =
      std::find_if(std::begin(list_kinds), std::end(list_kinds), [&](auto& each) { return each.list == kind; });
  return found == std::end(list_kinds) ? nullptr : found;
}

// Types, layouts and memory formats are numbers with a meaning, in schemas and in files.
std::optional<c10::IValue> coded(std::string_view kind, const Json& value, c10::TypeKind type) {
  switch (type) {
    case c10::TypeKind::ScalarTypeType:
      if (kind == "as_scalar_type") return static_cast<std::int64_t>(scalar_type(integer(value)));
      break;
    case c10::TypeKind::LayoutType:
      if (kind == "as_layout") return static_cast<std::int64_t>(layout(integer(value)));
      break;
    case c10::TypeKind::MemoryFormatType:
      if (kind == "as_memory_format") return static_cast<std::int64_t>(memory_format(integer(value)));
      break;
    default:
      return {};
  }
  throw does_not_fit(kind, "type, layout or memory format");
}

const Json& argument_of(const Json& named) { return member(named, "arg"); }

}  // namespace

// --------------------------------------------------------------------------------------------------------------- names

std::size_t GraphCompiler::find(const Json& name, const Scope& scope) {
  auto found = scope.names.find(text(name));
  if (found == scope.names.end()) throw damaged(filled("it uses {} before it is there", shown_name(text(name))));
  return found->second;
}

std::size_t GraphCompiler::define(const std::string& name, Scope& scope, GraphFacts::Slot fact) {
  auto slot = scope.graph.slots++;
  scope.facts.slots.push_back(fact);
  if (!scope.names.emplace(name, slot).second) throw damaged(filled("two values are called {}", shown_name(name)));
  return slot;
}

GraphCompiler::Alias GraphCompiler::fresh() {
  parents_.push_back(parents_.size());
  return parents_.size() - 1;
}

GraphCompiler::Alias GraphCompiler::whole(Alias alias) {
  while (parents_[alias] != alias) alias = parents_[alias] = parents_[parents_[alias]];
  return alias;
}

GraphCompiler::Alias GraphCompiler::join(Alias one, Alias two) { return parents_[whole(two)] = whole(one); }

GraphCompiler::Alias GraphCompiler::joined(const GraphArgument& argument, const Scope& scope) {
  auto out = fresh();
  for (auto& source : argument.sources)
    if (source.from == Source::From::slot) out = join(out, scope.facts.slots[source.slot].alias);
  return out;
}

void GraphCompiler::define_results(const Json& node, Scope& scope, Step& step, const std::vector<Alias>& aliases) {
  auto& outputs = list(member(node, "outputs"));
  if (outputs.empty()) return;
  if (outputs.size() != aliases.size())
    throw damaged(filled("{} has {} results, not {}", shown_name(step.name), aliases.size(), outputs.size()));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    auto [kind, value] = alternative(outputs[i]);
    GraphResult result;
    if (kind == "as_tensors") {
      result.is_list = true;
      for (auto& each : list(value)) result.slots.push_back(define(text(member(each, "name")), scope, {aliases[i]}));
    } else if (kind == "as_tensor") {
      result.slots.push_back(define(text(member(value, "name")), scope, {aliases[i]}));
    } else if (kind == "as_sym_int" || kind == "as_sym_float" || kind == "as_sym_bool") {
      auto [form, name] = alternative(value);
      result.slots.push_back(form == "as_name"
                                 ? std::optional(define(text(name), scope, {.alias = fresh(), .is_number = true}))
                                 : std::nullopt);
    } else if (kind == "as_none") {
      result.slots.push_back({});
    } else {
      throw Refusal(filled("has a result of an unknown sort, {}", shown_name(kind)));
    }
    step.results.push_back(std::move(result));
  }
}

// ----------------------------------------------------------------------------------------------------------- arguments

Source GraphCompiler::source(std::string_view kind, const Json& value, Wants wanted, const Scope& scope) {
  auto slot = [&](const Json& name) { return Source{.from = Source::From::slot, .slot = find(name, scope)}; };
  auto constant = [](c10::IValue each) { return Source{.constant = std::move(each)}; };
  auto numeric = wanted == Wants::number || wanted == Wants::tensor || wanted == Wants::anything;
  if (kind == "as_optional_tensor") {
    auto [form, inside] = alternative(value);
    return form == "as_none" ? constant({}) : source(form, inside, wanted, scope);
  }
  if (kind == "as_none") return constant({});
  if (kind == "as_tensor" && (wanted == Wants::tensor || wanted == Wants::anything)) return slot(member(value, "name"));
  if (kind == "as_sym_int" || kind == "as_sym_float" || kind == "as_sym_bool") {
    auto [form, inside] = alternative(value);
    if (form != "as_name") return source(form, inside, wanted, scope);
    if (numeric || wanted == Wants::integer || wanted == Wants::floating || wanted == Wants::boolean)
      return slot(inside);
  }
  if (kind == "as_int" && (numeric || wanted == Wants::integer)) return constant(integer(value));
  if ((kind == "as_int" || kind == "as_float") && (numeric || wanted == Wants::floating))
    return constant(floating(value));
  if (kind == "as_bool" && (numeric || wanted == Wants::boolean)) return constant(boolean(value));
  if (kind == "as_bool" && wanted == Wants::integer) return constant(std::int64_t{boolean(value)});
  if (kind == "as_complex" && numeric)
    return constant(c10::complex<double>(floating(member(value, "real")), floating(member(value, "imag"))));
  if (kind == "as_string" && (wanted == Wants::text || wanted == Wants::anything)) return constant(text(value));
  if (kind == "as_device" && (wanted == Wants::device || wanted == Wants::anything))
    return Source{.from = Source::From::device};  // the model's own, wherever it was exported
  constexpr const char* names[] = {"tensor",      "whole number", "number", "number",
                                   "truth value", "text",         "device", "value"};
  throw does_not_fit(kind, names[static_cast<int>(wanted)]);
}

GraphArgument GraphCompiler::argument(const Json& value, const c10::Argument& formal, const Scope& scope) {
  auto type = formal.real_type();
  GraphArgument out;
  bool may_be_none = false;
  if (auto* optional = type->castRaw<c10::OptionalType>()) may_be_none = true, type = optional->getElementType();
  auto [kind, content] = alternative(value);
  if (kind == "as_none" || (kind == "as_optional_tensor" && alternative(content).first == "as_none")) {
    if (!may_be_none) throw damaged(filled("an operator lacks its argument {}", shown_name(formal.name())));
    out.is_constant = true;
    return out;
  }
  auto element = type;
  if (auto* list_type = type->castRaw<c10::ListType>()) {
    out.is_list = true;
    element = list_type->getElementType();
    if (auto* optional = element->castRaw<c10::OptionalType>())
      out.optional = true, element = optional->getElementType();
  } else {
    out.optional = may_be_none;
  }
  auto wanted = wants(*element);
  if (!wanted || (out.is_list && (*wanted == Wants::number || *wanted == Wants::device)) ||
      (out.is_list && out.optional && *wanted != Wants::tensor))
    throw Refusal(
        filled("gives an operator's argument {}, of a type that is not supported", shown_name(formal.name())));
  out.wants = *wanted;

  if (!out.is_list) {
    auto code = coded(kind, content, element->kind());
    out.sources.push_back(code ? Source{.constant = *code} : source(kind, content, *wanted, scope));
  } else if (auto* form = find_list(kind)) {
    for (auto& each : list(content)) out.sources.push_back(source(form->element, each, *wanted, scope));
  } else {  // one number for all of a list of known length
    auto single = source(kind, content, *wanted, scope);
    if (*wanted == Wants::tensor || formal.N().value_or(1) > 64) throw does_not_fit(kind, "list");
    out.sources.assign(static_cast<std::size_t>(std::max(formal.N().value_or(1), 1)), single);
  }
  return out;
}

// ---------------------------------------------------------------------------------------------------------- operations

void GraphCompiler::add_operator(const Json& node, Scope& scope, Step step) {
  auto op = find_operator(text(member(node, "target")));
  auto& inputs = list(member(node, "inputs"));
  auto given = [&](const std::string& name) -> const Json* {
    auto found =
        std::find_if(inputs.begin(), inputs.end(), [&](auto& each) { return text(member(each, "name")) == name; });
    return found == inputs.end() ? nullptr : &argument_of(*found);
  };
  if (auto* other = given("other")) {
    auto kind = alternative(*other).first;
    if (kind == "as_int" || kind == "as_float" || kind == "as_bool" || kind.starts_with("as_sym_"))
      op = with_number(op).value_or(op);
  }
  auto& schema = op.schema();
  auto overwrite = [&](const GraphArgument& written) {
    written_.push_back(joined(written, scope));
    for (auto& each : written.sources)
      if (each.from != Source::From::slot) throw damaged(filled("{} writes into a constant", shown_name(step.name)));
  };
  std::size_t used = 0;
  auto shared = fresh();
  for (auto& formal : schema.arguments()) {
    GraphArgument each;
    if (auto* value = given(formal.name())) {
      ++used;
      each = argument(*value, formal, scope);
      if (auto* alias = formal.alias_info()) {
        shared = join(shared, joined(each, scope));
        if (alias->isWrite()) overwrite(each);
      }
    } else if (formal.default_value()) {
      each.is_constant = true, each.constant = *formal.default_value();
    } else if (formal.real_type()->kind() == c10::TypeKind::OptionalType) {
      each.is_constant = true;
    } else {
      throw damaged(filled("{} lacks its argument {}", shown_name(step.name), shown_name(formal.name())));
    }
    step.arguments.push_back(std::move(each));
  }
  if (used != inputs.size()) throw damaged(filled("{} has arguments that its operator lacks", shown_name(step.name)));

  auto& name = op.operator_name().name;
  if (name == "aten::embedding" || name == "aten::embedding_bag") looks_up_integers_ = true;
  // Neither is in the schemas: dropout out of training answers with its input, and batch norm in training writes into
  // its running statistics.
  bool is_dropout = name.find("dropout") != name.npos;
  if (is_dropout) shared = join(shared, joined(step.arguments.at(0), scope));
  if (name == "aten::batch_norm" || name == "aten::instance_norm" || name == "aten::native_batch_norm") {
    auto& training = step.arguments.at(5).sources;
    bool never = training.size() == 1 && training[0].constant.isBool() && !training[0].constant.toBool();
    for (std::size_t place : {std::size_t{3}, std::size_t{4}})
      if (!never) written_.push_back(joined(step.arguments.at(place), scope));
  }
  std::vector<Alias> aliases;
  for (auto& each : schema.returns()) aliases.push_back(each.alias_info() || is_dropout ? shared : fresh());
  step.call = OperatorCall{op, name == "aten::copy"};
  define_results(node, scope, step, aliases);
  scope.graph.steps.push_back(std::move(step));
}

void GraphCompiler::add_numbers(const Json& node, Scope& scope, Step step, const NumberOperator& op) {
  auto& inputs = list(member(node, "inputs"));
  if (inputs.size() != op.arguments)
    throw damaged(filled("{} has {} arguments, not {}", shown_name(step.name), inputs.size(), op.arguments));
  for (auto& each : inputs) {
    auto [kind, value] = alternative(argument_of(each));
    step.arguments.push_back({.wants = Wants::number, .sources = {source(kind, value, Wants::number, scope)}});
  }
  step.call = NumberCall{&op};
  define_results(node, scope, step, {fresh()});
  scope.graph.steps.push_back(std::move(step));
}

const Json& GraphCompiler::description_of(const Json& argument) {
  auto [kind, value] = alternative(argument);
  if (kind != "as_graph") throw does_not_fit(kind, "part of the program");
  return member(value, "graph");
}

std::shared_ptr<const Graph> GraphCompiler::inner(const Json& argument, const Scope& scope,
                                                  const std::vector<const Json*>& operands) {
  auto& description = description_of(argument);
  std::vector<std::string> names;
  std::vector<GraphFacts::Slot> facts;
  for (auto& each : list(member(description, "inputs"))) {
    auto [form, name] = alternative(each);
    bool named = form == "as_tensor";
    if (!named && form != "as_sym_int" && form != "as_sym_float" && form != "as_sym_bool")
      throw Refusal("has a part with inputs of an unknown sort");
    names.push_back(text(named ? member(name, "name") : member(name, "as_name")));
    facts.push_back({.alias = 0, .is_number = !named});
  }
  auto given = arguments_of(operands, scope);
  if (given.size() != names.size()) throw damaged("a part of the program has other inputs than it is given");
  for (std::size_t i = 0; i < given.size(); ++i) {
    facts[i].alias = joined(given[i], scope);
    auto& source = given[i].sources.at(0);
    if (source.from == Source::From::slot) facts[i].weight = scope.facts.slots[source.slot].weight;
  }
  std::vector<const Json*> outputs;
  for (auto& each : list(member(description, "outputs"))) outputs.push_back(&each);
  Scope within;
  within.facts.is_whole = false, within.facts.around = scope.call;
  return std::make_shared<const Graph>(compile(description, names, facts, outputs, std::move(within)));
}

std::vector<GraphArgument> GraphCompiler::arguments_of(const std::vector<const Json*>& operands, const Scope& scope) {
  std::vector<GraphArgument> out;
  auto add = [&](std::string_view kind, const Json& value) {
    out.push_back(
        {.wants = Wants::anything, .optional = true, .sources = {source(kind, value, Wants::anything, scope)}});
  };
  for (auto* operand : operands) {
    auto [kind, value] = alternative(*operand);
    if (auto* form = find_list(kind))
      for (auto& each : list(value)) add(form->element, each);
    else
      add(kind, value);
  }
  return out;
}

// torch.no_grad() and torch.autocast(enabled=False) around a part of the model.
void GraphCompiler::add_region(const Json& node, Scope& scope, Step step) {
  auto& inputs = list(member(node, "inputs"));
  auto target = text(member(node, "target"));
  bool gradient = target.ends_with("set_grad_enabled");
  std::size_t before = gradient ? 1 : 4;
  if (inputs.size() < before + 1) throw damaged(filled("{} lacks arguments", shown_name(step.name)));
  auto flag = [&](std::size_t i) {
    auto [kind, value] = alternative(argument_of(inputs[i]));
    if (kind != "as_bool") throw does_not_fit(kind, "truth value");
    return boolean(value);
  };
  if (!gradient && flag(2))
    throw Refusal("runs a part of the model under autocast",
                  "export the model without autocast, with its weights in one type");
  std::vector<const Json*> operands;
  for (auto i = before + 1; i < inputs.size(); ++i) operands.push_back(&argument_of(inputs[i]));
  auto& part = argument_of(inputs[before]);
  // All of it may be in a module that the node itself does not mention.
  if (auto all = calls_.of_all(description_of(part)); calls_.is_within(all, scope.call)) scope.call = all;
  auto graph = inner(part, scope, operands);
  step.arguments = arguments_of(operands, scope);
  auto shared = fresh();
  for (auto& each : step.arguments) shared = join(shared, joined(each, scope));
  std::vector<Alias> aliases(graph->outputs.size(), shared);
  step.call = GradientRegion{gradient ? std::optional(flag(0)) : std::nullopt, std::move(graph)};
  define_results(node, scope, step, aliases);
  scope.graph.steps.push_back(std::move(step));
}

void GraphCompiler::add_branch(const Json& node, Scope& scope, Step step) {
  auto& inputs = list(member(node, "inputs"));
  if (inputs.size() < 3) throw damaged(filled("{} lacks arguments", shown_name(step.name)));
  std::vector<const Json*> operands;
  for (std::size_t i = 3; i < inputs.size(); ++i) operands.push_back(&argument_of(inputs[i]));
  auto chosen = inner(argument_of(inputs[1]), scope, operands),
       otherwise = inner(argument_of(inputs[2]), scope, operands);
  if (chosen->outputs.size() != otherwise->outputs.size()) throw damaged("two branches have different results");
  operands.insert(operands.begin(), &argument_of(inputs[0]));
  step.arguments = arguments_of(operands, scope);
  if (step.arguments.size() != chosen->inputs.size() + 1) throw damaged("a condition is a list");
  auto shared = fresh();
  for (auto& each : step.arguments) shared = join(shared, joined(each, scope));
  std::vector<Alias> aliases(chosen->outputs.size(), shared);
  step.call = Branch{std::move(chosen), std::move(otherwise)};
  define_results(node, scope, step, aliases);
  scope.graph.steps.push_back(std::move(step));
}

void GraphCompiler::add_node(const Json& node, Scope& scope) {
  auto& target = text(member(node, "target"));
  scope.call = calls_.of(node);
  Step step{.call = NumberCall{}, .name = {}, .module = calls_[scope.call].path};
  if (auto* name = optional_member(node, "name")) step.name = text(*name);
  if (step.name.empty()) step.name = target;
  if (auto* op = find_number_operator(target)) return add_numbers(node, scope, std::move(step), *op);
  if (target == "torch.ops.higher_order.wrap_with_set_grad_enabled" ||
      target == "torch.ops.higher_order.wrap_with_autocast")
    return add_region(node, scope, std::move(step));
  if (target == "torch.ops.higher_order.cond") return add_branch(node, scope, std::move(step));
  add_operator(node, scope, std::move(step));
}

// -------------------------------------------------------------------------------------------------------------- graphs

Graph GraphCompiler::compile(const Json& description, const std::vector<std::string>& inputs,
                             const std::vector<std::vector<std::string>>& weights,
                             const std::vector<const Json*>& outputs) {
  std::vector<GraphFacts::Slot> facts;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    facts.push_back({.alias = fresh(), .is_number = false, .weight = i < weights.size() ? &weights[i] : nullptr});
  auto graph = compile(description, inputs, facts, outputs, Scope());
  for (auto alias : written_) overwritten_.insert(whole(alias));
  return graph;
}

Graph GraphCompiler::compile(const Json& description, const std::vector<std::string>& inputs,
                             const std::vector<GraphFacts::Slot>& given, const std::vector<const Json*>& outputs,
                             Scope scope) {
  for (std::size_t i = 0; i < inputs.size(); ++i) scope.graph.inputs.push_back(define(inputs[i], scope, given[i]));
  for (auto& node : list(member(description, "nodes"))) {
    auto before = written_.size();
    add_node(node, scope);
    GraphFacts::Step fact{.call = scope.call, .writes = {}};
    for (auto i = before; i < written_.size(); ++i) fact.writes.push_back(written_[i]);
    scope.facts.steps.push_back(std::move(fact));
  }
  for (auto* each : outputs) {
    auto [kind, value] = alternative(*each);
    scope.graph.outputs.push_back(source(kind, value, Wants::anything, scope));
  }
  finish(scope.graph);
  for (auto& slot : scope.facts.slots) slot.alias = whole(slot.alias);
  for (auto& step : scope.facts.steps)
    for (auto& alias : step.writes) alias = whole(alias);
  scope.graph.regions = find_regions(scope.graph, scope.facts, calls_);
  return std::move(scope.graph);
}

// Results that nobody reads are not kept, and values go with their last reader.
void GraphCompiler::finish(Graph& graph) {
  std::vector<bool> needed(graph.slots, false);
  for (auto& each : graph.outputs)
    if (each.from == Source::From::slot) needed[each.slot] = true;
  for (auto step = graph.steps.rbegin(); step != graph.steps.rend(); ++step) {
    for (auto& result : step->results)
      for (auto& slot : result.slots)
        if (slot && !needed[*slot]) slot.reset();
    for (auto& argument : step->arguments) {
      bool fixed = !argument.is_constant && std::all_of(argument.sources.begin(), argument.sources.end(),
                                                        [](auto& each) { return each.from == Source::From::constant; });
      for (auto& source : argument.sources)
        if (source.from == Source::From::slot && !needed[source.slot]) {
          needed[source.slot] = true;
          step->last_uses.push_back(source.slot);
        }
      if (!fixed) continue;
      Values constants;
      for (auto& source : argument.sources) constants.push_back(source.constant);
      argument.constant = make_argument(argument, constants);
      argument.is_constant = true;
    }
  }
}

}  // namespace ascribe::model
