// Renaming: everywhere or not at all.
#include <random>

#include "grammar/formatter.hpp"
#include "grammar/parser.hpp"
#include "tests/assist/placed.hpp"

using namespace test;

TEST_CASE("a name is renamed wherever it is meant") {
  CHECK(renamed("rule a(k| = 1) { map = k * R }\ncomposite c(k = 3) { any => a(k = k) }", "m") ==
        "rule a(m = 1) { map = m * R }\ncomposite c(k = 3) { any => a(m = k) }");
  CHECK(renamed("rule a {}\nrule b = a|\ncomposite c { any => a }", "z") ==
        "rule z {}\nrule b = z\ncomposite c { any => z }");
  CHECK(renamed("rule a { map = R / stabilize(t.y); term t| { input = x } }", "up") ==
        "rule a { map = R / stabilize(up.y); term up { input = x } }");
  CHECK(renamed("fn f|(z) = z\nrule f(f = 1) { map = f(R) * f }", "g") ==
        "fn g(z) = z\nrule f(f = 1) { map = g(R) * f }");
}

TEST_CASE("a new name that is taken, captures or is none is refused with the reason") {
  CHECK(renamed("rule a(k| = 1) { map = k * R }", "R") == "`R` means something already and cannot be redefined");
  CHECK(renamed("rule a(k| = 1) { map = k * R }", "rule") == "`rule` is a word of the language's");
  CHECK(renamed("rule a(k| = 1) { map = k * R }", "1k") == "`1k` is no name");
  CHECK(renamed("rule a(k| = 1, m = 2) { map = k * m * R }", "m").find("taken") != std::string::npos);
  CHECK(renamed("rule a {}\nrule b {}\ncomposite c { any => a| }", "b").find("taken") != std::string::npos);
  CHECK(renamed("rule a {}\nrule b| {}", "a").find("a") != std::string::npos);
  CHECK(renamed("rule a| {}\ncomposite c { any => epsilon }", "epsilon").find("taken") != std::string::npos);
  CHECK(renamed("rule a { map = |R }", "Q") == "`R` is a word of the language's");
  CHECK(renamed("composite c { any => epsil|on }", "e") == "`epsilon` is defined in another pack");
  CHECK(renamed("rule a {| }", "b").find("no name here") != std::string::npos);
}

TEST_CASE("a pack's names are renamed in all of its files") {
  Folder folder;
  std::filesystem::create_directories(folder / "acme");
  folder.file("acme/pack.rule", "pack acme { version = \"1.0.0\"; language = 2 }\ncomposite c { any => soft }\n");
  auto file = folder.file("acme/soft.rule", "rule soft = epsilon(0.1)\n");
  auto project = load_project(file, {});
  CHECK(project->pack);
  CHECK(project->diagnostics.empty());
  REQUIRE(project->own.size() == 2);
  auto page = project->page(file.string());
  REQUIRE(page);
  auto edits = rename(*project, page, 6, "softer");
  CHECK(edits.size() == 2);
  CHECK_THROWS_AS(rename(*project, page, 6, "_soft"), Error);
}

TEST_CASE("an import's name is renamed where it is used") {
  Folder folder;
  folder.file("near.rule", "rule near = epsilon(0.2)\nfn soft(z) = stabilize(z, 0.1)\n");
  auto file = folder.file(
      "mine.rule", "import \"./near.rule\" as n\ncomposite c { any => n.near }\nrule r { map = R / n.soft(y) }\n");
  auto project = load_project(file, {});
  CHECK(project->diagnostics.empty());
  auto& page = project->own.at(0);
  CHECK(edited(page->source->text(),
               rename(*project, page, page->source->text().find("n\n"), "beside")[page->identity]) ==
        "import \"./near.rule\" as beside\ncomposite c { any => beside.near }\nrule r { map = R / beside.soft(y) }\n");
}

// Every name of a sound file, renamed to something new: the file stays sound, and with the old name back it is what it
// was.
TEST_CASE("renaming keeps programs what they are") {
  for (auto& path : rule_files()) {
    INFO(path);
    auto text = bytes_of(path);
    auto project = load_project(path, {});
    if (has_errors(project->diagnostics)) continue;
    auto page = project->page(std::filesystem::canonical(path).string());
    if (!page) continue;
    std::size_t tried = 0;
    for (auto& mention : page->outline.mentions) {
      if (mention.use != Use::defined || ++tried > 6) continue;
      std::map<std::string, std::vector<Edit>> edits;
      try {
        edits = rename(*project, page, mention.span.begin, "fresh_name");
      } catch (const Error&) {
        continue;
      }
      if (edits.size() != 1 || project->pack) continue;
      INFO(page->text(mention.span) << " at " << mention.span.begin);
      auto changed = edited(text, edits.begin()->second);
      Folder folder;
      auto again = load_project(folder.file("changed.rule", changed), {});
      bool imports = !project->imports.empty();
      if (!imports) CHECK(render_text(again->diagnostics).empty() == render_text(project->diagnostics).empty());
      auto now = again->own.at(0);
      auto first = edits.begin()->second.front();
      std::size_t begin = first.span.begin;
      for (auto& each : edits.begin()->second) begin = std::min(begin, each.span.begin);
      auto back = rename(*again, now, begin, std::string(page->text(mention.span)));
      CHECK(edited(changed, back[now->identity]) == text);
    }
  }
}
