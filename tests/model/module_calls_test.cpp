// The calls of modules while a saved model runs: who is asked about, what is handed over, and that it changes nothing.
#include "tests/attach/exported_records.hpp"
#include "tests/model/watching.hpp"

#include <algorithm>
#include <random>
#include <set>
#include <thread>

namespace test {
using namespace ascribe;
namespace {

const std::vector<std::string> files{"net.pt2", "net_strict.pt2", "net_decomposed.pt2", "net_scripted.pt",
                                     "net_traced.pt"};

Exported net(const std::string& file) {
  bool exported_program = file.ends_with(".pt2");
  return exported_model(exported_program ? file.substr(0, file.size() - 4) : "net", file);
}

// What is asked about when nothing is taken.
std::vector<std::string> asked(const Exported& each) {
  Watching watching;
  each.model.run(copies(each.inputs));
  return watching.asked;
}

TEST_CASE("every call of a module is asked about, the outermost first") {
  at::NoGradGuard no_grad;
  const std::vector<std::string> expected{":Net",
                                          "stem:Sequential",
                                          "stem.0:Linear",
                                          "stem.1:ReLU",
                                          "gate:Gate",
                                          "gate.lin:Linear",
                                          "gate.act:Hardswish",
                                          "gate:Gate",
                                          "gate.lin:Linear",
                                          "gate.act:Hardswish",
                                          "pair:Pair",
                                          "tied:Linear",
                                          "folded:Folded",
                                          "gate:Gate",
                                          "gate.lin:Linear",
                                          "gate.act:Hardswish",
                                          "counter:Counter",
                                          "norm:BatchNorm1d"};
  for (auto& file : files) {
    INFO(file);
    auto found = asked(net(file));
    // Decomposing forgets where what stood under no_grad came from; what is computed twice is computed once.
    if (file == "net_decomposed.pt2") {
      CHECK(std::set(found.begin(), found.end()) == std::set(expected.begin(), expected.end()));
      continue;
    }
    if (file == "net_traced.pt") {
      CHECK(std::set(found.begin(), found.end()) == std::set(expected.begin(), expected.end()));
      continue;
    }
    CHECK(found == expected);
  }
}

TEST_CASE("how many operators a module has is said, but for those that only move indices") {
  at::NoGradGuard no_grad;
  for (auto& file : files) {
    INFO(file);
    auto each = net(file);
    Watching watching;
    each.model.run(copies(each.inputs));
    CHECK(watching.counts.at("stem") == 2);
    // Tracing makes tensors of sizes.
    CHECK(watching.counts.at("folded") == (file == "net_traced.pt" ? 2 : 1));
    CHECK(watching.counts.at("pair") == 2);
    CHECK(watching.counts.at("gate.act") == (file == "net_decomposed.pt2" ? 5 : 1));
    CHECK(watching.counts.at("") >= 13);
  }
}

TEST_CASE("a model gives the same bits whichever of its modules are handed over") {
  for (auto& file : files) {
    auto each = net(file);
    auto expected = each.model.run(copies(each.inputs));
    REQUIRE(expected.size() == 2);
    if (file.ends_with(".pt2")) CHECK(same_bits(expected, each.outputs));
    auto all = asked(each);
    for (auto& one : std::set(all.begin(), all.end())) {
      INFO(file << " " << one);
      auto path = one.substr(0, one.find(':'));
      Watching watching(takes_path(path));
      CHECK(same_bits(each.model.run(copies(each.inputs)), expected));
      CHECK(static_cast<std::ptrdiff_t>(watching.calls.size()) == std::count(all.begin(), all.end(), one));
      for (auto& call : watching.calls) CHECK(call.callee.path + ":" + call.callee.class_name == one);
    }
    Watching leaves([](auto& path, auto& name) { return name != "Net" && name != "Sequential" && path != "gate"; });
    CHECK(same_bits(each.model.run(copies(each.inputs)), expected));
    CHECK(leaves.calls.size() > 8);
  }
}

TEST_CASE("what is within a module that is taken is not asked about") {
  at::NoGradGuard no_grad;
  for (auto& file : files) {
    INFO(file);
    auto each = net(file);
    Watching watching(takes_class("Gate"));
    each.model.run(copies(each.inputs));
    CHECK(std::count(watching.asked.begin(), watching.asked.end(), "gate.lin:Linear") <=
          (file == "net_decomposed.pt2" ? 1 : 0));
    CHECK(std::count(watching.asked.begin(), watching.asked.end(), "stem.0:Linear") == 1);
    CHECK(libtorch::current_module().empty());
  }
}

TEST_CASE("a module's call has its inputs, its parameters by their names within it, and runs on other inputs") {
  at::NoGradGuard no_grad;
  for (auto& file : files) {
    INFO(file);
    std::vector<libtorch::ModuleCall> calls;
    std::vector<Tensors> answers;
    {
      auto each = net(file);
      Watching watching(takes_class("Gate"));
      each.model.run(copies(each.inputs));
      calls = std::move(watching.calls), answers = std::move(watching.answers);
    }  // the model is gone
    REQUIRE(calls.size() >= 2);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      auto& call = calls[i];
      REQUIRE(call.inputs.size() == 1);
      std::map<std::string, at::Tensor> parameters(call.parameters.begin(), call.parameters.end());
      REQUIRE(parameters.size() == 2);
      auto gate = [&](const at::Tensor& x) {
        return at::hardswish(at::linear(x, parameters.at("lin.weight"), parameters.at("lin.bias")));
      };
      std::thread([&] { CHECK(same_bits(call.run(call.inputs), answers[i])); }).join();
      auto other = call.inputs[0] * 2 - 1;
      auto found = call.run({other});
      REQUIRE(found.size() == 1);
      CHECK(difference(found[0], gate(other)) <= 1e-6);
      CHECK(same_bits(call.run({other}), found));
      CHECK_THROWS(call.run({}));
      CHECK_THROWS(call.run({other, other}));
    }
  }
}

TEST_CASE("gradients go through a module that is run as a whole") {
  for (auto& file : files) {
    INFO(file);
    auto each = net(file);
    Watching watching(takes_path("folded"));
    each.model.run(copies(each.inputs));
    REQUIRE(watching.calls.size() == 1);
    auto x = at::ones({3, 4}).requires_grad_();
    auto y = watching.calls[0].run({x}).at(0);
    CHECK(same_bits(torch::autograd::grad({y.sum()}, {x}).at(0), at::ones({3, 4})));
  }
}

TEST_CASE("tied weights have the names of the module that is called") {
  at::NoGradGuard no_grad;
  for (auto& file : files) {
    INFO(file);
    auto each = net(file);
    Watching watching(takes_path("tied"));
    each.model.run(copies(each.inputs));
    REQUIRE(watching.calls.size() == 1);
    std::set<std::string> names;
    for (auto& [name, tensor] : watching.calls[0].parameters) names.insert(name);
    CHECK(names == std::set<std::string>{"weight", "bias"});
    CHECK(watching.calls[0].inputs.size() == 1);
  }
}

TEST_CASE("a module that gives several tensors gives several results") {
  at::NoGradGuard no_grad;
  for (auto& file : files) {
    INFO(file);
    auto each = net(file);
    Watching watching(takes_class("Pair"));
    each.model.run(copies(each.inputs));
    REQUIRE(watching.answers.size() == 1);
    REQUIRE(watching.answers[0].size() == 2);
    // Tracing turns them round.
    std::size_t first = file == "net_traced.pt";
    CHECK(same_bits(watching.answers[0][first], watching.calls[0].inputs[0] * 2));
    CHECK(same_bits(watching.answers[0][1 - first], watching.calls[0].inputs[0] + 1));
  }
}

TEST_CASE("a module that writes into what it has, or is given, can be run again") {
  at::NoGradGuard no_grad;
  for (std::string file : {"net.pt2", "net_strict.pt2", "net_decomposed.pt2"}) {
    INFO(file);
    auto each = net(file);
    Watching watching(takes_class("Counter"));
    each.model.run(copies(each.inputs));
    REQUIRE(watching.calls.size() == 1);
    auto x = at::ones({3, 4});
    REQUIRE(watching.calls[0].parameters.size() == 1);
    auto expected = x + (watching.calls[0].parameters[0].second + 1);
    for (int i = 0; i < 2; ++i) CHECK(same_bits(watching.calls[0].run({x}).at(0), expected));
    CHECK(same_bits(x, at::ones({3, 4})));
  }
}

TEST_CASE("a module that writes into what is read again under another name is no layer") {
  at::NoGradGuard no_grad;
  auto program = exported_model("seen");
  CHECK(asked(program) == std::vector<std::string>{":Seen", "lin:Linear"});
  auto decomposed = exported_model("seen_decomposed");
  CHECK(asked(decomposed) == std::vector<std::string>{":Seen", "lin:Linear", "act:ReLU"});
  auto script = exported_model("seen", "seen.pt");
  CHECK(failure([&] {
          Watching watching(takes_class("ReLU"));
          script.model.run(script.inputs);
        }) == "A0601 module 'act' (ReLU) writes into its input, which is read again, so that it cannot be one layer");
  auto expected = script.model.run(script.inputs);
  Watching watching(takes_class("Linear"));
  CHECK(same_bits(script.model.run(script.inputs), expected));
  CHECK(watching.calls.size() == 1);
}

TEST_CASE("a module whose results are no tensors says so where it is wanted") {
  at::NoGradGuard no_grad;
  auto model = Model::load(exported("dictionary.pt"));
  auto x = at::ones({2});
  CHECK(failure([&] {
          Watching watching(takes_class("Named"));
          model.run({x});
        }) == "A0601 module 'named' (Named) gives Dict[str, Tensor], not tensors, so that it cannot be one layer");
  Watching watching(takes_class("Dictionary"));
  CHECK(same_bits(model.run({x}), {x * 2 + 1}));
  CHECK(watching.calls.size() == 1);
}

TEST_CASE("errors of one who watches arrive as they are") {
  struct Failing : Watching {
    using Watching::Watching;
    std::vector<at::Tensor> call(const libtorch::ModuleCall&) override {
      throw Error({.code = Code::rule_does_not_fit, .message = "not this one", .help = "another"});
    }
  };
  for (auto& file : files) {
    auto each = net(file);
    CHECK(failure([&] {
            Failing watching(takes_path("gate.act"));
            each.model.run(copies(each.inputs));
          }) == "A0601 not this one");
  }
}

TEST_CASE("an answer with another number of tensors is an error") {
  struct Wrong : Watching {
    using Watching::Watching;
    std::vector<at::Tensor> call(const libtorch::ModuleCall&) override { return {}; }
  };
  for (auto& file : files) {
    auto each = net(file);
    auto text = failure([&] {
      Wrong watching(takes_path("gate.act"));
      each.model.run(copies(each.inputs));
    });
    INFO(text);
    CHECK(text.find("module 'gate.act' was answered with 0 tensors, not 1") != text.npos);
    CHECK(text.starts_with("A0"));
  }
}

TEST_CASE("every thread has its own who watches, or none") {
  for (auto& file : files) {
    auto each = net(file);
    auto expected = each.model.run(copies(each.inputs));
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        std::optional<Watching> watching;
        if (t > 0) watching.emplace(takes_class(t == 1 ? "Gate" : t == 2 ? "Hardswish" : "Net"));
        for (int i = 0; i < 10; ++i) wrong += !same_bits(each.model.run(copies(each.inputs)), expected);
        if (watching) wrong += watching->calls.empty();
      });
    for (auto& thread : threads) thread.join();
    CHECK(wrong == 0);
  }
}

// ------------------------------------------------------------------------------------------------------ changed
// programs

nlohmann::json& nodes_of(nlohmann::json& program) { return program["graph_module"]["graph"]["nodes"]; }

TEST_CASE("a module with another's operators between its own is no layer, and nothing else changes") {
  at::NoGradGuard no_grad;
  Folder folder;
  auto each = net("net.pt2");
  Records file(exported("net.pt2"));
  auto program = file.program();
  int changed = 0;
  for (auto& node : nodes_of(program)) {
    auto& stack = node["metadata"]["nn_module_stack"];
    if (node["target"] != "torch.ops.aten.relu.default" || stack.get<std::string>().find("folded") == std::string::npos)
      continue;
    stack = "L__self__,,__main__.Net;L__self__other,other,__main__.Other";
    ++changed;
  }
  REQUIRE(changed == 1);
  file.program(program);
  Exported other{Model::load(file.write(folder)), each.inputs, each.outputs};
  auto found = asked(other);
  CHECK(std::count(found.begin(), found.end(), "folded:Folded") == 0);
  CHECK(std::count(found.begin(), found.end(), "other:Other") == 1);
  CHECK(std::count(found.begin(), found.end(), "gate:Gate") == 3);
  Watching watching([](auto& path, auto&) { return !path.empty(); });
  CHECK(same_bits(other.model.run(copies(each.inputs)), each.outputs));
}

TEST_CASE("whatever a file says of its modules, the program computes the same") {
  at::NoGradGuard no_grad;
  Folder folder;
  std::mt19937 random_number(5);
  auto number = [&](std::size_t below) { return random_number() % below; };
  std::string long_one;
  for (int i = 0; i < 5000; ++i) long_one += "k" + std::to_string(i) + ",p,c;";
  for (std::string name : {"net", "net_decomposed"}) {
    auto each = exported_model(name);
    Records file(exported(name + ".pt2"));
    auto original = file.program();
    std::vector<std::string> stacks{"",     ";",          ",",         ",,",      "a",     "a,b",
                                    "a,b,", ";;;a,b,c;;", "a,b,c,d,e", "a,\n,\"", long_one};
    for (auto& node : nodes_of(original))
      if (node["metadata"].contains("nn_module_stack")) stacks.push_back(node["metadata"]["nn_module_stack"]);
    for (int i = 0; i < 60; ++i) {
      auto program = original;
      auto& nodes = nodes_of(program);
      for (auto times = 1 + number(i < 30 ? 3 : nodes.size()); times > 0; --times)
        nodes[number(nodes.size())]["metadata"]["nn_module_stack"] = stacks[number(stacks.size())];
      file.program(program);
      auto model = Model::load(file.write(folder));
      INFO(name << " " << i);
      CHECK(same_bits(model.run(copies(each.inputs)), each.outputs));
      for (int j = 0; j < 4; ++j) {
        Watching watching([&](auto&, auto&) { return number(3) == 0; });
        CHECK(same_bits(model.run(copies(each.inputs)), each.outputs));
      }
    }
  }
}

}  // namespace
}  // namespace test
