// Exported programs (.pt2): what they compute, how their layers are called, and that rules give what they give for the
// same network as TorchScript.
#include "interpreter/inside.hpp"
#include "tests/attach/exported.hpp"

#include <thread>

#include "interpreter/attach/attachment.hpp"
#include "interpreter/libtorch/module_scope.hpp"
#include "interpreter/model/model_state.hpp"

namespace test {
using namespace ascribe;
namespace {

const std::string residual_rules = R"(
  rule gated { map = if layer.y > 0 then R / stabilize(y, 0.1) else 0.3 * R }
  rule shaped { backward = R * y + 0.1 * x }
  composite c { batch_norm => merge; convolution, linear => gated; activation => shaped; add => norm(0.2); adaptive_avg_pool2d => norm })";

TEST_CASE("an exported program computes what PyTorch computes, to the last bit") {
  at::NoGradGuard no_grad;
  for (std::string name : {"network", "network_strict", "network_decomposed", "network_float", "network_half",
                           "network_training", "weights", "parts", "arithmetic", "sizes", "writes", "writes_decomposed",
                           "condition", "several", "item", "lookup", "attention", "attention_decomposed"}) {
    INFO(name);
    std::string found;
    CHECK(failure([&] { found = against_pytorch(exported_model(name)); }) == "no error");
    CHECK(found == "");
  }
}

TEST_CASE("relevance of an exported network equals that of the same network as TorchScript") {
  auto program = exported_model("network"), script = exported_model("network", "network.pt");
  auto& x = program.inputs.at(0);
  for (auto& rules : {epsilon_plus(), composite(residual_rules), entries("batch_norm => pass; any => epsilon_plus"),
                      Pack::standard().composite("epsilon_alpha2_beta1_flat")}) {
    INFO(rules.description());
    auto found = attributed(program.model, rules, x), expected = attributed(script.model, rules, x);
    REQUIRE(expected.relevance.abs().mean().item<double>() > 1e-4);
    CHECK(difference(found.relevance, expected.relevance) <= exact);
    CHECK(same_bits(found.output, program.outputs.at(0)));
    CHECK(rows(found.report) == rows(expected.report));
  }
  auto decomposed = exported_model("network_decomposed");
  auto expected = attributed(script.model, epsilon_plus(), x), found = attributed(decomposed.model, epsilon_plus(), x);
  CHECK(difference(found.relevance, expected.relevance) <= exact);
  CHECK(rows(found.report) == rows(expected.report));
}

TEST_CASE("layers of exported programs are called as the original model's modules") {
  auto expected = std::vector<std::string>{"stem.0", "stem.1", "stem.2", "inner", "norm", "add#1", "relu",      "inner",
                                           "norm",   "add#2",  "relu",   "add#3", "silu", "pool",  "classifier"};
  auto without_dropout = [](const Report& report) {
    auto out = names(report);
    std::erase(out, "dropout");
    return out;
  };
  for (std::string name : {"network", "network_strict"}) {
    auto each = exported_model(name);
    CHECK(without_dropout(attributed(each.model, epsilon_plus(), each.inputs[0]).report) == expected);
    CHECK(libtorch::current_module().empty());
  }
  auto weights = exported_model("weights");
  auto found = Inside::state(weights.model).program->parameter_names();
  for (std::string name : {"first.weight", "second.weight", "rows", "hidden", "constant"})
    CHECK(found.names.contains(name));
}

TEST_CASE("weights that shared memory when they were exported share it again") {
  auto model = exported_model("weights").model;
  for (auto& copy : {model, model.to("cpu")}) {
    auto held = Inside::state(copy).program->parameter_names().held;
    auto is_alias = [&](at::IntArrayRef sizes) {
      std::set<const c10::StorageImpl*> storages;
      int count = 0;
      for (auto& each : held)
        if (each.requires_grad() && each.sizes() == sizes)
          ++count, storages.insert(each.storage().unsafeGetStorageImpl());
      return std::pair(count, storages.size());
    };
    CHECK(is_alias({4, 4}) == std::pair<int, std::size_t>(4, 2));  // two tied ones, and two parts of one
  }
}

TEST_CASE("sizes that vary are checked against what the model was exported for") {
  at::NoGradGuard no_grad;
  auto network = exported_model("network");
  auto x = network.inputs[0];
  CHECK(network.model.forward(x.repeat({8, 1, 1, 1})).size(0) == 16);
  CHECK(same_bits(network.model.forward(x.slice(0, 0, 1)), network.model.forward(x.slice(0, 0, 1))));
  auto fails = [](const Model& model, const Tensors& inputs) { return failure([&] { model.run(inputs); }); };
  CHECK(fails(network.model, {x.repeat({9, 1, 1, 1})}) ==
        "A0703 input 'x' has the shape [18, 2, 6, 6], which the model was not exported for: it takes [s77, 2, 6, 6], "
        "where s77 is 16 at most");
  CHECK(fails(network.model, {x.slice(3, 0, 5)}) ==
        "A0703 input 'x' has 6 × 5 pixels ([2, 2, 6, 5]), and the model takes 6 × 6 (height × width)");
  CHECK(fails(network.model, {x.slice(1, 0, 1)}) ==
        "A0703 input 'x' has 1 channel ([2, 1, 6, 6]), and the model takes 2");
  CHECK(fails(network.model, {x[0]}) ==
        "A0703 input 'x' has the shape [2, 6, 6], which the model was not exported for: it takes [s77, 2, 6, 6]");
  CHECK(fails(network.model, {x.to(at::kFloat)}) ==
        "A0703 input 'x' is of float32; the model was exported for float64");
  CHECK(fails(network.model, {x, x}) == "A0703 the model takes 1 input ('x'), not 2");
  CHECK(fails(network.model, {}) == "A0703 the model takes 1 input ('x'), not 0");
  CHECK(fails(network.model, {at::Tensor()}) == "A0703 input 'x' is no dense tensor");

  auto sizes = exported_model("sizes");
  auto a = sizes.inputs[0], b = sizes.inputs[1];
  CHECK(sizes.model.run({a.repeat({3, 1}), b}).size() == 3);
  CHECK(fails(sizes.model, {a.slice(0, 0, 3), b}).starts_with("A0703 input 'a' has the shape [3, 4], which the model"));
  CHECK(fails(sizes.model, {a.repeat({20, 1}), b}).find("is 20 at most") != std::string::npos);
  CHECK(fails(sizes.model, {a, b.slice(2, 0, 3)}).find("is 5 at least") != std::string::npos);
}

TEST_CASE("every run of an exported program begins with the buffers of the file") {
  at::NoGradGuard no_grad;
  for (std::string name : {"writes", "network_training"}) {
    auto each = exported_model(name);
    CHECK(against_pytorch(each) == "");
    CHECK(against_pytorch(each) == "");
  }
}

TEST_CASE("an exported program may choose between two parts") {
  at::NoGradGuard no_grad;
  auto condition = exported_model("condition");
  auto x = condition.inputs[0];
  CHECK(same_bits(condition.model.forward(-x), (-x).cos()));
  CHECK(!same_bits(condition.model.forward(x), x.cos()));
}

TEST_CASE("exported programs run in many threads at once, with rules and without") {
  auto network = exported_model("network");
  auto x = network.inputs[0];
  auto expected = attribute(network.model, epsilon_plus(), x).relevance;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        if (t % 2 == 0 && !same_bits(attribute(network.model, epsilon_plus(), x).relevance, expected)) ++wrong;
        if (t % 2 == 1 && !same_bits(network.model.forward(x).detach(), network.outputs[0])) ++wrong;
      }
    });
  for (auto& each : threads) each.join();
  CHECK(wrong == 0);
}

TEST_CASE("an exported program moved to another device is another program") {
  auto network = exported_model("network");
  auto moved = network.model.to("cpu");
  CHECK(same_bits(attribute(moved, epsilon_plus(), network.inputs[0]).relevance,
                  attribute(network.model, epsilon_plus(), network.inputs[0]).relevance));
  CHECK(failure([&] { network.model.to("toaster"); }).starts_with("A0705 cannot use device 'toaster': "));
}

TEST_CASE("an exported program in training mode runs, and rules refuse it") {
  auto training = exported_model("network_training");
  CHECK(failure([&] { attribute(training.model, epsilon_plus(), training.inputs[0]); }).starts_with("A0605 "));
  CHECK(libtorch::current_module().empty());
}

// --------------------------------------------------------------------------------------------- several inputs, outputs

TEST_CASE("every floating input of a model gets relevance, and a target says of which output") {
  auto several = exported_model("several");
  auto& model = several.model;
  auto fails = [&](const Target& target) {
    return failure([&] { attribute(model, epsilon_plus(), several.inputs, target); });
  };
  CHECK(fails(Target(1)) == "A0704 the model has 2 outputs: which one?");
  CHECK(fails(Target(1).of_output(2)) == "A0704 output 2 is out of range: the model has 2 outputs");
  auto found = attribute(model, entries("linear => epsilon"), several.inputs, Target(1).of_output(0));
  REQUIRE(found.relevances.size() == 4);  // x, z, mask, shift
  CHECK(same_bits(found.output, several.outputs[0]));
  CHECK(same_bits(found.relevance, found.relevances[0]));
  CHECK(found.relevances[0].sizes() == several.inputs[0].sizes());
  CHECK(found.relevances[1].sizes() == several.inputs[1].sizes());
  CHECK(!found.relevances[2].defined());
  CHECK(!found.relevances[3].defined());
  CHECK(found.relevances[1].abs().sum().item<double>() > 0);
  auto other = attribute(model, entries("linear => epsilon"), several.inputs, Target(1).of_output(1));
  CHECK(other.relevances[0].defined());
  CHECK(!other.relevances[1].defined());  // the second output does not depend on it
}

TEST_CASE("an integer input that is looked up gets its embedding's relevance, and summed it has the input's shape") {
  for (std::string file : {"lookup.pt2", "lookup.pt"}) {
    INFO(file);
    auto lookup = exported_model("lookup", file);
    CHECK(against_pytorch(lookup) == "");
    auto words = lookup.inputs[0];
    auto found = attribute(lookup.model, epsilon_plus(), words, Target(1), {.layers = {"table"}});
    CHECK(found.relevance.sizes() == at::IntArrayRef({2, 5, 4}));
    CHECK(same_bits(found.relevance, found.layers.at("table").at(0).to(at::kFloat)));
    CHECK(found.relevance.abs().sum().item<double>() > 0);
    auto summed = attribute(lookup.model, epsilon_plus(), words, Target(1), {.sum_embeddings = true}).relevance;
    CHECK(summed.sizes() == words.sizes());
    CHECK(difference(summed, found.relevance.sum(-1)) <= 1e-6);
    CHECK(rows(found.report) ==
          std::vector<std::string>{"table embedding gradient", "mean#1 mean norm", "linear linear epsilon"});
  }
}

TEST_CASE("modules in lists and dictionaries run and are named, in TorchScript with control flow") {
  auto model = Model::load(exported("blocks.pt"));
  auto x = random({3, 4});
  auto outputs = model.run({x});
  REQUIRE(outputs.size() == 4);
  CHECK(same_bits(outputs[2].exp(), outputs[3]));
  auto found = attribute(model, epsilon_plus(), Tensors{x}, Target(1).of_output(1));
  CHECK(names(found.report) == std::vector<std::string>{"blocks.0", "relu#1", "blocks.1", "relu#2", "tanh#1",
                                                        "heads.one", "heads.two.0", "heads.two.1", "exp#1"});
  CHECK(same_bits(found.output, outputs[1]));
}

TEST_CASE("inputs are converted to the type that the program declares") {
  auto half = exported_model("network_half");
  auto found = attribute(half.model, epsilon_plus(), half.inputs[0].to(at::kDouble));
  CHECK(found.relevance.scalar_type() == at::kDouble);
  CHECK(found.output.scalar_type() == at::kBFloat16);
  auto whole = attribute(exported_model("network_float").model, epsilon_plus(), at::ones({2, 2, 6, 6}, at::kLong));
  CHECK(whole.relevance.scalar_type() == at::kFloat);
}

}  // namespace
}  // namespace test
