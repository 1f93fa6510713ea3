// What `relevance(…)`, `explain(…)` and `compare(…)` are about: a model, its inputs, where relevance starts, and rules.
#pragma once

#include <vector>

#include "interpreter/command/repl/evaluator.hpp"

namespace ascribe::repl {

struct Question {
  ModelValue model;
  std::vector<at::Tensor> inputs;
  Target target = Target::largest();
  bool is_usual = false;  ///< the target was not given, and is the largest output of each sample
  std::vector<const syntax::Expression*> rules{};
};

/// Reads the arguments of such a call. The last `rules` of those without a name are rules, and one before them a model.
/// Throws Error, with the place of the argument that is wrong.
Question question(Evaluator& evaluator, const CallArguments& arguments, std::size_t rules);

/// Without a target: from R, if it is there; otherwise from the largest output of each sample, where outputs are
/// classes, and from all outputs where they are not. `output`: of several, which.
Target usual_target(Evaluator& evaluator, const ModelValue& model, const std::vector<at::Tensor>& inputs,
                    std::optional<std::size_t> output = {});

/// R where nobody gave it: what relevance starts from then, which is y at these outputs and zero elsewhere.
at::Tensor usual_start(Evaluator& evaluator, const at::Tensor& y);

Attribution answer(const Evaluator& evaluator, const Question& question, const Composite& rules, bool sums);

/// `from 285 Egyptian cat, the largest output`, on a line, where the question did not say where to start; otherwise
/// nothing.
std::string told_start(const Evaluator& evaluator, const Question& question, const Attribution& answer);

/// Relevance as a value that knows where it came from.
TensorValue as_value(const Question& question, const Attribution& answer, const Composite& rules,
                     const HeatmapOptions& colours = {});

/// How it is drawn: the arguments `colour_map` and `clip`.
HeatmapOptions colours_of(Evaluator& evaluator, const CallArguments& arguments);

}  // namespace ascribe::repl
