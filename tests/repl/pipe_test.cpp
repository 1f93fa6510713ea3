// The session as a part of a pipe: no prompt, results and messages apart, and the first mistake is the end.
#include "tests/catch.hpp"
#include "tests/command/ascribe_command.hpp"

using Catch::Contains;
using Catch::StartsWith;
using test::Folder;
using test::run_shell;

namespace {

test::Outcome run_input(const Folder& folder, const std::string& input, const std::string& options = "") {
  folder.file("input", input);
  return run_shell(folder, "ascribe repl " + options + " < input");
}

}  // namespace

TEST_CASE("what is piped in is run, without prompts") {
  Folder folder;
  auto outcome = run_input(folder,
                           "# a script\n"
                           "rule twice {\n  backward = 2 * R\n}\n\n"
                           "layer = relu; x = [[1, 2]]\n"
                           "relevance(twice, target = \"all\")\n"
                           "sum(y) == 3");
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "");
  CHECK(outcome.out ==
        "rule twice\n"
        "layer: model of 1 layer: relu\n"
        "x: float64 [1, 2], range 1 to 2, sum 3, NaN 0\n"
        "float64 [1, 2], range 2 to 4, sum 6, NaN 0\n[[2, 4]]\n"
        "true\n");
  CHECK(run_input(folder, "").code == 0);
  CHECK(run_input(folder, "1\n:quit\noops\n").out == "1\n");
}

TEST_CASE("the first mistake ends it, with its place among all lines and its exit code") {
  Folder folder;
  folder.file("broken.rule", "rule r { map = Q }\n");
  folder.file("long", std::string(3 << 20, 'x'));
  struct Case {
    const char *input, *options;
    int code;
    const char* message;
  };
  for (auto& [input, options, code, message] : std::initializer_list<Case>{
           {"1\n\n2 +\nz\n3\n", "", 1, "error[A0201]: unknown name `z`\n --> <stdin>:4:1\n"},
           {"rule r {\n  foo\n}\n", "", 1, "error[A0101]: "},
           {"rule r {\n", "", 1, "error[A0101]: "},
           {"x = load(\"nowhere.npy\")\n", "", 3, "error[A0001]: "},
           {":load nowhere.rule\n", "", 3, "error[A0001]: "},
           {"1\n", "nowhere.rule", 3, "error[A0001]: cannot read 'nowhere.rule': no such file\n"},
           {"1\n", "broken.rule", 1, "error[A0201]: unknown name `Q`\n --> broken.rule:1:16\n"},
           {"random(10000, 10000)\n", "", 4, "error[A0004]: "},
           {"random(1000, 1000)\n", "--memory 1MB", 4,
            "error[A0004]: the evaluation needs more than 1 MiB of memory\n"},
           {":nothing\n", "", 2, "error[A0705]: "},
           {"layer = relu; x = [[1]]\nexplain(pass, target = 3)\n", "", 2, "error[A0704]: "},
           {"1\n", "--time 0", 2, "error[A0705]: "},
           {"1\n", "--memory none", 2, "error[A0705]: "},
           {"1\n", "--memory -1", 2, "error[A0705]: "}}) {
    INFO(input << " " << options);
    auto outcome = run_input(folder, input, options);
    CHECK(outcome.code == code);
    CHECK_THAT(outcome.err, StartsWith(message));
    CHECK(outcome.err.find("error[", 1) == std::string::npos);
  }
  auto outcome = run_input(folder, "1\n2 + z\n3\n");
  CHECK(outcome.out == "1\n");
}

TEST_CASE("a model on the command line is loaded, or says how it is") {
  Folder folder;
  auto copy = [&](const char* name) {
    std::filesystem::copy_file(std::string(ASCRIBE_EXAMPLES "/digits/") + name, folder / name);
  };
  copy("model.pt"), copy("three.npy");
  folder.file("mine.rule", "rule mine = epsilon(0.5)\n");
  folder.file("script", "x = load(\"three.npy\")\nsum(relevance(mine), 1, 2, 3) == sum(relevance(mine), 1, 2, 3)\n");
  auto loaded = run_shell(folder, "ascribe repl mine.rule --model model.pt --script script");
  CHECK(loaded.err == "");
  CHECK_THAT(loaded.out, Contains("mine.rule: 1 rule\nmodel: model from model.pt: ") && Contains("\ntrue\n"));
  struct Case {
    const char *command, *message, *help;
    int code;
  };
  for (auto& [command, message, help, code] : std::initializer_list<Case>{
           {"model.pt", "'model.pt' holds a model, and no text", "`ascribe repl --model model.pt`", 2},
           {"--script model.pt", "'model.pt' holds a model, and no text", "`ascribe repl --model model.pt`", 2},
           {"three.npy", "'three.npy' holds a tensor, and no text", "`x = load(\"three.npy\")`", 2},
           {"--model three.npy", "'three.npy' holds a tensor, float32 [1, 1, 8, 8], not a model",
            "`x = load(\"three.npy\")`", 3},
           {"--model mine.rule", "'mine.rule' holds rules, not a model", "`ascribe repl mine.rule`", 3},
           {"--model nowhere.pt", "cannot read model 'nowhere.pt': no such file", ".pt2", 3}}) {
    INFO(command);
    auto outcome = run_shell(folder, std::string("ascribe repl ") + command + " < /dev/null");
    CHECK(outcome.code == code);
    CHECK_THAT(outcome.err, Contains(message) && Contains(help));
  }
  CHECK_THAT(run_input(folder, ":load model.pt\n").err, Contains("`model = load(\"model.pt\")`"));
}

TEST_CASE("binary junk gives one message") {
  Folder folder;
  std::string junk;
  for (int i = 0; i < 100'000; ++i) junk += static_cast<char>((i * 7919 + i / 251) % 256);
  for (auto& input : {junk, std::string("\0\0\0", 3), std::string(":\xff\xfe"), "x = 1\n" + junk,
                      std::string(2 << 20, '\0'), std::string(3 << 20, '[')}) {
    auto outcome = run_input(folder, input);
    CHECK((outcome.code == 1 || outcome.code == 2 || outcome.code == 3 || outcome.code == 4));
    CHECK_THAT(outcome.err, StartsWith("error[A0"));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') <= 8);
    CHECK(outcome.err.find("error[", 1) == std::string::npos);
    CHECK_THAT(outcome.err, !Contains("c10::") && !Contains("terminate"));
  }
}

TEST_CASE("a line that nobody writes is its mistake, whatever it says") {
  Folder folder;
  for (auto* begin : {"", "# ", ":load ", "x = \""}) {
    INFO(begin);
    auto outcome = run_input(folder, "1\n" + (begin + std::string(3 << 20, 'a')) + "\n2\n");
    CHECK(outcome.code == 4);
    CHECK(outcome.out == "1\n");
    CHECK_THAT(outcome.err, StartsWith("error[A0004]: ") && Contains("<stdin>:2:1"));
  }
}

TEST_CASE("an input that cannot be read is no empty one") {
  Folder folder;
  for (auto* command : {"ascribe repl < .", "ascribe repl <&-", "ascribe check - < ."}) {
    INFO(command);
    auto outcome = run_shell(folder, command);
    CHECK(outcome.code == 3);
    CHECK(outcome.err == "error[A0001]: cannot read standard input\n  = help: check where it comes from\n");
  }
}

TEST_CASE("an import has the message that `ascribe check` has") {
  Folder folder;
  std::filesystem::create_directories(folder / "folder");
  for (std::string import : {"import \"nowhere\" as a", "import \"/nowhere\" as a", "import \"\" as a",
                             "import \"folder\" as a", "import \"input.txt\" as a"}) {
    INFO(import);
    folder.file("input.txt", import + "\nrule r = a.r\n");
    auto check = run_shell(folder, "cp input.txt given.rule; ascribe check given.rule");
    auto session = run_shell(folder, "ascribe repl < input.txt");
    auto as_file = session.err;
    auto name = as_file.find("<stdin>");
    REQUIRE(name != std::string::npos);
    as_file.replace(name, 7, "given.rule");
    CHECK(as_file == check.err);
    CHECK(session.code == check.code);
  }
}

TEST_CASE("imports and files are found as the other commands find them") {
  Folder folder;
  for (auto* name : {"one/acme", "two/other"}) std::filesystem::create_directories(folder / name);
  folder.file("one/acme/pack.rule",
              "pack acme { version = \"1.0.0\"; language = 1 }\nrule twice { backward = 2 * R }\n");
  folder.file("two/other/pack.rule", "pack other { version = \"1.0.0\"; language = 1 }\nrule same { backward = R }\n");
  folder.file("mine.rule", "import \"acme\" as a\nimport \"other\" as o\nrule mine = a.twice\nrule also = o.same\n");
  folder.file(
      "input",
      "import \"other\" as o\nimport \"acme\" as a\n:load mine.rule\n:reload\nrule own = a.twice\n:save own.rule\n");
  auto outcome = run_shell(folder,
                           "export ASCRIBE_PATH=two\nascribe repl --path one mine.rule < input && "
                           "ascribe check --path one own.rule");
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  // An import that nothing uses would be a mistake in a file.
  CHECK_THAT(outcome.out, Contains("own.rule: 2 definitions\n") && Contains("own.rule: fine"));
  CHECK(run_shell(folder, "ascribe repl --path one mine.rule < /dev/null").code == 1);

  CHECK_THAT(run_shell(folder, "ascribe repl --locked mine.rule < /dev/null").err, Contains("no lock covers"));
  outcome = run_shell(folder,
                      "ascribe pack lock one/acme && echo 'rule more = twice' >> one/acme/pack.rule && "
                      "echo 1 | ascribe repl one/acme");
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, StartsWith("error[A0808]: "));
}

TEST_CASE("a megabyte of input is read to its end") {
  Folder folder;
  std::string input;
  while (input.size() < (1 << 20))
    input += "1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11 + 12 + 13 + 14 + 15 + 16 + 17\n";
  auto outcome = run_input(folder, input);
  CHECK(outcome.code == 0);
  CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == std::count(input.begin(), input.end(), '\n'));
}

TEST_CASE("pictures are plain where nobody looks, and a session's files are kept") {
  Folder folder;
  auto outcome = run_input(folder,
                           "model = load(\"digits/model.pt\")\nx = load(\"digits/three.npy\")\n"
                           "explain(model, epsilon_plus, target = 3)\nrule mine = zplus\n:save mine.rule\n");
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("rules: epsilon_plus(") && Contains("for: .:+*#") && !Contains("\033"));
  CHECK(test::bytes_of(folder / "mine.rule") == "rule mine = zplus\n");
}

TEST_CASE("a script runs up to its first mistake, which has its place") {
  Folder folder;
  folder.file("good",
              "layer = relu; x = [[1, 2]]\n\nrule twice {\n  backward = 2 * R\n}\nsum(relevance(twice)) == 4\n");
  auto good = run_shell(folder, "ascribe repl --script good && ascribe repl --script - < good");
  CHECK(good.code == 0);
  CHECK(good.err == "");
  CHECK_THAT(good.out, StartsWith("layer: model of 1 layer: relu\n") && Contains("true\nlayer: "));
  struct Case {
    const char *script, *message, *place;
  };
  for (auto& [script, message, place] :
       std::initializer_list<Case>{{"1\n\n2 + z\n:quit\n", "error[A0201]: unknown name `z`\n", " --> script:3:5\n"},
                                   {"1\nrule r {\n  map = R\n", "error[A0101]: ", " --> script:3:9\n"},
                                   {"1\nx = load(\"nowhere.npy\")\n", "error[A0001]: ", " --> script:2:5\n"},
                                   {"1\n:load nowhere.rule\n", "error[A0001]: ", " --> script:2:1\n"},
                                   {"1\n:nothing\n", "error[A0705]: ", " --> script:2:1\n"},
                                   {"1\nrandom(100000, 100000)\n", "error[A0004]: ", " --> script:2:1\n"},
                                   {"1\n:load broken.rule\n", "error[A0201]: ", "script:2:1"},
                                   {"1\n\x7f\x45LF\x02\x01\n", "error[A0003]: ", " --> script:2:1\n"}}) {
    INFO(script);
    folder.file("script", script);
    folder.file("broken.rule", "rule r { map = Q }\n");
    auto outcome = run_shell(folder, "ascribe repl --script script");
    CHECK(outcome.code == 1);
    CHECK(outcome.out == "1\n");
    CHECK_THAT(outcome.err, StartsWith(message) && Contains(place));
    CHECK(outcome.err.find("error[", 1) == std::string::npos);
  }
  CHECK(run_shell(folder, "echo '1 + zz' | ascribe repl --script -").code == 1);
  CHECK_THAT(run_shell(folder, "echo '1 + zz' | ascribe repl --script -").err, Contains(" --> <stdin>:1:5\n"));
  folder.file("ends", "1\n:quit\noops\n");
  CHECK(run_shell(folder, "ascribe repl --script ends").out == "1\n");
}

TEST_CASE("a script that cannot be read is told before anything runs") {
  Folder folder;
  std::string junk;
  for (int i = 0; i < 100'000; ++i) junk += static_cast<char>((i * 7919 + i / 251) % 256);
  folder.file("junk", junk);
  folder.file("large", std::string(3 << 20, '1'));
  folder.file("nothing", "");
  CHECK(run_shell(folder, "ascribe repl --script nowhere").code == 3);
  CHECK(run_shell(folder, "ascribe repl --script .").code == 3);
  CHECK(run_shell(folder, "ascribe repl --script").code == 2);
  CHECK(run_shell(folder, "ascribe repl --script nothing").code == 0);
  for (auto* file : {"junk", "large"}) {
    auto outcome = run_shell(folder, std::string("ascribe repl --script ") + file);
    CHECK((outcome.code == 1 || outcome.code == 4));
    CHECK(outcome.out == "");
    CHECK_THAT(outcome.err, StartsWith("error[A0"));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') <= 8);
  }
}
