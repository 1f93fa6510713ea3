// Models that neither LibTorch nor a file knows: of another language, or of a library of the host's own. The host runs
// them, and says what they are made of. The Python module `ascribe` is one such host.
//
//     ascribe::HostModel net{.run = [&](auto& inputs) { return own_forward(inputs); },
//                            .tensors = {{"first.weight", w}, {"first.bias", b}}};
//     auto a = ascribe::attribute(ascribe::host_model(net), rules, x);
//
// Operators that are called on the thread are intercepted, whoever calls them. What they do not tell is where in the
// model they are: `enter_module` says so, and modules that an entry may be for are offered with `wants_module`.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "ascribe/attach.hpp"
#include "ascribe/model.hpp"

namespace ascribe {

/// A model of the host's. Cheap to copy.
struct HostModel {
  /// What the model computes, for attribute(): it calls this on its own thread, and twice more for integers that
  /// nothing looks up. An Error that it throws comes out of attribute(); anything else as an Error (model_failed) with
  /// what() as its reason.
  std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& inputs)> run{};
  /// Its parameters and buffers, by their whole names: `features.0.weight`. They are shared.
  std::vector<std::pair<std::string, at::Tensor>> tensors{};
  /// Whether integers look rows of an embedding up, so that integer inputs stay what they are.
  bool looks_up_integers = false;

  /// Called in front of each recorded rule that relevance comes to; what it throws ends the backward pass, and comes
  /// out of it. For interruptions.
  std::function<void()> check{};
  /// Called with each error that is about to leave an operator, or a node of autograd's, towards code that may not know
  /// C++'s exceptions: what it throws takes the error's place.
  std::function<void(const Error& error)> translate{};
};

/// Attaches rules to a model of the host's, as attach() does to LibTorch's modules; its entries for modules and classes
/// work, where the host offers them. Throws Error (gradient_disabled).
[[nodiscard]] ASCRIBE_EXPORT Attachment attach(const Composite& rules, const HostModel& model,
                                               AttachOptions options = {});

/// For attribute() and layers(). Its inputs are copied to where its first floating tensor is. Throws Error
/// (wrong_model) where it has no `run`; what it gives cannot be moved to another device, other than by the host.
ASCRIBE_EXPORT Model host_model(HostModel model);

/// Says which module the thread is in from now on, by its whole name, empty for the model itself; returns which it was
/// in. Layers without parameters are called by it.
ASCRIBE_EXPORT std::string enter_module(std::string path);

/// A call of a module of the host's model.
struct HostModule {
  std::string path;           ///< its whole name
  std::string class_name;     ///< `Hardswish`
  std::size_t operators = 1;  ///< how many it calls that compute something: of a known activation, more than one make
                              ///< it one layer, whatever entries say
};

/// Whether rules on this thread take the module as one layer. False where there are none.
ASCRIBE_EXPORT bool wants_module(const HostModule& module);

/// Answers the call of a module that is wanted: one tensor for each that `run` gives.
/// `inputs`: the tensors that enter, each once. `parameters`: its own, and those of modules within it, by their names
/// there. `run`: what the module computes of others in the place of its inputs; it is called several times, also later
/// and on other threads, and may be called as long as something recorded lives. Throws Error, and what `run` throws.
ASCRIBE_EXPORT std::vector<at::Tensor> call_module(
    const HostModule& module, const std::vector<at::Tensor>& inputs,
    const std::vector<std::pair<std::string, at::Tensor>>& parameters,
    const std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& inputs)>& run);

}  // namespace ascribe
