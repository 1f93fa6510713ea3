#include "interpreter/attach/samples.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "interpreter/language/reduction.hpp"

namespace ascribe::attaching {

using layering::SamplePlace;

namespace {

bool reduces_samples(const language::BoundComposite& rules) {
  return std::any_of(rules.entries.begin(), rules.entries.end(), [](auto& entry) {
    auto* rule = std::get_if<language::BoundRule>(&entry.target);
    return rule && language::reduces(*rule);
  });
}

}  // namespace

Samples::Samples(const language::BoundComposite& rules, const ForwardPasses& passes)
    : wanted_(reduces_samples(rules)), passes_(passes) {}

void Samples::begin(const std::vector<at::Tensor>& inputs) {
  if (!wanted_) return;
  for (auto& each : inputs)
    if (each.dim() > 0 && inputs.front().dim() > 0 && each.size(0) == inputs.front().size(0))
      put(each, each.size(0) == 1 ? layering::place_of_one(each) : SamplePlace{});
}

std::optional<SamplePlace> Samples::of(const at::Tensor& tensor) const {
  auto found = told_.find(tensor.unsafeGetTensorImpl());
  if (found != told_.end() && !found->second.tensor.expired()) return found->second.place;
  if (!passes_.depends(tensor)) return {};
  return !tensor.dim() || tensor.size(0) == 1 ? layering::place_of_one(tensor) : SamplePlace{};
}

void Samples::put(const at::Tensor& tensor, const SamplePlace& place) {
  if (told_.size() >= next_purge_) {
    std::erase_if(told_, [](auto& each) { return each.second.tensor.expired(); });
    next_purge_ = std::max<std::size_t>(256, told_.size() * 2);
  }
  auto* key = tensor.unsafeGetTensorImpl();
  told_.insert_or_assign(key, Told{c10::weak_intrusive_ptr<c10::TensorImpl>(tensor.getIntrusivePtr()), place});
}

evaluate::SamplePlaces Samples::of_layer(const std::vector<at::Tensor>& inputs, const at::Tensor& output) const {
  if (!wanted_ || !calling_) return {};
  evaluate::SamplePlaces out;
  for (auto& each : inputs) out.inputs.push_back(of(each).value_or(SamplePlace{}));
  out.output = calling_->places({output}).front().value_or(SamplePlace{});
  return out;
}

Samples::Calling::Calling(Samples& samples, const c10::OperatorHandle* op, bool moves_indices,
                          std::vector<c10::IValue> arguments)
    : samples_(samples),
      before_(samples.calling_),
      op_(op),
      moves_indices_(moves_indices),
      arguments_(std::move(arguments)) {
  samples_.calling_ = this;
}

std::vector<std::optional<SamplePlace>> Samples::Calling::places(const std::vector<at::Tensor>& results) const {
  auto of = [this](const at::Tensor& tensor) { return samples_.of(tensor); };
  if (op_) return layering::places_behind(*op_, moves_indices_, arguments_, results, of);
  std::vector<at::Tensor> inputs;
  for (auto& each : arguments_) inputs.push_back(each.toTensor());
  std::vector<std::optional<SamplePlace>> out;
  for (auto& each : results) out.push_back(layering::place_behind(inputs, each, of));
  return out;
}

void Samples::Calling::returned(const std::vector<at::Tensor>& results) {
  bool in_place = op_ && libtorch::writes_in_place(op_->operator_name().name);
  auto told = [&](const at::Tensor& each) { return samples_.told_.contains(each.unsafeGetTensorImpl()); };
  if (results.empty() || (!in_place && std::all_of(results.begin(), results.end(), told))) return;
  auto found = places(results);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!found[i] || (!in_place && told(results[i]))) continue;
    samples_.put(results[i], *found[i]);
    if (!in_place || !results[i].is_view()) continue;
    at::Tensor whole(results[i]._base());
    if (auto around = layering::place_around(whole, results[i], *found[i])) samples_.put(whole, *around);
  }
}

}  // namespace ascribe::attaching
