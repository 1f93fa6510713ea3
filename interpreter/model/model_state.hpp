// What a loaded model holds.
#pragma once

#include "ascribe/model.hpp"
#include "interpreter/libtorch/parameter_cache.hpp"
#include "interpreter/model/model_program.hpp"

namespace ascribe {

class Model::State {
 public:
  explicit State(std::shared_ptr<const model::Program> loaded)
      : program(std::move(loaded)),
        names(std::make_shared<const libtorch::ParameterNames>(program->parameter_names())) {}

  // The last to go, when the parameters are gone.
  struct Leaving {
    ~Leaving() { libtorch::ParameterCache::instance().drop_what_died(); }
  } leaving{};
  std::shared_ptr<const model::Program> program;
  std::shared_ptr<const libtorch::ParameterNames> names;  ///< of its parameters and buffers
};

}  // namespace ascribe
