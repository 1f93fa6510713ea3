#include "ascribe/cache.hpp"

#include "interpreter/libtorch/parameter_cache.hpp"

namespace ascribe {

using libtorch::ParameterCache;

std::size_t parameter_cache_bytes() { return ParameterCache::instance().bytes(); }
void set_parameter_cache_limit(std::size_t bytes) { ParameterCache::instance().set_limit(bytes); }
void drop_parameter_cache() { ParameterCache::instance().clear(); }

}  // namespace ascribe
