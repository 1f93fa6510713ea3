#include "interpreter/attribute/target.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/libtorch/shape.hpp"

namespace ascribe {
namespace {

Error bad_target(std::string message, std::string help) {
  return Error({.code = Code::bad_target, .message = std::move(message), .help = std::move(help)});
}

const char* const give_a_start = "give a start of the output's shape";

void check_index(std::int64_t index, std::int64_t count) {
  if (index < 0 || index >= count)
    throw bad_target(filled("target {} is out of range: the model has {} outputs", index, count),
                     count == 0 ? give_a_start : filled("choose 0 to {}", count - 1));
}

// How often each output is chosen: mostly once or not at all.
at::Tensor chosen(const at::Tensor& output, const Target& target) {
  using Choice = Target::Choice;
  if (target.choice() == Choice::all) return at::ones_like(output);
  if (output.dim() < 2)
    throw bad_target(
        filled("the model's output has the shape {}, without a dimension to choose from", shown(output.sizes())),
        give_a_start);
  auto out = at::zeros_like(output);
  auto batch = output.size(0), count = output.size(1);
  if (target.choice() == Choice::largest) {
    if (output.dim() != 2 || count == 0)
      throw bad_target(filled("the model's output has the shape {}: which target?", shown(output.sizes())),
                       "choose one by its index");
    return out.scatter_(1, output.argmax(1, /*keepdim=*/true), 1);
  }
  auto& indices = target.indices();
  for (auto index : indices) check_index(index, count);
  if (target.choice() == Choice::indices) {
    if (indices.empty()) throw bad_target("no target is chosen", "give one index at least");
    for (auto index : indices) out.select(1, index) += 1;
    return out;
  }
  if (static_cast<std::int64_t>(indices.size()) != batch)
    throw bad_target(filled("there are {} targets for {} samples", indices.size(), batch), "give one for each sample");
  for (std::int64_t i = 0; i < batch; ++i) out[i].select(0, indices[static_cast<std::size_t>(i)]).fill_(1);
  return out;
}

}  // namespace

Target Target::named(const std::vector<std::string>& names, const std::vector<std::string>& labels) {
  std::vector<std::int64_t> indices;
  for (auto& name : names) {
    auto found = std::find(labels.begin(), labels.end(), name);
    if (found == labels.end())
      throw bad_target(filled("no output is called '{}'", name),
                       did_you_mean(name, labels, filled("there are {} names", labels.size())));
    indices.push_back(found - labels.begin());
    if (std::find(found + 1, labels.end(), name) != labels.end())
      throw bad_target(filled("several outputs are called '{}'", name), "choose one by its index");
  }
  return Target(std::move(indices));
}

Target Target::one_per_sample(std::vector<std::int64_t> indices) {
  Target out(Choice::one_per_sample);
  out.indices_ = std::move(indices);
  return out;
}

Target Target::from(at::Tensor relevance) {
  Target out(Choice::tensor);
  out.relevance_ = std::move(relevance);
  return out;
}

Target Target::from_one() const {
  auto out = *this;
  out.one_ = true;
  return out;
}

Target Target::of_output(std::size_t output) const {
  auto out = *this;
  out.output_ = output;
  return out;
}

at::Tensor attributing::start(const at::Tensor& output, const Target& target) {
  if (target.choice() != Target::Choice::tensor) {
    auto times = chosen(output.detach(), target);
    return target.starts_from_one() ? times : at::where(times == 0, times, output * times);
  }
  if (!target.relevance().defined())
    throw bad_target("the start is an undefined tensor", "give one value for each output");
  if (target.relevance().layout() != at::kStrided || target.relevance().is_complex())
    throw bad_target("the start is no dense tensor of real numbers", "give one value for each output");
  if (target.relevance().sizes() != output.sizes())
    throw bad_target(filled("the start has the shape {}, the model's output {}", shown(target.relevance().sizes()),
                            shown(output.sizes())),
                     "give one value for each output");
  return target.relevance().detach().to(output.options().requires_grad(false), /*non_blocking=*/false, /*copy=*/true);
}

at::Tensor attributing::chosen_output(const std::vector<at::Tensor>& outputs, const Target& target) {
  if (outputs.empty())
    throw Error({.code = Code::wrong_model,
                 .message = "the model returns no tensor",
                 .help = "save a model that returns what it computes"});
  if (!target.output() && outputs.size() > 1)
    throw bad_target(
        filled("the model has {} outputs: which one?", outputs.size()),
        filled("choose one, 0 to {}: `--of-output 0`, in C++ `Target(…).of_output(0)`", outputs.size() - 1));
  auto place = target.output().value_or(0);
  if (place >= outputs.size())
    throw bad_target(filled("output {} is out of range: the model has {} output{}", place, outputs.size(),
                            outputs.size() == 1 ? "" : "s"),
                     filled("choose 0 to {}", outputs.size() - 1));
  return outputs[place];
}

}  // namespace ascribe
