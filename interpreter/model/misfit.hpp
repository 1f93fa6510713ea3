// Inputs that a model does not take: which of their dimensions it is, as far as that can be known.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ascribe/error.hpp"

namespace ascribe::model {

struct Misfit {
  enum class What { batch, channels, size } what;
  std::size_t input = 0;                    ///< which of the model's inputs
  std::vector<std::int64_t> shape;          ///< that it has
  std::optional<std::int64_t> wanted{};     ///< samples or channels
  std::vector<std::int64_t> wanted_size{};  ///< height and width, where these are known; -1 for one that may vary
};

/// The error for such an input. Whoever knows where the input came from can say more of what to do.
class InputMisfit : public Error {
 public:
  InputMisfit(Misfit misfit, Diagnostic diagnostic) : Error(std::move(diagnostic)), misfit_(std::move(misfit)) {}
  const Misfit& misfit() const { return misfit_; }

 private:
  Misfit misfit_;
};

/// "has 1 channel, and the model takes 3", behind the input's name.
std::string told(const Misfit& misfit);

/// What to give instead, for those who give tensors.
std::string advice(const Misfit& misfit);

/// What an operator's refusal comes to, in LibTorch's words, where a model was given these inputs. Of a size, it is a
/// guess: the layer that refuses is behind others.
std::optional<Misfit> misfit_in(std::string_view refusal, const std::vector<at::Tensor>& inputs);

/// The refusal in our words, where they are known: "it takes 784 numbers of each sample, and gets 2704".
std::string plain_refusal(const std::string& refusal);

}  // namespace ascribe::model
