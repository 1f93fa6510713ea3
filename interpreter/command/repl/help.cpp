#include "interpreter/command/repl/help.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/explanation.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/glob.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/command/repl/assistance.hpp"
#include "interpreter/command/repl/calls.hpp"
#include "interpreter/command/repl/commands.hpp"
#include "interpreter/command/repl/evaluator.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/doc_comment.hpp"

namespace ascribe::repl {
namespace {

struct Topic {
  std::string_view name, summary, text;
};

constexpr Topic topics[] = {
    {"values", "numbers, tensors and models, and their names",
     R"(An expression prints its value; `name = expression` keeps it.

  x = random(1, 3, 8, 8, seed = 2)        normally distributed numbers, the same for the same seed
  x = [[1, 2]]                            a tensor, written out
  photo = image("cat.png", mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225])
  x = load("input.npy")                   a tensor from .npy, .npz, .pt, .png or .jpg
  layer = conv2d(3, 8, kernel = 3, seed = 1)
  net = [linear(4, 3), relu, linear(3, 2)]
  model = load("net.pt2")                 a model from torch.export (.pt2) or TorchScript (.pt)

Some names mean something:
  x   the input of the model; dimension 0 counts samples. Further inputs of a model are x2, x3, …
  y   what the current model gives for x; it follows from both
  R   where relevance starts: a number for all outputs, or a tensor of the output's shape. Without one it is y at each
      sample's largest output of [batch, classes], and otherwise all of y
  _   the value that was printed last; none after `compare` of more than two
The current model is the one that was named last, whatever its name is; `:model` tells what it is. `:reset R` forgets R. What
came from another model than the current one is told where it is used.

Expressions are those of test blocks: `max(x, 0)`, `abs(x - y)`, `sum(y) == 1 within 1e-4`; and parts of tensors, as NumPy has
them: `R[0]`, `R[:, 3]`, `R[0, 1:4]`, `x[-1, ::2]`, `x[..., 0]`. `:write x.npy` writes the last value, `:write map.png r` another.
`:help layers` lists the layers, `:help functions` the built-in functions.)"},
    {"definitions", "rules, composites and functions, tests and imports",
     R"(Definitions are entered as they stand in a rule file. They may go over several lines: what is not whole continues on
the next line, behind the prompt `. `; Ctrl-C drops it. A definition takes the place of one of its name, and is in front of
what is loaded, which in turn is in front of the standard pack: `std.zplus` is always the standard one.

  rule mine(gamma = 0.25) { param = w + gamma * max(w, 0) }
  composite both { convolution => mine(0.5); any => epsilon_plus }
  fn doubled(z) = 2 * z
  test "it keeps the sum" { model = linear(2, 2, bias = 0); x = [[1, 2]]; expect sum(relevance(epsilon)) == sum(y) within 1e-3 }
  import "packs/acme" as acme

A test runs at once. An import begins at the working directory, or in a folder of the search path (`ascribe repl --path DIR`,
ASCRIBE_PATH). `:save mine.rule` writes what was entered, `:load` and `:reload` read rule files, `:rules` lists all.
An input with a mistake changes nothing.)"},
    {"relevance", "relevance of x: as numbers, as a picture, compared",
     R"(  relevance(zplus)                        the relevance of x for the current model, as a tensor
  relevance(epsilon(0.1), target = 3)     with arguments, from the output 3
  explain(epsilon_plus)                   the heatmap, and a table of what became of relevance at each layer
  explain(model, epsilon_plus, target = 3)
  compare(zplus, gamma)                   both heatmaps and their difference; of more than two, all of them
  explain(zplus, colour_map = "coldnhot") in other colours
  :plan zplus conv2d                      which operators and passes over memory a rule comes to

A rule is for the only layer of a model, otherwise for all linear and convolution layers; a composite says itself what
is for which. All three start from their target, as `ascribe run` has it: an index of the output, a name of `:labels`, a list
of them, "top3" or "all". Without a target they start from R, if there is one, from each sample's largest output of
[batch, classes], which they tell, otherwise from all outputs. (In a `test`, relevance starts from R or from all of y.)

  explain(zplus, target = 3, against = 5) what speaks for output 3 rather than for 5
  explain(zplus, position = -1)           of outputs [batch, positions, classes], the last position of a sequence
  explain(zplus, of_output = 1)           of a model that returns several tensors, the second one, counted from 0
  explain(zplus, x = 0.5 * x)             of another input, for this once: x stays what it is

With a name, `r = explain(…)`, the relevance is kept; of `compare`, the difference of two. `:write map.png r` writes a picture of it, `.svg` and `.html`, too.

In pictures, red speaks for the target and blue against it, white is zero, yellow is not finite.)"},
    {"layers", "the layers that models are built of", ""},
    {"functions", "the built-in functions", ""},
    {"limits", "what an evaluation may cost, and how it is stopped",
     R"(Ctrl-C stops an evaluation, and the session goes on; at the prompt it clears the line. An evaluation that takes too long,
or too much memory, is stopped with a message: `ascribe repl --time 60 --memory 2GB`. It ends where the next operator asks
for memory, so that one long operator is waited for.)"},
    {"editing", "keys, history and completion",
     R"(Tab completes what an editor would, with signatures, and values, commands and files. The arrow keys go through the
history, in which an input of several lines is one: within it, they go up and down, Enter runs it where it is whole, Alt-Enter
begins a line. While an input is not whole, the upward arrow goes back into its lines. What is pasted is one input: Enter runs
it, and where there is a mistake in it, nothing of it counts. The history is kept in $XDG_STATE_HOME/ascribe/history
(otherwise ~/.local/state/ascribe/history), for its owner only.
Ctrl-A and Ctrl-E go to the line's begin and end, Ctrl-R searches the history, Ctrl-D at an empty line quits.
Pictures take the terminal's width; COLORTERM=truecolor gives them all colours, NO_COLOR none.

Where standard input is no terminal, there is no prompt, and the first mistake ends the session with its exit code. So does
`ascribe repl --script FILE`, with 1.)"},
};

std::string heading(std::string_view text) { return filled("{}\n\n", text); }

// Rows whose second column stands in one place; what is long continues below itself.
class Rows {
 public:
  void add(std::string left, std::string right) { rows_.emplace_back(std::move(left), std::move(right)); }

  std::string text() const {
    constexpr std::size_t widest_left = 30, most = 100;
    std::size_t width = 0;
    for (auto& [left, right] : rows_)
      if (count_characters(left) <= widest_left) width = std::max(width, count_characters(left));
    std::string out;
    for (auto& [left, right] : rows_) {
      auto line = "  " + left;
      bool below = count_characters(left) > width;
      if (!below) line.append(width - count_characters(left), ' ');
      auto column = width + 4;
      if (below && !right.empty()) out += line + "\n", line = std::string(column - 2, ' ');
      for (std::string_view rest = right; !rest.empty();) {
        auto end = rest.find(' ');
        auto word = rest.substr(0, end);
        if (count_characters(line) > column && count_characters(line) + 1 + count_characters(word) > most) {
          out += line + "\n";
          line = std::string(column - 1, ' ');
        }
        line += (count_characters(line) < column - 1 ? "  " : " ");
        line += word;
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      }
      out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

std::string overview() {
  Rows enter, commanded, pages;
  enter.add("x = random(1, 3, seed = 1)", "a value with a name");
  enter.add("layer = linear(3, 2)", "a model: a layer, a list of layers, or load(\"net.pt2\")");
  enter.add("relevance(zplus)", "an expression: the relevance of x");
  enter.add("explain(epsilon_plus)", "a heatmap, and a table of the layers");
  enter.add("compare(zplus, gamma)", "two heatmaps and their difference");
  enter.add("rule mine = epsilon(0.1)", "a definition, over as many lines as it needs");
  for (auto& each : commands())
    commanded.add(filled(":{}{}{}", each.name, each.arguments.empty() ? "" : " ", each.arguments),
                  std::string(each.summary));
  for (auto& each : topics) pages.add(filled(":help {}", each.name), std::string(each.summary));
  pages.add(":help zplus", "a rule, composite, function, layer or command by its name; a message by its code, A0207");
  return "What can be entered:\n" + enter.text() + "\nCommands, which may be shortened:\n" + commanded.text() +
         "\nMore:\n" + pages.text();
}

std::string list_of_layers() {
  Rows rows;
  for (auto& each : language::buildable_layers()) rows.add(signature(each), "");
  return heading(
             "A model is a layer, or a list of them in sequence; float64. Layers with parameters are made of these, or "
             "drawn from\na seed; `bias = 0` leaves the bias out.") +
         rows.text();
}

std::string list_of_functions() {
  Rows rows;
  for (auto& each : language::builtins())
    if (each.place != language::BuiltinPlace::require)
      rows.add(std::string(each.signature), std::string(each.documentation));
  for (auto& each : session_calls()) rows.add(std::string(each.signature), std::string(each.documentation));
  return heading("The built-in functions, and the calls of a session, which stand by themselves:") + rows.text();
}

std::string text_of(const Topic& topic) {
  if (topic.name == "layers") return list_of_layers();
  if (topic.name == "functions") return list_of_functions();
  return std::string(topic.text) + "\n";
}

const std::string& documentation_of(const language::Definition& definition) {
  return std::visit([](auto& each) -> const std::string& { return each->documentation; }, definition);
}

std::vector<Diagnostic> messages_of(const std::string& text) {
  try {
    return Pack::parse(text, "example.rule").warnings();
  } catch (const Error& error) {
    return error.diagnostics();
  }
}

std::string page_of(const State& state, const std::string& topic) {
  auto name = topic.starts_with(':') ? topic.substr(1) : topic;
  if (auto number = name.starts_with('A') ? read_code(name) : std::nullopt)
    if (auto* page = find_explanation(static_cast<Code>(*number))) return render_explanation(*page, messages_of);
  for (auto& each : topics)
    if (each.name == topic) return text_of(each);
  std::string out;
  auto add = [&](const std::string& text) { out += (out.empty() || text.empty() ? "" : "\n") + text; };
  for (auto& each : state.definitions.entered())
    if (each->name == name && topic == name) add(each->text + "\n");
  auto known = topic == name && out.empty() ? about(state, name) : "";
  // One word may be several things: `sum` is a function and a layer.
  if (known.empty() && out.empty())
    for (auto& each : commands())
      if (each.name == name) add(filled(":{} {}\n  {}\n", each.name, each.arguments, each.summary));
  if (auto* call = find_session_call(name)) add(filled("{}\n  {}\n", call->signature, call->documentation));
  add(known);
  if (auto value = state.values.find(name); value != state.values.end())
    add(filled("{}: {}\n", name, summary(value->second)));
  return out;
}

std::string summary_of(const language::Definition& definition) {
  return language::read_doc_comment(documentation_of(definition)).summary();
}

}  // namespace

std::vector<std::string> help_topics() {
  std::vector<std::string> out;
  for (auto& each : topics) out.emplace_back(each.name);
  return out;
}

std::string help(const State& state, const SourcePointer& source, Span topic) {
  auto written = std::string(source->text(topic));
  if (written.empty()) return overview();
  if (auto out = page_of(state, written); !out.empty()) return out;
  auto known = help_topics();
  for (auto& each : commands()) known.emplace_back(each.name);
  for (auto& each : session_calls()) known.emplace_back(each.name);
  for (auto& each : language::builtins()) known.emplace_back(each.name);
  for (auto& each : language::buildable_layers()) known.emplace_back(each.name);
  for (auto* definitions : {&state.definitions.visible(), &Inside::definitions(Pack::standard())}) {
    for (auto& [name, each] : definitions->targets) known.push_back(name);
    for (auto& [name, each] : definitions->functions) known.push_back(name);
  }
  throw Error({.code = Code::usage,
               .message = filled("there is no help on `{}`", written),
               .primary = {source, topic, ""},
               .help = did_you_mean(written, known,
                                    filled("`:help` alone shows the topics: {}", fmt::join(help_topics(), ", ")))});
}

std::string list_rules(const State& state, const std::string& glob) {
  std::string out;
  auto list = [&](const char* title, const language::Definitions& definitions, const language::Definitions* in_front) {
    Rows rows;
    bool any = false;
    auto add = [&](const std::string& name, const std::string& left, const std::string& right) {
      if (!glob.empty() && !matches_glob(glob, name)) return;
      rows.add(left, right);
      any = true;
    };
    for (bool rules : {true, false})
      for (auto& [name, each] : definitions.targets) {
        bool is_rule = std::holds_alternative<std::shared_ptr<const language::Rule>>(each);
        if (is_rule != rules || (in_front && in_front->targets.contains(name))) continue;
        add(name, filled("{} {}", is_rule ? "rule" : "composite", name), summary_of(each));
      }
    for (auto& [name, each] : definitions.functions)
      if (!in_front || !in_front->functions.contains(name)) add(name, signature(*each), "");
    if (any) out += filled("{}{}:\n{}", out.empty() ? "" : "\n", title, rows.text());
  };
  list("Entered", state.definitions.own(), nullptr);
  list("Loaded", Inside::definitions(state.definitions.loaded()), &state.definitions.own());
  list("Standard", Inside::definitions(Pack::standard()), nullptr);
  return out.empty() ? filled("no rule, composite or function is called `{}`\n", glob) : out;
}

}  // namespace ascribe::repl
