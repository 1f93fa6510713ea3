// What a loaded model holds.
#pragma once

#include "ascribe/model.hpp"
#include "interpreter/model/torchscript.hpp"

namespace ascribe {

class Model::State {
 public:
  model::TorchScriptGraph graph;
};

}  // namespace ascribe
