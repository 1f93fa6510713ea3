// What every loaded model can do, whatever file it came from.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ascribe/error.hpp"
#include "interpreter/libtorch/parameter_names.hpp"

namespace ascribe {
struct HostModel;
}

namespace ascribe::model {

/// A model's program with its weights. Running it changes neither; several threads may run it at once.
class Program {
 public:
  virtual ~Program() = default;

  /// The model's outputs, nested ones in order; numbers and nothings among them are left out. Before each operator,
  /// `libtorch::current_module()` becomes the name of the module that it belongs to. Throws Error for inputs that the
  /// program does not take, and whatever LibTorch throws.
  virtual std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs) const = 0;

  virtual libtorch::ParameterNames parameter_names() const = 0;
  /// The floating type and the device of its weights; without a type where it has none.
  virtual at::TensorOptions options() const = 0;
  /// A copy with its weights on another device. Throws c10::Error where there is none.
  virtual std::unique_ptr<const Program> on(c10::Device device) const = 0;

  /// How many inputs it takes, and what these are, as far as the file says it: `x, float32 [N, 3]`.
  static constexpr auto any_number = static_cast<std::size_t>(-1);
  struct Inputs {
    std::size_t least = 1, most = 1;  ///< `any_number` at most: of a list
    std::vector<std::string> told{};
  };
  virtual Inputs inputs() const = 0;
  /// What sort of file it came from, in words.
  virtual std::string_view format() const = 0;
  /// The element type of an input, where the file declares it.
  virtual std::optional<at::ScalarType> declared_type(std::size_t input) const = 0;
  /// Whether it looks entries up by integers (an embedding), so that integer inputs stay what they are.
  virtual bool looks_up_integers() const = 0;
  /// The host's model that it stands for; null where it comes from a file.
  virtual const HostModel* host() const { return nullptr; }
};

}  // namespace ascribe::model
