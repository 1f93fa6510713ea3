#include "interpreter/command/many/batches.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/input_misfit.hpp"
#include "interpreter/command/parsed_number.hpp"

namespace ascribe::command {
namespace {

constexpr std::int64_t most_predictions_told = 5;
constexpr std::size_t most_failures_at_first = 16;

std::int64_t samples_of(const at::Tensor& x) { return x.dim() == 0 ? 1 : x.size(0); }

// Of each sample; nothing where no dimension counts them.
std::vector<double> sums_of(const at::Tensor& tensor, std::int64_t samples, std::optional<std::int64_t> dimension) {
  auto values = tensor.to(at::kCPU, at::kDouble);
  if (samples == 1) return {values.sum().item<double>()};
  if (!dimension || values.size(*dimension) != samples) return {};
  auto sums = values.movedim(*dimension, 0).reshape({samples, -1}).sum(1);
  return {sums.const_data_ptr<double>(), sums.const_data_ptr<double>() + samples};
}

bool are_alike(const at::Tensor& a, const at::Tensor& b) {
  return a.dim() > 0 && b.dim() > 0 && a.scalar_type() == b.scalar_type() && a.sizes().slice(1) == b.sizes().slice(1);
}

nlohmann::json layers_as_json(const Report& report) {
  auto out = nlohmann::json::array();
  for (auto& layer : report)
    if (layer.above && layer.below && *layer.above != *layer.below)
      out.push_back({{"name", layer.name},
                     {"taken", *layer.above - *layer.below},
                     {"bias", layer.bias.value_or(0)},
                     {"stabilizer", layer.stabilizer.value_or(0)}});
  return out;
}

}  // namespace

Inputs::Inputs(InputList list, const std::string& shard) : list_(std::move(list)) {
  if (shard.empty()) return;
  auto slash = std::min(shard.find('/'), shard.size());
  auto which = parsed_number<std::size_t>(shard.substr(0, slash)),
       of = parsed_number<std::size_t>(shard.substr(std::min(slash + 1, shard.size())));
  constexpr std::size_t most_shards = 1000000;
  if (!which || !of || *which < 1 || *which > *of || *of > most_shards)
    throw usage_error(filled("--shard '{}' is no part of a whole", shard), "write `--shard 3/16`: 1/16 to 16/16");
  shard_ = *which, shards_ = *of;
}

std::size_t Inputs::count() const { return (all() + shards_ - shard_) / shards_; }

std::string Inputs::shard_name() const { return shards_ == 1 ? "" : filled("{}-of-{}", shard_, shards_); }

std::string Inputs::digest() const {
  std::string text;
  for (auto& item : list_.items) text += item.path + '\0';
  return digest_of(text);
}

bool is_of_one_input(const Error& error) {
  switch (error.diagnostics().front().code) {
    case Code::unreadable_file:
    case Code::wrong_tensor:
    case Code::wrong_input:
    case Code::model_failed:
    case Code::too_large:
    case Code::no_batch:
      return true;
    default:  // the rules', the model's, the run's
      return false;
  }
}

Explainer::Explainer(const Model& model, const Composite& rules, const ChosenTarget& chosen,
                     std::optional<std::int64_t> sample_dimension, bool keeps_inputs, std::stop_token stop)
    : model_(model),
      rules_(rules),
      chosen_(chosen),
      sample_dimension_(sample_dimension),
      keeps_inputs_(keeps_inputs),
      stop_(std::move(stop)) {}

void Explainer::together(std::vector<BatchItem*> items, std::vector<Explained*> found, Report& report) {
  std::vector<at::Tensor> inputs;
  std::vector<std::size_t> places;
  for (auto* each : items) {
    inputs.push_back(each->read.x);
    places.insert(places.end(), static_cast<std::size_t>(samples_of(each->read.x)), each->place);
  }
  auto x = inputs.size() == 1 ? inputs[0] : at::cat(inputs);
  auto target = chosen_.of(places);
  auto a = attribute(model_, rules_, x, target, {.sum_embeddings = true, .stop = stop_});
  bool at_first = a.sample_dimension == 0;
  // An output may have as many steps as there are inputs.
  if (items.size() > 1 && (!at_first || sample_dimension_ != 0))
    throw Error({.code = Code::no_batch,
                 .message = "the model's output does not count samples at dimension 0: inputs cannot share a batch",
                 .help = "explain them one by one: `--batch-size 1`"});
  auto outcome = outcome_of(a, target, most_predictions_told);
  auto output = chosen_among(a.output, a, target).cpu(), relevance = a.relevance.cpu();
  auto starts = sums_of(a.start, samples_of(x), a.sample_dimension), sums = sums_of(relevance, samples_of(x), 0);
  for (auto& layer : a.report) {
    auto known = std::find_if(report.begin(), report.end(), [&](auto& each) { return each.name == layer.name; });
    if (known == report.end()) {
      report.push_back(layer);
      continue;
    }
    auto add = [](std::optional<double>& sum, const std::optional<double>& part) {
      if (part) sum = sum.value_or(0) + *part;
    };
    add(known->above, layer.above), add(known->below, layer.below);
    add(known->bias, layer.bias), add(known->stabilizer, layer.stabilizer);
  }
  std::int64_t first = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto& out = *found[i];
    auto count = samples_of(inputs[i]);
    auto part = [&](const at::Tensor& whole) {
      return items.size() == 1 ? whole : whole.narrow(0, first, count).contiguous();
    };
    auto part_of = [&]<typename T>(const std::vector<T>& whole) {
      if (whole.size() != static_cast<std::size_t>(samples_of(x))) return items.size() == 1 ? whole : std::vector<T>();
      return std::vector<T>(whole.begin() + first, whole.begin() + first + count);
    };
    out.relevance = part(relevance);
    out.output = at_first ? part(output) : output;
    if (keeps_inputs_) out.input = inputs[i], out.is_picture = items[i]->read.picture.defined();
    out.outcome = {outcome.classes, part_of(outcome.largest), part_of(outcome.starts)};
    out.target = chosen_.of(std::vector<std::size_t>(static_cast<std::size_t>(count), items[i]->place));
    out.starts = part_of(starts);
    out.sums = part_of(sums);
    if (i == 0)  // what is not finite is told by the input's name
      std::copy_if(a.warnings.begin(), a.warnings.end(), std::back_inserter(out.warnings),
                   [](auto& each) { return each.code != Code::not_finite; });
    first += count;
  }
}

Explainer::Found Explainer::explain(std::vector<BatchItem> items, bool strict, const InputArguments& arguments) {
  Found out;
  Report report;
  for (auto& each : items)
    out.inputs.push_back({.item = each.item, .failure = each.failure, .warnings = each.read.warnings});
  std::optional<Error> first_failure;
  auto try_together = [&](std::size_t begin, std::size_t end) {
    std::vector<BatchItem*> batch;
    std::vector<Explained*> found;
    for (auto i = begin; i < end; ++i) batch.push_back(&items[i]), found.push_back(&out.inputs[i]);
    try {
      together(batch, found, report);
      any_ = true;
      return true;
    } catch (const model::InputMisfit& error) {
      first_failure = in_options(error, items[begin].item.path, arguments);
    } catch (const Error& error) {
      first_failure = error;
    }
    if (!is_of_one_input(*first_failure)) throw *first_failure;
    if (end - begin > 1) return false;
    auto failure = first_failure->diagnostics().front();
    if (failure.message.find(items[begin].item.path) == std::string::npos)
      failure.message = filled("{}: {}", items[begin].item.path, failure.message);
    if (strict) throw Error(failure);
    out.inputs[begin].failure = failure;
    return false;
  };
  for (std::size_t begin = 0; begin < items.size();) {
    if (out.inputs[begin].failure) {
      ++begin;
      continue;
    }
    auto end = begin + 1;
    while (end < items.size() && !out.inputs[end].failure && are_alike(items[begin].read.x, items[end].read.x)) ++end;
    if (!try_together(begin, end) && end - begin > 1)
      for (auto i = begin; i < end; ++i) try_together(i, i + 1);
    begin = end;
  }
  // Where nothing at all can be explained, it is not these inputs.
  failures_ += static_cast<std::size_t>(
      std::count_if(out.inputs.begin(), out.inputs.end(), [](auto& each) { return each.failure.has_value(); }));
  if (!any_ && first_failure && failures_ >= most_failures_at_first) throw *first_failure;
  out.end["layers"] = layers_as_json(report);
  return out;
}

}  // namespace ascribe::command
