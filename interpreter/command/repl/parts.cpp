// Parts of expressions that the language itself has no words for: `R[0]`, and `relevance(…)` with a target among
// others.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "grammar/filled_text.hpp"
#include "grammar/overloaded.hpp"
#include "interpreter/command/parsed_number.hpp"
#include "interpreter/command/repl/evaluator.hpp"

namespace ascribe::repl {

using language::Form;
using language::Space;
using language::Type;

namespace {

template <typename Visit>
void visit_parts(syntax::Expression& written, const Visit& visit) {
  auto each = [&](syntax::ExpressionPointer& part) {
    if (part) visit(*part);
  };
  std::visit(
      overloaded{[](syntax::Number&) {}, [](syntax::StringLiteral&) {},
                 [&](syntax::List& it) { std::for_each(it.elements.begin(), it.elements.end(), visit); },
                 [&](syntax::Group& it) { each(it.inner); },
                 [&](syntax::Call& it) {
                   for (auto& argument : it.arguments) each(argument.value);
                 },
                 [&](syntax::Chain& it) { std::for_each(it.operands.begin(), it.operands.end(), visit); },
                 [&](syntax::Comparison& it) { each(it.left), each(it.right), each(it.within); },
                 [&](syntax::Power& it) { each(it.base), each(it.exponent); },
                 [&](syntax::Unary& it) { each(it.operand); },
                 [&](syntax::Conditional& it) { each(it.condition), each(it.consequence), each(it.alternative); }},
      written.node);
}

}  // namespace

std::pair<syntax::Statement, std::vector<Indexing>> expression_of(const SourcePointer& source, Span span) {
  // Blanks in the place of all in front of it: what is written stays where it was.
  auto text = std::string(source->text());
  std::fill(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(span.begin), ' ');
  text.resize(span.end);
  auto part = std::make_shared<Source>(source->name(), std::move(text), source->position(0).line);
  std::vector<Diagnostic> mistakes;
  auto [parsed, indexings] = parse_session_input(part, mistakes);
  for (auto& each : mistakes)
    if (each.primary.source == part) each.primary.source = source;
  if (!mistakes.empty()) throw Error(std::move(mistakes));
  auto* statement = parsed.input && parsed.input->parts.size() == 1
                        ? std::get_if<syntax::Statement>(&parsed.input->parts.front())
                        : nullptr;
  if (statement && !statement->name) return {std::move(*statement), std::move(indexings)};
  throw Error({.code = Code::usage,
               .message = "one expression is needed here",
               .primary = {source, span, ""},
               .help = "definitions and values are entered by themselves"});
}

void Evaluator::add_part(const std::string& name, Value value) {
  language::SessionValue known{language::unknown, {}};
  if (auto* number = std::get_if<double>(&value)) known = {language::scalar, *number};
  if (auto* holds = std::get_if<bool>(&value)) known = {language::truth, *holds ? 1.0 : 0.0};
  if (auto* tensor = std::get_if<TensorValue>(&value)) known.type = tensor->type;
  local_.values.insert_or_assign(name, known);
  parts_.insert_or_assign(name, std::move(value));
}

void Evaluator::prepare(syntax::Statement& statement, const std::vector<Indexing>& indexings, bool evaluated) {
  for (auto& each : indexings) {
    if (each.whole.begin < statement.span.begin || each.whole.end > statement.span.end) continue;
    indexings_.push_back(each);
    add_part(each.name, evaluated ? indexed(each) : TensorValue{{}, Type::number(Space::input)});
  }
  evaluate_calls(*statement.value, /*outermost=*/true, evaluated);
}

// A part of the source by itself.
Value Evaluator::part(Span written) {
  auto [statement, indexings] = expression_of(source_, written);
  Evaluator inner(state_, source_, surroundings_);
  inner.output_ = output_;
  inner.prepare(statement, indexings);
  auto out = inner.value(*statement.value);
  output_ = inner.output_;
  if (inner.origin_) origin_ = inner.origin_;
  for (auto& each : inner.warnings_) warn(each);
  note(inner.notes_);
  return out;
}

std::int64_t Evaluator::index(Span written) {
  auto text = source_->text(written);
  if (auto number = command::parsed_number<std::int64_t>(std::string(text))) return *number;
  if (text == "None" || text.ends_with("newaxis"))
    throw refusal(Code::wrong_type, written, "a part of a tensor has no new dimension",
                  "a slice keeps its dimension: `x[0:1]`");
  bool something = !text.empty() && !text.starts_with('"');
  auto value = something ? part(written) : Value(0.5);
  if (auto* several = std::get_if<TensorValue>(&value); several && several->type.form == Form::truth)
    throw refusal(Code::wrong_type, written, "an index is a whole number, not a truth value of each element",
                  filled("`if {} then 1 else 0` chooses element by element", text));
  auto* number = std::get_if<double>(&value);
  constexpr double most = 1LL << 53;
  if (number && *number == std::floor(*number) && std::abs(*number) <= most) return static_cast<std::int64_t>(*number);
  throw refusal(Code::wrong_type, written, "an index is a whole number", "write `x[0]`, `x[:, 0]` or `x[0, 0:2]`");
}

Value Evaluator::indexed(const Indexing& indexing) {
  auto value = part(indexing.base);
  auto* tensor = std::get_if<TensorValue>(&value);
  if (!tensor)
    throw refusal(Code::wrong_type, indexing.base,
                  filled("`{}` is {}, and has no elements", source_->text(indexing.base), type_of(value)),
                  "tensors have: `x[0]`, `y[:, 3]`");
  std::vector<Taken> taken;
  bool has_dots = false;
  for (auto& each : indexing.places) {
    if (!each.is_slice && source_->text(each.first) == "...") {  // all of the dimensions that nothing else is for
      if (std::exchange(has_dots, true))
        throw refusal(Code::wrong_type, each.first, "`...` stands in a part of a tensor once", "leave the others out");
      auto others = static_cast<std::int64_t>(indexing.places.size()) - 1;
      for (auto d = others; d < tensor->tensor.dim(); ++d) taken.push_back({true, {}, {}, {}});
      continue;
    }
    auto given = [&](Span written) {
      return written.end > written.begin ? std::optional(index(written)) : std::nullopt;
    };
    if (each.is_slice)
      taken.push_back({true, given(each.first), given(each.last), given(each.step)});
    else
      taken.push_back({false, index(each.first), {}, {}});
  }
  auto out = located(indexing.whole, [&] { return part_of(tensor->tensor, taken).contiguous(); });
  bool truth = tensor->type.form == Form::truth;
  if (out.dim() == 0) return truth ? Value(out.item<bool>()) : Value(out.to(at::kDouble).item<double>());
  return TensorValue{.tensor = std::move(out), .type = tensor->type, .origin = tensor->origin};
}

// `relevance(…)` with more than rules is a call of sessions; within an expression it is evaluated first.
void Evaluator::evaluate_calls(syntax::Expression& written, bool outermost, bool evaluated) {
  bool group = std::holds_alternative<syntax::Group>(written.node);
  visit_parts(written, [&](syntax::Expression& each) { evaluate_calls(each, outermost && group, evaluated); });
  auto* session = outermost ? nullptr : session_call(written);
  auto* call = as_call(written);
  if (!session || session->id != SessionCall::Id::relevance ||
      (call->arguments.size() == 1 && !call->arguments[0].name))
    return;
  auto name = filled("_relevance_{}", written.span.begin);
  while (source_->text().find(name) != std::string_view::npos) name += '_';
  indexings_.push_back({.name = name, .whole = written.span, .base = written.span, .places = {}});
  add_part(name, evaluated ? value(written) : TensorValue{{}, Type::number(Space::input)});
  written.node = syntax::Call{{{}, {name, written.span}, written.span}, false, {}, written.span};
}

}  // namespace ascribe::repl
