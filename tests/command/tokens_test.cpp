// Relevance of each token, and relevance that starts at a position of a sequence.
#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>

#include <nlohmann/json.hpp>

#include "interpreter/command/tokens.hpp"
#include "interpreter/files/npy.hpp"
#include "tests/catch.hpp"
#include "tests/command/ascribe_command.hpp"

namespace test {
using namespace ascribe;
namespace {

using namespace command;
using Catch::Contains;
using Catch::StartsWith;

const std::string vocabulary = "[CLS]\nthe\nfilm\nwas\n<b>bad</b>\n\x1b[31m\nüber\n";

// A model of token ids, [2, 3] to [2, 3, 4]; its embedding has seven rows.
struct Words : Folder {
  Words() {
    at::manual_seed(1);
    torch::jit::Module model("model");
    model.register_parameter("words", at::randn({7, 4}), false);
    model.register_parameter("weight", at::randn({4, 4}), false);
    model.define("def forward(self, x):\n  return torch.linear(torch.embedding(self.words, x), self.weight)\n");
    model.save(path_of("model.pt"));
    files::write_npy(path_of("x.npy"), at::tensor({0, 1, 2, 4, 5, 6}, at::kLong).reshape({2, 3}));
    file("vocabulary.txt", vocabulary);
  }
  std::string path_of(const char* name) const { return (path / name).string(); }
  Outcome run(const std::string& options) const {
    return run_shell(*this,
                     "ascribe run --model model.pt --input x.npy --rules epsilon_plus --output r.npy " + options);
  }
};

}  // namespace

TEST_CASE("a vocabulary names the tokens that ids count, and each has its relevance") {
  Words folder;
  auto said = folder.run("--target all --tokens vocabulary.txt");
  CHECK(said.code == 0);
  CHECK_THAT(said.out, Contains("sample 0\n") && Contains("  [CLS]\n") && Contains("  film\n") && Contains("  über\n"));
  CHECK_THAT(said.out, Contains("  ·[31m\n") && !Contains("\x1b"));  // it does nothing to a terminal
  auto json = nlohmann::json::parse(folder.run("--target all --tokens vocabulary.txt --report json").out);
  auto relevance = files::read_npy(folder / "r.npy");
  REQUIRE(json["tokens"].size() == 2);
  CHECK(json["tokens"][1][2]["token"] == "über");
  CHECK(json["tokens"][1][2]["relevance"].get<double>() == Approx(relevance[1][2].item<double>()));
}

TEST_CASE("a file with a line for each token names them by their places") {
  Words folder;
  folder.file("tokens.txt", "a\nb\nc\nd\ne\nf\n");
  CHECK_THAT(folder.run("--target all --tokens tokens.txt").out, Contains("  a\n") && Contains("  f\n"));
  folder.file("tokens.txt", "a\nb\n");
  auto refused = folder.run("--target all --tokens tokens.txt");
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err,
             Contains("'tokens.txt' has 2 lines: neither one for each of the 6 tokens of the input [2, 3], nor a "
                      "vocabulary in which the token 6 would be"));
  CHECK(folder.run("--target all --tokens missing.txt").code == 3);
}

TEST_CASE("a page shows the tokens in their colours, and runs nothing that is in them") {
  Words folder;
  CHECK(folder.run("--target all --tokens vocabulary.txt --heatmap page.html").code == 0);
  auto page = bytes_of(folder / "page.html");
  CHECK_THAT(page, StartsWith("<!DOCTYPE html>") && Contains("&lt;b&gt;bad&lt;/b&gt;") && !Contains("<b>bad") &&
                       Contains("default-src 'none'") && Contains("style=\"background: #"));
  CHECK(folder.run("--target all --tokens vocabulary.txt --heatmap page.html --colour-map RdBu").code == 0);
  CHECK_THAT(bytes_of(folder / "page.html"), Contains("Colours are those of RdBu"));
  CHECK(folder.run("--target all --tokens vocabulary.txt --heatmap strip.png").code == 0);
}

TEST_CASE("embeddings as the input have the sum over each token") {
  auto input = at::randn({1, 2, 3}), relevance = at::ones({1, 2, 3});
  auto found = tokens_of("tokens.txt", {"a", "b"}, input, relevance);
  CHECK(at::equal(found.relevance, at::full({1, 2}, 3, at::kDouble)));
  auto coloured = tokens_as_text(found, {.depth = Screen::Depth::full, .columns = 40, .lines = 20});
  CHECK_THAT(coloured, Contains("\033[48;2;255;0;0m") && Contains(" a \033[0m"));
}

TEST_CASE("relevance starts at one position of a sequence") {
  Words folder;
  CHECK(folder.run("--target 3 --position -1").code == 0);
  auto last = files::read_npy(folder / "r.npy");
  CHECK(last.slice(1, 0, 2).count_nonzero().item<std::int64_t>() == 0);  // the model looks at each token by itself
  CHECK(last.select(1, 2).count_nonzero().item<std::int64_t>() == 2);
  CHECK(folder.run("--target 3 --position 2").code == 0);
  CHECK(at::equal(files::read_npy(folder / "r.npy"), last));
  CHECK_THAT(folder.run("--position 2 --start one").out, Contains("prediction of sample 1"));
  auto refused = folder.run("--target 3 --position 3");
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, Contains("position 3 is out of range") && Contains("choose 0 to 2, or -1 for the last"));
  CHECK(folder.run("--target 4 --position 0").code == 2);
}

}  // namespace test
