#include "ascribe/model.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <utility>

#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/libtorch/quiet.hpp"
#include "interpreter/model/archive.hpp"
#include "interpreter/model/exported_program.hpp"
#include "interpreter/model/exported_types.hpp"
#include "interpreter/model/misfit.hpp"
#include "interpreter/model/model_state.hpp"
#include "interpreter/model/torchscript.hpp"

namespace ascribe {
namespace {

constexpr auto how_to_save =
    "save the model with torch.export.save(torch.export.export(model, (x,)), 'model.pt2') or "
    "torch.jit.trace(model, x).save('model.pt')";

// By what is in the file, whatever its name is.
std::shared_ptr<const model::Program> load_program(const std::filesystem::path& path) {
  model::Archive archive(path);
  if (archive.has("archive_format") || !archive.in("models/").empty())
    return std::make_shared<const model::ExportedProgram>(archive);
  if (archive.has("constants.pkl"))
    return std::make_shared<const model::TorchScriptGraph>(model::load_torchscript(path));
  if (archive.has("serialized_exported_program.json"))
    throw model::Refusal("was exported by PyTorch 2.7 or older, in a format that was given up",
                         "load it with torch.export.load and save it again with torch.export.save, in PyTorch 2.8");
  throw model::Refusal(archive.has("data.pkl") ? "holds no model: torch.save wrote it, which keeps tensors or weights, "
                                                 "but not what is computed with them"
                                               : "holds no model",
                       how_to_save);
}

std::string shapes(const std::vector<at::Tensor>& inputs, bool with_types = false) {
  std::vector<std::string> out;
  for (auto& each : inputs)
    out.push_back(!each.defined() ? "nothing"
                  : with_types    ? filled("{} ({})", shown_shape(each.sizes()), model::type_name(each.scalar_type()))
                                  : shown_shape(each.sizes()));
  return filled("{}of shape {}", inputs.size() == 1 ? "an input " : "inputs ", fmt::join(out, " and "));
}

// Where an operator's refusal comes to one of the inputs' dimensions. A wrong size is told by the layer that it does
// not fit to, and is a guess.
void refuse_misfit(const Diagnostic& refusal, const std::vector<at::Tensor>& inputs) {
  auto misfit = model::misfit_in(refusal.message, inputs);
  if (!misfit) return;
  auto name = inputs.size() == 1 ? std::string("the input") : filled("input {}", misfit->input);
  auto text = filled("{} {}", name, model::told(*misfit));
  if (misfit->what != model::Misfit::What::size)
    throw model::InputMisfit(*misfit, {.code = Code::wrong_input, .message = text, .help = model::advice(*misfit)});
  auto told = refusal;
  constexpr std::string_view between = " cannot run: ";
  if (auto colon = told.message.find(between); colon != told.message.npos) {
    auto reason = colon + between.size();
    told.message = told.message.substr(0, reason) + model::plain_refusal(told.message.substr(reason));
  }
  told.note = std::move(text);
  told.help = model::advice(*misfit);
  throw model::InputMisfit(*misfit, std::move(told));
}

}  // namespace

Model Model::load(const std::filesystem::path& path) {
  libtorch::Quiet quiet;
  c10::InferenceMode normal(false);  // tensors that gradients may go through, wherever it is called
  auto refuse = [&](std::string why, std::string help) {
    return Error({.code = Code::wrong_model,
                  .message = filled("'{}' {}", path.string(), why),
                  .help = help.empty() ? "save it again" : std::move(help)});
  };
  try {
    return Model(std::make_shared<const State>(load_program(path)));
  } catch (const Error&) {
    throw;
  } catch (const model::Refusal& refusal) {
    throw refuse(refusal.what(), refusal.help);
  } catch (const std::exception& failure) {
    throw Error(libtorch::describe(failure, filled("'{}'", path.string()), Code::wrong_model, "cannot be run",
                                   "save it again"));
  }
}

Model Model::to(const std::string& device) const {
  libtorch::Quiet quiet;
  try {
    c10::InferenceMode normal(false);
    at::NoGradGuard no_grad;  // copies of parameters are parameters, not results
    return Model(std::make_shared<const State>(state_->program->on(c10::Device(device))));
  } catch (const std::exception& failure) {
    throw Error({.code = Code::usage,
                 .message = filled("cannot use device '{}': {}", device, libtorch::reason(failure)),
                 .help = "write `cpu` or `cuda:0`"});
  }
}

std::vector<at::Tensor> Model::run(const std::vector<at::Tensor>& inputs) const {
  libtorch::Quiet quiet;
  struct Forget {
    Forget() { libtorch::last_error() = nullptr; }
    ~Forget() { libtorch::last_error() = nullptr; }
  } forget;
  try {
    return state_->program->run(inputs);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    if (auto own = std::exchange(libtorch::last_error(), nullptr)) try {
        std::rethrow_exception(own);
      } catch (const Error& error) {
        auto diagnostics = error.diagnostics();
        if (diagnostics.front().code == Code::model_failed) {
          refuse_misfit(diagnostics.front(), inputs);
          diagnostics.front().note = filled("the model was given {}", shapes(inputs, /*with_types=*/true));
          if (inputs.size() > 1) diagnostics.front().help += "; are the inputs in the model's order?";
        }
        throw Error(diagnostics);
      }
    auto described =
        libtorch::describe(failure, "the model", Code::model_failed, filled("cannot run on {}", shapes(inputs)),
                           state_->program->host() ? "call the model by itself on the same input, which tells where"
                                                   : "give it the shape and type that it was made for");
    refuse_misfit(described, inputs);
    throw Error(described);
  }
}

at::Tensor Model::forward(const at::Tensor& input) const {
  auto outputs = run({input});
  if (outputs.size() != 1)
    throw Error({.code = Code::wrong_model,
                 .message = filled("the model returns {} tensors; `forward` is for one", outputs.size()),
                 .help = outputs.empty() ? "save a model that returns what it computes"
                                         : "call `run`, which returns all of them"});
  return outputs.front();
}

at::TensorOptions Model::options() const {
  auto options = state_->program->options();
  return options.has_dtype() ? options : options.dtype(at::kFloat);
}

}  // namespace ascribe
