// Nodes of autograd's own, watched: layers and operators that keep their gradient.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "ascribe/report.hpp"
#include "interpreter/attach/supervisor.hpp"

namespace ascribe::attaching {

/// Adds up in a report what arrives at the node that a tensor comes from: above the layer, or below it.
void watch_sum(const at::Tensor& tensor, std::shared_ptr<LayerReport> report, std::shared_ptr<std::mutex> mutex,
               std::optional<double> LayerReport::*sum);

/// Notes both sums of an operator that writes into a tensor: what arrives at all of what is written to (for a view, its
/// base), and what is handed down from there. `whole` is that.
void watch_written(const at::Tensor& whole, std::shared_ptr<LayerReport> report, std::shared_ptr<std::mutex> mutex);

/// Tells the supervisor when a backward pass goes through it.
void watch_passing(const at::Tensor& tensor, std::shared_ptr<LayerReport> report,
                   std::shared_ptr<Supervisor> supervisor, std::shared_ptr<const std::atomic<int>> inactive);

}  // namespace ascribe::attaching
