#include "interpreter/command/repl/evaluator.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/command/repl/question.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/call_checker.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/language/spaces.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/testing/comparison.hpp"

namespace ascribe::repl {
namespace {

using language::Clause;
using language::Comparison;
using language::Form;
using language::Quantity;
using language::Reporter;
using language::Space;
using language::Type;

// The names of an input: those of a file, and messages for the calls that only sessions have.
class InputScope : public language::FileScope {
 public:
  using language::FileScope::FileScope;

  std::optional<std::shared_ptr<const language::Function>> find(const syntax::Path& path,
                                                                const Reporter& reporter) override {
    auto found = language::FileScope::find(path, reporter);
    auto* call = path.qualifier ? nullptr : find_session_call(path.name.text);
    if (found || !call) return found;
    reporter.report(Code::not_visible, path.span, filled("`{}` stands by itself, in no expression", call->name),
                    filled("give it a name first: `name = {}`", call->signature));
    return std::shared_ptr<const language::Function>();
  }

  std::string help_for_unknown_target() const override { return unknown_target_help; }

  std::vector<std::string> function_names() const override {
    auto out = language::FileScope::function_names();
    for (auto& each : session_calls()) out.emplace_back(each.name);
    for (auto& each : language::buildable_layers()) out.emplace_back(each.name);
    return out;
  }
};

std::string parameters_of(const std::vector<language::Parameter>& parameters) {
  std::vector<std::string> out;
  for (auto& each : parameters) {
    auto text = each.name;
    for (auto& row : language::type_words)
      if (row.type == each.type && row.type != language::scalar) text += filled(": {}", row.word);
    if (each.default_value) text += filled(" = {}", language::describe(*each.default_value));
    out.push_back(std::move(text));
  }
  return filled("({})", fmt::join(out, ", "));
}

std::string in_words(Type type) {
  bool single = type.space == Space::scalar;
  if (type.form == Form::truth) return single ? "a truth value" : "truth values, one for each element";
  if (single) return "a number";
  return type.space == Space::sample ? "one number for each sample" : "a tensor";
}

}  // namespace

std::string signature(const language::Definition& definition) {
  return std::visit(
      [](auto& each) {
        bool is_rule = std::is_same_v<decltype(*each), const language::Rule&>;
        return filled("{} {}{}", is_rule ? "rule" : "composite", each->name,
                      each->parameters.empty() ? "" : parameters_of(each->parameters));
      },
      definition);
}

std::string signature(const language::Function& function) {
  return filled("fn {}{}", function.name, parameters_of(function.parameters));
}

Evaluator::Evaluator(const State& state, SourcePointer source, Surroundings surroundings)
    : state_(state),
      source_(std::move(source)),
      surroundings_(std::move(surroundings)),
      names_{&Inside::definitions(Pack::standard()), &state.definitions.visible()},
      scope_(names_, diagnostics_),
      view_(std::make_unique<InputScope>(scope_, source_)),
      expressions_(*view_, local_),
      evaluation_({.source = source_,
                   .quantity = [this](Quantity each) { return quantity(each); },
                   .relevance = [this](const Composite& rules) { return relevance(rules); },
                   .only_kind = [this] { return testing::only_kind(current_model().layers); },
                   .named_value = [this](const std::string& name) { return named_value(name); }}),
      output_(state.output) {
  for (auto& [name, import] : state.definitions.imports()) view_->add_alias(name, import);
  for (auto& [name, value] : state.values) {
    language::SessionValue known{language::unknown, {}};
    if (auto* number = std::get_if<double>(&value)) known = {language::scalar, *number};
    if (auto* holds = std::get_if<bool>(&value)) known = {language::truth, *holds ? 1.0 : 0.0};
    if (auto* tensor = std::get_if<TensorValue>(&value)) known.type = tensor->type;
    local_.values.emplace(name, known);
  }
}

Error Evaluator::refusal(Code code, Span where, std::string message, std::string help) const {
  return Error({.code = code, .message = std::move(message), .primary = {source_, where, ""}, .help = std::move(help)});
}

void Evaluator::warn(Diagnostic warning) {
  bool told =
      std::any_of(warnings_.begin(), warnings_.end(), [&](auto& each) { return each.message == warning.message; });
  if (!told) warnings_.push_back(std::move(warning));
}

void Evaluator::note(const std::string& line) {
  if (notes_.find(line) == std::string::npos) notes_ += line;
}

void Evaluator::note_origin(const std::string& name, const TensorValue& value, const ModelValue* model) {
  if (!value.origin) return;
  bool foreign = model && !value.origin->is(*model);
  if (!origin_ || foreign) origin_ = value.origin;
  if (foreign)
    warn({.code = Code::wrong_input,
          .severity = Severity::warning,
          .message = filled("`{}` came from another model, {}; the current one is {}", name, called(*value.origin),
                            called(*model)),
          .help = filled("`:reset {}` forgets it", name)});
}

// ----------------------------------------------------------------------------------------------------------- checking

Evaluator::Checked Evaluator::check(const syntax::Expression& written) {
  Checked out;
  diagnostics_.clear();
  language::until_stopped(diagnostics_, [&] {
    out.expression = expressions_.resolve(written, Clause::session, view_->reporter());
    if (out.expression)
      out.type = language::SpaceChecker(view_->reporter(), std::vector<Type>{}, language::Moment::backward)
                     .infer(*out.expression);
  });
  if (has_errors(diagnostics_)) {
    put_in_order(diagnostics_);
    throw Error(diagnostics_);
  }
  if (!out.expression)
    throw refusal(Code::internal_fault, written.span, "the expression has no meaning", "please report it");
  return out;
}

// A rule by itself is no value; what can be done with it is worth a message of its own.
void Evaluator::refuse_rules(const syntax::Expression& written) {
  auto* call = as_call(written);
  if (!call || (!call->path.qualifier && local_.values.contains(call->path.name.text))) return;
  if (!call->path.qualifier && !call->has_arguments && !view_->is_function(call->path.name.text))
    if (auto* session = find_session_call(call->path.name.text))
      throw refusal(Code::wrong_type, call->span, filled("`{}` is a function, not a value", session->name),
                    filled("write `{}`", session->example));
  if (!call->path.qualifier &&
      (view_->is_function(call->path.name.text) || language::find_builtin(call->path.name.text) ||
       language::is_protected(call->path.name.text)))
    return;
  std::vector<Diagnostic> ignored;
  auto found = view_->find_target(call->path, Reporter(source_, ignored));
  if (!found) return;
  auto name = language::shown(call->path);
  auto text = std::string(source_->text(call->span));
  try {
    (void)rules(written);
  } catch (const Error&) {
    text = name;  // what it was called with is not for rules
  }
  bool is_rule = std::holds_alternative<std::shared_ptr<const language::Rule>>(*found);
  throw refusal(Code::wrong_type, call->span, filled("`{}` is a {}, not a value", name, is_rule ? "rule" : "composite"),
                filled("`relevance({0})` is the relevance of x, `explain({0})` shows it; `:help {1}`", text, name));
}

std::string Evaluator::type(const syntax::Expression& written) {
  if (auto* call = as_call(written)) {
    if (!call->has_arguments && !call->path.qualifier)
      if (auto found = state_.values.find(call->path.name.text); found != state_.values.end())
        return type_of(found->second);
    if (auto* session = session_call(written);
        session && (session->id != SessionCall::Id::relevance || call->arguments.size() != 1)) {
      (void)read_arguments(*session, *call, source_);
      return session->id == SessionCall::Id::load ? "a model or a tensor, whatever is in the file" : "a tensor";
    }
    try {
      refuse_rules(written);
    } catch (const Error&) {
      std::vector<Diagnostic> ignored;
      return signature(*view_->find_target(call->path, Reporter(source_, ignored)));
    }
  }
  if (is_model(written)) return "a model";
  return in_words(check(written).type);
}

// --------------------------------------------------------------------------------------------------------- evaluating

void Evaluator::rethrow_located(Span where) const {
  try {
    throw;
  } catch (const Error& error) {
    auto diagnostics = error.diagnostics();
    for (auto& each : diagnostics) {
      if (!each.primary.source)
        each.primary = {source_, where, ""};
      else if (each.primary.source != source_)
        each.others.push_back({source_, where, "met here"});
    }
    throw Error(std::move(diagnostics));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& failure) {
    auto diagnostic = libtorch::describe(failure, "this", Code::model_failed, "cannot be computed");
    diagnostic.primary = {source_, where, ""};
    throw Error(std::move(diagnostic));
  }
}

const SessionCall* Evaluator::session_call(const syntax::Expression& written) const {
  auto* call = as_call(written);
  if (!call || call->path.qualifier || !call->has_arguments || view_->is_function(call->path.name.text)) return nullptr;
  return find_session_call(call->path.name.text);
}

Value Evaluator::value(const syntax::Expression& written) {
  auto out = evaluate(written, /*whole=*/false);
  if (out.without_value) throw Error(*out.without_value);
  return std::move(out.value);
}

Result Evaluator::evaluate(const syntax::Expression& written, bool whole) {
  try {
    auto out = evaluated(written, whole);
    out.note = notes_;
    return out;
  } catch (const Error& error) {
    if (indexings_.empty()) throw;
    auto mistakes = error.diagnostics();
    show_as_written(mistakes, source_, indexings_);
    throw Error(std::move(mistakes));
  }
}

Result Evaluator::evaluated(const syntax::Expression& written, bool whole) {
  if (auto* group = std::get_if<syntax::Group>(&written.node)) return evaluated(*group->inner, whole);
  if (auto* session = session_call(written)) {
    auto arguments = read_arguments(*session, *as_call(written), source_);
    constexpr Result (*actions[])(Evaluator&, const CallArguments&) = {repl::load, repl::image, repl::relevance,
                                                                       repl::explain, repl::compare};
    return located(written.span, [&] { return actions[static_cast<std::size_t>(session->id)](*this, arguments); });
  }
  if (is_model(written)) return {model(written)};
  refuse_rules(written);
  auto checked = check(written);
  if (auto* named = std::get_if<language::NamedValue>(&checked.expression->node))
    if (auto found = state_.values.find(named->name); found != state_.values.end() && !parts_.contains(named->name)) {
      auto value = std::get<TensorValue>(found->second);
      value.tensor = named_value(named->name);
      if (value.type.form == Form::number || !whole) return {std::move(value)};
    }
  return located(written.span, [&]() -> Result {
    if (checked.type.form == Form::truth) return truth(checked, whole);
    auto operand = evaluation_.evaluate(*checked.expression);
    if (auto* number = std::get_if<double>(&operand.value)) return {*number};
    return {TensorValue{
        .tensor = std::get<at::Tensor>(operand.value).detach().contiguous(), .type = checked.type, .origin = origin_}};
  });
}

Result Evaluator::truth(const Checked& checked, bool whole) {
  auto evaluator = evaluation_.evaluator();
  if (!whole) {
    auto operand = evaluator.evaluate(*checked.expression);
    if (auto* known = std::get_if<bool>(&operand.value)) return {*known};
    return {TensorValue{std::get<at::Tensor>(operand.value).contiguous(), checked.type}};
  }
  if (evaluator.holds(*checked.expression)) return {true};
  auto* comparison = std::get_if<Comparison>(&checked.expression->node);
  if (!comparison) return {false};
  if (comparison->op != language::Operator::equal && comparison->op != language::Operator::not_equal) {
    auto operand = evaluator.evaluate(*checked.expression);
    auto* each = std::get_if<at::Tensor>(&operand.value);
    if (!each) return {false};
    return {false, filled("false: {} of {} hold\n", each->sum().item<std::int64_t>(), each->numel())};
  }
  auto left = evaluator.evaluate(*comparison->left), right = evaluator.evaluate(*comparison->right);
  return {false, filled("false: {}\n", testing::describe_difference(*comparison, left, right))};
}

at::Tensor Evaluator::named_value(const std::string& name) {
  auto part = parts_.find(name);
  auto& held = std::get<TensorValue>(part != parts_.end() ? part->second : state_.values.find(name)->second);
  auto current = state_.values.find(state_.model);
  note_origin(name, held, current == state_.values.end() ? nullptr : std::get_if<ModelValue>(&current->second));
  // Whole numbers would stay whole where they are divided.
  bool converted = held.type.form == Form::number && !held.tensor.is_floating_point();
  return converted ? held.tensor.to(at::kDouble) : held.tensor;
}

at::Tensor Evaluator::quantity(Quantity quantity) {
  if (quantity == Quantity::x) return x();
  auto model = current_model();
  auto output = y(model, inputs(model));
  if (quantity == Quantity::R) {
    if (auto given = R(output, model)) return *given;
    output = usual_start(*this, output);
  }
  if (!origin_) origin_ = std::make_shared<const ModelValue>(model);
  return output;
}

at::Tensor Evaluator::relevance(const Composite& rules) {
  Question asked{.model = current_model(), .inputs = {}};
  asked.inputs = inputs(asked.model);
  asked.target = usual_target(*this, asked.model, asked.inputs);
  asked.is_usual = asked.target.choice() == Target::Choice::largest;
  if (!origin_) origin_ = std::make_shared<const ModelValue>(asked.model);
  auto found = answer(*this, asked, rules, /*sums=*/false);
  note(told_start(*this, asked, found));
  return found.relevance;
}

// ------------------------------------------------------------------------------------ models, and what they are given

std::string Evaluator::string(const syntax::Expression& written, const char* what) const {
  if (auto* text = std::get_if<syntax::StringLiteral>(&written.node)) return text->value;
  // In quotes, where it stands.
  auto text = std::string(source_->text());
  constexpr std::size_t short_enough = 80;
  bool shown = text.size() <= short_enough && text.find_first_of("\n`\"") == std::string::npos;
  text.insert(written.span.end, "\"").insert(written.span.begin, "\"");
  throw refusal(Code::wrong_type, written.span, filled("{} is a string", what),
                shown ? filled("write `{}`", text) : "write it in double quotes");
}

bool Evaluator::is_rules(const syntax::Expression& written) const {
  auto* call = as_call(written);
  std::vector<Diagnostic> ignored;
  return call && (call->path.qualifier || !state_.values.contains(call->path.name.text)) &&
         view_->find_target(call->path, Reporter(source_, ignored));
}

Composite Evaluator::rules(const syntax::Expression& written, const ModelValue& model) {
  return rules(written, [&] { return testing::only_kind(model.layers); });
}

Composite Evaluator::rules(const syntax::Expression& written) {
  return rules(written, [] { return std::string("any"); });
}

Composite Evaluator::rules(const syntax::Expression& written, const std::function<std::string()>& only_kind) {
  auto* call = as_call(written);
  if (!call) {
    auto text = source_->text(written.span);
    auto* quoted = std::get_if<syntax::StringLiteral>(&written.node);
    bool number = std::holds_alternative<syntax::Number>(written.node);
    throw refusal(Code::wrong_type, written.span, "a rule or a composite is needed here",
                  number   ? filled("where relevance starts has a name: `target = {}`", text)
                  : quoted ? filled("rules have no quotes: `{}`", quoted->value)
                           : "write `epsilon_plus`, or `epsilon(0.1)`");
  }
  std::optional<language::Target> target;
  diagnostics_.clear();
  language::until_stopped(diagnostics_, [&] {
    auto found = language::check_target_call(*call, *view_, local_, Clause::session, view_->reporter());
    if (!found) return;
    if (std::holds_alternative<language::Engine>(found->definition))
      view_->reporter().report(Code::engine_target, call->span, "`merge`, `refuse` and `stop` stand in composites only",
                               "name a rule or a composite");
    else
      language::check_constant_call(*found, view_->reporter());
    target = std::move(found);
  });
  if (has_errors(diagnostics_) || !target) throw Error(diagnostics_);
  testing::Evaluation evaluation({.source = source_,
                                  .quantity = [this](Quantity each) { return quantity(each); },
                                  .relevance = [this](const Composite& each) { return relevance(each); },
                                  .only_kind = only_kind,
                                  .named_value = [this](const std::string& name) { return named_value(name); }});
  return located(written.span, [&] { return evaluation.bound(*target); });
}

}  // namespace ascribe::repl
