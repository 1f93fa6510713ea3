// A plan for people: a table of the rule's terms, and below it, row by row, what runs.
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "grammar/filled_text.hpp"
#include "interpreter/evaluate/plan/plan.hpp"
#include "interpreter/evaluate/plan/program_text.hpp"
#include "interpreter/language/constant.hpp"

namespace ascribe::evaluate::plan {
namespace {

using Columns = std::vector<std::string>;

// Rows whose columns stand below each other.
std::string aligned(const std::vector<Columns>& rows, const std::string& indentation) {
  std::vector<std::size_t> widths;
  for (auto& row : rows)
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {  // behind the last one there is nothing to align
      widths.resize(std::max(widths.size(), i + 1));
      widths[i] = std::max(widths[i], count_characters(row[i]));
    }
  std::string out;
  for (auto& row : rows) {
    auto line = indentation;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - count_characters(row[i]) + 2, ' ');
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

// As it is written, on one line.
std::string on_one_line(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!blank)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  return out;
}

class Description {
 public:
  Description(const Plan& plan, const language::BoundRule& bound, const Facts& facts)
      : plan_(plan), bound_(bound), rule_(*bound.rule), facts_(facts) {}

  std::string text() {
    if (!plan_.obstacle.empty()) return filled("  the reference evaluator: {}\n", plan_.obstacle);
    std::string out;
    if (!plan_.backward && !plan_.whole) {
      out += table_of_terms() + "\n";
      add_operators();
    }
    plan_.whole ? add_whole() : add_passes();
    add_memory();
    add_limits();
    return out + aligned(rows_, "  ");
  }

 private:
  using Of = Source::Of;
  using Output = PlannedTerm::Output;

  // ---------------------------------------------------------------------------------------------------------- names

  std::string name_of(std::size_t term) const {
    auto& name = rule_.terms[term].name;
    return name.empty() ? "the only one" : name;
  }

  std::string names_of(const std::vector<std::size_t>& terms, const char* between = ", ") const {
    std::vector<std::string> out;
    for (auto each : terms) out.push_back(name_of(plan_.terms[each].term));
    return filled("{}", fmt::join(out, between));
  }

  // A quantity of a term, as rules refer to it.
  std::string of_term(std::size_t term, const char* quantity) const {
    auto& name = rule_.terms[term].name;
    return name.empty() ? quantity : filled("{}.{}", name, quantity);
  }

  bool only_unmodified() const {
    return rule_.terms.size() <= 1 &&
           std::all_of(plan_.terms.begin(), plan_.terms.end(), [](auto& each) { return each.y == Output::own; });
  }

  std::string name_of(const Source& source) const {
    switch (source.of) {
      case Of::x:
      case Of::input:
      case Of::other:
      case Of::R:
        return plan::describe(source);
      case Of::layer_y:
        return only_unmodified() ? "y" : "layer.y";
      case Of::y:
        return of_term(source.index, "y");
      case Of::v:
        return name_of_v(source.index);
      case Of::bias:
        return of_term(source.index, "bias");
      case Of::argument:
      case Of::argument_on_output:
        return rule_.parameters[source.index].name;
      case Of::reduced: {
        auto& reduction = plan_.graph.reductions()[source.index];
        return filled("{}({})", language::info(reduction.builtin).name,
                      formulas_of(plan_.reduced[source.index]).front());
      }
    }
    return {};
  }

  // What a group's operator gives belongs to all of its terms.
  std::string name_of_v(std::size_t term) const {
    if (plan_.groups.size() == 1) return "v";
    for (auto& group : plan_.groups)
      if (plan_.terms[group.terms.front()].term == term && group.terms.size() > 1)
        return filled("({}).v", names_of(group.terms, " + "));
    return of_term(term, "v");
  }

  std::vector<std::string> formulas_of(const Program& program) const {
    return formulas(program, [this](const Source& source) { return name_of(source); });
  }

  std::string reads(const Program& program) const {
    std::vector<std::string> out;
    for (auto& source : program.sources) out.push_back(name_of(source));
    return out.empty() ? "reads nothing" : filled("reads {}", fmt::join(out, ", "));
  }

  // -------------------------------------------------------------------------------------------------------- the terms

  std::string written(const language::Expression& expression) const {
    return on_one_line(rule_.place.source->text(expression.span));
  }

  // `weight, bias = max(w, 0)`
  std::string parameters_of(const PlannedTerm& term) const {
    std::vector<std::pair<const language::Expression*, std::vector<std::string>>> changed;
    for (std::size_t place = 0; place < term.theta.size(); ++place) {
      auto* clause = term.theta[place];
      if (!clause) continue;
      auto same = std::find_if(changed.begin(), changed.end(), [&](auto& each) { return each.first == clause; });
      if (same == changed.end()) same = changed.insert(same, {clause, {}});
      same->second.push_back(facts_.parameters[place]);
    }
    std::vector<std::string> out;
    for (auto& [clause, names] : changed) out.push_back(filled("{} = {}", fmt::join(names, ", "), written(*clause)));
    if (out.empty()) return facts_.parameters.empty() ? "none" : "the layer's own";
    return filled("{}", fmt::join(out, "; "));
  }

  bool has_bias(const PlannedTerm& term) const {
    auto bias = std::find(facts_.parameters.begin(), facts_.parameters.end(), "bias");
    if (bias == facts_.parameters.end()) return false;
    auto* clause = term.theta[static_cast<std::size_t>(bias - facts_.parameters.begin())];
    auto* constant = clause ? std::get_if<language::Constant>(&clause->node) : nullptr;
    return !constant || constant->value != 0;
  }

  std::string output_of(const PlannedTerm& term) const {
    if (term.y == Output::own) return "the layer's own output";
    if (term.y == Output::nothing) return has_bias(term) ? "zero input: only the bias is left" : "zero input: zero";
    if (term.for_its_output) return "one more run, for this alone";
    if (term.y_is_needed) return "one more run";
    for (auto& other : plan_.terms)
      if (other.y_is_needed && other.x == term.x && other.theta == term.theta)
        return filled("that of {}", name_of(other.term));
    return "not needed";
  }

  std::string why(const LeftOut& term) const {
    if (reads_bias(term.term)) return "left out, but for its bias";
    switch (term.why) {
      case LeftOut::Why::zero_input:
        return facts_.x_is_not_negative ? "left out: zero, where x has no negative number" : "left out: zero input";
      case LeftOut::Why::zero_weight:
        return "left out: it counts 0 times";
      case LeftOut::Why::not_reduced:
        return "left out: `reduce` does not use its v";
    }
    return {};
  }

  bool reads_bias(std::size_t term) const {
    return std::any_of(plan_.gamma.sources.begin(), plan_.gamma.sources.end(), [&](auto& source) {
      return source == Source{Of::bias, term};
    });
  }

  std::string table_of_terms() const {
    bool weighted = std::any_of(plan_.terms.begin(), plan_.terms.end(), [](auto& each) { return each.weight != 1; });
    std::vector<Columns> rows{{"term", "x", "parameters", "y"}};
    if (weighted) rows.front().insert(rows.front().begin() + 1, "times");
    for (std::size_t k = 0; k < rule_.terms.size(); ++k) {
      auto planned = std::find_if(plan_.terms.begin(), plan_.terms.end(), [&](auto& each) { return each.term == k; });
      auto left =
          std::find_if(plan_.left_out.begin(), plan_.left_out.end(), [&](auto& each) { return each.term == k; });
      auto& input = rule_.terms[k].input;
      Columns row;
      if (planned != plan_.terms.end())
        row = {name_of(k), x_of(*planned), parameters_of(*planned), output_of(*planned)};
      else if (left != plan_.left_out.end())
        row = {name_of(k), input ? written(*input) : "x", "–", why(*left)};
      if (row.empty()) continue;
      if (weighted) row.insert(row.begin() + 1, planned == plan_.terms.end() ? "–" : filled("{}", planned->weight));
      rows.push_back(std::move(row));
    }
    return aligned(rows, "  ");
  }

  std::string x_of(const PlannedTerm& term) const {
    Value outputs[] = {term.x};
    return formulas_of(compile(plan_.graph, outputs)).front();
  }

  // --------------------------------------------------------------------------------------------------- what runs, kept

  void add(std::string label, Columns columns) {
    columns.insert(columns.begin(), label == last_label_ ? "" : label);
    last_label_ = std::move(label);
    rows_.push_back(std::move(columns));
  }

  static std::string operators(std::size_t count, const char* direction) {
    return filled("{} {} operator{}", count, direction, count == 1 ? "" : "s");
  }

  std::string stacked(const std::vector<std::size_t>& terms, std::size_t count) const {
    auto names = names_of(terms);
    return count > 1                ? filled("{} terms stacked: {}", count, names)
           : terms.size() > 1       ? filled("the sum of {}", names)
           : rule_.terms.size() > 1 ? names
                                    : "";
  }

  void add_operators() {
    std::vector<std::string> parts;
    for (auto& run : plan_.runs) parts.push_back(stacked(run, run.size()));
    auto count = plan_.runs.size();
    add("operators", {count == 0 ? "no forward operator" : operators(count, "forward"), joined(parts)});
    parts.clear();
    for (auto& group : plan_.groups) parts.push_back(stacked(group.terms, group.stacked));
    count = plan_.groups.size();
    add("operators", {count == 0 ? "no transposed operator" : operators(count, "transposed"), joined(parts)});
  }

  static std::string joined(const std::vector<std::string>& parts) {
    std::string out;
    for (auto& each : parts) out += (out.empty() || each.empty() ? "" : "; ") + each;
    return out.empty() ? "" : filled("({})", out);
  }

  void add_passes() {
    for (auto& [x, program] : plan_.inputs) {
      std::vector<std::size_t> terms;
      for (auto& run : plan_.runs)
        if (plan_.terms[run.front()].x == x) terms.insert(terms.end(), run.begin(), run.end());
      auto label = rule_.terms.size() == 1 ? "x" : filled("x of {}", names_of(terms));
      add_pass(label, formulas_of(program).front(),
               program.sources.empty() ? "the same for all samples: for one of them" : reads(program));
    }
    if (!plan_.backward) add_gammas();
    auto& program = plan_.relevance;
    auto label = facts_.receivers > 1 ? "relevance of each input" : "relevance";
    bool as_it_is = program.instructions.empty() && !program.sources.empty();
    add_pass(label, formulas_of(program).front(), as_it_is ? "as it is: no pass" : reads(program));
    add_rows_of_passes();
  }

  // A layer that is computed element by element has one pass for all.
  void add_whole() {
    auto texts = formulas_of(*plan_.whole);
    for (std::size_t i = 0; i < texts.size(); ++i)
      add_pass(filled("relevance of x{}", i + 1), texts[i], i == 0 ? reads(*plan_.whole) : "in the same pass");
    add_rows_of_passes();
  }

  void add_gammas() {
    auto& program = plan_.gamma;
    auto texts = formulas_of(program);
    // What has one register is one γ.
    std::vector<std::pair<std::uint16_t, std::vector<std::size_t>>> gammas;
    std::size_t output = 0;
    for (auto& group : plan_.groups)
      for (std::size_t place = 0; place < group.stacked; ++place, ++output) {
        auto at = program.outputs[output];
        auto same = std::find_if(gammas.begin(), gammas.end(), [&](auto& each) { return each.first == at; });
        if (same == gammas.end()) same = gammas.insert(same, {at, {}});
        for (std::size_t k = 0; k < group.terms.size(); ++k)
          if (group.places[k] == place) same->second.push_back(group.terms[k]);
      }
    bool as_it_is = program.instructions.empty() && !program.sources.empty() && program.numbers.empty();
    for (auto& [place, terms] : gammas) {
      auto found = std::find(program.outputs.begin(), program.outputs.end(), place);
      auto& text = texts[static_cast<std::size_t>(found - program.outputs.begin())];
      bool first = &place == &gammas.front().first;
      add_pass(gammas.size() == 1 ? "γ" : filled("γ of {}", names_of(terms)), text,
               as_it_is ? "as it is: no pass"
               : first  ? reads(program)
                        : "in the same pass");
    }
  }

  // What a pass reads stands beside what it computes; where there is no room, below.
  void add_pass(std::string label, std::string formula, std::string remark) {
    passes_.push_back({std::move(label), std::move(formula), std::move(remark)});
  }

  void add_rows_of_passes() {
    constexpr std::size_t widest = 84;
    std::size_t labels = 0, formulas = 0;
    for (auto& row : passes_) labels = std::max(labels, count_characters(row[0]));
    auto fits = [&](const Columns& row, std::size_t formula) {
      return labels + 3 + formula + 2 + count_characters(row[2]) <= widest;
    };
    for (auto& row : passes_)
      if (auto width = count_characters(row[1]); fits(row, width)) formulas = std::max(formulas, width);
    auto padded = [](std::string text, std::size_t width) {
      text.append(width - std::min(width, count_characters(text)), ' ');
      return text;
    };
    for (auto& row : passes_) {
      auto line = padded(row[0], labels) + " = ";
      bool beside = fits(row, std::max(formulas, count_characters(row[1])));
      add("passes", {line + (beside ? padded(row[1], formulas) + "  " + row[2] : row[1])});
      if (!beside) add("passes", {std::string(labels + 3, ' ') + row[2]});
    }
  }

  void add_memory() {
    add("kept", {filled("the input{}, until the backward pass",
                        needs_output(bound_, facts_) ? " and the output" : ", and not the output")});
    if (!plan_.backward && !plan_.whole) add("cached", {cached()});
  }

  // What terms make of parameters: for each parameter, how many of its size.
  std::string cached() const {
    std::map<std::string, std::set<std::vector<std::size_t>>> made;
    auto hold = [&](const std::vector<std::size_t>& terms) {
      for (std::size_t place = 0; place < facts_.parameters.size(); ++place)
        if (terms.size() > 1 || plan_.terms[terms.front()].theta[place]) made[facts_.parameters[place]].insert(terms);
    };
    for (auto& run : plan_.runs) hold(run);
    for (auto& group : plan_.groups) {
      std::vector<std::size_t> distinct(group.stacked);
      for (std::size_t k = group.terms.size(); k-- > 0;) distinct[group.places[k]] = group.terms[k];
      hold(distinct);
    }
    std::vector<std::size_t> counts;
    std::vector<std::string> parts;
    for (auto& name : facts_.parameters) {
      std::size_t count = 0;
      for (auto& terms : made[name]) count += terms.size();
      counts.push_back(count);
      if (count > 0) parts.push_back(filled("{} × the {}", count, name));
    }
    if (parts.empty()) return facts_.parameters.empty() ? "nothing" : "nothing: the layer's own parameters serve";
    if (counts.size() > 1 && std::all_of(counts.begin(), counts.end(), [&](auto each) { return each == counts[0]; }))
      return filled("{} × the layer's own parameters", counts[0]);
    return filled("{}", fmt::join(parts, ", "));
  }

  void add_limits() {
    if (plan_.whole) add("shape", {"where all inputs have that of the output"});
    if (plan_.gamma_with_sums) add("sums", {"for reports that tell them, in the pass of γ"});
    if (plan_.backward && rule_.keeps_shape) add("shape", {"only layers that keep it"});
    if (plan_.needs_finite) add("not finite", {"where some γ is not, the reference evaluator takes over"});
  }

  const Plan& plan_;
  const language::BoundRule& bound_;
  const language::Rule& rule_;
  const Facts& facts_;
  std::vector<Columns> rows_, passes_;
  std::string last_label_;
};

}  // namespace

std::string describe(const Plan& plan, const language::BoundRule& rule, const Facts& facts) {
  return Description(plan, rule, facts).text();
}

}  // namespace ascribe::evaluate::plan
