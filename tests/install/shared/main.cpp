// Whatever the headers declare is linked: functions that are never called are in use by their addresses.
#include <ascribe/ascribe.hpp>

#include <torch/nn/modules/linear.h>

#include <iostream>

int main() {
  using namespace ascribe;
  Attribution (*one)(const Model&, const Composite&, const at::Tensor&, const Target&, const AttributeOptions&) =
      &attribute;
  Attribution (*several)(const Model&, const Composite&, const std::vector<at::Tensor>&, const Target&,
                         const AttributeOptions&) = &attribute;
  Report (*with_rules)(const Model&, const Composite&, const std::vector<at::Tensor>&) = &layers;
  Report (*without)(const Model&, const std::vector<at::Tensor>&) = &layers;
  if (!one || !several || !with_rules || !without) return 1;
  (void)&Model::run, (void)&Model::forward, (void)&Model::to, (void)&Model::options, (void)&Target::of_output;
  (void)&Target::named, (void)&Target::one_per_sample, (void)&Target::from, (void)&Target::from_one;
  (void)&first_not_finite, (void)&Attachment::report, (void)&Attachment::inactive, (void)&HookedImpl::inactive;
  (void)&Source::position, (void)&has_errors;

  auto x = at::ones({1, 3}).requires_grad_();
  auto layer = hooked(Pack::standard().rule("zplus"), torch::nn::Linear(3, 2));
  layer->forward(x).sum().backward();
  if (heatmap(x.grad()).dim() != 3) return 1;
  try {
    (void)Pack::standard().rule("unknown");
  } catch (const Error& error) {
    std::cout << "caught " << code_name(error.diagnostics().front().code) << "\n";
  }
}
