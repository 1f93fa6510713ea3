#include "interpreter/model/exported_operators.hpp"

#include <algorithm>
#include <string_view>

#include "grammar/filled_text.hpp"
#include "interpreter/model/archive.hpp"

namespace ascribe::model {
namespace {

// Files may come from anywhere. Of LibTorch's operators they may call those that compute with tensors. Names that
// contain one of these do something else, or trust their arguments and would read beyond a tensor's memory.
constexpr std::string_view refused_parts[] = {
    "backward",  "cudnn",         "miopen",    "mkldnn",     "mkl_",    "fbgemm",   "quantized",
    "quantize_", "sparse",        "nested",    "foreach",    "xnnpack", "mps",      "thnn",
    "storage",   "record_stream", "from_file", "pin_memory", "names",   "ctc_loss", "segment_reduce"};
constexpr std::string_view refused[] = {"set_",        "set",       "set_data",           "resize",
                                        "resize_",     "resize_as", "resize_as_",         "requires_grad_",
                                        "retain_grad", "data",      "unsafe_masked_index"};

// Names that begin with an underscore are PyTorch's own business, but for those that exporting writes, and for what
// Python calls by signs: x & y.
constexpr std::string_view allowed_internals[] = {"__and__",
                                                  "__iand__",
                                                  "__ilshift__",
                                                  "__ior__",
                                                  "__irshift__",
                                                  "__ixor__",
                                                  "__lshift__",
                                                  "__or__",
                                                  "__rshift__",
                                                  "__xor__",
                                                  "_adaptive_avg_pool2d",
                                                  "_adaptive_avg_pool3d",
                                                  "_assert_async",
                                                  "_assert_scalar",
                                                  "_assert_tensor_metadata",
                                                  "_cdist_forward",
                                                  "_conj",
                                                  "_convolution",
                                                  "_convolution_mode",
                                                  "_embedding_bag",
                                                  "_embedding_bag_forward_only",
                                                  "_euclidean_dist",
                                                  "_fft_c2c",
                                                  "_fft_c2r",
                                                  "_fft_r2c",
                                                  "_functional_assert_async",
                                                  "_functional_assert_scalar",
                                                  "_fused_rms_norm",
                                                  "_grouped_mm",
                                                  "_is_zerotensor",
                                                  "_linalg_det",
                                                  "_linalg_eigh",
                                                  "_linalg_slogdet",
                                                  "_linalg_svd",
                                                  "_local_scalar_dense",
                                                  "_log_softmax",
                                                  "_native_batch_norm_legit",
                                                  "_native_batch_norm_legit_functional",
                                                  "_native_batch_norm_legit_no_training",
                                                  "_neg_view",
                                                  "_pad_circular",
                                                  "_pad_enum",
                                                  "_prelu_kernel",
                                                  "_reshape_alias",
                                                  "_safe_softmax",
                                                  "_scaled_dot_product_attention_math",
                                                  "_scaled_dot_product_efficient_attention",
                                                  "_scaled_dot_product_flash_attention",
                                                  "_scaled_dot_product_flash_attention_for_cpu",
                                                  "_softmax",
                                                  "_stack",
                                                  "_to_copy",
                                                  "_trilinear",
                                                  "_unique2",
                                                  "_unsafe_view",
                                                  "_upsample_bicubic2d_aa",
                                                  "_upsample_bilinear2d_aa",
                                                  "_upsample_nearest_exact1d",
                                                  "_upsample_nearest_exact2d",
                                                  "_upsample_nearest_exact3d",
                                                  "_weight_norm",
                                                  "_weight_norm_interface"};

template <typename List>
bool holds(const List& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool is_refused(std::string_view name) {
  if (holds(refused, name)) return true;
  if (name.starts_with('_') && !holds(allowed_internals, name)) return true;
  return std::any_of(std::begin(refused_parts), std::end(refused_parts),
                     [&](auto part) { return name.find(part) != name.npos; });
}

}  // namespace

c10::OperatorHandle find_operator(const std::string& target) {
  constexpr std::string_view prefix = "torch.ops.";
  auto cannot = [&](const char* why, const char* help) {
    return Refusal(filled("calls the operator {}, {}", shown_name(target), why), help);
  };
  constexpr auto other = "export a model that calls PyTorch's own operators only";
  std::string_view rest = target;
  if (!rest.starts_with(prefix)) throw cannot("which is not supported", other);
  rest.remove_prefix(prefix.size());
  auto first = rest.find('.'), last = rest.rfind('.');
  if (first == rest.npos || first == last || rest.find_first_of(":\0") != rest.npos)
    throw cannot("which is not supported", other);
  auto library = rest.substr(0, first), name = rest.substr(first + 1, last - first - 1),
       overload = rest.substr(last + 1);
  if (library == "higher_order") throw cannot("which is not supported", other);
  if (library != "aten") throw cannot("which is none of PyTorch's own", other);
  // Without its bounds' checks otherwise; the results are the same.
  if (name == "_unsafe_index") name = "index";
  if (name == "_unsafe_index_put") name = "index_put";
  if (is_refused(name)) throw cannot("which saved models may not call", other);
  auto found = c10::Dispatcher::singleton().findSchema(
      {filled("aten::{}", name), overload == "default" ? std::string() : std::string(overload)});
  if (!found)
    throw cannot("which this LibTorch does not have",
                 "export the model with the PyTorch version that Ascribe is built with");
  // Overloads such as `Tensor_out` put their result into an argument.
  for (auto& each : found->schema().arguments())
    if (each.kwarg_only() && each.alias_info() && each.alias_info()->isWrite())
      throw cannot("which saved models may not call", other);
  return *found;
}

std::optional<c10::OperatorHandle> with_number(const c10::OperatorHandle& op) {
  auto& name = op.operator_name();
  if (name.overload_name != "Tensor") return {};
  auto found = c10::Dispatcher::singleton().findSchema({name.name, "Scalar"});
  if (!found) return {};
  auto &own = op.schema().arguments(), &its = found->schema().arguments();
  bool same = own.size() == its.size() && std::equal(own.begin(), own.end(), its.begin(), [](auto& a, auto& b) {
                return a.name() == b.name() && (*a.type() == *b.type() ||
                                                (a.name() == "other" && b.type()->kind() == c10::TypeKind::NumberType));
              });
  return same ? found : std::nullopt;
}

}  // namespace ascribe::model
