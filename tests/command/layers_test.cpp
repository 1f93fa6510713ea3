// `ascribe layers`, and what `ascribe run` says about layers: inner relevance, several targets, inputs and outputs.
#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>

#include <nlohmann/json.hpp>

#include "interpreter/files/npy.hpp"
#include "tests/catch.hpp"
#include "tests/command/ascribe_command.hpp"

namespace test {
using namespace ascribe;
namespace {

using Catch::Contains;
using Catch::StartsWith;
using files::read_npy;
using files::write_npy;

const std::string digit = "--model " ASCRIBE_EXAMPLES "/digits/model.pt --input " ASCRIBE_EXAMPLES "/digits/three.npy ";

TEST_CASE("a profile tells what each layer took, and needs no file to write to") {
  Folder folder;
  auto run = "ascribe run " + digit + "--rules epsilon_plus --profile";
  auto text = run_shell(folder, run);
  CHECK(text.code == 0);
  CHECK(text.err == "");
  CHECK_THAT(text.out, StartsWith("layer       kind        rule                      forward ms  operators") &&
                           Contains("\nfeatures.2  conv2d      zplus(epsilon = 1e-06) ") &&
                           Contains(" ms in layers that have a rule\n"));
  CHECK_THAT(text.out, !Contains("features.4"));  // max pooling, which keeps its gradient
  auto json = nlohmann::json::parse(run_shell(folder, run + " --report json").out);
  std::size_t told = 0;
  for (auto& layer : json["layers"]) {
    CHECK(layer.contains("cost") == (layer["rule"] != "gradient"));
    if (!layer.contains("cost")) continue;
    ++told;
    CHECK(layer["cost"]["forward_operators"] == 1);
    CHECK(layer["cost"]["forward_seconds"] > 0);
    CHECK((layer["cost"]["backward_operators"] > 0) == (layer["kind"] != "relu"));  // which is passed
    CHECK((layer["cost"]["kept_bytes"] > 100) == (layer["kind"] != "relu"));
  }
  CHECK(told == 8);
  auto without = nlohmann::json::parse(
      run_shell(folder, "ascribe run " + digit + "--rules zplus --output r.npy --report json").out);
  CHECK(!without["layers"][0].contains("cost"));
}

TEST_CASE("layers lists which layer gets which rule and by which entry, and nothing is written") {
  Folder folder;
  folder.file("mine.rule", "composite mine {\n  first convolution => flat\n  last linear => epsilon\n}\n");
  auto listed = run_shell(folder, "ascribe layers " + digit + "--load mine.rule --rules mine");
  CHECK(listed.code == 0);
  CHECK(listed.err == "");
  CHECK_THAT(listed.out,
             Contains("features.0  conv2d      [1, 16, 8, 8]  flat(epsilon = 1e-06)     mine.rule:2:3") &&
                 Contains("classifier  linear      [1, 10]        epsilon(epsilon = 1e-06)  mine.rule:3:3") &&
                 Contains("2 of 9 layers have a rule (22.2 %)\n"
                          "without one, so that they keep their gradient: features.1 (relu), features.2 (conv2d)"));
  auto without = run_shell(folder, "ascribe layers " + digit);
  CHECK(without.code == 0);
  CHECK_THAT(without.out, StartsWith("layer       kind        output\nfeatures.0  conv2d      [1, 16, 8, 8]\n"));
  CHECK_THAT(without.out, !Contains("rule"));
  auto json = nlohmann::json::parse(run_shell(folder, "ascribe layers --report json " + digit + "--rules zplus").out);
  CHECK(json["layers"].size() == 9);
  CHECK(json["layers"][0]["rule"] == "zplus(epsilon = 1e-06)");
  CHECK(json["layers"][1]["entry"] == "");
  CHECK(json["layers"][0]["above"].is_null());
  CHECK(json["coverage"]["layers"] == 9);
  CHECK(json["coverage"]["without_rule"][0] == "features.1 (relu)");
}

TEST_CASE("layers refuses what run refuses") {
  Folder folder;
  CHECK_THAT(run_shell(folder, "ascribe layers --model missing.pt --input x.npy").err,
             StartsWith("error[A0701]") || StartsWith("error[A0001]"));
  CHECK(run_shell(folder, "ascribe layers --model missing.pt").code == 2);
  auto wrong = run_shell(folder, "ascribe layers " + digit + "--rules zpuls");
  CHECK(wrong.code == 1);
  CHECK_THAT(wrong.err, Contains("did you mean `zplus`?"));
}

TEST_CASE("run says which dimension of an output counts samples where that is not the first one, or may be another") {
  Folder folder;
  auto said = [&](const std::string& body, at::IntArrayRef shape) {
    torch::jit::Module model("model");
    model.define("def forward(self, x):\n  return " + body + "\n");
    model.save(folder / "model.pt");
    write_npy(folder / "x.npy", at::ones(shape));
    return run_shell(folder,
                     "ascribe run --model model.pt --input x.npy --rules epsilon_plus --target 2 --output r.npy")
        .out;
  };
  auto time_first = "torch.relu(x).permute([2, 0, 1])";
  CHECK_THAT(said(time_first, {2, 4, 5}), Contains("dimension 1 of the output [5, 2, 4] counts samples"));
  CHECK_THAT(said("torch.relu(x)", {3, 3, 5}), Contains("dimensions 0 and 1 of the output [3, 3, 5] could both count"));
  CHECK_THAT(said("torch.relu(x)", {2, 3, 5}), !Contains("count samples"));
}

TEST_CASE("run's report says who took the relevance, and which entry chose the rule") {
  Folder folder;
  auto text = run_shell(folder, "ascribe run " + digit + "--rules epsilon_plus --output r.npy").out;
  CHECK_THAT(text,
             Contains("layer       kind        output         rule                      entry                  "
                      "    above   below      bias   stabilizer  rest\n") &&
                 Contains("\n11.38 started, 9.96257 (87.5 %) arrived; biases took 1.4174 (12.5 %), stabilizers 2.1") &&
                 // which is rounding beyond that
                 Contains("e-05\nmost of it stayed at features.0 (1.2228), features.2 (0.088514), "
                          "classifier (0.08491), and 1 other\n") &&
                 Contains("no entry is for, so that they keep their gradient: max_pool2d\n"));
  auto json = nlohmann::json::parse(
      run_shell(folder, "ascribe run " + digit + "--rules epsilon_plus --output r.npy --report json").out);
  for (auto& layer : json["layers"]) {
    INFO(layer.dump());
    if (layer["bias"].is_null()) continue;
    auto number = [&](const char* key) { return layer[key].get<double>(); };
    CHECK(number("rest") == Approx(0).margin(1e-4));
    CHECK(number("above") ==
          Approx(number("below") + number("bias") + number("stabilizer") + number("rest")).epsilon(1e-6));
  }
}

TEST_CASE("run gives relevance at inner layers, and stops there where no more is asked") {
  Folder folder;
  auto run = [&](const std::string& more) {
    return run_shell(folder, "ascribe run " + digit + "--rules epsilon_plus --target 3 " + more);
  };
  auto both = run("--at features.2=a.npy --at classifier=b.npy --output r.npy");
  CHECK(both.code == 0);
  CHECK_THAT(both.out, Contains("written to r.npy\nrelevance at features.2 written to a.npy\nrelevance at classifier "
                                "written to b.npy\n"));
  CHECK(read_npy(folder.path / "a.npy").sizes() == at::IntArrayRef({1, 32, 8, 8}));
  auto start = read_npy(folder.path / "b.npy");
  CHECK(start[0][3].item<double>() == Approx(11.38).epsilon(1e-3));
  CHECK(start.abs().sum().item<double>() == Approx(start[0][3].item<double>()));
  auto a = read_npy(folder.path / "a.npy");
  CHECK(run("--at features.2=only.npy").code == 0);
  CHECK(at::equal(read_npy(folder.path / "only.npy"), a));
  auto unknown = run("--at features.9=c.npy");
  CHECK(unknown.code == 2);
  CHECK_THAT(unknown.err, StartsWith("error[A0611]: the model has no layer 'features.9'"));
  CHECK_THAT(run("--at features.2").err, StartsWith("error[A0705]: --at 'features.2' names no layer and file"));
  CHECK_THAT(run("--at features.2=c.txt").err, StartsWith("error[A0705]: --at's file is a .npy file, not 'c.txt'"));
  CHECK_THAT(run("--output r.npy --at features.2=r.npy").err,
             StartsWith("error[A0705]: 'r.npy' is to be written twice"));
  CHECK_THAT(run("--at features.2=").err, Contains("write `--at features.0=inner.npy`"));
  CHECK(!std::filesystem::exists(folder.path / "c.npy"));
}

TEST_CASE("what run shows needs no file, and is the same with one") {
  Folder folder;
  auto shown = run_shell(folder, "ascribe run " + digit + "--rules epsilon_plus");
  CHECK(shown.code == 0);
  auto written = run_shell(folder, "ascribe run " + digit + "--rules epsilon_plus --output r.npy");
  CHECK(shown.out + "written to r.npy\n" == written.out);
  CHECK(run_shell(folder, "ascribe run " + digit + "--rules epsilon_plus --heatmap only.png").code == 0);
  CHECK(std::filesystem::exists(folder / "only.png"));
  auto page = run_shell(folder, "ascribe run " + digit + "--rules epsilon_plus --report html");
  CHECK_THAT(page.out, StartsWith("<!doctype html>") || StartsWith("<!DOCTYPE html>"));
}

TEST_CASE("run gives relevance at all layers that a glob is for, each in a file of its name") {
  Folder folder;
  auto run = [&](const std::string& more) {
    return run_shell(folder, "ascribe run " + digit + "--rules epsilon_plus --target 3 " + more);
  };
  auto found = run("--at 'features.[0-2]=inner/' --at 'class*=at_*.npy'");
  CHECK(found.err == "");
  CHECK_THAT(found.out, Contains("relevance at features.0 written to inner/features.0.npy\nrelevance at features.1 "
                                 "written to inner/features.1.npy\nrelevance at features.2 written to "
                                 "inner/features.2.npy\nrelevance at classifier written to at_classifier.npy\n"));
  CHECK(read_npy(folder.path / "inner/features.2.npy").sizes() == at::IntArrayRef({1, 32, 8, 8}));
  CHECK(read_npy(folder.path / "at_classifier.npy").sizes() == at::IntArrayRef({1, 10}));
  auto drawn = run("--at features.2=inner.png --channels 3 --colour-map coldnhot");
  CHECK(drawn.err == "");
  CHECK_THAT(drawn.out, Contains("relevance at features.2 written to inner.png\n"));
  CHECK(bytes_of(folder / "inner.png").starts_with("\x89PNG"));
  CHECK_THAT(run("--at 'features.*=one.npy'").err,
             StartsWith("error[A0705]: --at 'features.*=one.npy' is for several layers, and names one file"));
  CHECK_THAT(run("--at 'feature.*=inner/'").err,
             StartsWith("error[A0611]: no layer of the model is called 'feature.*'"));
}

TEST_CASE("layers are shown as a tree of their names") {
  Folder folder;
  auto text = run_shell(folder, "ascribe layers " + digit + "--tree").out;
  CHECK_THAT(text,
             StartsWith("layer          kind        output\n├─ features\n│  ├─ 0        conv2d      [1, 16, 8, 8]\n") &&
                 Contains("│  └─ 7        avg_pool2d  [1, 32, 2, 2]\n└─ classifier  linear      [1, 10]\n"));
}

TEST_CASE("run explains several targets at once, or names from a file of labels") {
  Folder folder;
  folder.file("labels.txt", "zero\none\ntwo\nthree\r\nfour\nfive\nsix\nseven\neight\nnine\n");
  auto run = [&](const std::string& more) {
    auto outcome =
        run_shell(folder, "ascribe run " + digit + "--rules epsilon_plus --output r.npy --start one " + more);
    INFO(outcome.err);
    CHECK(outcome.code == 0);
    return read_npy(folder.path / "r.npy");
  };
  auto three = run("--target 3"), eight = run("--target 8");
  CHECK(at::allclose(run("--target 3 --target 8"), three + eight, 1e-4, 1e-6));
  CHECK(at::equal(run("--target three --labels labels.txt"), three));
  CHECK(at::allclose(run("--target three --target 8 --labels labels.txt"), three + eight, 1e-4, 1e-6));
  CHECK(run("--target all").abs().sum().item<double>() > 0);
  auto refused = [&](const std::string& more) {
    return run_shell(folder, "ascribe run " + digit + "--rules epsilon_plus --output x.npy " + more).err;
  };
  CHECK_THAT(refused("--target tree --labels labels.txt"),
             StartsWith("error[A0704]: no output is called 'tree'") && Contains("did you mean `three`?"));
  CHECK_THAT(refused("--target all --target 1"), StartsWith("error[A0705]: --target all stands alone"));
  CHECK_THAT(refused("--target three"), StartsWith("error[A0705]: --target 'three' is no index"));
  CHECK_THAT(refused("--target three --labels missing.txt"), StartsWith("error[A0001]: cannot read labels"));
  CHECK_THAT(refused("--target 3 --target 77"), StartsWith("error[A0704]: target 77 is out of range"));
  CHECK_THAT(refused("--target 99999999999999999999"), StartsWith("error[A0705]"));
}

TEST_CASE("run takes several inputs, and writes the first relevance or each") {
  Folder folder;
  torch::jit::Module module(c10::QualifiedName("__torch__.Two"));
  module.register_attribute("training", c10::BoolType::get(), false);
  module.define("def forward(self, a, mask, b):\n  return torch.tanh(a) * mask + torch.sigmoid(b), a\n");
  module.save((folder.path / "two.pt").string());
  auto a = at::linspace(-1, 1, 6).view({2, 3});
  write_npy(folder.path / "a.npy", a);
  write_npy(folder.path / "b.npy", a * 2);
  write_npy(folder.path / "mask.npy", a > 0);
  auto run = [&](const std::string& more) {
    return run_shell(folder,
                     "ascribe run --model two.pt --input a.npy --input mask.npy --input b.npy --rules base " + more);
  };
  auto both = run("--of-output 0 --target 1 --output ra.npy --output rb.npy");
  INFO(both.err);
  CHECK(both.code == 0);
  auto expected = at::tanh(a) * (a > 0);
  expected.select(1, 0).zero_(), expected.select(1, 2).zero_();
  CHECK(at::allclose(read_npy(folder.path / "ra.npy"), expected, 1e-4, 1e-5));
  CHECK(read_npy(folder.path / "rb.npy").select(1, 1).abs().sum().item<double>() > 0);
  CHECK(run("--of-output 0 --target 1 --output first.npy").code == 0);
  CHECK(at::equal(read_npy(folder.path / "first.npy"), read_npy(folder.path / "ra.npy")));
  CHECK_THAT(run("--of-output 0 --target 1 --output x.npy --output y.npy --output z.npy").err,
             StartsWith("error[A0705]: 2 inputs get relevance, and there are 3 files for it"));
  CHECK_THAT(run("--target 1 --output x.npy").err,
             StartsWith("error[A0704]: the model has 2 outputs: which one?") && Contains("--of-output"));
  CHECK_THAT(run("--of-output 2 --target 1 --output x.npy").err, StartsWith("error[A0704]: output 2 is out of range"));
  CHECK(run("--of-output -1 --target 1 --output x.npy").code == 2);
}

}  // namespace
}  // namespace test
