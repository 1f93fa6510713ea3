// Long work can be stopped, and says how far it is.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <unordered_set>

#include "ascribe/error.hpp"
#include "ascribe/progress.hpp"
#include "ascribe/report.hpp"

namespace ascribe::attaching {

/// What a host of another language needs besides; see HostModel.
struct HostCallbacks {
  std::function<void()> check{};
  std::function<void(const Error&)> translate{};
  bool runs_backward = true;  ///< otherwise an attribution does, to which errors of nodes come as they are
};

/// Shared by an attachment and the nodes that it records.
class Supervisor {
 public:
  Supervisor(std::stop_token stop, ProgressCallback progress, HostCallbacks host = {})
      : stop_(std::move(stop)), progress_(std::move(progress)), host_(std::move(host)) {}

  /// Throws Error (stopped) when a stop is requested. `layer`: the last one that the forward pass is through with.
  void before_operator(const LayerReport* layer) const;
  /// The same in the backward pass, for the layer that comes next.
  void before_layer(const LayerReport& layer) const;

  /// After a layer's call; `count` is the number of layers so far. Throws what the callback throws.
  void called(const LayerReport& layer, std::size_t count);
  /// Relevance will go through this many layers, at most.
  void begin_backward(std::size_t layers);
  /// Relevance has gone through a layer. Throws what the callback throws; always a std::exception, since autograd
  /// handles no other.
  void passed(const LayerReport& layer);

  /// An error is about to leave an operator. Throws what the host wants instead of it, or nothing.
  void leaving_operator(const Error& error) const {
    if (host_.translate) host_.translate(error);
  }
  /// The same for a node of autograd's.
  void leaving_node(const Error& error) const {
    if (host_.runs_backward) leaving_operator(error);
  }

  /// What the callback threw, as it was; null where it threw nothing.
  std::exception_ptr thrown() const;

 private:
  void tell(const Progress& progress);

  const std::stop_token stop_;
  const ProgressCallback progress_;
  const HostCallbacks host_;
  mutable std::mutex mutex_;
  std::size_t called_ = 0, layers_ = 0;
  std::unordered_set<const LayerReport*> passed_;
  std::exception_ptr thrown_;
};

/// Null where nobody could stop it and nobody wants to know: then it costs nothing.
std::shared_ptr<Supervisor> make_supervisor(std::stop_token stop, ProgressCallback progress, HostCallbacks host = {});

}  // namespace ascribe::attaching
