// `ascribe doc`: pages as Markdown and HTML, of the standard pack, of packs and of files that nobody should trust.
#include "tests/catch.hpp"

#include <algorithm>
#include <regex>

#include "tests/command/ascribe_command.hpp"

namespace {

using namespace test;
using Catch::Contains;
using Catch::StartsWith;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t out = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++out;
  return out;
}

// What Markdown leaves to be read as such: all but code blocks and code spans.
std::string outside_of_code(const std::string& markdown) {
  std::string out, fence, line;
  for (std::istringstream lines(markdown); std::getline(lines, line);) {
    if (fence.empty() && line.starts_with("```"))
      fence = line.substr(0, line.find_first_not_of('`'));
    else if (!fence.empty() && line == fence)
      fence.clear();
    else if (fence.empty())
      out += std::regex_replace(line, std::regex("``.+?``|`[^`]*`"), "") + "\n";
  }
  CHECK(fence == "");
  return out;
}

// A pack, and what it imports by its name.
const std::string searching = "export ASCRIBE_PATH=\"$PWD\"; ";
void write_acme(const Folder& folder) {
  std::filesystem::create_directories(folder / "acme/parts");
  std::filesystem::create_directories(folder / "other");
  folder.file("acme/pack.rule",
              "## The rules of `acme`.\npack acme { version = \"1.2.0\"; language = 1 }\n"
              "import \"other\" as more\nrule far = more.distant\nrule zero(by: "
              "stabilizer=0){map=R/stabilize(y,by)}\n");
  folder.file("acme/b.rule",
              "## Soft, by\n## a tenth. More.\n## Formula: x\n##   + y\n## Example: any => soft\n"
              "rule soft(by:stabilizer=usual, zero_params=[\"bias\"]) = epsilon(by,zero_params)\n"
              "fn usual(z) = _part(z, 0.1)\ncomposite all { any => soft; }\nrule again=soft(\n  # why\n  usual)");
  folder.file("acme/parts/a.rule",
              "fn _part(z, part) = stabilize(z, part)\nrule _inner = epsilon\nrule A {}\nrule a {}");
  folder.file("other.rule", "rule distant {}");
  folder.file("other/pack.rule", "pack other { version = \"1.0.0\"; language = 1 } rule distant {}");
}

}  // namespace

TEST_CASE("the standard pack's page is current") {
  Folder folder;
  auto outcome = run_shell(folder, "ascribe doc");
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "");
  auto kept = bytes_of(std::filesystem::path(ASCRIBE_EXAMPLES) / "../stdlib/README.md");
  INFO(
      "stdlib/README.md is not what the doc comments of stdlib/*.rule say now. This renews it:\n"
      "  build/release/ascribe doc --output stdlib/README.md");
  CHECK(outcome.out == kept);
}

TEST_CASE("a page is the same wherever it is made") {
  Folder folder;
  write_acme(folder);
  for (std::string format : {"markdown", "html"}) {
    auto usual =
        run_shell(folder, searching + "ascribe doc --format " + format + "; ascribe doc acme --format " + format).out;
    CHECK_THAT(usual, Contains("acme 1.2.0"));
    for (std::string elsewhere : {"cd acme; LC_ALL=C ascribe doc --format F; LC_ALL=C ascribe doc . --format F",
                                  "LC_ALL=C.UTF-8 ascribe doc --format F; ascribe doc \"$PWD/acme/\" --format F",
                                  "ascribe doc --format F; ascribe doc acme/pack.rule --format F"})
      CHECK(run_shell(folder, searching + std::regex_replace(elsewhere, std::regex("F"), format)).out == usual);
  }
}

TEST_CASE("a pack's page has its public names, in the order of its files") {
  Folder folder;
  write_acme(folder);
  auto page = run_shell(folder, searching + "ascribe doc acme");
  CHECK(page.code == 0);
  CHECK(page.err == "");
  CHECK_THAT(page.out, StartsWith("# acme 1.2.0\n\nThe rules of `acme`.\n\n| Rule | |\n|---|---|\n"
                                  "| [soft](#soft) | Soft, by a tenth. |\n| [again](#again) |  |\n| [far](#far) |  |\n"
                                  "| [zero](#zero) |  |\n| [A](#a) |  |\n| [a](#a-1) |  |\n\n| Composite | |\n"
                                  "|---|---|\n| [all](#all) |  |\n\n| Function | |\n|---|---|\n| [usual](#usual) |  "
                                  "|\n\n| Used by others here | |\n|---|---|\n| [\\_part](#_part) |  |\n\n"
                                  "## Rules\n\n### soft\n"));
  CHECK_THAT(page.out, Contains("### soft\n\n```rule\n"
                                "rule soft(by: stabilizer = usual, zero_params = [\"bias\"])\n```\n\n"
                                "Another name of `epsilon(by, zero_params)`.\n\n"
                                "Soft, by\na tenth. More.\n\n"
                                "**Formula:**\n\n```text\nx\n  + y\n```\n\n"
                                "**Example:**\n\n```rule\nany => soft\n```\n\n"
                                "**Definition**, in `b.rule`:\n\n```rule\n"
                                "rule soft(by: stabilizer = usual, zero_params = [\"bias\"]) = epsilon(by, "
                                "zero_params)\n```\n"));
  CHECK_THAT(page.out, Contains("Another name of [`soft(usual)`](#soft).") &&
                           Contains("Another name of `more.distant`.") &&
                           Contains("**Definition**, in `parts/a.rule`"));
  CHECK_THAT(page.out, Contains("composite all { any => soft }\n```") &&
                           Contains("rule zero(by: stabilizer = 0) { map = R / stabilize(y, by) }\n"));
  CHECK_THAT(page.out, Contains("### \\_part"));  // what public definitions use
  for (auto* hidden : {"_inner", "# distant"}) CHECK_THAT(page.out, !Contains(hidden));
}

TEST_CASE("the HTML page has an anchor for every definition, and every link leads to one") {
  Folder folder;
  write_acme(folder);
  for (std::string path : {"", "acme", "other.rule"}) {
    auto page = run_shell(folder, searching + "ascribe doc --format html " + path).out;
    CHECK_THAT(page, StartsWith("<!DOCTYPE html>\n") && Catch::EndsWith("</html>\n"));
    std::regex id("id=\"([^\"]*)\""), link("href=\"#([^\"]*)\"");
    std::vector<std::string> ids;
    for (std::sregex_iterator it(page.begin(), page.end(), id), none; it != none; ++it) ids.push_back((*it)[1]);
    std::size_t links = 0;
    for (std::sregex_iterator it(page.begin(), page.end(), link), none; it != none; ++it, ++links)
      CHECK(std::count(ids.begin(), ids.end(), (*it)[1].str()) == 1);
    CHECK(links >= 2 * count(page, "<section"));
    CHECK(count(page, "<section") == count(page, "<details>"));
    CHECK_THAT(page, !Contains("<script") && !Contains("src=") && !Contains("http://") && !Contains("https://"));
  }
}

TEST_CASE("nothing in a rule file becomes markup") {
  Folder folder;
  std::string attack =
      "<script>alert(1)</script> <img src=x onerror=y> & | [l](javascript:z) ![i](j) ``` *b* ~~s~~ $m$";
  folder.file("a.rule", "## " + attack +
                            " `<b>|` `\n## # heading\n## 1. list\n## - list\n## > quoted\n## ===\n## :-:\n"
                            "## Formula: " +
                            attack +
                            "\n## ```\n## </code></pre><script>\n"
                            "## Source: " +
                            attack + "\n## Example: any => a # " + attack +
                            "\n"
                            "rule a(names = [\"</code></pre><script>\", \"```\"]) { param names = 0; map = R } # " +
                            attack +
                            "\n"
                            "rule b = a([\"</script>`\"])\n");
  auto html = run_shell(folder, "ascribe doc a.rule --format html");
  CHECK(html.code == 0);
  for (auto* element : {"<script", "<img", "<b>", "</script"}) CHECK_THAT(html.out, !Contains(element));
  CHECK(count(html.out, "&lt;script&gt;") >= 4);
  CHECK(count(html.out, "</pre>") == count(html.out, "<pre"));
  CHECK(count(html.out, "</code>") == count(html.out, "<code>"));

  auto page = run_shell(folder, "ascribe doc a.rule");
  CHECK(page.code == 0);
  auto text = outside_of_code(page.out);
  for (auto* markup : {"<", "|", "[l]", "![", "*b*", "~~", "$"})
    for (auto at = text.find(markup); at != text.npos; at = text.find(markup, at + 1)) {
      INFO(markup << " in " << text.substr(at - std::min<std::size_t>(at, 30), 60));
      bool of_table = markup == std::string("|") && (at == 0 || text[at - 1] != '\\') && text[at - 1] <= ' ';
      CHECK((of_table || text[at - 1] == '\\' || text.substr(at - 1, 2) == "-|" || text.substr(at, 2) == "|-"));
    }
  CHECK_THAT(text, Contains("\n\\# heading\n1\\. list\n\\- list\n\\> quoted\n\\===\n\\:-:\n"));
  // Each row of the table of contents has two cells.
  std::string line;
  for (std::istringstream lines(page.out); std::getline(lines, line);)
    if (line.starts_with("| [")) CHECK(count(line, "|") - count(line, "\\|") == 3);
}

TEST_CASE("what is a line end to some readers only is none on a page, and no file's name does anything") {
  Folder folder;
  folder.file("a.rule",
              "## A\r# b.\r\n## Formula: x\r\n##   + y\r\nrule a {\r\n  map = R # \r```\r\n}\r\n"
              "rule b(names = [\"\r```\r# c\"]) { param names = 0 }\nrule d = b([\"\r# c\"])");
  folder.file("\xFF\x1B[2J<b>`|.rule", "rule e {}");
  for (std::string format : {"markdown", "html"}) {
    auto page = run_shell(folder, "ascribe doc . --format " + format);
    CHECK(page.code == 0);
    CHECK(page.out.find_first_of("\r\x1B\xFF") == std::string::npos);
    CHECK_THAT(page.out, Contains("x\n  + y") && !Contains("\n# b") && !Contains("\n# c"));
    if (format == "html")
      CHECK_THAT(page.out, !Contains("<b>"));
    else
      CHECK_THAT(page.out, Contains("**Definition**, in ``??[2J<b>`|.rule``:\n"));
  }
}

TEST_CASE("a file without definitions has a page") {
  Folder folder;
  folder.file("empty.rule", "");
  folder.file("hidden.rule", "fn _a(z) = z");
  for (std::string name : {"empty", "hidden"})
    CHECK(run_shell(folder, "ascribe doc " + name + ".rule").out ==
          "# " + name + ".rule\n\nThere are no rules, composites or functions here.\n");
  CHECK_THAT(run_shell(folder, "ascribe doc empty.rule --format html").out, Contains("There are no rules"));
}

TEST_CASE("a comment may be as large as a file") {
  Folder folder;
  folder.file("a.rule", "## " + std::string((1 << 20) - 20, 'a') + "\nrule a {}");
  folder.file("b.rule", "## " + std::string((1 << 20) - 20, '`') + "\nrule b {}");
  folder.file("c.rule", "## " + std::string((1 << 20) + 20, 'a') + "\nrule c {}");
  std::string lines;
  while (lines.size() < (1 << 20) - 100) lines += "## Use: a\n##\n";
  folder.file("d.rule", lines + "rule d {}");
  for (std::string format : {"markdown", "html"}) {
    for (std::string name : {"a", "b", "d"}) {
      auto page = run_shell(folder, "ascribe doc " + name + ".rule --format " + format);
      CHECK(page.code == 0);
      CHECK(page.out.size() > 200'000);
    }
    auto refused = run_shell(folder, "ascribe doc c.rule --format " + format);
    CHECK(refused.code == 4);
    CHECK(refused.out == "");
  }
}

TEST_CASE("doc says of bad input what check says, and makes no page") {
  Folder folder;
  folder.file("bad.rule", "rule a { map = RR }");
  folder.file("good.rule", "rule b {}");
  folder.file("text.rule", "\xFF");
  std::filesystem::create_directories(folder / "empty");
  for (std::string paths :
       {"bad.rule", "none.rule", "good.rule bad.rule", "text.rule", "empty", "good.rule none.rule bad.rule"}) {
    INFO(paths);
    auto check = run_shell(folder, "ascribe check " + paths);
    auto doc = run_shell(folder, "ascribe doc " + paths + " --output page.md");
    CHECK(check.code != 0);
    CHECK(doc.code == check.code);
    CHECK(doc.err == check.err);
    CHECK(doc.out == "");
    CHECK(!std::filesystem::exists(folder / "page.md"));
  }
  auto piped = run_shell(folder, "ascribe doc - <good.rule");
  CHECK(piped.code == 0);
  CHECK_THAT(piped.out, StartsWith("# Standard input\n") && Contains("### b\n"));
  CHECK(run_shell(folder, "ascribe doc - <bad.rule").code == 1);
}

TEST_CASE("several paths make one page") {
  Folder folder;
  write_acme(folder);
  folder.file("second.rule", "rule distant {}\nrule near = distant");
  auto page = run_shell(folder, "ascribe doc other.rule second.rule");
  CHECK(page.code == 0);
  CHECK_THAT(page.out, StartsWith("# other.rule, second.rule\n") && Contains("| [distant](#distant) |") &&
                           Contains("| [distant](#distant-1) |") && Contains("[`distant`](#distant-1)"));
  CHECK_THAT(run_shell(folder, searching + "ascribe doc acme other.rule").out,
             StartsWith("# acme 1.2.0, other.rule\n\n|") && Contains("**Definition**, in `acme/b.rule`"));
}

TEST_CASE("the page is written as --format or the file's name says, whole or not at all") {
  Folder folder;
  auto out = [&](const std::string& options) { return run_shell(folder, "ascribe doc " + options); };
  auto markdown = out("").out, html = out("--format html").out;
  CHECK_THAT(markdown, StartsWith("# The standard pack\n"));
  CHECK_THAT(html, StartsWith("<!DOCTYPE html>"));
  for (auto& [options, name, expected] :
       {std::tuple("--output a.md", "a.md", markdown), std::tuple("--output a.html", "a.html", html),
        std::tuple("--output b.md --format html", "b.md", html),
        std::tuple("--output b.txt --format markdown", "b.txt", markdown)}) {
    INFO(options);
    auto outcome = out(options);
    CHECK(outcome.code == 0);
    CHECK(outcome.out == "");
    CHECK(outcome.err == "");
    CHECK(bytes_of(folder / name) == expected);
  }
  for (auto* unclear : {"--output c.txt", "--output c", "--output .md", "--output ''"}) {
    auto outcome = out(unclear);
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains("says no format\n") && Contains("give --format markdown or --format html"));
  }
  CHECK(out("--format pdf").code == 2);
  auto unwritable = out("--output none/a.md");
  CHECK(unwritable.code == 3);
  CHECK_THAT(unwritable.err, Contains("error[A0002]: cannot write 'none/a.md'"));
  for (auto& each : std::filesystem::directory_iterator(folder.path))
    CHECK(each.path().filename().string().find(".part") == std::string::npos);
}
