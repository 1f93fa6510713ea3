// The session at a terminal: prompts, keys, signals, colours; and that the terminal's end loses nothing.
#include "tests/repl/terminal.hpp"

#include "tests/catch.hpp"

using Catch::Contains;
using test::bytes_of;
using test::Folder;
using test::Terminal;

namespace {

constexpr auto control_c = "\x03", control_d = "\x04", tab = "\t", up = "\033[A";
const std::string model =
    "model = load(\"" ASCRIBE_EXAMPLES "/digits/model.pt\"); x = load(\"" ASCRIBE_EXAMPLES "/digits/three.npy\")";
// Work for a minute, in one line.
std::string long_work() {
  std::string out = "net = [linear(1000, 1000, seed = 1), linear(1000, 1000, seed = 2)]; x = random(8000, 1000)";
  for (int i = 0; i < 30; ++i) out += "; s = sum(relevance(gamma(2)))";
  return out;
}

// Waits until a line has been read: then what follows is evaluated.
void wait_for_history(const Folder& folder, const std::string& line) {
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (bytes_of(folder / "state/ascribe/history").find(line) == std::string::npos) {
    if (std::chrono::steady_clock::now() > until) FAIL("the line was not read: " << line);
    ::usleep(1'000);
  }
}

}  // namespace

TEST_CASE("at a terminal there are prompts, and mistakes end nothing") {
  Folder folder;
  Terminal terminal(folder);
  terminal.enter("1 + 2", "\n3\r\n");
  terminal.enter("z", "error[A0201]");
  terminal.enter("2 + 2", "\n4\r\n");
  terminal.type("rule mine {\n");
  terminal.wait_for(". ");
  terminal.type("  backward = R\n");
  terminal.wait_for(". ");
  terminal.enter("}", "rule mine\r\n");
  terminal.type(control_d);
  CHECK(terminal.end() == 0);
}

TEST_CASE("messages are coloured, and say what was typed") {
  Folder folder;
  Terminal terminal(folder);
  auto shown = terminal.enter("1 + zz", "unknown name `zz`");
  CHECK_THAT(shown, Contains("\033[1;31merror[A0201]"));
  CHECK_THAT(shown, Contains("input:1:1:5"));
  terminal.type(":quit\n");
  CHECK(terminal.end() == 0);
}

TEST_CASE("Ctrl-D in an input that is not whole says what is missing") {
  Folder folder;
  Terminal terminal(folder);
  terminal.type("rule mine {\n");
  terminal.wait_for(". ");
  terminal.type(control_d);
  terminal.wait_for("close it with `}`");
  terminal.wait_for("> ");
  terminal.type(control_d);
  CHECK(terminal.end() == 0);
}

TEST_CASE("Ctrl-C at the prompt clears the line, and the lines before it") {
  Folder folder;
  Terminal terminal(folder);
  terminal.type("nonsense");
  terminal.wait_for("nonsense");
  terminal.type(control_c);
  terminal.wait_for("^C");
  terminal.wait_for("> ");
  terminal.enter("1 + 1", "\n2\r\n");
  terminal.type("rule mine {\n");
  terminal.wait_for(". ");
  terminal.type(control_c);
  terminal.wait_for("> ");
  terminal.enter("2 + 3", "\n5\r\n");
}

TEST_CASE("Ctrl-C stops an evaluation, not the session") {
  Folder folder;
  Terminal terminal(folder);
  terminal.enter("kept = 7", "kept: 7");
  terminal.type(long_work() + "\n");
  wait_for_history(folder, "gamma(2)");
  terminal.type(control_c);
  terminal.wait_for("stopped");
  terminal.wait_for("> ");
  terminal.enter("kept", "\n7\r\n");
  terminal.enter("net", "unknown name `net`");
}

TEST_CASE("limits end an evaluation, not the session") {
  Folder folder;
  Terminal terminal(folder, {"--memory", "1MB", "--time", "100"});
  terminal.enter("random(1000, 1000)", "needs more than 1 MiB of memory");
  terminal.enter("1 + 1", "\n2\r\n");
}

TEST_CASE("the history is written at once, and read again") {
  Folder folder;
  {
    Terminal terminal(folder);
    terminal.enter("41 + 1", "\n42\r\n");
    CHECK(bytes_of(folder / "state/ascribe/history") == "41 + 1\n");
    terminal.type(control_d);
    CHECK(terminal.end() == 0);
  }
  Terminal terminal(folder);
  terminal.type(up);
  terminal.wait_for("41 + 1");
  terminal.type("0\n");
  terminal.wait_for("\n51\r\n");
}

TEST_CASE("an input of several lines comes back as one, and is edited as one") {
  Folder folder;
  {
    Terminal terminal(folder);
    terminal.enter("layer = relu; x = [[1, 2]]; R = y", "x: ");
    for (auto* line : {"rule mine {", "  map = R", "  reduce = v", "  # twice"}) {
      terminal.type(line + std::string("\n"));
      terminal.wait_for(". ");
    }
    terminal.enter("}", "rule mine\r\n");
    CHECK(bytes_of(folder / "state/ascribe/history") ==
          "layer = relu; x = [[1, 2]]; R = y\nrule mine {\\\n  map = R\\\n  reduce = v\\\n  # twice\\\n}\n");
    terminal.type(up);
    auto shown = terminal.wait_for("}");
    CHECK_THAT(shown, Contains("rule mine {") && Contains("  map = R") && Contains("# twice"));
    for (int i = 0; i < 3; ++i) terminal.type(up);  // to `map = R`
    terminal.type("\x05 * 5\n");                    // Ctrl-E, the line's end
    terminal.wait_for("rule mine\r\n");
    terminal.enter("relevance(mine)", "[[ 5, 10]]");
    terminal.type(control_d);
    CHECK(terminal.end() == 0);
  }
  Terminal terminal(folder);
  terminal.type(std::string(up) + up);  // `relevance(mine)` is the last
  terminal.wait_for("# twice");
  terminal.type("\n");
  terminal.wait_for("rule mine\r\n");
}

TEST_CASE("the lines that were entered can be changed while an input is not whole") {
  Folder folder;
  Terminal terminal(folder);
  terminal.type("rule mine {\n");
  terminal.wait_for(". ");
  terminal.type(std::string("}") + up);
  terminal.wait_for("> ");
  terminal.wait_for("}");
  terminal.type("\x1b[A\x05\b\bs {\n");  // the line above, its end, two characters less
  terminal.wait_for("rule mines\r\n");
}

TEST_CASE("a pasted block is one input, whose mistakes change nothing") {
  Folder folder;
  Terminal terminal(folder);
  auto paste = [&](const std::string& text) { terminal.type("\x1b[200~" + text + "\x1b[201~"); };
  paste("a = 5\rrule mine {\r  backward = R\r}\r\ra + 2\r");
  terminal.wait_for("a + 2");
  terminal.type("\n");
  auto shown = terminal.wait_for("\n7\r\n");
  CHECK_THAT(shown, Contains("a: 5\r\nrule mine\r\n"));
  terminal.wait_for("> ");
  CHECK_THAT(bytes_of(folder / "state/ascribe/history"), Catch::StartsWith("a = 5\\\nrule mine {\\\n"));

  paste("b = 1\na = 6\nb + nothing\n");
  terminal.wait_for("nothing");
  terminal.enter("", "as if it had not been");
  terminal.enter("a", "\n5\r\n");
  terminal.enter("b + 1", "unknown name `b`");

  paste("b = 1\nb = = 2\n:quit\n");  // a mistake of the grammar: not even the first is run
  terminal.wait_for(":quit");
  terminal.enter("", "error[A01");
  terminal.enter("b + 1", "unknown name `b`");

  paste("sum(\n  [[1, 2]]\n");  // which is not whole: Enter goes on
  terminal.wait_for("[[1, 2]]");
  terminal.type("\n)\n");
  terminal.wait_for("[3]");
  terminal.wait_for("> ");
  paste(
      "1 + \x1b[31m\x07"
      "1");  // control characters are no text
  terminal.type("\n");
  terminal.wait_for("> ");
  terminal.enter("20 + 2", "\n22\r\n");
}

TEST_CASE("a large paste is one input, or refused as one") {
  Folder folder;
  Terminal terminal(folder);
  std::string block = "a = [";
  for (int i = 0; i < 300; ++i) block += "1,\n";
  terminal.type("\x1b[200~" + block + "1]\x1b[201~\n");
  terminal.wait_for("a: float64 [301]");
  terminal.wait_for("> ");
  terminal.type("\x1b[200~" + std::string((1 << 20) + 100, 'a') + "\x1b[201~\n");
  terminal.wait_for("error");
  terminal.wait_for("> ");
  terminal.settle();
  terminal.type("\x1b[200~half of it");  // whose end does not come
  terminal.settle();                     // a terminal drops what is typed, and not read, in the moment of Ctrl-C
  terminal.type(control_c);
  terminal.settle();
  terminal.type("\x1b[201~");
  terminal.settle();
  terminal.type(control_c);
  terminal.settle();
  terminal.enter("2 + 2", "\n4\r\n");
}

TEST_CASE("Tab tells signatures") {
  Folder folder;
  Terminal terminal(folder, {}, {{"NO_COLOR", "1"}});
  terminal.type(std::string("relevance(alpha_b") + tab);
  terminal.wait_for("eta");
  terminal.type(std::string("(") + tab);
  terminal.wait_for("alpha = ");
  CHECK_THAT(terminal.wait_for("beta = "), Contains("alpha"));
  terminal.type(control_c);
}

TEST_CASE("Tab completes commands, names and files") {
  Folder folder;
  folder.file("photograph.npy", "");
  Terminal terminal(folder);
  terminal.enter("verylongname = 3", "verylongname: 3");
  terminal.type(std::string("verylo") + tab);
  terminal.wait_for("ngname");
  terminal.type(" + 1\n");
  terminal.wait_for("\n4\r\n");
  terminal.type(std::string(":rul") + tab);
  terminal.wait_for("es");
  terminal.type("pass\n");
  terminal.wait_for("rule pass");
  terminal.wait_for("> ");
  terminal.type(std::string(":re") + tab);
  terminal.wait_for(":reload");
  terminal.wait_for(":reset");
  terminal.type(control_c);
  terminal.wait_for("> ");
  terminal.type(std::string("load(\"photo") + tab);
  terminal.wait_for("graph.npy\"");
  terminal.type(std::string(control_c));
  terminal.wait_for("^C");
}

TEST_CASE("heatmaps have the colours that the terminal has") {
  Folder folder;
  SECTION("all of them") {
    Terminal terminal(folder, {}, {{"COLORTERM", "truecolor"}});
    terminal.enter(model, "x: float32");
    CHECK_THAT(terminal.enter("explain(epsilon_plus)", "relevance of the input"),
               Contains("▀") && Contains("\033[38;2;"));
  }
  SECTION("256") {
    Terminal terminal(folder);
    terminal.enter(model, "x: float32");
    CHECK_THAT(terminal.enter("explain(epsilon_plus)", "relevance of the input"),
               Contains("▀") && Contains("\033[38;5;"));
  }
  SECTION("none") {
    Terminal terminal(folder, {}, {{"NO_COLOR", "1"}, {"COLORTERM", "truecolor"}});
    terminal.enter(model, "x: float32");
    auto shown = terminal.enter("explain(epsilon_plus)", "relevance of the input");
    CHECK_THAT(shown, Contains("for: .:+*#") && !Contains("\033[38;") && !Contains("▀"));
  }
  SECTION("none, where the terminal can do nothing") {
    Terminal terminal(folder, {}, {{"TERM", "dumb"}, {"COLORTERM", "truecolor"}});
    terminal.enter(model, "x: float32");
    auto shown = terminal.enter("explain(epsilon_plus)", "relevance of the input");
    CHECK_THAT(shown, Contains("for: .:+*#") && !Contains("\033[38;"));
  }
}

TEST_CASE("a picture takes the width that the terminal has now") {
  Folder folder;
  Terminal terminal(folder, {}, {{"NO_COLOR", "1"}});
  terminal.enter("layer = linear(weight = [[1]])", "layer:");
  terminal.enter("x = random(1, 200, 1, seed = 1)", "x:");
  auto width_of_picture = [&](const std::string& shown) {
    std::size_t widest = 0, begin = shown.find("epsilon(0)\r\n") + 12;
    auto end = shown.find("scale:");
    for (auto line = begin; line < end; line = shown.find('\n', line) + 1)
      widest = std::max(widest, shown.find('\r', line) - line);
    return widest;
  };
  enum { wide = 100, narrow = 50 };
  terminal.enter("x = random(1, 200, seed = 1); layer = linear(200, 200, seed = 1)", "layer:");
  auto first = width_of_picture(terminal.enter("explain(epsilon(0))", "relevance of the input"));
  CHECK(first > narrow);
  CHECK(first <= wide);
  terminal.resize(narrow);
  terminal.enter("1", "\n1\r\n");
  CHECK(width_of_picture(terminal.enter("explain(epsilon(0))", "relevance of the input")) <= narrow);
}

TEST_CASE("a terminal that is closed ends the session, and loses nothing") {
  Folder folder;
  SECTION("at the prompt") {
    Terminal terminal(folder);
    terminal.enter("1 + 1", "\n2\r\n");
    terminal.type("rule mine {\n");
    terminal.wait_for(". ");
    terminal.hang_up();
    CHECK(terminal.end() == 128 + SIGHUP);
    CHECK(bytes_of(folder / "state/ascribe/history") == "1 + 1\nrule mine {\n");
  }
  SECTION("while something is evaluated") {
    Terminal terminal(folder);
    terminal.type(long_work() + "\n");
    wait_for_history(folder, "gamma(2)");
    terminal.hang_up();
    CHECK(terminal.end() == 128 + SIGHUP);
    CHECK_THAT(bytes_of(folder / "state/ascribe/history"), Contains("gamma(2)"));
  }
}

TEST_CASE("a session that was stopped goes on where it was") {
  Folder folder;
  Terminal terminal(folder);
  terminal.type("1 + 1");
  terminal.wait_for("1 + 1");
  terminal.stop_and_continue();
  terminal.wait_for("1 + 1");
  terminal.type(
      "\x01"
      "40 + \n");  // Ctrl-A is a key, not a character of the line
  terminal.wait_for("\n42\r\n");
}

TEST_CASE("without line editing, a terminal gives plain lines") {
  Folder folder;
  Terminal terminal(folder, {}, {{"TERM", "dumb"}});
  terminal.enter("1 + 2", "\n3\r\n");
  CHECK_THAT(terminal.enter("zz", "help: "), Contains("error[A0201]: unknown name") && !Contains("\033"));
  terminal.type("half");
  terminal.type(control_c);
  terminal.wait_for("> ");
  terminal.enter("2 + 2", "\n4\r\n");
  terminal.type(control_d);
  CHECK(terminal.end() == 0);
}

TEST_CASE("files that are loaded at the start may have mistakes at a terminal") {
  Folder folder;
  folder.file("good.rule", "rule mine { backward = R }\n");
  folder.file("bad.rule", "rule bad { backward = Q }\n");
  {
    Terminal terminal(folder, {"good.rule"});
    terminal.enter(":type mine", "rule mine");
  }
  Terminal terminal(folder, {"bad.rule"});
  CHECK_THAT(terminal.beginning(), Contains("error[A0201]") && Contains("unknown name `Q`"));
  terminal.enter("1 + 2", "\n3\r\n");
}
