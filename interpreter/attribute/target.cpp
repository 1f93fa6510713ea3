#include "interpreter/attribute/target.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/model/exported_types.hpp"

namespace ascribe {

using attributing::Layout;

namespace {

Error bad_target(std::string message, std::string help) {
  return Error({.code = Code::bad_target, .message = std::move(message), .help = std::move(help)});
}

const char* const give_a_start = "give a start of the output's shape";

void check_index(std::int64_t index, std::int64_t count) {
  if (index < 0 || index >= count)
    throw bad_target(
        filled("target {} is out of range: the model has {} output{}", index, count, count == 1 ? "" : "s"),
        count == 0   ? give_a_start
        : count == 1 ? "choose 0, or leave the target out"
                     : filled("choose 0 to {}", count - 1));
}

at::Tensor largest(const at::Tensor& output, std::int64_t count, const Layout& layout) {
  auto there = layout.choices ? output.size(*layout.choices) : 1;
  if (count > there && there > 0)
    throw bad_target(filled("the largest {} outputs are wanted, and the model has {}", count, there),
                     filled("write `--target top{}`, in C++ `Target::largest({})`", there, there));
  if (!layout.choices) return at::ones_like(output);
  auto samples = layout.samples ? output.size(*layout.samples) : 1;
  if (output.size(*layout.choices) == 0 || output.numel() != samples * output.size(*layout.choices))
    throw bad_target(filled("the model's output has the shape {}: which target?", shown_shape(output.sizes())),
                     filled("choose one by its index along dimension {}, or explain all of it (`--target all`, in C++ "
                            "`Target::all()`)",
                            *layout.choices));
  auto found =
      count == 1 ? output.argmax(*layout.choices, /*keepdim=*/true) : std::get<1>(output.topk(count, *layout.choices));
  return at::zeros_like(output).scatter_(*layout.choices, found, 1);
}

at::Tensor one_per_sample(const at::Tensor& output, const std::vector<std::int64_t>& indices, const Layout& layout) {
  auto samples = layout.samples ? output.size(*layout.samples) : 1;
  if (static_cast<std::int64_t>(indices.size()) != samples)
    throw bad_target(filled("there are {} targets for {} sample{}", indices.size(), samples, samples == 1 ? "" : "s"),
                     "give one for each sample");
  for (auto index : indices) check_index(index, layout.choices ? output.size(*layout.choices) : 1);
  if (!layout.choices) return at::ones_like(output);
  auto out = at::zeros_like(output);
  for (std::int64_t i = 0; i < samples; ++i) {
    auto sample = layout.samples ? out.narrow(*layout.samples, i, 1) : out;
    sample.select(*layout.choices, indices[static_cast<std::size_t>(i)]).fill_(1);
  }
  return out;
}

// How often each output is chosen: mostly once or not at all. What the target is against is not in it.
at::Tensor chosen_for(const at::Tensor& output, const Target& target, const Layout& layout) {
  using Choice = Target::Choice;
  if (target.choice() == Choice::all) return at::ones_like(output);
  if (layout.mixed > 0)
    throw bad_target(filled("the input has {} samples, and none of the dimensions of the model's output {} is known to "
                            "count them: samples are mixed, or something else comes first",
                            layout.mixed, shown_shape(output.sizes())),
                     "explain all of it (`--target all`, in C++ `Target::all()`), or give a start of the output's "
                     "shape; one sample at a time is never mixed");
  if (target.choice() == Choice::largest) return largest(output, target.count(), layout);
  if (target.choice() == Choice::one_per_sample) return one_per_sample(output, target.indices(), layout);
  if (target.indices().empty()) throw bad_target("no target is chosen", "give one index at least");
  auto out = at::zeros_like(output);
  for (auto index : target.indices()) {
    check_index(index, layout.choices ? output.size(*layout.choices) : 1);
    (layout.choices ? out.select(*layout.choices, index) : out) += 1;
  }
  return out;
}

at::Tensor chosen(const at::Tensor& output, const Target& target, const Layout& layout) {
  auto out = chosen_for(output, target, layout);
  for (auto index : target.opposed()) {
    check_index(index, layout.choices ? output.size(*layout.choices) : 1);
    auto part = layout.choices ? out.select(*layout.choices, index) : out;
    if (part.gt(0).any().item<bool>())
      throw bad_target(filled("output {} is {}, and what it is against: nothing would be left", index,
                              target.choice() == Target::Choice::largest ? "the largest of a sample" : "the target"),
                       "choose the target as well, and another output that it is against");
    part -= 1;
  }
  return out;
}

// The start at one position, zeros elsewhere.
at::Tensor start_at_position(const at::Tensor& output, const Target& target, const Layout& layout) {
  auto place = attributing::place_of(output.sizes(), target.position(), layout);
  auto part = attributing::at_place(output.detach(), place);
  auto times = chosen(part, target, place.rest);
  auto out = at::zeros_like(output.detach());
  attributing::at_place(out, place)
      .copy_(target.starts_from_one() ? times : at::where(times == 0, times, part * times));
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

Target Target::largest(std::int64_t count) {
  if (count < 1) throw bad_target(filled("the largest {} outputs are none", count), "choose one at least");
  Target out(Choice::largest);
  out.count_ = count;
  return out;
}

Target Target::against(std::vector<std::int64_t> indices) const {
  if (choice_ == Choice::tensor || choice_ == Choice::all)
    throw bad_target(choice_ == Choice::all ? "all outputs are against none of them"
                                            : "a start that is a tensor is against no output",
                     choice_ == Choice::all ? "choose a target" : "put negative numbers into it");
  auto out = *this;
  out.opposed_ = std::move(indices);
  return out;
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

Target Target::at_position(std::vector<std::int64_t> position) const {
  if (choice_ == Choice::tensor)
    throw bad_target("a start that is a tensor has no position", "put zeros into it where nothing starts");
  auto out = *this;
  out.position_ = std::move(position);
  return out;
}

Target Target::of_output(std::size_t output) const {
  auto out = *this;
  out.output_ = output;
  return out;
}

attributing::Layout attributing::layout_of(at::IntArrayRef output, const std::vector<at::Tensor>& inputs) {
  std::int64_t most = 0;
  for (auto& input : inputs)
    if (input.dim() > 0) most = std::max(most, input.size(0));
  auto counts_samples = [&](std::int64_t size) {
    return std::any_of(inputs.begin(), inputs.end(),
                       [&](auto& input) { return input.dim() > 0 && input.size(0) == size; });
  };
  if (output.empty()) return {};
  auto first = counts_samples(output[0]), single = output[0] == 1 || most == 1;
  if (output.size() == 1) {
    if (first) return {.samples = 0};
    return single ? Layout{.choices = 0} : Layout{.mixed = most};
  }
  if (first) {
    auto longer = [](auto size) { return size > 1; };
    auto choices = std::find_if(output.begin() + 1, output.end(), longer);
    bool only = choices != output.end() && std::find_if(choices + 1, output.end(), longer) == output.end();
    return {.samples = 0, .choices = only ? choices - output.begin() : 1};
  }
  std::vector<std::int64_t> found;
  for (std::size_t d = 1; d + 1 < output.size(); ++d)
    if (counts_samples(output[d])) found.push_back(static_cast<std::int64_t>(d));
  if (found.size() == 1) return {.samples = found.front(), .choices = static_cast<std::int64_t>(output.size()) - 1};
  return single ? Layout{.choices = 1} : Layout{.mixed = most};
}

attributing::Place attributing::place_of(at::IntArrayRef output, const std::vector<std::int64_t>& position,
                                         const Layout& layout) {
  auto last = static_cast<std::int64_t>(output.size()) - 1;
  Place out;
  for (std::int64_t d = 0; d < last; ++d)
    if (d != layout.samples) out.dimensions.push_back(d);
  out.rest = {.samples = layout.samples, .choices = last - 1, .mixed = layout.mixed};
  if (position.size() > 1) {  // classes come before positions
    out.dimensions.clear();
    for (std::int64_t d = 2; d <= last; ++d) out.dimensions.push_back(d);
    out.rest.choices = 1;
  }
  if (out.dimensions.size() != position.size() || (position.size() > 1 && layout.samples.value_or(0) != 0))
    throw bad_target(position.size() == 1 && out.dimensions.empty()
                         ? filled("the model's output {} has no positions", shown_shape(output))
                         : filled("a position of {} number{} is none of the model's output {}", position.size(),
                                  position.size() == 1 ? "" : "s", shown_shape(output)),
                     out.dimensions.empty()
                         ? "leave the position out"
                         : "outputs [batch, positions, classes] take one number, [batch, classes, height, width] "
                           "two: `--position 12,30`");
  for (std::size_t i = 0; i < position.size(); ++i) {
    auto count = output[static_cast<std::size_t>(out.dimensions[i])];
    if (position[i] < -count || position[i] >= count)
      throw bad_target(
          filled("position {} is out of range: the output {} has {}", position[i], shown_shape(output), count),
          count == 0 ? give_a_start : filled("choose 0 to {}, or -1 for the last", count - 1));
    if (out.rest.samples && *out.rest.samples > out.dimensions[i]) --*out.rest.samples;
  }
  out.position = position;
  return out;
}

at::Tensor attributing::at_place(const at::Tensor& output, const Place& place) {
  auto out = output;
  for (auto i = place.dimensions.size(); i-- > 0;) out = out.select(place.dimensions[i], place.position[i]);
  return out;
}

at::Tensor attributing::start(const at::Tensor& output, const Target& target, const Layout& layout) {
  if (!target.position().empty()) return start_at_position(output, target, layout);
  if (target.choice() != Target::Choice::tensor) {
    auto times = chosen(output.detach(), target, layout);
    return target.starts_from_one() ? times : at::where(times == 0, times, output * times);
  }
  if (!target.relevance().defined())
    throw bad_target("the start is an undefined tensor", "give one value for each output");
  if (target.relevance().layout() != at::kStrided || target.relevance().is_complex())
    throw bad_target("the start is no dense tensor of real numbers", "give one value for each output");
  if (target.relevance().sizes() != output.sizes())
    throw bad_target(filled("the start has the shape {}, the model's output {}",
                            shown_shape(target.relevance().sizes()), shown_shape(output.sizes())),
                     "give one value for each output");
  return target.relevance().detach().to(output.options().requires_grad(false), /*non_blocking=*/false, /*copy=*/true);
}

at::Tensor attributing::chosen_output(const std::vector<at::Tensor>& outputs, const Target& target) {
  if (outputs.empty())
    throw Error({.code = Code::wrong_model,
                 .message = "the model returns no tensor",
                 .help = "let the model return what it computes"});
  if (!target.output() && outputs.size() > 1)
    throw bad_target(
        filled("the model has {} outputs: which one?", outputs.size()),
        filled("choose one, 0 to {}: `--of-output 0`, in C++ `Target(…).of_output(0)`", outputs.size() - 1));
  auto place = target.output().value_or(0);
  if (place >= outputs.size())
    throw bad_target(filled("output {} is out of range: the model has {} output{}", place, outputs.size(),
                            outputs.size() == 1 ? "" : "s"),
                     filled("choose 0 to {}", outputs.size() - 1));
  auto& output = outputs[place];
  if (!output.is_floating_point() && !output.is_quantized())
    throw Error({.code = Code::wrong_model,
                 .message = filled("the model's output is of {}, and relevance starts from real numbers",
                                   model::type_name(output.scalar_type())),
                 .help = "let the model return the numbers that these were made from"});
  return output;
}

}  // namespace ascribe
