// Which outputs `ascribe run` explains, and what it says of them.
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "interpreter/files/npy.hpp"
#include "tests/catch.hpp"
#include "tests/command/ascribe_command.hpp"

namespace test {
using files::read_npy;
namespace {

struct Three : Folder {
  Three() { file("labels.txt", "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n"); }
  Outcome run(const std::string& more) const {
    return run_shell(*this,
                     "ascribe run --model digits/model.pt --input digits/three.npy --rules epsilon_plus " + more);
  }
  at::Tensor relevance(const std::string& more) const {
    auto outcome = run("--output r.npy " + more);
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    return read_npy(path / "r.npy");
  }
};

TEST_CASE("the largest outputs are explained together, as targets that are named are") {
  Three three;
  auto json = nlohmann::json::parse(three.run("--target top3 --report json").out);
  std::string named;
  for (auto& start : json["start"]["outputs"][0]) named += "--target " + start["index"].dump() + " ";
  CHECK(json["start"]["outputs"][0].size() == 3);
  CHECK(at::allclose(three.relevance("--target top3"), three.relevance(named), 1e-5, 1e-7));
  CHECK(at::equal(three.relevance("--target top1"), three.relevance("")));
  CHECK_THAT(three.run("--target top11").err,
             Contains("the largest 11 outputs are wanted, and the model has 10") && Contains("--target top10"));
  CHECK_THAT(three.run("--target top2 --target 3").err, Contains("--target top2 stands alone"));
  CHECK_THAT(three.run("--target top0").err, Contains("--target 'top0' is no index"));
}

TEST_CASE("what speaks for one output rather than for another is the difference of the two") {
  Three three;
  auto difference = three.relevance("--target 3 --against 8");
  CHECK(at::allclose(difference, three.relevance("--target 3") - three.relevance("--target 8"), 1e-4, 1e-5));
  CHECK(at::equal(difference, three.relevance("--target three --against eight --labels labels.txt")));
  CHECK_THAT(three.run("--target all --against 8").err, Contains("error[A0704]"));
  CHECK_THAT(three.run("--against 3").err, Contains("error[A0704]: output 3 is the largest of a sample"));
  three.file("turned.txt", "9\n8\n7\n6\n5\n4\n3\n2\n1\n0\n");
  CHECK_THAT(three.run("--target 3 --labels turned.txt").err,
             Contains("--target 3 is an index, and the name of output 6") && Contains("write `--target 6`"));
  CHECK_THAT(three.run("--against 10").err, Contains("target 10 is out of range: the model has 10 outputs"));
}

TEST_CASE("predictions and targets are told by their names") {
  Three three;
  CHECK_THAT(three.run("--labels labels.txt").out, Contains("\nprediction: 3 three (output 11.38)\n\n"));
  CHECK_THAT(three.run("--labels labels.txt --target eight").out,
             Contains("\nprediction: 3 three (output 11.38)\ntarget: 8 eight (starts with "));
  auto json = nlohmann::json::parse(three.run("--labels labels.txt --target 8 --against 3 --report json").out);
  CHECK(json["model"] == "digits/model.pt");
  CHECK(json["target"] == "8 against 3");
  CHECK(json["output"]["predictions"][0]["label"] == "three");
  CHECK(json["start"]["outputs"][0][0]["label"] == "three");
  CHECK(json["start"]["outputs"][0][0]["value"].get<double>() == Approx(-11.38).epsilon(1e-3));
  CHECK(json["start"]["outputs"][0][1]["label"] == "eight");
  CHECK(json["versions"]["ascribe"].is_string());
}

TEST_CASE("labels that are too few, too many or not clear are told") {
  Three three;
  three.file("few.txt", "zero\none\n");
  three.file("twice.txt", "zero\none\ntwo\nthree\nthree\nfive\nsix\nseven\neight\nnine\n");
  auto few = three.run("--labels few.txt --output x.npy");
  CHECK(few.code == 2);
  CHECK_THAT(few.err, StartsWith("error[A0705]: --labels few.txt has 2 names, and the model 10 outputs"));
  CHECK(!std::filesystem::exists(three.path / "x.npy"));
  CHECK_THAT(three.run("--labels twice.txt --target three").err, Contains("several outputs are called 'three'"));
  CHECK(three.run("--labels twice.txt --target 3").code == 0);
}

TEST_CASE("each sample has a target of its own from a file") {
  Three three;
  three.file("targets.txt", "three\n");
  three.file("two.txt", "3\n8\n");
  CHECK(at::equal(three.relevance("--target @targets.txt --labels labels.txt"), three.relevance("--target 3")));
  CHECK_THAT(three.run("--target @two.txt").err, Contains("there are 2 targets for 1 sample"));
  CHECK_THAT(three.run("--target @none.txt").err, Contains("cannot read targets 'none.txt'"));
  CHECK_THAT(three.run("--target @targets.txt").err, Contains("--target 'three' is no index"));
}

TEST_CASE("a position is a number, or several") {
  Three three;
  CHECK_THAT(three.run("--position 1,x").err, Contains("--position '1,x' is no position"));
  CHECK_THAT(three.run("--position 0").err, Contains("the model's output [1, 10] has no positions"));
}

}  // namespace
}  // namespace test
