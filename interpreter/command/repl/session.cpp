#include "interpreter/command/repl/session.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/command/repl/advice.hpp"
#include "interpreter/command/repl/evaluator.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/testing/runner.hpp"

namespace ascribe::repl {

namespace fs = std::filesystem;

namespace {

// Further inputs, x2 and so on, that the current model does not take: told where either is named.
std::vector<Diagnostic> inputs_in_vain(const State& state, const syntax::Name& named, const SourcePointer& source) {
  auto model = state.values.find(state.model);
  if (model == state.values.end() || (named.text != state.model && !input_number(named.text))) return {};
  auto most = most_inputs(std::get<ModelValue>(model->second));
  std::vector<std::string> vain;
  for (auto& [name, value] : state.values) {
    auto number = input_number(name);
    if (number && *number > most && std::holds_alternative<TensorValue>(value) &&
        (named.text == name || named.text == state.model))
      vain.push_back(filled("`{}`", name));
  }
  if (vain.empty()) return {};
  return {{.code = Code::wrong_input,
           .severity = Severity::warning,
           .message = filled("the model takes {}: {} not given to it", counted(most, "input"),
                             vain.size() == 1 ? vain.front() + " is" : filled("{} are", fmt::join(vain, ", "))),
           .primary = {source, named.span, ""},
           .help = "`:model` tells which inputs it takes"}};
}

}  // namespace

Session::Session(SessionOptions options) : options_(std::move(options)) {}

// Runs what may be stopped, fail, or run out of memory. Whatever happens, the answer says so.
Answer Session::guarded(const std::function<void(Answer&)>& action) {
  Answer answer;
  Guard guard(options_.limits, options_.interrupted);
  guard_ = &guard;
  auto fail = [&](std::vector<Diagnostic> mistakes) {
    // What an evaluation was stopped by went through other people's code, which may have called it anything.
    answer = {};  // what was printed about changes is not so
    answer.interrupted = guard.was_interrupted();
    if (answer.interrupted) return;
    answer.failed = true;
    answer.messages =
        guard.passed_limit() ? std::vector{guard.diagnostic()} : advised(std::move(mistakes), state_, options_.loading);
  };
  try {
    action(answer);
  } catch (const Error& error) {
    fail(error.diagnostics());
  } catch (const std::bad_alloc&) {
    fail({{.code = Code::too_large, .message = "memory is exhausted", .help = "give smaller inputs"}});
  } catch (const std::exception& failure) {
    fail({libtorch::describe(failure, "the input", Code::model_failed, "cannot be evaluated")});
  }
  guard_ = nullptr;
  return answer;
}

Answer Session::run(Entered entered) {
  return guarded([&](Answer& answer) {
    if (!entered.mistakes.empty()) throw Error(std::move(entered.mistakes));
    if (entered.is_command)
      run_command(entered.source, answer);
    else
      run_parts(entered.source, std::move(*entered.tree), entered.indexings, answer);
  });
}

Answer Session::run(std::vector<Entered> entered) {
  for (auto& each : entered)
    if (!each.mistakes.empty()) return run(std::move(each));
  auto before = state_;
  Answer out;
  for (auto& each : entered) {
    auto answer = run(std::move(each));
    if (answer.failed || answer.interrupted) {
      state_ = std::move(before);
      if (answer.failed && entered.size() > 1 && answer.messages.front().note.empty())
        answer.messages.front().note = "all that was entered with it is as if it had not been";
      return answer;
    }
    out.text += answer.text;
    out.messages.insert(out.messages.end(), answer.messages.begin(), answer.messages.end());
    out.quits = answer.quits;
    if (out.quits) break;
  }
  return out;
}

Answer Session::load(const std::vector<fs::path>& paths) {
  return guarded([&](Answer& answer) {
    for (auto& path : paths)
      if (auto wrong = no_text_in(path.string(), /*of_session=*/false)) throw *wrong;
    load(paths, answer);
  });
}

Answer Session::load_model(const fs::path& path) {
  return guarded([&](Answer& answer) {
    if (path.extension() == ".rule")
      throw Error({.code = Code::wrong_model,
                   .message = filled("{} holds rules, not a model", files::quoted_name(path.string())),
                   .help = filled("write `ascribe repl {}`", path.string())});
    auto value = value_from(path.string());
    if (!std::holds_alternative<ModelValue>(value))
      throw Error({.code = Code::wrong_model,
                   .message = filled("{} holds {}, not a model", files::quoted_name(path.string()), type_of(value)),
                   .help = filled("write in the session `x = load(\"{}\")`", path.string())});
    answer.text = filled("model: {}\n", summary(value));
    state_.model = "model";
    state_.values.insert_or_assign("model", std::move(value));
  });
}

LoadOptions Session::loading() const {
  auto out = options_.loading;
  out.progress = [this](const LoadProgress&) { guard_->check(); };
  return out;
}

// -------------------------------------------------------------------------------------------- definitions and values

void Session::run_parts(const SourcePointer& source, syntax::Input input, const std::vector<Indexing>& indexings,
                        Answer& answer) {
  auto next = state_;
  std::vector<syntax::Item> items;  // definitions that follow each other are checked together
  for (auto& part : input.parts) {
    if (auto* item = std::get_if<syntax::Item>(&part)) {
      items.push_back(std::move(*item));
      continue;
    }
    define(next, std::move(items), source, answer);
    items.clear();
    auto& statement = std::get<syntax::Statement>(part);
    guard_->check();
    Evaluator evaluator(next, source, {screen(), guard_->stop()});
    evaluator.prepare(statement, indexings);
    auto result = evaluator.evaluate(*statement.value, /*whole=*/!statement.name);
    next.output = evaluator.output();
    for (auto& each : evaluator.warnings()) answer.messages.push_back(each);
    answer.text += result.note;
    if (!statement.name) {
      answer.text += result.text.empty() ? describe(result.value) : result.text;
      next.without_last.clear();
      if (result.without_value) {
        next.values.erase(std::string(last_value));
        next.without_last = filled("{}; {}", result.without_value->message, result.without_value->help);
      } else {
        next.values.insert_or_assign(std::string(last_value), std::move(result.value));
      }
      continue;
    }
    if (result.without_value) throw Error(*result.without_value);
    answer.text += result.text + filled("{}: {}\n", statement.name->text, summary(result.value));
    assign(next, *statement.name, std::move(result.value), source);
    for (auto& each : inputs_in_vain(next, *statement.name, source)) answer.messages.push_back(each);
  }
  define(next, std::move(items), source, answer);
  state_ = std::move(next);
}

void Session::define(State& state, std::vector<syntax::Item> items, const SourcePointer& source, Answer& answer) {
  if (items.empty()) return;
  std::vector<std::string> tests;
  for (auto& item : items)
    if (auto* test = std::get_if<syntax::Test>(&item.node)) tests.push_back(test->name.value);
  auto before = state.definitions.entered();
  state.definitions = state.definitions.with(std::move(items), source, loading(), answer.messages);
  auto& own = state.definitions.own();
  for (auto& each : state.definitions.entered()) {
    if (std::find(before.begin(), before.end(), each) != before.end()) continue;
    auto& name = each->name;
    if (each->sort == EnteredDefinition::Sort::target) answer.text += signature(own.targets.at(name)) + "\n";
    if (each->sort == EnteredDefinition::Sort::function) answer.text += signature(*own.functions.at(name)) + "\n";
    if (each->sort != EnteredDefinition::Sort::import) continue;
    auto& import = std::get<syntax::Import>(each->file.items.front().node);
    answer.text +=
        filled("{}: {} from {}\n", name, content_of(*state.definitions.imports().at(name)), import.path.value);
  }
  for (auto& name : tests) {
    auto test = state.definitions.test(name);
    if (!test) continue;
    guard_->check();
    auto result = testing::run(test);
    if (!result.failures.empty()) throw Error(std::move(result.failures));
    answer.text += filled("passed: {}\n", name);
  }
}

void Session::assign(State& state, const syntax::Name& name, Value value, const SourcePointer& source) const {
  auto refuse = [&](Code code, std::string message, std::string help) {
    return Error(
        {.code = code, .message = std::move(message), .primary = {source, name.span, ""}, .help = std::move(help)});
  };
  auto* tensor = std::get_if<TensorValue>(&value);
  bool numbers = tensor && tensor->type.form == language::Form::number;
  if (name.text == "y")
    throw refuse(Code::protected_name, "`y` cannot be redefined", "it is the output of the current model for x");
  if (name.text != "x" && name.text != "R" && name.text != "layer" && language::is_protected(name.text))
    throw refuse(Code::protected_name, filled("`{}` cannot be redefined", name.text), "choose another name");
  if (name.text == last_value)
    throw refuse(Code::protected_name, "`_` cannot be redefined", "it is the value that was printed last");
  if (name.text == "x" && !(numbers && tensor->tensor.dim() > 0))
    throw refuse(Code::wrong_input, filled("`x` is numbers with a batch dimension, not {}", type_of(value)),
                 "write `x = [[1]]`: one sample with one value");
  if (name.text == "R" && !numbers && !std::holds_alternative<double>(value))
    throw refuse(Code::wrong_type, filled("`R` is a number or a tensor, not {}", type_of(value)),
                 "it is where relevance starts: `R = 2 * y`, or `R = 1`");
  bool is_model = std::holds_alternative<ModelValue>(value);
  if (name.text == "model" && !is_model)
    throw refuse(Code::wrong_type, filled("`model` is a model, not {}", type_of(value)),
                 "a layer, a list of layers, or `load(\"net.pt2\")`");
  if (is_model)
    state.model = name.text;
  else if (state.model == name.text)
    state.model.clear();
  state.values.insert_or_assign(name.text, std::move(value));
}

}  // namespace ascribe::repl
