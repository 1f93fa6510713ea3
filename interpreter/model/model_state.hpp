// What a loaded model holds.
#pragma once

#include "ascribe/model.hpp"
#include "interpreter/model/program.hpp"

namespace ascribe {

class Model::State {
 public:
  std::shared_ptr<const model::Program> program;
};

}  // namespace ascribe
