#include "interpreter/language/test_expressions.hpp"

#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/call_checker.hpp"
#include "interpreter/language/habits.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/language/spaces.hpp"

namespace ascribe::language {

ExpressionPointer TestExpressions::resolve(const syntax::Expression& written, Clause clause, const Reporter& reporter) {
  local_.find_target = [&](const syntax::Call& call, Clause where) -> std::optional<Target> {
    auto found = check_target_call(call, file_, local_, where, reporter);
    if (!found) return {};
    if (!std::holds_alternative<Engine>(found->definition)) {
      check_constant_call(*found, reporter);
      return found;
    }
    reporter.report(Code::engine_target, call.span, "`merge`, `refuse` and `stop` stand in composites only",
                    "name a rule or a composite");
    return {};
  };
  return NameResolver(reporter, local_, file_).resolve(written, clause);
}

ExpressionPointer TestExpressions::value(const syntax::Expression& written, Clause clause, Type wanted) {
  auto resolved = resolve(written, clause, reporter_);
  if (!resolved) return nullptr;
  SpaceChecker spaces(reporter_, std::vector<Type>{}, Moment::backward);
  auto type = spaces.infer(*resolved);
  if (type.form == Form::unknown || !spaces.expect(type, wanted, resolved->span, describe(clause))) return nullptr;
  return resolved;
}

// ------------------------------------------------------------------------------------------------------------- models

bool TestExpressions::model(const syntax::Expression& written, std::vector<BuiltLayer>& out) {
  auto* list = std::get_if<syntax::List>(&written.node);
  if (!list || !list->elements.empty()) return sequence(written, out);
  reporter_.report(Code::wrong_type, written.span, "the model has no layers", "write `model = linear(3, 2)`");
  return false;
}

bool TestExpressions::sequence(const syntax::Expression& written, std::vector<BuiltLayer>& out) {
  bool sound = true;
  auto add = [&](const syntax::Expression& each) {
    if (auto built = layer(each))
      out.push_back(std::move(*built));
    else
      sound = false;
  };
  if (auto* list = std::get_if<syntax::List>(&written.node))
    for (auto& each : list->elements) add(each);
  else
    add(written);
  return sound;
}

std::optional<BuiltLayer> TestExpressions::layer(const syntax::Expression& written) {
  auto* call = std::get_if<syntax::Call>(&written.node);
  if (!call) {
    reporter_.report(Code::wrong_type, written.span, "`model` is a layer, or a list of layers in sequence",
                     "write `model = [linear(3, 2), relu]`");
    return {};
  }
  auto& name = call->path.name.text;
  BuiltLayer out{call->path.qualifier ? nullptr : find_buildable_layer(name), {}, written.span};
  if (out.layer) {
    if (!layer_arguments(*call, out)) return {};
    return out;
  }
  std::vector<std::string> known;
  for (auto& row : buildable_layers()) known.emplace_back(row.name);
  auto help = help_for_kind(name, known);
  if (help.empty()) help = filled("build one with: {}", listed(known));
  bool exists = !call->path.qualifier && is_kind_word(name);
  reporter_.report(Code::unknown_kind, call->path.span,
                   exists ? filled("`{}` builds no layer in a sequence", name)
                          : filled("unknown layer kind `{}`", shown(call->path)),
                   help);
  return {};
}

bool TestExpressions::layer_arguments(const syntax::Call& call, BuiltLayer& out) {
  auto& layer = *out.layer;
  out.arguments.resize(layer.arguments.size());
  std::vector<const syntax::Argument*> given(layer.arguments.size());
  bool sound = true;
  std::size_t position = 0;
  for (auto& argument : call.arguments) {
    std::optional<std::size_t> index = position++;
    if (argument.name) {
      index = find_argument(layer, argument.name->text);
      if (!index) {
        std::vector<std::string> known;
        for (auto& each : layer.arguments) known.emplace_back(each.name);
        reporter_.report(Code::unknown_argument, argument.name->span,
                         filled("`{}` has no argument `{}`", layer.name, argument.name->text),
                         did_you_mean(argument.name->text, known, filled("it is built as `{}`", signature(layer))));
        sound = false;
        continue;
      }
    } else if (*index >= layer.arguments.size()) {
      auto most = layer.arguments.size();
      reporter_.report(
          Code::wrong_argument_count, argument.span,
          filled("`{}` takes {} argument{}, not {}", layer.name, most, most == 1 ? "" : "s", call.arguments.size()),
          filled("it is built as `{}`", signature(layer)));
      return false;
    }
    if (given[*index]) {
      auto& diagnostic = reporter_.report(Code::repeated_argument, argument.span,
                                          filled("`{}` is given twice", layer.arguments[*index].name), "leave one out");
      diagnostic.others.push_back({reporter_.source(), given[*index]->span, "first here"});
      sound = false;
      continue;
    }
    given[*index] = &argument;
    if (layer.arguments[*index].form == LayerArgument::Form::branch) {
      out.branches.resize(std::max(out.branches.size(), *index + 1));
      sound = sequence(*argument.value, out.branches[*index]) && sound;
      continue;
    }
    bool tensor = layer.arguments[*index].form == LayerArgument::Form::tensor ||
                  layer.arguments[*index].form == LayerArgument::Form::sizes;
    out.arguments[*index] = value(*argument.value, Clause::test_model, tensor ? Type::number(Space::input) : scalar);
    sound = sound && out.arguments[*index];
  }
  auto has = [&](std::string_view name) {
    auto index = find_argument(layer, name);
    return index && given[*index];
  };
  auto missing = [&](const std::string& what) {
    reporter_.report(Code::missing_argument, call.span, filled("`{}` needs {}", layer.name, what),
                     filled("it is built as `{}`", signature(layer)));
    sound = false;
  };
  for (std::size_t i = 0; i < given.size() && sound; ++i)
    if (layer.arguments[i].needed && !given[i]) missing(filled("`{}`", layer.arguments[i].name));
  bool drawn = find_argument(layer, "weight") && find_argument(layer, "in");
  if (drawn && sound && !has("weight")) {
    bool convolution = find_argument(layer, "kernel").has_value();
    if (!has("in") || !has("out") || (convolution && !has("kernel")))
      missing(convolution ? "its `weight`, or `in`, `out` and `kernel`" : "its `weight`, or `in` and `out`");
  }
  if (layer.name == "layer_norm" && sound && !has("weight") && !has("shape")) missing("its `weight` or its `shape`");
  if (layer.name == "batch_norm" && sound && !has("features") && !(has("mean") && has("variance")))
    missing("`features`, or `mean` and `variance`");
  for (std::string_view drawing : {"in", "out", "kernel", "seed"})
    if (drawn && sound && has("weight") && has(drawing)) {
      reporter_.report(Code::repeated_argument, given[*find_argument(layer, drawing)]->span,
                       filled("`{}` follows from `weight`, which is given", drawing), "leave it out");
      sound = false;
    }
  return sound;
}

}  // namespace ascribe::language
