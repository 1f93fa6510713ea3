#include "interpreter/repl/session.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "grammar/parser.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/command/atomic_file.hpp"
#include "interpreter/evaluate/failure.hpp"
#include "interpreter/language/names.hpp"
#include "interpreter/repl/evaluator.hpp"
#include "interpreter/repl/help.hpp"
#include "interpreter/testing/runner.hpp"

namespace ascribe::repl {
namespace {

namespace fs = std::filesystem;

std::string counted(std::size_t count, const char* word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

// "2 rules, 1 composite": what is in the files that are loaded.
std::string content(const language::Definitions& definitions) {
  auto rules =
      static_cast<std::size_t>(std::count_if(definitions.targets.begin(), definitions.targets.end(), [](auto& each) {
        return std::holds_alternative<std::shared_ptr<const language::Rule>>(each.second);
      }));
  std::vector<std::string> parts;
  if (rules > 0) parts.push_back(counted(rules, "rule"));
  if (auto composites = definitions.targets.size() - rules; composites > 0)
    parts.push_back(counted(composites, "composite"));
  if (!definitions.functions.empty()) parts.push_back(counted(definitions.functions.size(), "function"));
  if (!definitions.tests.empty()) parts.push_back(counted(definitions.tests.size(), "test"));
  return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
}

// Words separated by blanks; in double quotes, blanks belong to the word.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  bool quoted = false, open = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = text[i];
    if (c == '"') {
      quoted = !quoted;
      if (!open) out.emplace_back();
      open = true;
    } else if (!quoted && (c == ' ' || c == '\t')) {
      open = false;
    } else {
      if (!open) out.emplace_back();
      open = true;
      out.back() += quoted && c == '\\' && i + 1 < text.size() ? text[++i] : c;
    }
  }
  return out;
}

// `~` is the user's home, as in a shell.
fs::path path_of(const std::string& word) {
  auto* home = std::getenv("HOME");
  if (home && (word == "~" || word.starts_with("~/")))
    return fs::path(home) / fs::path(word.substr(std::min<std::size_t>(word.size(), 2)));
  return word;
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
    if (guard.was_interrupted()) {
      answer = {};
      answer.interrupted = true;
      return;
    }
    if (guard.passed_limit()) mistakes = {guard.diagnostic()};
    answer.failed = true;
    answer.quits = false;
    answer.messages = std::move(mistakes);
  };
  try {
    action(answer);
  } catch (const Error& error) {
    fail(error.diagnostics());
  } catch (const std::bad_alloc&) {
    fail({{.code = Code::too_large, .message = "memory is exhausted", .help = "give smaller inputs"}});
  } catch (const std::exception& failure) {
    fail({evaluate::describe(failure, "the input", Code::model_failed, "cannot be evaluated")});
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
      run_parts(entered.source, std::move(*entered.tree), answer);
  });
}

Answer Session::load(const std::vector<fs::path>& paths) {
  return guarded([&](Answer& answer) { load(paths, answer); });
}

// -------------------------------------------------------------------------------------------- definitions and values

void Session::run_parts(const SourcePointer& source, syntax::Input input, Answer& answer) {
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
    auto result = evaluator.evaluate(*statement.value, /*whole=*/!statement.name);
    next.output = evaluator.output();
    if (!statement.name) {
      answer.text += result.text.empty() ? describe(result.value) : result.text;
      continue;
    }
    answer.text += result.text + fmt::format("{}: {}\n", statement.name->text, summary(result.value));
    assign(next, *statement.name, std::move(result.value), source);
  }
  define(next, std::move(items), source, answer);
  state_ = std::move(next);
}

void Session::define(State& state, std::vector<syntax::Item> items, const SourcePointer& source, Answer& answer) {
  if (items.empty()) return;
  auto before = state.definitions.entered().size();
  (void)before;
  std::vector<std::string> names, tests;
  for (auto& item : items) {
    if (auto* test = std::get_if<syntax::Test>(&item.node)) tests.push_back(test->name.value);
  }
  state.definitions = state.definitions.with(std::move(items), source, answer.messages);
  for (auto& each : state.definitions.entered()) {
    if (each->file.source != source) continue;
    auto& own = state.definitions.own();
    if (auto target = own.targets.find(each->name);
        each->sort == EnteredDefinition::Sort::target && target != own.targets.end())
      answer.text += signature(target->second) + "\n";
    if (auto function = own.functions.find(each->name);
        each->sort == EnteredDefinition::Sort::function && function != own.functions.end())
      answer.text += signature(*function->second) + "\n";
    if (each->sort == EnteredDefinition::Sort::import) {
      auto& import = state.definitions.imports().at(each->name);
      answer.text += fmt::format("{}: {} from {}\n", each->name, content(*import.definitions), import.path);
    }
  }
  for (auto& name : tests) {
    auto test = state.definitions.test(name);
    if (!test) continue;
    guard_->check();
    auto result = testing::run(test);
    if (!result.failures.empty()) throw Error(std::move(result.failures));
    answer.text += fmt::format("passed: {}\n", name);
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
    throw refuse(Code::protected_name, fmt::format("`{}` cannot be redefined", name.text), "choose another name");
  if (name.text == "x" && !(numbers && tensor->tensor.dim() > 0))
    throw refuse(Code::wrong_input, fmt::format("`x` is a tensor with a batch, not {}", type_of(value)),
                 "write `x = [[1]]`: one sample with one value");
  if (name.text == "R" && !numbers && !std::holds_alternative<double>(value))
    throw refuse(Code::wrong_type, fmt::format("`R` is a number or a tensor, not {}", type_of(value)),
                 "it is where relevance starts: `R = 2 * y`, or `R = 1`");
  bool is_model = std::holds_alternative<ModelValue>(value);
  if (name.text == "model" && !is_model)
    throw refuse(Code::wrong_type, fmt::format("`model` is a model, not {}", type_of(value)),
                 "a layer, a list of layers, or `load(\"net.pt2\")`");
  if (is_model)
    state.model = name.text;
  else if (state.model == name.text)
    state.model.clear();
  state.values.insert_or_assign(name.text, std::move(value));
}

// ------------------------------------------------------------------------------------------------------------ commands

void Session::run_command(const SourcePointer& source, Answer& answer) {
  auto text = source->text();
  if (auto bad = find_invalid_utf8(text); bad != std::string_view::npos)
    throw Error({.code = Code::not_text,
                 .message = fmt::format("byte 0x{:02X} is not part of a text", static_cast<unsigned char>(text[bad])),
                 .primary = {source, {bad, bad}, ""},
                 .help = "a session reads UTF-8 text"});
  auto begin = text.find(':');
  auto end = std::min(text.find_first_of(" \t\r", begin), text.size());
  auto& command = find_command(source, {begin, end});
  auto argument_end = text.find_last_not_of(" \t\r") + 1;
  auto argument_begin = std::min(text.find_first_not_of(" \t\r", end), argument_end);
  if (argument_begin < end) argument_begin = end;
  CommandLine line{source, {argument_begin, std::max(argument_begin, argument_end)}};
  if (command.needs_argument && line.text().empty())
    throw Error({.code = Code::usage,
                 .message = fmt::format("`:{}` needs an argument", command.name),
                 .primary = {source, {begin, end}, ""},
                 .help = fmt::format("write `:{} {}`", command.name, command.arguments)});
  if (command.arguments.empty() && !line.text().empty())
    throw Error({.code = Code::usage,
                 .message = fmt::format("`:{}` takes no argument", command.name),
                 .primary = {source, line.argument, ""},
                 .help = fmt::format("write `:{}`", command.name)});
  switch (command.id) {
    case Command::Id::help:
      answer.text = help(state_, source, line.argument);
      break;
    case Command::Id::load: {
      std::vector<fs::path> paths;
      for (auto& word : words_of(line.text())) paths.push_back(path_of(word));
      load(paths, answer);
      break;
    }
    case Command::Id::reload:
      reload(answer);
      break;
    case Command::Id::save:
      save(line, answer);
      break;
    case Command::Id::type:
      type(line, answer);
      break;
    case Command::Id::rules:
      answer.text = list_rules(state_, std::string(line.text()));
      break;
    case Command::Id::time:
      time(line, answer);
      break;
    case Command::Id::reset:
      reset(line, answer);
      break;
    case Command::Id::quit:
      answer.quits = true;
      break;
  }
}

void Session::load(const std::vector<fs::path>& paths, Answer& answer) {
  auto all = state_.definitions.paths();
  for (auto& path : paths)
    if (std::find(all.begin(), all.end(), path) == all.end()) all.push_back(path);
  auto next = state_.definitions.with_loaded(all, answer.messages);
  state_.definitions = std::move(next);
  for (auto& path : paths) {
    auto pack = Pack::load(path);
    answer.text += fmt::format("{}: {}\n", path.string(), content(pack.definitions()));
  }
  std::vector<std::string> hidden;
  for (auto& each : state_.definitions.entered())
    if (state_.definitions.loaded().definitions().targets.contains(each->name) ||
        state_.definitions.loaded().definitions().functions.contains(each->name))
      hidden.push_back(fmt::format("`{}`", each->name));
  if (!hidden.empty())
    answer.text += fmt::format("entered here, and in front of what is loaded: {}\n", fmt::join(hidden, ", "));
}

void Session::reload(Answer& answer) {
  auto& paths = state_.definitions.paths();
  if (paths.empty())
    throw Error({.code = Code::usage, .message = "no file is loaded", .help = "write `:load mine.rule`"});
  state_.definitions = state_.definitions.with_loaded(paths, answer.messages);
  answer.text =
      fmt::format("{}: {}\n", counted(paths.size(), "path"), content(state_.definitions.loaded().definitions()));
}

void Session::save(const CommandLine& line, Answer& answer) {
  auto words = words_of(line.text());
  auto refuse = [&](Code code, std::string message, std::string help) {
    return Error({.code = code,
                  .message = std::move(message),
                  .primary = {line.source, line.argument, ""},
                  .help = std::move(help)});
  };
  if (words.size() != 1)
    throw refuse(Code::usage, "`:save` takes one file", "a name with blanks stands in double quotes");
  auto path = path_of(words.front());
  if (path.extension() != ".rule")
    throw refuse(Code::usage, "the names of rule files end in `.rule`",
                 fmt::format("write `:save {}.rule`", words.front()));
  if (state_.definitions.entered().empty())
    throw refuse(Code::usage, "no definition was entered, so there is nothing to save",
                 "define a rule: `rule mine = epsilon(0.1)`");
  std::error_code error;
  auto known = fs::weakly_canonical(path, error);
  if (fs::exists(path, error) && !saved_.contains(known))
    throw refuse(Code::unwritable_file, fmt::format("{} is there already", command::quoted(path)),
                 "choose another name: only files that this session wrote are written again");
  command::write_file(path, {as_rule_file(state_.definitions, path.parent_path())});
  saved_.insert(fs::weakly_canonical(path, error));
  answer.text = fmt::format("{}: {}\n", path.string(), counted(state_.definitions.entered().size(), "definition"));
}

namespace {

// The expression behind a command, with places in the whole line.
syntax::Statement expression_of(const SourcePointer& line, Span argument) {
  // Blanks in the place of the command: what is written stays where it was.
  auto text = std::string(line->text());
  std::fill(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(argument.begin), ' ');
  auto first_line = line->position(0).line;
  auto source = std::make_shared<Source>(line->name(), std::move(text), first_line);
  std::vector<Diagnostic> mistakes;
  auto parsed = parse_input(source, mistakes);
  for (auto& each : mistakes)
    if (each.primary.source == source) each.primary.source = line;
  if (!mistakes.empty()) throw Error(std::move(mistakes));
  auto* statement = parsed.input && parsed.input->parts.size() == 1
                        ? std::get_if<syntax::Statement>(&parsed.input->parts.front())
                        : nullptr;
  if (statement) return std::move(*statement);
  throw Error({.code = Code::usage,
               .message = "one expression is needed here",
               .primary = {line, argument, ""},
               .help = "definitions are entered by themselves"});
}

}  // namespace

void Session::type(const CommandLine& line, Answer& answer) {
  auto statement = expression_of(line.source, line.argument);
  answer.text = Evaluator(state_, line.source, {}).type(*statement.value) + "\n";
}

void Session::time(const CommandLine& line, Answer& answer) {
  auto statement = expression_of(line.source, line.argument);
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;
  constexpr std::size_t most_runs = 10;
  constexpr Seconds enough(0.5);
  std::vector<double> seconds;
  auto begin = Clock::now();
  do {
    auto before = Clock::now();
    auto fresh = state_;
    fresh.output = nullptr;  // what was computed before would be no time at all
    Evaluator evaluator(fresh, line.source, {screen(), guard_->stop()});
    (void)evaluator.evaluate(*statement.value, /*whole=*/true);
    seconds.push_back(Seconds(Clock::now() - before).count());
    guard_->check();
  } while (seconds.size() < most_runs && Clock::now() - begin < enough);
  std::sort(seconds.begin(), seconds.end());
  auto middle = seconds[seconds.size() / 2];
  auto shown = middle < 1e-3 ? fmt::format("{:.3g} µs", middle * 1e6)
               : middle < 1  ? fmt::format("{:.3g} ms", middle * 1e3)
                             : fmt::format("{:.3g} s", middle);
  answer.text = seconds.size() == 1 ? shown + "\n" : fmt::format("{}, the median of {} runs\n", shown, seconds.size());
}

void Session::reset(const CommandLine& line, Answer& answer) {
  if (line.text().empty()) {
    state_ = {};
    answer.text = "all is forgotten\n";
    return;
  }
  auto next = state_;
  for (auto& name : words_of(line.text())) {
    auto known = next.values.erase(name) > 0;
    if (next.model == name) next.model.clear();
    if (next.definitions.has(name)) {
      next.definitions = next.definitions.without(name);
      known = true;
    }
    if (known) continue;
    std::vector<std::string> names;
    for (auto& [each, value] : next.values) names.push_back(each);
    for (auto& each : next.definitions.entered()) names.push_back(each->name);
    throw Error(
        {.code = Code::unknown_name,
         .message = fmt::format("nothing that was entered is called `{}`", name),
         .primary = {line.source, line.argument, ""},
         .help = did_you_mean(name, names,
                              names.empty() ? "nothing was entered" : fmt::format("there are: {}", listed(names)))});
  }
  state_ = std::move(next);
}

}  // namespace ascribe::repl
