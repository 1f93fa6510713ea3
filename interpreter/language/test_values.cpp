// The part of NameResolver that resolves what only tests have: tensors written out, random numbers, relevance.

#include "grammar/filled_text.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/clause.hpp"
#include "interpreter/language/name_resolver.hpp"

namespace ascribe::language {

// `[[1, 2], [3, 4]]`: the rows of a list have one length, which the first of them says.
ExpressionPointer NameResolver::tensor(const syntax::Expression& written, Clause clause) {
  Tensor out;
  for (auto* list = std::get_if<syntax::List>(&written.node); list;) {
    out.shape.push_back(static_cast<std::int64_t>(list->elements.size()));
    list = list->elements.empty() ? nullptr : std::get_if<syntax::List>(&list->elements.front().node);
  }
  bool sound = true;
  auto fill = [&](auto& self, const syntax::Expression& each, std::size_t depth) -> void {
    auto* list = std::get_if<syntax::List>(&each.node);
    bool fits = list ? depth < out.shape.size() && static_cast<std::int64_t>(list->elements.size()) == out.shape[depth]
                     : depth == out.shape.size();
    if (!sound) return;
    if (!fits) {
      reporter_.report(Code::wrong_type, each.span, "the rows of a list differ in length",
                       "a list of lists is a matrix: all rows have one length");
      sound = false;
      return;
    }
    if (list) {
      for (auto& element : list->elements) self(self, element, depth + 1);
      return;
    }
    out.elements.push_back(resolve(each, clause));
    sound = sound && out.elements.back();
  };
  fill(fill, written, 0);
  return sound ? make(written.span, std::move(out)) : nullptr;
}

ExpressionPointer NameResolver::random_call(const syntax::Call& call, Clause clause) {
  Random out;
  bool sound = true;
  for (auto& argument : call.arguments) {
    if (argument.name && (argument.name->text != "seed" || out.seed)) {
      bool twice = argument.name->text == "seed";
      reporter_.report(twice ? Code::repeated_argument : Code::unknown_argument, argument.name->span,
                       twice ? "`seed` is given twice" : filled("`random` has no parameter `{}`", argument.name->text),
                       "write `random(2, 3, seed = 1)`");
      return nullptr;
    }
    auto value = resolve(*argument.value, clause);
    sound = sound && value;
    if (argument.name)
      out.seed = value;
    else
      out.sizes.push_back(value);
  }
  if (!sound) return nullptr;
  if (out.sizes.empty()) {
    reporter_.report(Code::wrong_argument_count, call.span, "`random` needs the sizes of a tensor",
                     "write `random(2, 3, seed = 1)`");
    return nullptr;
  }
  return make(call.span, std::move(out));
}

ExpressionPointer NameResolver::relevance_call(const syntax::Call& call, Clause clause) {
  if (clause != Clause::test && clause != Clause::session) {
    reporter_.report(Code::not_visible, call.span, filled("{} does not see `relevance`", describe(clause)),
                     "relevance is what a test expects: `expect relevance(epsilon) == R`");
    return nullptr;
  }
  auto* rules = std::get_if<syntax::Call>(&call.arguments.front().value->node);
  if (!rules) {
    auto& argument = *call.arguments.front().value;
    auto& diagnostic = reporter_.report(Code::wrong_type, call.arguments.front().span,
                                        "`relevance` takes a rule or a composite", "write `relevance(epsilon(0.1))`");
    if (auto* quoted = std::get_if<syntax::StringLiteral>(&argument.node))
      diagnostic.fixes = {{filled("write `{}`", quoted->value), {{argument.span, quoted->value}}}};
    return nullptr;
  }
  auto& name = rules->path.name.text;
  if (!rules->path.qualifier && find_buildable_layer(name) && !functions_.is_target(name)) {
    reporter_.report(Code::unknown_rule, rules->span, filled("`{}` is a layer, no rule", name),
                     "the layers are in `model`; write `relevance(epsilon)`");
    return nullptr;
  }
  auto target = local_.find_target(*rules, clause);
  if (!target) return nullptr;
  return make(call.span, Relevance{std::make_shared<const Target>(std::move(*target))});
}

}  // namespace ascribe::language
