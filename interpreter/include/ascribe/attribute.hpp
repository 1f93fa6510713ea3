// The relevance of a saved model's inputs in one call.
//
//     auto model = ascribe::Model::load("net.pt2");
//     auto a = ascribe::attribute(model, pack.composite("epsilon_plus"), x, ascribe::Target(281));
//     a.relevance;  // in x's shape
//
// For what a relevance is, and the formulas of the rules: grammar/README.md and stdlib/README.md in the sources.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "ascribe/model.hpp"
#include "ascribe/pack.hpp"
#include "ascribe/progress.hpp"
#include "ascribe/report.hpp"

namespace ascribe {

/// Where relevance starts: which of the model's outputs, and how much of it.
///
/// An index counts along the output's dimension 1 and is meant in every sample and at every further position. Samples
/// are counted by dimension 0 of the inputs, and by that of the output, whose size then is the same. Where it is not:
/// - [time, batch, classes], with the samples between the first and the last dimension: an index counts along the last;
/// - [1, …], or a single sample: an index counts along dimension 1, and of [classes] along dimension 0;
/// - anything else, as [rows, …] of a model that mixes its samples, is an error (bad_target) for all targets but all()
///   and from().
/// Outputs [batch] and [] are one number for each sample, or for all: they need no target, and 0 is the only one.
class ASCRIBE_EXPORT Target {
 public:
  enum class Choice { largest, indices, one_per_sample, all, tensor };

  Target(std::int64_t index) : Target(std::vector{index}) {}  // NOLINT: attribute(model, rules, x, 281) reads well
  /// Several in one pass: relevance starts from each of them, and arrives as the sum of what each would give. An index
  /// that stands there twice counts twice.
  explicit Target(std::vector<std::int64_t> indices) : choice_(Choice::indices), indices_(std::move(indices)) {}
  /// By their names: `labels` names the outputs, in order. Throws Error (bad_target) for a name that is not there, or
  /// there twice.
  static Target named(const std::vector<std::string>& names, const std::vector<std::string>& labels);
  /// Each sample's largest outputs, so many of them; for outputs [batch, classes], and those that need no target.
  /// Throws Error (bad_target) for less than one; attribute() does so for more than there are.
  static Target largest(std::int64_t count = 1);
  /// Another index for each sample.
  static Target one_per_sample(std::vector<std::int64_t> indices);
  /// Every output there is.
  static Target all() { return Target(Choice::all); }
  /// A tensor of the output's shape: how much relevance each output has.
  /// It is kept, not copied, and converted to the output's type and device.
  static Target from(at::Tensor relevance);

  /// Starts from 1 instead of the output's own value. Changes nothing in a start that is a tensor.
  Target from_one() const;
  /// Less these outputs, in every sample: each starts with the negative of what it would start with as a target, so
  /// that relevance is that of a difference, such as of two classes' scores. Throws Error (bad_target) for a start that
  /// is a tensor, and for all().
  ///
  ///     Target(3).against({5});  // what speaks for 3 rather than for 5
  Target against(std::vector<std::int64_t> indices) const;
  /// The outputs at one position, of those that have several:
  /// - [batch, positions, classes] or [positions, classes], one number: then an index is one along the last dimension;
  /// - [batch, classes, height, width] and others with classes at dimension 1, as many numbers as there are dimensions
  ///   behind it, two at least.
  /// Counted from the end where a number is negative. Throws Error (bad_target) for a start that is a tensor;
  /// attribute() does so for outputs of other dimensions, and a position that is not there.
  Target at_position(std::vector<std::int64_t> position) const;
  Target at_position(std::int64_t position) const { return at_position(std::vector{position}); }
  /// Of the model's outputs, this one; needed where there are several.
  Target of_output(std::size_t output) const;

  Choice choice() const { return choice_; }
  const std::vector<std::int64_t>& indices() const { return indices_; }
  std::int64_t count() const { return count_; }  ///< of the largest ones
  const std::vector<std::int64_t>& opposed() const { return opposed_; }
  const at::Tensor& relevance() const { return relevance_; }
  bool starts_from_one() const { return one_; }
  const std::optional<std::size_t>& output() const { return output_; }
  const std::vector<std::int64_t>& position() const { return position_; }  ///< empty: everywhere

 private:
  explicit Target(Choice choice) : choice_(choice) {}
  Choice choice_;
  std::vector<std::int64_t> indices_, opposed_, position_;
  std::int64_t count_ = 1;
  at::Tensor relevance_;
  bool one_ = false;
  std::optional<std::size_t> output_;
};

struct AttributeOptions {
  /// Inner layers, by the names that reports give them, or by globs over these (`features.*`): relevance at their
  /// outputs is wanted, too.
  std::vector<std::string> layers = {};
  /// Whether relevance goes on to the inputs. If not, it goes no further than to `layers`.
  bool to_input = true;
  /// An integer input gets the relevance of the embedding that looks it up, [batch, length, size]. Summed over the
  /// embedding's size, it has the input's shape, and what several embeddings, or embeddings of its parts (`x[:, 0]`),
  /// give each place adds up; not summed, the input gets none where there are several.
  bool sum_embeddings = false;
  /// Whether the report says what the layers' relevance sums to. It costs time in the backward pass.
  bool sums = true;
  /// Whether the report says what each layer took: LayerReport::cost.
  bool profile = false;
  /// Whether the relevance has a history, for its gradient with respect to the inputs that require one. Then a second
  /// backward pass goes through the layers' own gradients.
  bool create_graph = false;
  /// Ends the attribution early: looked at before each operator of the model and each layer's rule. Then attribute()
  /// throws Error (stopped), and nothing is left of the work: the next one gives what it would have given anyway.
  ///
  ///     std::stop_source source;                      // source.request_stop() from any thread
  ///     attribute(model, rules, x, target, {.stop = source.get_token()});
  std::stop_token stop{};
  /// Told of each layer that is done; see progress.hpp.
  ProgressCallback progress{};
};

struct Attribution {
  /// Of the input, or the first one that gets some; inputs whose parts are looked up come after the others. In its
  /// shape, and in the type of the input or of the model, whichever is more precise (float32 for integers and a float32
  /// model). Undefined if relevance was not to go there.
  at::Tensor relevance;
  /// One for each input; undefined for those that get none, such as integers and masks beside other inputs.
  std::vector<at::Tensor> relevances;
  /// Of the inner layers that were asked for, at the outputs of their calls, in order of execution, in the model's
  /// type. Undefined for a call that no relevance reaches.
  std::map<std::string, std::vector<at::Tensor>> layers;
  at::Tensor output;  ///< what the model computed, without history: the output that the target is of
  at::Tensor start;   ///< the relevance that it started with, in its shape
  /// Which of its dimensions counts samples; none where it is one output for all of them, or that is unknown.
  std::optional<std::int64_t> sample_dimension;
  Report report;  ///< the layers, in order of execution
  /// What is no mistake, and hardly meant: entries by name or class that no layer had; operators of several inputs that
  /// keep their gradient, so that what arrives below them is no relevance; a softmax that is explained together with
  /// the model; relevance that went to padding, or that is not finite. Each with a help, as messages have them (see
  /// error.hpp).
  std::vector<Diagnostic> warnings{};
};

/// The relevance of a model's input, for every sample of a batch at once. Runs the model once forward and once
/// backward, on the model's device, where the inputs are copied to; works under NoGradGuard, too. The inputs stay as
/// they are. Floating inputs are converted to the model's floating type.
///
/// Integers and truth values stay what they are. Where an embedding looks them up, relevance ends there, and comes back
/// through views, copies, conversions and selections of the input; other uses of them are constants. A single input of
/// integers that no embedding looks up is converted to floating numbers if the model then computes the same, or takes
/// nothing else: two more forward runs, without rules, tell. If not (bytes that wrap around, shifts, division with a
/// rest, rows of a table, `x.float()` that shall be a copy), relevance comes back from where its numbers become
/// floating, in front of the first layer that works with such; or it is an error (wrong_input), where a place there
/// does not come from one in the input.
///
/// Throws Error: what attach() and Model::run() throw, from everything that they do; and wrong_input: undefined, sparse
/// or complex inputs, none that can get relevance; bad_target: an index that the output lacks, a start of another
/// shape, several outputs and none of them chosen, samples that are mixed; stopped; unknown_layer; no_layer_matched:
/// the rules are for none of the model's layers; too_large: memory ran out.
ASCRIBE_EXPORT Attribution attribute(const Model& model, const Composite& rules, const at::Tensor& input,
                                     const Target& target = Target::largest(), const AttributeOptions& options = {});
/// The same for a model of several inputs.
ASCRIBE_EXPORT Attribution attribute(const Model& model, const Composite& rules, const std::vector<at::Tensor>& inputs,
                                     const Target& target = Target::largest(), const AttributeOptions& options = {});

/// Which layer gets which rule, and by which entry. Runs the model once forward, and no rule backward: there are no
/// sums in it. It takes as long as the model does, and cannot be stopped. Throws Error as attribute() does.
ASCRIBE_EXPORT Report layers(const Model& model, const Composite& rules, const std::vector<at::Tensor>& inputs);
/// A model's layers, without any rules.
ASCRIBE_EXPORT Report layers(const Model& model, const std::vector<at::Tensor>& inputs);

}  // namespace ascribe
