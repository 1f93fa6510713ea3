#include "interpreter/attach/supervisor.hpp"

#include "ascribe/error.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/libtorch/dispatch.hpp"

namespace ascribe::attaching {

using namespace libtorch;  // NOLINT: the room below
namespace {

Error stopped(const std::string& where) {
  return Error({.code = Code::stopped,
                .message = filled("stopped as requested, {}", where),
                .help = "begin again: nothing is left of it"});
}

std::string shown(const LayerReport& layer) { return filled("layer '{}' ({})", layer.name, layer.kind); }

}  // namespace

void Supervisor::before_operator(const LayerReport* layer) const {
  if (!stop_.stop_requested()) return;
  throw stopped(layer ? filled("in the forward pass after {}", shown(*layer)) : "before the first layer");
}

void Supervisor::before_layer(const LayerReport& layer) const {
  if (stop_.stop_requested()) throw stopped(filled("in the backward pass at {}", shown(layer)));
  if (host_.check) host_.check();
}

void Supervisor::called(const LayerReport& layer, std::size_t count) {
  std::lock_guard lock(mutex_);
  if (!progress_ || count <= called_) return;  // of a layer that several operators make, the first one counts
  called_ = count;
  tell({.pass = Progress::Pass::forward, .layer = layer.name, .kind = layer.kind, .done = count});
}

void Supervisor::begin_backward(std::size_t layers) {
  std::lock_guard lock(mutex_);
  layers_ = layers;
  passed_.clear();
}

void Supervisor::passed(const LayerReport& layer) {
  std::lock_guard lock(mutex_);
  if (!progress_ || !passed_.insert(&layer).second) return;  // a row may be that of two nodes
  tell({.pass = Progress::Pass::backward,
        .layer = layer.name,
        .kind = layer.kind,
        .done = passed_.size(),
        .total = layers_});
}

void Supervisor::tell(const Progress& progress) {
  Pause pause;  // whatever the callback computes is no layer
  try {
    progress_(progress);
  } catch (const std::exception&) {
    thrown_ = std::current_exception();
    throw;
  } catch (...) {
    thrown_ = std::current_exception();
    throw stopped("by what the progress callback threw");
  }
}

std::exception_ptr Supervisor::thrown() const {
  std::lock_guard lock(mutex_);
  return thrown_;
}

std::shared_ptr<Supervisor> make_supervisor(std::stop_token stop, ProgressCallback progress, HostCallbacks host) {
  if (!stop.stop_possible() && !progress && !host.check && !host.translate) return nullptr;
  return std::make_shared<Supervisor>(std::move(stop), std::move(progress), std::move(host));
}

}  // namespace ascribe::attaching
