// The commands of a session.
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "grammar/characters.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/parser.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/command/picture_page.hpp"
#include "interpreter/command/plan_text.hpp"
#include "interpreter/command/repl/evaluator.hpp"
#include "interpreter/command/repl/habits.hpp"
#include "interpreter/command/repl/help.hpp"
#include "interpreter/command/repl/home.hpp"
#include "interpreter/command/repl/session.hpp"
#include "interpreter/command/report_table.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/files/npy.hpp"
#include "interpreter/inside.hpp"

namespace ascribe::repl {
namespace {

namespace fs = std::filesystem;

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

// What comes from a file, or from the files of a pack.
language::Definitions part_of(language::Definitions definitions, const fs::path& path) {
  std::error_code error;
  auto place = fs::weakly_canonical(path.filename() == "pack.rule" ? path.parent_path() / "." : path, error);
  auto is_elsewhere = [&](const language::Place& written) {
    auto file = fs::weakly_canonical(written.source->name(), error);
    return std::mismatch(place.begin(), place.end(), file.begin(), file.end()).first != place.end();
  };
  std::erase_if(definitions.targets, [&](auto& each) { return is_elsewhere(language::place_of(each.second)); });
  std::erase_if(definitions.functions, [&](auto& each) { return is_elsewhere(language::place_of(each.second)); });
  std::erase_if(definitions.tests, [&](auto& each) { return is_elsewhere(each->place); });
  return definitions;
}

}  // namespace

void Session::run_command(const SourcePointer& source, Answer& answer) {
  auto text = source->text();
  if (auto bad = find_invalid_utf8(text); bad != std::string_view::npos)
    throw Error({.code = Code::not_text,
                 .message = filled("byte 0x{:02X} is not part of a text", static_cast<unsigned char>(text[bad])),
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
                 .message = filled("`:{}` needs an argument", command.name),
                 .primary = {source, {begin, end}, ""},
                 .help = filled("write `{}`", command.example)});
  if (command.arguments.empty() && !line.text().empty())
    throw Error({.code = Code::usage,
                 .message = filled("`:{}` takes no argument", command.name),
                 .primary = {source, line.argument, ""},
                 .help = filled("write `:{}`", command.name)});
  switch (command.id) {
    case Command::Id::help:
      answer.text = help(state_, source, line.argument);
      break;
    case Command::Id::load: {
      std::vector<fs::path> paths;
      for (auto& word : words_of(line.text())) paths.push_back(with_home(word));
      for (auto& path : paths)
        if (auto wrong = no_text_in(path.string(), /*of_session=*/true)) throw *wrong;
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
    case Command::Id::plan:
      plan(line, answer);
      break;
    case Command::Id::time:
      time(line, answer);
      break;
    case Command::Id::model:
      answer.text = about_model(Evaluator(state_, source, {}).current_model());
      break;
    case Command::Id::layers:
      layers(line, answer);
      break;
    case Command::Id::labels:
      labels(line, answer);
      break;
    case Command::Id::write:
      write(line, answer);
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
  state_.definitions = state_.definitions.with_loaded(all, loading(), answer.messages);
  auto& loaded = Inside::definitions(state_.definitions.loaded());
  for (auto& path : paths) answer.text += filled("{}: {}\n", path.string(), content_of(part_of(loaded, path)));
  std::vector<std::string> hidden;
  for (auto& each : state_.definitions.entered())
    if (loaded.targets.contains(each->name) || loaded.functions.contains(each->name))
      hidden.push_back(filled("`{}`", each->name));
  if (!hidden.empty())
    answer.text += filled("entered here, and in front of what is loaded: {}\n", fmt::join(hidden, ", "));
}

void Session::reload(Answer& answer) {
  auto& paths = state_.definitions.paths();
  if (paths.empty() && state_.definitions.imports().empty())
    throw Error({.code = Code::usage, .message = "no file is loaded", .help = "write `:load mine.rule`"});
  state_.definitions = state_.definitions.with_loaded(paths, loading(), answer.messages);
  if (!paths.empty())
    answer.text =
        filled("{}: {}\n", counted(paths.size(), "path"), content_of(Inside::definitions(state_.definitions.loaded())));
  for (auto& [name, import] : state_.definitions.imports())
    answer.text += filled("{}: {}\n", name, content_of(*import));
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
  auto path = with_home(words.front());
  if (path.extension() != ".rule")
    throw refuse(Code::usage, "the names of rule files end in `.rule`", filled("write `:save {}.rule`", words.front()));
  auto definitions = for_rule_file(state_.definitions.entered());
  if (definitions.empty())
    throw refuse(Code::usage, "no definition was entered, so there is nothing to save",
                 "define a rule: `rule mine = epsilon(0.1)`");
  std::error_code error;
  auto known = fs::weakly_canonical(path, error);
  if (fs::exists(path, error) && !saved_.contains(known))
    throw refuse(Code::unwritable_file, filled("{} is there already", files::quoted(path)),
                 "choose another name: only files that this session wrote are written again");
  files::write_file(path, {as_rule_file(definitions, path.parent_path())});
  saved_.insert(fs::weakly_canonical(path, error));
  answer.text = filled("{}: {}\n", path.string(), counted(definitions.size(), "definition"));
}

void Session::type(const CommandLine& line, Answer& answer) {
  if (line.text().empty()) {
    for (auto& [name, value] : state_.values)
      if (name != last_value)
        answer.text += filled("{}: {}{}\n", name, type_of(value), name == state_.model ? ", the current model" : "");
    if (answer.text.empty()) answer.text = "nothing has a name yet: `x = [[1, 2]]` gives one\n";
    return;
  }
  auto [statement, indexings] = expression_of(line.source, line.argument);
  Evaluator evaluator(state_, line.source, {});
  evaluator.prepare(statement, indexings, /*evaluated=*/false);
  answer.text = evaluator.type(*statement.value) + "\n";
}

void Session::plan(const CommandLine& line, Answer& answer) {
  auto text = line.text();
  auto end = text.size();
  // The last word, and what stands in front of it.
  auto take_word = [&] {
    auto begin = text.substr(0, end).find_last_of(" \t") + 1;
    auto word = text.substr(begin, end - begin);
    end = text.substr(0, begin).find_last_not_of(" \t") + 1;
    return word;
  };
  auto kind = take_word();
  bool not_negative = kind == "nonnegative";
  if (not_negative) kind = take_word();
  bool is_word = std::all_of(kind.begin(), kind.end(), is_name_character);
  if (end == 0 || !is_word) {
    bool is_kind = !command::kinds_of(kind).empty();
    auto rule = text.substr(0, static_cast<std::size_t>(kind.data() - text.data()) + kind.size());
    throw Error({.code = Code::usage,
                 .message = "`:plan` takes a rule or a composite, and a kind of layer",
                 .primary = {line.source, line.argument, ""},
                 .help = is_kind ? filled("write `:plan zplus {}`", kind) : filled("write `:plan {} conv2d`", rule)});
  }
  auto begin = line.argument.begin + static_cast<std::size_t>(kind.data() - text.data());
  command::PlanQuestion question{.kinds = command::kinds_of(kind),
                                 .not_negative = not_negative,
                                 .how_to_ask_for_not_negative = "`nonnegative` behind the kind"};
  if (question.kinds.empty()) {
    auto wrong = command::unknown_kind(kind);
    wrong.primary = {line.source, {begin, begin + kind.size()}, ""};
    throw Error(wrong);
  }
  auto statement = expression_of(line.source, {line.argument.begin, line.argument.begin + end}).first;
  auto rules = Evaluator(state_, line.source, {}).rules(*statement.value);
  answer.text = command::plans_as_text(rules, question);
}

void Session::time(const CommandLine& line, Answer& answer) {
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
    auto [statement, indexings] = expression_of(line.source, line.argument);
    evaluator.prepare(statement, indexings);
    (void)evaluator.evaluate(*statement.value, /*whole=*/true);
    seconds.push_back(Seconds(Clock::now() - before).count());
    guard_->check();
  } while (seconds.size() < most_runs && Clock::now() - begin < enough);
  std::sort(seconds.begin(), seconds.end());
  auto middle = seconds[seconds.size() / 2];
  auto shown = middle < 1e-3 ? filled("{:.3g} µs", middle * 1e6)
               : middle < 1  ? filled("{:.3g} ms", middle * 1e3)
                             : filled("{:.3g} s", middle);
  answer.text = seconds.size() == 1 ? shown + "\n" : filled("{}, the median of {} runs\n", shown, seconds.size());
}

Result Session::evaluated(const CommandLine& line, Span expression, Answer& answer) {
  auto [statement, indexings] = expression_of(line.source, expression);
  Evaluator evaluator(state_, line.source, {screen(), guard_->stop()});
  evaluator.prepare(statement, indexings);
  auto out = evaluator.evaluate(*statement.value, /*whole=*/false);
  if (out.without_value) throw Error(*out.without_value);
  for (auto& each : evaluator.warnings()) answer.messages.push_back(each);
  answer.text += out.note;
  return out;
}

void Session::layers(const CommandLine& line, Answer& answer) {
  constexpr std::string_view flag = "--tree";
  auto written = line.argument;
  auto text = line.text();
  bool tree = text.starts_with(flag) || text.ends_with(flag);
  if (text.starts_with(flag))
    written.begin += flag.size();
  else if (tree)
    written.end -= flag.size();
  if (auto rest = line.source->text(written); rest.find("--") != std::string_view::npos)
    throw Error({.code = Code::usage,
                 .message = "`:layers` takes rules and `--tree`",
                 .primary = {line.source, line.argument, ""},
                 .help = "write `:layers epsilon_plus --tree`"});
  Evaluator evaluator(state_, line.source, {});
  auto model = evaluator.current_model();
  auto inputs = evaluator.inputs(model);
  bool with_rules = line.source->text(written).find_first_not_of(" \t") != std::string_view::npos;
  auto report = with_rules
                    ? ascribe::layers(model.model,
                                      evaluator.rules(*expression_of(line.source, written).first.value, model), inputs)
                    : ascribe::layers(model.model, inputs);
  answer.text = command::describe_layers_as_text(report, with_rules, tree, static_cast<std::size_t>(screen().columns));
}

void Session::labels(const CommandLine& line, Answer& answer) {
  auto words = words_of(line.text());
  if (words.size() > 1)
    throw Error({.code = Code::usage,
                 .message = "`:labels` takes one file",
                 .primary = {line.source, line.argument, ""},
                 .help = "a name with blanks stands in double quotes"});
  if (words == std::vector<std::string>{"none"})
    state_.labels = {};
  else if (!words.empty())
    state_.labels = command::Labels::read(with_home(words.front()).string());
  answer.text = state_.labels.path.empty()
                    ? "the outputs have no names\n"
                    : filled("{}: {}\n", state_.labels.path, counted(state_.labels.names.size(), "name"));
}

// As `ascribe run` writes `--output` and `--heatmap`.
void Session::write(const CommandLine& line, Answer& answer) {
  auto refuse = [&](std::string message, std::string help) {
    return Error({.code = Code::usage,
                  .message = std::move(message),
                  .primary = {line.source, line.argument, ""},
                  .help = std::move(help)});
  };
  auto text = line.text();
  bool quoted = text.starts_with('"');
  auto end = std::min(quoted ? text.find('"', 1) : text.find_first_of(" \t"), text.size());
  auto path = with_home(std::string(text.substr(quoted, end - quoted))).string();
  command::PictureArguments picture;
  picture.file = path;
  bool numbers = path.ends_with(".npy");
  auto begin = std::min(text.find_first_not_of(" \t", end + quoted), text.size());
  if (!numbers && !path.ends_with(".png") && !path.ends_with(".svg") && !picture.is_page())
    throw refuse(filled("{} is no .npy, .png, .svg or .html file", files::quoted(path)),
                 filled("write `:write {}{}`", with_written_ending(path),
                        begin < text.size()                  ? text.substr(begin - 1)
                        : state_.values.contains(last_value) ? ""
                                                             : " x"));
  Result result;
  if (begin < text.size()) {
    result = evaluated(line, {line.argument.begin + begin, line.argument.end}, answer);
  } else if (auto last = state_.values.find(last_value); last != state_.values.end()) {
    result.value = last->second;
  } else {
    throw refuse(state_.without_last.empty() ? "nothing was printed yet that could be written"
                                             : "what was printed last has no value that could be written",
                 filled("write `:write {} x`", path));
  }
  auto* tensor = std::get_if<TensorValue>(&result.value);
  auto* number = std::get_if<double>(&result.value);
  if (tensor && !numbers && tensor->tensor.numel() == 0)
    throw refuse(filled("there is nothing to see in {}", type_of(result.value)), filled("write `:write {} x`", path));
  if (!tensor && !(number && numbers))
    throw refuse(filled("{} is nothing for {}", type_of(result.value), files::quoted(path)),
                 filled("write a tensor: `:write {} x`", path));
  for (auto& [name, value] : state_.values) {
    std::error_code missing;
    auto* other = std::get_if<TensorValue>(&value);
    auto* model = std::get_if<ModelValue>(&value);
    auto& read = other ? other->file : model ? model->file : path;
    if ((other || model) && !read.empty() && fs::equivalent(read, path, missing) && !missing)
      throw refuse(filled("{} is what `{}` was read from, and would be overwritten", files::quoted(path), name),
                   "write a file of another name");
  }
  files::check_writable(path);
  if (numbers) {
    files::write_npy(path, tensor ? tensor->tensor.cpu() : at::scalar_tensor(*number, at::kDouble));
  } else {
    auto& known = tensor->explanation;
    command::PictureFacts facts{};
    at::Tensor output;
    if (known) {
      picture.heatmap = known->colours;
      facts.input = known->x;
      output = command::chosen_among(known->attribution.output, known->attribution, known->target);
      command::tell_targets(facts, output, known->target, state_.labels.names,
                            tensor->tensor.dim() == 0 ? 1 : tensor->tensor.size(0));
    }
    if (picture.is_page() && !known)
      throw refuse("a page is of relevance, with all that is known of it",
                   "`r = explain(epsilon_plus)` is, and `:write page.html r` writes it");
    picture.check();
    auto relevance = tensor->tensor.cpu();
    if (relevance.scalar_type() == at::kBool) relevance = relevance.to(at::kDouble);
    files::write_file(path, {picture.is_page() ? command::picture_page(picture, {.attribution = known->attribution,
                                                                                 .rules = known->rules,
                                                                                 .pictures = std::move(facts),
                                                                                 .output = output,
                                                                                 .labels = state_.labels.names,
                                                                                 .model = called(*tensor->origin)})
                                               : command::drawn(picture, relevance, facts)});
  }
  answer.text += filled("{}: {}\n", path, summary(result.value));
}

void Session::reset(const CommandLine& line, Answer& answer) {
  if (line.text().empty()) {
    state_ = {};
    answer.text = "all is forgotten\n";
    return;
  }
  auto next = state_;
  std::set<std::string> definitions;
  for (auto& name : words_of(line.text())) {
    auto known = next.values.erase(name) > 0;
    if (next.model == name) next.model.clear();
    if (next.definitions.has(name)) {
      definitions.insert(name);
      known = true;
    }
    if (known) continue;
    std::vector<std::string> names;
    for (auto& [each, value] : next.values) names.push_back(each);
    for (auto& each : next.definitions.entered()) names.push_back(each->name);
    throw Error({.code = Code::unknown_name,
                 .message = filled("nothing that was entered is called `{}`", name),
                 .primary = {line.source, line.argument, ""},
                 .help = did_you_mean(name, names,
                                      names.empty() ? "nothing was entered" : filled("there are: {}", listed(names)))});
  }
  if (!definitions.empty()) next.definitions = next.definitions.without(definitions);
  state_ = std::move(next);
}

}  // namespace ascribe::repl
