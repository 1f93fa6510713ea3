// `ascribe run` over many inputs: batches, what is broken, runs that are cut and go on.
#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "grammar/filled_text.hpp"
#include "interpreter/files/npy.hpp"
#include "tests/catch.hpp"
#include "tests/command/ascribe_command.hpp"

namespace test {
namespace fs = std::filesystem;
namespace {

using files::read_npy;
using files::write_npy;
using nlohmann::json;

// Digits with a little noise, each in a file of `in/`.
struct ManyDigits : Folder {
  explicit ManyDigits(int count) {
    fs::create_directory(path / "in");
    std::vector<at::Tensor> digits;
    for (std::string name : {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"})
      digits.push_back(read_npy(fs::path(ASCRIBE_EXAMPLES) / "digits" / (name + ".npy")));
    auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
    for (int i = 0; i < count; ++i) {
      auto x = digits[static_cast<std::size_t>(i % 10)];
      write(filled("in/{}.npy", i), x + 0.05 * at::randn(x.sizes(), generator));
    }
  }
  // Quicker than write_npy, which waits for the disk.
  void write(const std::string& name, const at::Tensor& x) { file(name, encode_npy(x)); }
  Outcome run(const std::string& more) const { return run_shell(*this, command(more)); }
  static std::string command(const std::string& more) {
    return "ascribe run --model digits/model.pt --rules epsilon_plus --input in " + more;
  }
  // Every file's content, by name.
  std::map<std::string, std::string> contents(const std::string& folder) const {
    std::map<std::string, std::string> out;
    for (auto& entry : fs::recursive_directory_iterator(path / folder))
      if (entry.is_regular_file()) out[fs::relative(entry.path(), path / folder).string()] = bytes_of(entry.path());
    return out;
  }
  std::vector<json> summary(const std::string& file) const {
    std::vector<json> out;
    std::istringstream lines(bytes_of(path / file));
    for (std::string line; std::getline(lines, line);) out.push_back(json::parse(line));
    return out;
  }
};

TEST_CASE("each of many inputs has its relevance, picture and line, as if it were explained alone") {
  ManyDigits digits(12);
  auto outcome = digits.run("--output out/ --heatmap out/ --batch-size 5");
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  CHECK(outcome.out ==
        "12 of 12 inputs explained, in batches of 5\nsummary in out/summary.jsonl\npage of all in out/index.html\n");
  CHECK(digits.contents("out").size() == 12 * 2 + 2);
  auto lines = digits.summary("out/summary.jsonl");
  REQUIRE(lines.size() == 1 + 12 + 3);
  CHECK(lines[0]["run"]["batch size"] == 5);
  CHECK(lines[1]["file"] == "in/0.npy");
  CHECK(lines[6]["batch"] == 0);
  CHECK(lines[6]["layers"][0]["name"] == "features.0");
  auto& three = lines[4];
  CHECK(three["file"] == "in/3.npy");
  CHECK(three["predictions"][0]["index"] == 3);
  CHECK(three["predictions"].size() == 5);
  CHECK(three["start"].get<double>() == Approx(three["targets"][0]["value"].get<double>()));
  auto alone =
      run_shell(digits, "ascribe run --model digits/model.pt --rules epsilon_plus --input in/3.npy --output 3.npy");
  CHECK(at::allclose(read_npy(digits.path / "out/3.npy"), read_npy(digits.path / "3.npy"), 1e-5, 1e-7));
  CHECK(three["sum"].get<double>() == Approx(read_npy(digits.path / "3.npy").sum().item<double>()).epsilon(1e-4));
  CHECK_THAT(digits.contents("out")["index.html"], Contains("<img loading=\"lazy\" src=\"3.png\""));
}

TEST_CASE("what is broken among many inputs is told and counted, and not the end") {
  ManyDigits digits(6);
  digits.file("in/2a.npy", "broken");
  digits.write("in/4a.npy", at::zeros({1, 3, 8, 8}));
  auto outcome = digits.run("--output out/ --batch-size 4");
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.out, StartsWith("6 of 8 inputs explained, 2 failed"));
  CHECK_THAT(outcome.err, Contains("'in/2a.npy' is not a NumPy array file") && Contains("in/4a.npy"));
  auto lines = digits.summary("out/summary.jsonl");
  CHECK(lines[4]["error"]["code"] == "A0702");
  CHECK(!fs::exists(digits.path / "out/2a.npy"));
  CHECK(fs::exists(digits.path / "out/5.npy"));
  auto strict = digits.run("--output strict/ --batch-size 2 --strict");
  CHECK(strict.code == 3);
  CHECK(!fs::exists(digits.path / "strict/5.npy"));
  digits.write("in/2a.npy", at::ones({1, 1, 8, 8}));
  fs::remove(digits.path / "in/4a.npy");
  CHECK_THAT(digits.run("--output out/ --resume").err, Contains("is of another run: not the same inputs"));
}

TEST_CASE("mended inputs are tried again when a run goes on") {
  ManyDigits digits(6);
  digits.file("in/3.npy", "broken");
  CHECK(digits.run("--output out/ --batch-size 2").code == 1);
  digits.write("in/3.npy", at::ones({1, 1, 8, 8}));
  CHECK_THAT(digits.run("--output out/ --resume").out, StartsWith("6 of 6 inputs explained, in batches of 2\n"));
  CHECK(digits.run("--output whole/ --batch-size 2").code == 0);
  CHECK(digits.contents("out") == digits.contents("whole"));
}

TEST_CASE("ten thousand inputs that are cut at any moment and go on give the same bytes") {
  ManyDigits digits(10000);
  auto cut = [&](const char* seconds, const std::string& more) {
    return run_shell(digits, filled("timeout -s KILL {} {}", seconds, ManyDigits::command("--output out/ " + more)));
  };
  CHECK(digits.run("--output whole/").code == 0);
  CHECK(cut("0.6", "").code != 0);
  CHECK(cut("0.9", "--resume").code != 0);
  for (auto& [name, content] : digits.contents("out"))
    if (name.ends_with(".npy")) REQUIRE(content.size() == 384);  // each whole or not there
  fs::remove(digits.path / "out/0.npy");
  digits.file("out/1.npy", "another size");
  CHECK_THAT(digits.run("--output out/ --resume").out, StartsWith("10000 of 10000 inputs explained"));
  CHECK(digits.contents("out") == digits.contents("whole"));
}

TEST_CASE("a run goes on only with what was asked before, and two never write into one folder") {
  ManyDigits digits(40);
  CHECK(digits.run("--output out/").code == 0);
  auto refused = [&](const std::string& more) { return digits.run("--output out/ --resume " + more).err; };
  CHECK_THAT(refused("--target 3"), Contains("not the same options"));
  CHECK_THAT(refused("--batch-size 7"), Contains("not the same batch size"));
  CHECK_THAT(refused("--heatmap out/"), Contains("not the same options") || Contains("not the same results"));
  CHECK(refused("") == "");
  auto both = run_shell(digits, "(flock 9; " + ManyDigits::command("--output out/") + ") 9<>out/summary.jsonl");
  CHECK(both.code == 2);
  CHECK_THAT(both.err, StartsWith("error[A0705]: another run writes into 'out/summary.jsonl'"));
}

TEST_CASE("shards together explain each input once, with the bytes of one run") {
  ManyDigits digits(50);
  CHECK(digits.run("--output whole/ --batch-size 1").code == 0);
  for (auto shard : {"1/3", "2/3", "3/3"})
    CHECK(digits.run(filled("--output shards/ --batch-size 1 --shard {}", shard)).code == 0);
  auto whole = digits.contents("whole"), shards = digits.contents("shards");
  std::erase_if(whole, [](auto& each) { return !each.first.ends_with(".npy"); });
  CHECK(whole.size() == 50);
  for (auto& [name, content] : whole) CHECK(shards[name] == content);
  CHECK(shards.size() == 50 + 3);
  for (auto wrong : {"0/3", "4/3", "3", "a/b"})
    CHECK_THAT(digits.run(filled("--shard {}", wrong)).err, StartsWith("error[A0705]: --shard"));
}

TEST_CASE("inputs of several shapes share a run, and each has a target of its own from a file") {
  Folder folder;
  fs::create_directory(folder.path / "in");
  auto write = [&](const char* name, const at::Tensor& x) { write_npy(folder.path / "in" / name, x); };
  auto digit = read_npy(fs::path(ASCRIBE_EXAMPLES) / "digits/three.npy");
  write("a.npy", digit), write("b.npy", digit.to(at::kDouble)), write("c.npy", digit * 0.9);
  write("d.npy", at::cat({digit, digit}));
  folder.file("targets.txt", "3\n8\n5\n1\n");
  auto run = [&](const std::string& more) {
    return run_shell(folder, "ascribe run --model digits/model.pt --rules epsilon_plus --input in " + more);
  };
  auto outcome = run("--output out/ --target @targets.txt --batch-size 4");
  CHECK(outcome.err == "");
  CHECK(read_npy(folder.path / "out/b.npy").scalar_type() == at::kDouble);
  CHECK(read_npy(folder.path / "out/d.npy").sizes() == at::IntArrayRef({2, 1, 8, 8}));
  for (auto [name, target] : {std::pair("a", 3), std::pair("b", 8), std::pair("c", 5), std::pair("d", 1)}) {
    INFO(name);
    auto alone = run_shell(folder, filled("ascribe run --model digits/model.pt --rules epsilon_plus --input in/{}.npy "
                                          "--target {} --output alone.npy",
                                          name, target));
    CHECK(at::allclose(read_npy(folder.path / filled("out/{}.npy", name)), read_npy(folder.path / "alone.npy"), 1e-5,
                       1e-7));
  }
  folder.file("targets.txt", "3\n8\n");
  CHECK_THAT(run("--target @targets.txt").err, Contains("has 2 targets, and there are 4 inputs"));
}

TEST_CASE("without files, many inputs are told line by line") {
  ManyDigits digits(3);
  auto outcome = digits.run("");
  CHECK_THAT(outcome.out, StartsWith("in/0.npy  0 (output ") && Contains("\nin/2.npy  2 (output "));
  std::istringstream lines(digits.run("--report json").out);
  std::string line;
  std::getline(lines, line);
  CHECK(json::parse(line)["predictions"][0]["index"] == 0);
}

TEST_CASE("options of one input are refused for many, and files that would be overwritten") {
  ManyDigits digits(3);
  for (auto option : {"--at features.0=a.npy", "--tokens digits/README.md", "--profile"})
    CHECK_THAT(digits.run(option).err, Contains("is for one input"));
  CHECK_THAT(digits.run("--output one.npy").err,
             Contains("'in' stands for 3 inputs") && Contains("`--output maps/` for all of them"));
  CHECK_THAT(digits.run("--output 'out/*.txt'").err, Contains("makes no .npy files"));
  CHECK_THAT(digits.run("--heatmap page.html").err, Contains("'in' stands for 3 inputs"));
  digits.file("labels.txt", "one\ntwo\n");
  CHECK_THAT(digits.run("--labels labels.txt --output out/").err, Contains("has 2 names, and the model 10 outputs"));
}

TEST_CASE("where nothing can be explained, the reason is told once") {
  ManyDigits digits(40);
  auto outcome = run_shell(
      digits, "ascribe run --model digits/model.pt --rules epsilon_plus --input in --target 12 --output out/");
  CHECK(outcome.code == 2);
  CHECK(outcome.err == "error[A0704]: target 12 is out of range: the model has 10 outputs\n  = help: choose 0 to 9\n");
}

}  // namespace
}  // namespace test
