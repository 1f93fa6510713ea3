// `ascribe run` over many inputs: batches, what is broken, runs that are cut and go on.
#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "grammar/filled_text.hpp"
#include "interpreter/files/npy.hpp"
#include "interpreter/files/tensor_file.hpp"
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

TEST_CASE("one archive has the relevance of all inputs by their names, also of a run that was cut") {
  ManyDigits digits(3000);
  CHECK(digits.run("--output out/").code == 0);
  auto outcome = digits.run("--output all.npz");
  CHECK(outcome.out ==
        "3000 of 3000 inputs explained, in batches of 32\nsummary in all.npz.summary.jsonl\n"
        "relevance of all in all.npz\n");
  CHECK(!fs::exists(digits / "all.npz.parts"));
  for (auto name : {"0", "7", "2999"}) {
    auto alone = read_npy(digits / filled("out/{}.npy", name));
    CHECK(at::equal(files::read_tensor(digits / filled("all.npz:{}", name)), alone));
  }
  auto lines = digits.summary("all.npz.summary.jsonl");
  CHECK(lines[1]["results"] ==
        json::parse(R"([{"what": "relevance", "path": "all.npz", "array": "0", "bytes": 384}])"));
  CHECK(lines.back()["whole"]["path"] == "all.npz");

  auto command = ManyDigits::command("--output cut.npz --resume");
  CHECK(run_shell(digits, "timeout -s KILL 0.3 " + command).code != 0);
  CHECK(!fs::exists(digits / "cut.npz"));
  CHECK(digits.run("--output cut.npz --resume").code == 0);
  auto whole = bytes_of(digits / "all.npz");
  CHECK(bytes_of(digits / "cut.npz") == whole);
  CHECK(digits.run("--output cut.npz --resume").code == 0);  // nothing is left to do
  CHECK(bytes_of(digits / "cut.npz") == whole);
  digits.file("cut.npz", "not what it was");
  CHECK(digits.run("--output cut.npz --resume").code == 0);
  CHECK(bytes_of(digits / "cut.npz") == whole);
  CHECK_THAT(digits.run("--output in/all.npz").err, Contains("would be inputs of the next run"));
  CHECK(digits.run("--output all.npz --batch-size 32 --shard 2/3").code == 0);
  CHECK(fs::exists(digits / "all.2-of-3.npz"));
}

TEST_CASE("one file of all is made anew where a mended input has changed, and rows stay in place where one failed") {
  ManyDigits digits(9);
  digits.file("in/4.npy", "broken");
  auto outcome = digits.run("--output all.npy --batch-size 2");
  CHECK(outcome.code == 1);
  auto rows = read_npy(digits / "all.npy");
  CHECK(rows.sizes() == at::IntArrayRef({9, 1, 8, 8}));
  for (int i = 0; i < 9; ++i) CHECK(rows[i].isnan().all().item<bool>() == (i == 4));
  CHECK(digits.summary("all.npy.summary.jsonl")[1]["results"][0]["row"] == 0);
  CHECK(digits.run("--output all.npz --batch-size 2").code == 1);
  fs::remove(digits / "in/4.npy");
  digits.write("in/4.npy", read_npy(digits / "in/5.npy"));
  for (auto file : {"all.npy", "all.npz"})
    CHECK(digits.run(filled("--output {} --batch-size 2 --resume", file)).code == 0);
  auto mended = read_npy(digits / "all.npy");
  CHECK(at::equal(mended[3], rows[3]));
  CHECK(at::allclose(mended[4], rows[5]));
  CHECK(at::equal(files::read_tensor(digits / "all.npz:4")[0], mended[4]));
  CHECK(!fs::exists(digits / "all.npy.parts"));

  digits.write("in/9.npy", at::ones({1, 1, 9, 9}));
  outcome = digits.run("--output all.npy --batch-size 2");
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, Contains("does not fit to rows of shape [1, 8, 8]") && Contains("help: write an archive"));
  CHECK(digits.run("--output all.npz --batch-size 2").code == 0);
  CHECK(files::read_tensor(digits / "all.npz:9").sizes() == at::IntArrayRef({1, 1, 9, 9}));
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

TEST_CASE("where no more can be written, the way on is told, and the same command goes on") {
  ManyDigits digits(40);
  auto limited =
      run_shell(digits, "trap '' XFSZ; ulimit -f 12; " + ManyDigits::command("--output out/ --batch-size 1"));
  CHECK(limited.code == 3);
  CHECK_THAT(limited.err, Contains("cannot write 'out/summary.jsonl'") && Contains("goes on with `--resume`"));
  CHECK_THAT(digits.run("--output out/ --batch-size 1 --resume").out, StartsWith("40 of 40 inputs explained"));
  CHECK(digits.run("--output whole/ --batch-size 1").code == 0);
  CHECK(digits.contents("out") == digits.contents("whole"));
  CHECK_THAT(digits.run("--resume").err, Contains("there is nothing to go on with"));
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
  CHECK_THAT(digits.run("--output one.txt").err, Contains("'one.txt'") && Contains("= help: write `--output"));
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

// A saved model from the body of `forward`.
void save_model(const fs::path& path, const std::string& body) {
  torch::jit::Module model("model");
  model.define("def forward(self, x):\n  return " + body + "\n");
  model.save(path.string());
}

TEST_CASE("no input is written over, and no result becomes an input") {
  ManyDigits digits(4);
  auto before = digits.contents("in");
  for (auto option : {"--output in/", "--output 'in/*.npy'", "--recursive --output in/maps/"}) {
    auto outcome = digits.run(option);
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, StartsWith("error[A0705]: results in 'in") || Contains("would be overwritten"));
  }
  digits.file("list.txt", "in/0.npy\nin/1.npy\n");
  CHECK_THAT(
      run_shell(digits, "ascribe run --model digits/model.pt --rules epsilon_plus --input @list.txt --output in/").err,
      Contains("'in/0.npy' is an input, and would be overwritten"));
  CHECK_THAT(
      run_shell(digits, "ascribe run --model digits/model.pt --rules epsilon_plus --input in/0.npy --output in/0.npy")
          .err,
      StartsWith("error[A0705]: 'in/0.npy' is read, and would be overwritten"));
  CHECK(digits.contents("in") == before);
}

TEST_CASE("a command that fails leaves the summary of an earlier run") {
  ManyDigits digits(4);
  CHECK(digits.run("--output out/").code == 0);
  auto before = digits.contents("out");
  digits.file("labels.txt", "one\n");
  for (auto wrong : {"--target 12", "--labels labels.txt", "--mean 1 --grey --colour"}) {
    CHECK(digits.run(filled("--output out/ {}", wrong)).code != 0);
    CHECK(digits.contents("out") == before);
  }
  for (auto damaged : {"{\"run\":5}\n", "{\"run\":{\"threads\":-1}}\n", "no summary\n"}) {
    digits.file("out/summary.jsonl", damaged);
    CHECK_THAT(digits.run("--output out/ --resume").err, StartsWith("error[A0705]: 'out/summary.jsonl' is no summary"));
  }
  fs::remove(digits.path / "out/summary.jsonl");
  CHECK(run_shell(digits, "mkfifo out/summary.jsonl; timeout 20 " + ManyDigits::command("--output out/")).code == 3);
}

TEST_CASE("an input that has changed is explained again when a run goes on") {
  ManyDigits digits(6);
  CHECK(digits.run("--output out/ --batch-size 2").code == 0);
  digits.write("in/3.npy", read_npy(digits.path / "in/0.npy"));
  CHECK(digits.run("--output out/ --resume").code == 0);
  CHECK(digits.summary("out/summary.jsonl")[5]["predictions"][0]["index"] == 0);
  CHECK_THAT(digits.run("--output 'out/other_*.npy' --resume").err, Contains("not the same results"));
}

TEST_CASE("relevance that is not finite is told of many inputs, and of a run that goes on") {
  ManyDigits digits(3);
  save_model(digits.path / "nan.pt", "torch.linear(x.flatten(1), torch.ones([2, 64])) / 0.0");
  auto command = [&](const std::string& more) {
    return run_shell(digits, "ascribe run --model nan.pt --rules epsilon_plus --input in " + more);
  };
  auto outcome = command("--output out/ --heatmap out/");
  CHECK_THAT(outcome.err, Contains("warning[A0503]: the relevance of in/0.npy is not finite"));
  CHECK_THAT(outcome.out, StartsWith("3 of 3 inputs explained, 3 not finite"));
  CHECK(command("--output out/ --heatmap out/ --resume").code == 0);
  CHECK_THAT(bytes_of(digits.path / "out/index.html"), Contains("not finite"));
  CHECK_THAT(command("").out, Contains("nan arrived"));
}

TEST_CASE("inputs of models that mix samples, or count them elsewhere, are explained one by one") {
  ManyDigits digits(5);
  auto alone = [&](const std::string& model) {
    run_shell(digits,
              "ascribe run --model " + model + " --rules epsilon_plus --input in/3.npy --target 0 --output alone.npy");
    return read_npy(digits.path / "alone.npy");
  };
  auto check = [&](const std::string& model, const std::string& more) {
    INFO(model << more);
    auto outcome = run_shell(
        digits, "ascribe run --model " + model + " --rules epsilon_plus --input in --target 0 --output out/ " + more);
    CHECK(outcome.err == "");
    CHECK(at::allclose(read_npy(digits.path / "out/3.npy"), alone(model), 1e-4, 1e-6));
  };
  save_model(digits.path / "mixes.pt", "torch.linear(x.flatten(1) - x.flatten(1).mean(0, True), torch.ones([3, 64]))");
  check("mixes.pt", "");
  save_model(digits.path / "steps.pt",
             "torch.linear(x.flatten(1).unsqueeze(0).expand(5, -1, -1), torch.ones([3, 64]))");
  check("steps.pt", "");
  check("steps.pt", "--batch-size 5");  // as many as there are steps
}

TEST_CASE("what cannot be drawn is one input's failure") {
  ManyDigits digits(3);
  digits.write("in/1a.npy", at::zeros({300, 1, 8, 8}));
  auto outcome = digits.run("--output out/ --heatmap out/ --size 4096");
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.out, StartsWith("3 of 4 inputs explained, 1 failed"));
  CHECK(!fs::exists(digits.path / "out/1a.npy"));
}

}  // namespace
}  // namespace test
