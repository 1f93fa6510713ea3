#include "ascribe/report.hpp"

#include <algorithm>
#include <cmath>

namespace ascribe {

const LayerReport* first_not_finite(const Report& report) {
  auto found = std::find_if(report.rbegin(), report.rend(),
                            [](auto& layer) { return layer.below && !std::isfinite(*layer.below); });
  return found == report.rend() ? nullptr : &*found;
}

}  // namespace ascribe
