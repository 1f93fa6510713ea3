#include "interpreter/model/exported_program.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/libtorch/module_scope.hpp"
#include "interpreter/model/exported_compiler.hpp"
#include "interpreter/model/exported_types.hpp"
#include "interpreter/model/exported_weights.hpp"
#include "interpreter/model/misfit.hpp"

namespace ascribe::model {
namespace {

constexpr std::int64_t known_version = 8;  // the major version of torch/_export/serde/schema.py since PyTorch 2.5

std::string only_program(const Archive& archive) {
  if (!archive.has("archive_format") || archive.text("archive_format") != "pt2")
    throw damaged("it does not say what it is");
  if (archive.has("archive_version") && archive.text("archive_version") != "0")
    throw Refusal("is an archive of a newer sort than Ascribe knows", "save it with PyTorch 2.13");
  if (archive.has("byteorder") && archive.text("byteorder") != "little")
    throw Refusal("was saved on a big-endian machine", "save it on a little-endian one");
  std::vector<std::string> found;
  for (auto& name : archive.in("models/"))
    if (name.ends_with(".json")) found.push_back(name.substr(7, name.size() - 12));
  if (found.empty() && !archive.in("data/aotinductor/").empty())
    throw Refusal("holds compiled machine code, not a program",
                  "save the exported program itself, with torch.export.save");
  if (found.empty()) throw damaged("it holds no program");
  if (found.size() > 1)
    throw Refusal(filled("holds {} programs", found.size()), "save each with torch.export.save in a file of its own");
  return found.front();
}

// An input's shape, `?` where any size will do.
std::string expected(const ExportedProgram::Input& declared) {
  std::vector<std::string> sizes;
  for (auto& each : declared.dimensions)
    sizes.push_back(each.fixed ? std::to_string(each.size) : each.expression ? each.expression->shown() : "?");
  return shown_shape(sizes);
}

void check_version(const Json& program) {
  auto& version = member(program, "schema_version");
  auto major = integer(member(version, "major")), minor = integer(member(version, "minor"));
  if (major == known_version) return;
  auto* written_by = optional_member(program, "torch_version");
  throw Refusal(filled("is in version {}.{} of the export format{}; Ascribe understands version {}", major, minor,
                       written_by ? filled(" (PyTorch {})", shown_name(text(*written_by))) : "", known_version),
                "export the model with PyTorch 2.13");
}

ExportedProgram::Input input_of(const std::string& name, const Json& description) {
  ExportedProgram::Input out{.name = name, .type = scalar_type(integer(member(description, "dtype")))};
  for (auto& each : list(member(description, "sizes"))) {
    auto [kind, value] = alternative(each);
    if (kind == "as_int")
      out.dimensions.push_back({.size = integer(value)});
    else if (kind == "as_expr")
      out.dimensions.push_back({.fixed = false, .expression = SizeExpression::parse(text(member(value, "expr_str")))});
    else
      throw damaged("an input has a size of an unknown sort");
  }
  return out;
}

Error wrong_input(std::string message, std::string help) {
  return Error({.code = Code::wrong_input, .message = std::move(message), .help = std::move(help)});
}

}  // namespace

ExportedProgram::ExportedProgram(const Archive& archive) {
  auto model = only_program(archive);
  auto name = filled("models/{}.json", model);
  auto program = parse_json(archive.text(name), name);
  check_version(program);
  std::vector<std::string> names;
  ExportedWeights weights(archive, model);
  read_inputs(program, weights, names);

  auto& module = member(program, "graph_module");
  std::vector<const Json*> outputs;
  for (auto& spec : list(member(member(module, "signature"), "output_specs"))) {
    auto [kind, value] = alternative(spec);
    if (kind == "user_output")
      outputs.push_back(&member(value, "arg"));
    else if (kind != "buffer_mutation" && kind != "user_input_mutation" && kind != "parameter_mutation" &&
             kind != "token")
      throw Refusal(filled("has outputs of another sort than a model's, {}", shown_name(kind)),
                    "export the model itself, not its training");
  }
  std::vector<std::vector<std::string>> weight_names;
  for (auto& each : weights_) weight_names.push_back(weights.names_of(each.name));
  GraphCompiler compiler;
  graph_ = std::make_shared<const Graph>(compiler.compile(member(module, "graph"), names, weight_names, outputs));
  looks_up_integers_ = compiler.looks_up_integers();
  for (std::size_t i = 0; i < weights_.size(); ++i) weights_[i].is_overwritten = compiler.writes_into(i);
}

// The graph's inputs are the weights, then what the model is given.
void ExportedProgram::read_inputs(const Json& program, ExportedWeights& weights, std::vector<std::string>& names) {
  auto& module = member(program, "graph_module");
  auto& values = member(member(module, "graph"), "tensor_values");
  std::vector<std::string> inputs;
  for (auto& spec : list(member(member(module, "signature"), "input_specs"))) {
    auto [kind, value] = alternative(spec);
    auto add = [&, &described = value](const char* key, bool is_parameter) {
      auto& each = text(member(described, key));
      names.push_back(text(member(member(described, "arg"), "name")));
      weights_.push_back({.name = each, .tensor = weights.find(each), .is_parameter = is_parameter});
    };
    if (kind == "parameter") {
      add("parameter_name", true);
    } else if (kind == "buffer") {
      add("buffer_name", false);
    } else if (kind == "tensor_constant") {
      add("tensor_constant_name", false);
    } else if (kind == "user_input") {
      auto [form, argument] = alternative(member(value, "arg"));
      if (form == "as_sym_int" || form == "as_sym_float" || form == "as_sym_bool")
        throw Refusal("takes a number that changes from call to call",
                      "export the model with tensors as its inputs only");
      if (form != "as_tensor") continue;  // fixed when it was exported
      auto& each = text(member(argument, "name"));
      inputs.push_back(each);
      inputs_.push_back(input_of(each, member(values, each.c_str())));
    } else if (kind != "constant_input") {
      throw Refusal(
          filled("needs {}, which only Python has", kind == "custom_obj" ? "a Python object" : shown_name(kind)),
          "export a model whose weights and constants are plain tensors");
    }
  }
  names.insert(names.end(), inputs.begin(), inputs.end());

  auto& ranges = member(program, "range_constraints");
  if (!ranges.is_object()) throw damaged("its ranges of sizes are none");
  for (auto& [symbol, range] : ranges.items()) {
    auto bound = [&, &limits = range](const char* key) {
      auto* found = optional_member(limits, key);
      return found ? std::optional(integer(*found)) : std::nullopt;
    };
    ranges_[symbol] = {bound("min_val"), bound("max_val")};
  }
}

// --------------------------------------------------------------------------------------------------------- its inputs

void ExportedProgram::check(const std::vector<at::Tensor>& inputs) const {
  auto order = [&] {
    std::vector<std::string> names;
    for (auto& each : inputs_) names.push_back(filled("{} ({})", shown_name(each.name), type_name(each.type)));
    return names.size() < 2 ? "" : filled("; the model takes, in this order: {}", fmt::join(names, ", "));
  };
  if (inputs.size() != inputs_.size()) {
    std::vector<std::string> names;
    for (auto& each : inputs_) names.push_back(shown_name(each.name));
    throw wrong_input(filled("the model takes {} input{}{}, not {}", inputs_.size(), inputs_.size() == 1 ? "" : "s",
                             names.empty() ? "" : filled(" ({})", fmt::join(names, ", ")), inputs.size()),
                      "give one tensor for each");
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto& declared = inputs_[i];
    auto& given = inputs[i];
    auto name = shown_name(declared.name);
    if (!given.defined() || given.layout() != at::kStrided)
      throw wrong_input(filled("input {} is no dense tensor", name), "give it with its numbers");
    if (given.scalar_type() != declared.type)
      throw wrong_input(filled("input {} is of {}; the model was exported for {}", name, type_name(given.scalar_type()),
                               type_name(declared.type)),
                        filled("convert it to {}{}", type_name(declared.type), order()));
    if (given.device().type() != device_.type())
      throw wrong_input(filled("input {} is on {}, the model on {}", name, given.device().str(), device_.str()),
                        "move one of them");
  }
  check_sizes(inputs);
}

void ExportedProgram::check_sizes(const std::vector<at::Tensor>& inputs) const {
  auto refuse = [&](std::size_t i, const std::string& why) {
    return wrong_input(filled("input {} has the shape {}, which the model was not exported for: it takes {}{}",
                              shown_name(inputs_[i].name), shown_shape(inputs[i].sizes()), expected(inputs_[i]), why),
                       "export the model with dynamic_shapes for what shall vary");
  };
  // A picture's dimensions have names.
  auto refuse_dimension = [&](std::size_t i, std::size_t dimension, const std::string& why) {
    auto& declared = inputs_[i].dimensions;
    if (declared.size() != 4) throw refuse(i, why);
    auto size_of = [&](std::size_t d) { return declared[d].fixed ? declared[d].size : -1; };
    Misfit misfit{.what = dimension == 0   ? Misfit::What::batch
                          : dimension == 1 ? Misfit::What::channels
                                           : Misfit::What::size,
                  .input = i,
                  .shape = inputs[i].sizes().vec()};
    if (dimension < 2 && declared[dimension].fixed) misfit.wanted = declared[dimension].size;
    if (dimension >= 2 && (declared[2].fixed || declared[3].fixed)) misfit.wanted_size = {size_of(2), size_of(3)};
    if (dimension < 2 ? !misfit.wanted : misfit.wanted_size.empty()) throw refuse(i, why);
    throw InputMisfit(misfit, {.code = Code::wrong_input,
                               .message = filled("input {} {}", shown_name(inputs_[i].name), told(misfit)),
                               .note = filled("the model was exported for {}", expected(inputs_[i])),
                               .help = advice(misfit)});
  };
  Symbols symbols;
  auto each_size = [&](auto visit) {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      for (std::size_t d = 0; d < inputs_[i].dimensions.size(); ++d)
        visit(i, d, inputs[i].size(static_cast<std::int64_t>(d)));
  };
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].dim() != static_cast<std::int64_t>(inputs_[i].dimensions.size())) throw refuse(i, "");
  each_size([&](std::size_t i, std::size_t d, std::int64_t size) {
    auto& declared = inputs_[i].dimensions[d];
    if (declared.expression && !declared.expression->symbol().empty())
      symbols.emplace(declared.expression->symbol(), size);
  });
  each_size([&](std::size_t i, std::size_t d, std::int64_t size) {
    auto& declared = inputs_[i].dimensions[d];
    if (declared.expression)
      if (auto solved = declared.expression->solve(symbols, size)) symbols.insert(*solved);
  });
  each_size([&](std::size_t i, std::size_t d, std::int64_t size) {
    auto& declared = inputs_[i].dimensions[d];
    if (declared.fixed ? declared.size != size : declared.expression && declared.expression->value(symbols) != size)
      refuse_dimension(i, d, "");
  });
  for (auto& [symbol, range] : ranges_) {
    auto found = symbols.find(symbol);
    if (found == symbols.end()) continue;
    // Exporting assumes sizes of 2 at least, so that no size of 1 is a special case; what it writes runs for 0 and 1,
    // too.
    bool small = range.low && *range.low > 2 && found->second < *range.low,
         large = range.high && found->second > *range.high;
    if (!small && !large) continue;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      for (auto& each : inputs_[i].dimensions)
        if (each.expression && each.expression->shown().find(symbol) != std::string::npos)
          throw refuse(i, filled(", where {} is {}", symbol,
                                 small ? filled("{} at least", *range.low) : filled("{} at most", *range.high)));
  }
}

Program::Inputs ExportedProgram::inputs() const {
  Inputs out{inputs_.size(), inputs_.size(), {}};
  for (auto& each : inputs_)
    out.told.push_back(filled("{}, {} {}", shown_name(each.name), type_name(each.type), expected(each)));
  return out;
}

std::optional<at::ScalarType> ExportedProgram::declared_type(std::size_t input) const {
  return input < inputs_.size() ? std::optional(inputs_[input].type) : std::nullopt;
}

// ------------------------------------------------------------------------------------------------------------- running

std::vector<at::Tensor> ExportedProgram::run(const std::vector<at::Tensor>& inputs) const {
  check(inputs);
  libtorch::ModuleScope scope;
  Values values;
  values.reserve(weights_.size() + inputs.size());
  for (auto& each : weights_) values.emplace_back(each.is_overwritten ? each.tensor.clone() : each.tensor);
  for (auto& each : inputs) values.emplace_back(each);
  std::vector<at::Tensor> out;
  for (auto& each : run_graph(graph_, std::move(values), device_))
    if (each.isTensor() && each.toTensor().defined()) out.push_back(each.toTensor());
  return out;
}

libtorch::ParameterNames ExportedProgram::parameter_names() const {
  libtorch::ParameterNames names;
  for (auto& each : weights_) names.add(each.name, each.tensor);
  return names;
}

at::TensorOptions ExportedProgram::options() const {
  auto base = at::TensorOptions().device(device_);
  for (bool parameters : {true, false})
    for (auto& each : weights_)
      if (each.is_parameter == parameters && each.tensor.is_floating_point())
        return base.dtype(each.tensor.scalar_type());
  for (auto& each : inputs_)
    if (at::isFloatingType(each.type)) return base.dtype(each.type);
  return base;
}

std::unique_ptr<const Program> ExportedProgram::on(c10::Device device) const {
  auto out = std::make_unique<ExportedProgram>(*this);
  out->device_ = at::empty({0}, at::TensorOptions().device(device)).device();  // with its index
  std::map<c10::StorageImpl*, at::Storage> moved;  // names that share memory share it there, too
  for (auto& each : out->weights_) {
    auto& tensor = each.tensor;
    auto memory = tensor.storage();
    auto found = moved.find(memory.unsafeGetStorageImpl());
    if (found == moved.end()) {
      auto bytes = at::empty({0}, at::kByte).set_(memory, 0, {static_cast<std::int64_t>(memory.nbytes())}, {1});
      found = moved.emplace(memory.unsafeGetStorageImpl(), bytes.to(device, false, /*copy=*/true).storage()).first;
    }
    auto there = at::empty({0}, tensor.options().device(device).requires_grad(false));
    each.tensor = there.set_(found->second, tensor.storage_offset(), tensor.sizes(), tensor.strides())
                      .requires_grad_(tensor.requires_grad());
  }
  return out;
}

}  // namespace ascribe::model
