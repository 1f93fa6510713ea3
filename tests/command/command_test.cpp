// The command as a user meets it: what it prints, what it leaves behind, and its exit code.
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include <ATen/ATen.h>

#include "interpreter/files/npy.hpp"
#include "interpreter/files/png.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace {

using Catch::Contains;
using Catch::StartsWith;
using test::bytes_of;

const std::string digits = ASCRIBE_EXAMPLES "/digits/";

// Paths as text, for command lines and messages.
struct Folder : test::Folder {
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

struct Outcome {
  int code;
  std::string out, err;
};

Outcome run_ascribe(const std::string& arguments) {
  Folder folder;
  auto status = std::system(
      ("'" ASCRIBE_COMMAND "' " + arguments + " >'" + folder / "out" + "' 2>'" + folder / "err" + "'").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), bytes_of(folder / "out"),
          bytes_of(folder / "err")};
}

// `ascribe run` on a digit; `changes` replace or follow the usual arguments.
std::string run_three(const std::string& output, const std::string& model = digits + "model.pt",
                      const std::string& input = digits + "three.npy", const std::string& rules = "epsilon_plus") {
  return "run --model '" + model + "' --input '" + input + "' --rules '" + rules + "' --output '" + output + "' ";
}

// One error, no backtrace, nothing left behind.
void check_refused(const std::string& arguments, int code, const std::string& first_line, const Folder& folder,
                   std::size_t files_before = 0) {
  INFO(arguments);
  auto outcome = run_ascribe(arguments);
  CHECK(outcome.code == code);
  CHECK(outcome.out == "");
  CHECK_THAT(outcome.err, StartsWith(first_line));
  CHECK_THAT(outcome.err,
             !Contains("c10::") && !Contains("frame #") && !Contains("terminate") && !Contains("Exception raised"));
  CHECK(folder.files() == files_before);
}

}  // namespace

TEST_CASE("run explains a digit: relevance in the input's shape, a heatmap, a table") {
  Folder folder;
  auto outcome =
      run_ascribe(run_three(folder / "r.npy") + "--target 3 --start one --heatmap '" + folder / "h.png" + "'");
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "");
  CHECK_THAT(outcome.out, Contains("prediction: 3") && Contains("features.0") && Contains("zplus(epsilon = 1e-06)") &&
                              Contains("classifier"));
  auto relevance = ascribe::files::read_npy(folder / "r.npy");
  CHECK(relevance.sizes() == at::IntArrayRef({1, 1, 8, 8}));
  CHECK(relevance.scalar_type() == at::kFloat);
  CHECK(relevance.isfinite().all().item<bool>());
  CHECK(relevance.abs().sum().item<double>() > 0.1);
  auto picture = ascribe::files::read_png(folder / "h.png");
  CHECK(picture.size(1) == 3);
  CHECK(picture.size(3) > 256);
  CHECK(folder.files() == 2);
}

TEST_CASE("run's report is JSON where asked for") {
  Folder folder;
  auto outcome = run_ascribe(run_three(folder / "r.npy") + "--report json");
  REQUIRE(outcome.code == 0);
  auto report = nlohmann::json::parse(outcome.out);
  CHECK(report["output"]["predictions"][0]["index"] == 3);
  CHECK(report["layers"].size() == 9);
  CHECK(report["layers"][0]["name"] == "features.0");
  CHECK_THAT(report["layers"][0]["entry"].get<std::string>(), StartsWith("std/composites.rule:"));
  CHECK(report["relevance"]["sum"].get<double>() == Approx(report["layers"][0]["below"].get<double>()));
}

TEST_CASE("run starts from the output's value, from one, or from a file") {
  Folder folder;
  auto one = (run_ascribe(run_three(folder / "one.npy") + "--target 3 --start one"),
              ascribe::files::read_npy(folder / "one.npy"));
  auto output =
      (run_ascribe(run_three(folder / "output.npy") + "--target 3"), ascribe::files::read_npy(folder / "output.npy"));
  auto start = at::zeros({1, 10});
  start[0][3] = 1;
  ascribe::files::write_npy(folder / "start.npy", start);
  auto file = (run_ascribe(run_three(folder / "file.npy") + "--start '" + folder / "start.npy" + "'"),
               ascribe::files::read_npy(folder / "file.npy"));
  CHECK(at::equal(one, file));
  auto factor = output.sum().item<double>() / one.sum().item<double>();
  CHECK(factor == Approx(11.38).epsilon(1e-3));
  CHECK(at::allclose(output, one * factor, 1e-4, 1e-5));
}

TEST_CASE("run takes rules from files, and pictures with mean and deviation") {
  Folder folder;
  folder.file("mine.rule", "rule mine(k = 2) { map = R * k }\ncomposite all(k = 1) { any => mine(k) }");
  auto outcome = run_ascribe(run_three(folder / "r.npy", digits + "model.pt", digits + "three.npy", "all(k = 3)") +
                             "--load '" + folder / "mine.rule" + "'");
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("rules: all(k = 3)") && Contains("mine(k = 3)"));
  auto three = ascribe::files::read_npy(digits + "three.npy");
  auto pixels = (three[0][0] * 255).round().to(at::kByte).unsqueeze(-1).expand({8, 8, 3}).contiguous();
  ascribe::files::write_png(folder / "three.png", pixels);
  check_refused(run_three(folder / "x.npy", digits + "model.pt", folder / "three.png"), 3, "error[A0703]: input '",
                folder, 3);
  check_refused(run_three(folder / "x.npy") + "--mean 0.5", 2, "error[A0705]: --mean and --std are for pictures",
                folder, 3);
  check_refused(run_three(folder / "x.npy", digits + "model.pt", folder / "three.png") + "--mean 0.5,0.5", 2,
                "error[A0705]: --mean has 2 values, the picture 3 channels", folder, 3);
}

TEST_CASE("a model that is none is refused") {
  Folder folder;
  auto out = folder / "r.npy";
  check_refused(run_three(out, folder / "none.pt"), 3,
                "error[A0001]: cannot read model '" + folder / "none.pt" + "': no such file", folder);
  check_refused(run_three(out, "/"), 3, "error[A0001]: cannot read model '/': it is no file", folder);
  folder.file("m.pt", "");
  check_refused(run_three(out, folder / "m.pt"), 3, "error[A0701]: '" + folder / "m.pt" + "' is empty", folder, 1);
  auto whole = bytes_of(digits + "model.pt");
  for (auto size : {100ul, 5000ul, whole.size() / 2, whole.size() - 1}) {
    folder.file("m.pt", whole.substr(0, size));
    check_refused(run_three(out, folder / "m.pt"), 3,
                  "error[A0701]: '" + folder / "m.pt" + "' is no model, or is cut short", folder, 1);
  }
  folder.file("m.pt", "these are words");
  check_refused(run_three(out, folder / "m.pt"), 3,
                "error[A0701]: '" + folder / "m.pt" + "' is no model, or is cut short", folder, 1);
}

TEST_CASE("an input that does not fit is refused") {
  Folder folder;
  auto out = folder / "r.npy";
  auto with = [&](const std::string& input) { return run_three(out, digits + "model.pt", input); };
  check_refused(with(folder / "none.npy"), 3, "error[A0001]", folder);
  check_refused(with(digits + "model.pt"), 3, "error[A0702]", folder);
  auto x = folder / "x.npy";
  folder.file("x.npy", "");
  check_refused(with(x), 3, "error[A0702]", folder, 1);
  auto three = ascribe::files::read_npy(digits + "three.npy");
  folder.file("x.npy", bytes_of(digits + "three.npy").substr(0, 200));
  check_refused(with(x), 3, "error[A0702]", folder, 1);
  ascribe::files::write_npy(x, three[0]);
  check_refused(with(x), 3, "error[A0604]: layer 'features.0' (conv2d): its input has 3 dimensions, without a batch",
                folder, 1);
  ascribe::files::write_npy(x, at::ones({1, 1, 7, 7}));
  check_refused(with(x), 3, "error[A0609]: layer 'classifier' (linear) cannot run: ", folder, 1);
  ascribe::files::write_npy(x, at::ones({}));
  check_refused(with(x), 3, "error[A0703]", folder, 1);
  three[0][0][2][5] = NAN;
  ascribe::files::write_npy(x, three);
  check_refused(with(x), 3, "error[A0703]: input '" + x + "' holds a value that is not finite, first at [0, 0, 2, 5]",
                folder, 1);
}

TEST_CASE("a file that is given to --rules is told how it is loaded") {
  Folder folder;
  folder.file("mine.rule", "rule a { map = R }\ncomposite mine { any => a }\nrule z { map = R }");
  auto said = run_three(folder / "r.npy", digits + "model.pt", digits + "three.npy", folder / "mine.rule");
  check_refused(said, 2, "error[A0705]: --rules takes the name of a composite or a rule, and", folder, 1);
  CHECK_THAT(run_ascribe(said).err, Contains("help: write `--load '" + folder / "mine.rule" + "' --rules mine`"));
}

TEST_CASE("rules that do not exist or take no such argument are refused") {
  Folder folder;
  auto with = [&](const std::string& rules, const std::string& more = "") {
    return run_three(folder / "r.npy", digits + "model.pt", digits + "three.npy", rules) + more;
  };
  check_refused(with("epsilon_plsu"), 1, "error[A0202]: unknown rule or composite `epsilon_plsu`\n --> --rules:1:1",
                folder);
  check_refused(with("epsilon_plus(epsilom = 1)"), 1, "error[A0302]: `epsilon_plus` has no parameter `epsilom`",
                folder);
  check_refused(with("epsilon_plus("), 1, "error[A0101]", folder);
  check_refused(with(""), 1, "error[A0101]", folder);
  check_refused(with("gamma(\"a\")"), 1, "error[A0208]", folder);
  check_refused(with("mine", "--load '" + folder / "none.rule" + "'"), 3,
                "error[A0001]: cannot read '" + folder / "none.rule" + "': no such file", folder);
  folder.file("bad.rule", "rule mine { map = R * yy }");
  check_refused(with("mine", "--load '" + folder / "bad.rule" + "'"), 1, "error[A0201]: unknown name `yy`", folder, 1);
  folder.file("bad.rule", "rule flat_only { backward = R }");
  check_refused(with("flat_only", "--load '" + folder / "bad.rule" + "'"), 1,
                "error[A0601]: layer 'features.0' (conv2d), rule `flat_only`: `backward` mixes input and output",
                folder, 1);
}

TEST_CASE("a target or a start that the model lacks is refused") {
  Folder folder;
  auto with = [&](const std::string& more) { return run_three(folder / "r.npy") + more; };
  check_refused(with("--target 10"), 2,
                "error[A0704]: target 10 is out of range: the model has 10 outputs\n  = help: choose 0 to 9", folder);
  check_refused(with("--target -1"), 2, "error[A0704]: target -1 is out of range", folder);
  check_refused(with("--target three"), 2, "error[A0705]", folder);
  check_refused(with("--start two"), 2, "error[A0705]: --start is `output`, `one` or a .npy file, not 'two'", folder);
  check_refused(with("--start '" + folder / "none.npy" + "'"), 3, "error[A0001]", folder);
  check_refused(with("--start '" + digits + "three.npy'"), 2,
                "error[A0704]: the start has the shape [1, 1, 8, 8], the model's output [1, 10]", folder);
  check_refused(with("--target 3 --start '" + digits + "three.npy'"), 2, "error[A0705]", folder);
}

TEST_CASE("an output that cannot be written is refused before any work") {
  Folder folder;
  check_refused(run_three(folder / "none/r.npy"), 3, "error[A0002]", folder);
  check_refused(run_three(folder / "r.txt"), 2, "error[A0705]: --output is a .npy file", folder);
  check_refused(run_three(folder / "r.npy") + "--heatmap '" + folder / "none/h.png" + "'", 3, "error[A0002]", folder);
  check_refused(run_three(folder / "r.npy") + "--heatmap '" + folder / "h.jpg" + "'", 2,
                "error[A0705]: --heatmap is a .png, .svg or .html file", folder);
  check_refused(run_three(folder / "r.npy") + "--device abacus", 2, "error[A0705]: cannot use device 'abacus'", folder);
  check_refused(run_three(folder / "r.npy") + "--threads 0", 2, "error[A0705]", folder);
}

TEST_CASE("check finds the mistakes of files and says how many") {
  Folder folder;
  folder.file("good.rule", "rule good { map = R }");
  folder.file("bad.rule", "rule bad { map = RR }\nrule worse { foo }");
  auto outcome = run_ascribe("check '" + folder / "good.rule" + "' '" + folder / "bad.rule" + "'");
  CHECK(outcome.code == 1);
  CHECK(outcome.out == folder / "good.rule" + ": fine\n" + folder / "bad.rule" + ": 2 errors, 0 warnings\n");
  CHECK_THAT(outcome.err,
             Contains("error[A0201]: unknown name `RR`\n --> " + folder / "bad.rule" +
                      ":1:18\n1 | rule bad { map = RR }\n  |                  ^^\n  = help: did you mean `R`?\n"));
  CHECK(run_ascribe("check '" + folder / "good.rule" + "'").code == 0);
  CHECK(run_ascribe("check '" + folder / "none.rule" + "'").code == 3);
  folder.file("binary.rule", std::string("\x7F"
                                         "ELF\0\1",
                                         6));
  CHECK(run_ascribe("check '" + folder / "binary.rule" + "'").code == 3);
  folder.file("large.rule", std::string(2 << 20, ' '));
  CHECK(run_ascribe("check '" + folder / "large.rule" + "'").code == 4);
}

TEST_CASE("a misspelt command or option is told what may be meant") {
  CHECK(run_ascribe("chek a.rule").err ==
        "error[A0705]: there is no command 'chek'\n  = help: did you mean `check`?\n");
  CHECK(run_ascribe("zzz").err ==
        "error[A0705]: there is no command 'zzz'\n  = help: `ascribe --help` shows the commands\n");
  CHECK_THAT(run_ascribe("run --model a --input b --rules c --outptu d").err,
             StartsWith("error[A0705]: `ascribe run` has no option --outptu\n  = help: did you mean `--output`?\n"));
  CHECK_THAT(run_ascribe("run --model a --input b --rules c --zzz d").err,
             StartsWith("error[A0705]: `ascribe run` has no option --zzz\n  = help: `ascribe run --help`"));
}

TEST_CASE("usage mistakes exit with 2 and say where help is") {
  CHECK(run_ascribe("").code == 2);
  CHECK_THAT(run_ascribe("").err, StartsWith("error[A0705]: ") && Contains("ascribe --help"));
  CHECK(run_ascribe("explode").code == 2);
  CHECK(run_ascribe("run --model a").code == 2);
  CHECK_THAT(run_ascribe("run --model a").err, Contains("ascribe run --help"));
  CHECK(run_ascribe("run --no-such-option").code == 2);
  CHECK(run_ascribe("--help").code == 0);
  CHECK_THAT(run_ascribe("run --help").out, Contains("--heatmap"));
}
