// Texts as they are while somebody writes: every prefix of every file.
#include <time.h>

#include <cstdlib>

#include "grammar/parser.hpp"
#include "tests/assist/placed.hpp"

using namespace test;

namespace {

// Whether a definition that is being written can be read as far as it goes.
bool can_go_on(const std::string& text) {
  std::vector<Diagnostic> diagnostics;
  auto parsed = parse_input(std::make_shared<Source>("text.rule", text), diagnostics);
  return parsed.input || parsed.incomplete;
}

double milliseconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

}  // namespace

// Every prefix takes minutes, and is asked for by ASCRIBE_EVERY_PREFIX; otherwise some are tried, others of each file.
TEST_CASE("every prefix of every file is answered, and soon") {
  std::size_t step = std::getenv("ASCRIBE_EVERY_PREFIX") ? 1 : 41, first = 0;
  text_project("text.rule", "composite c { any => epsilon }\n");  // the standard pack is loaded once
  standard_pages();
  double longest = 0;
  for (auto& path : rule_files()) {
    auto text = bytes_of(path);
    for (std::size_t end = step == 1 ? 0 : first++ % step; end <= text.size(); end += step) {
      INFO(path << " cut at " << end);
      ProjectPointer project;
      Completion found;
      // A machine that does much else takes longer now and then, not three times.
      double took = 1e9;
      for (int attempt = 0; attempt < 3 && took > 20; ++attempt) {
        auto begin = milliseconds();
        project = text_project("text.rule", text.substr(0, end));
        found = complete(*project, project->own.front(), end);
        took = std::min(took, milliseconds() - begin);
      }
      longest = std::max(longest, took);
      auto& page = project->own.front();
      CHECK(found.replaces.end == end);
      hover(*project, page, end);
      signature_help(*project, page, end);
      colours(*project, page);
      enclosing(*page, end / 2);
    }
  }
  CAPTURE(longest);
  if (!ASCRIBE_INSTRUMENTED) CHECK(longest < 20);
}

TEST_CASE("the outline reads sound files as the parser does") {
  for (auto& path : rule_files()) {
    INFO(path);
    std::vector<Diagnostic> diagnostics;
    auto source = std::make_shared<Source>("text.rule", bytes_of(path));
    auto tree = parse_file(source, diagnostics);
    auto outlined = outline(source->text());
    REQUIRE(outlined.items.size() == tree.items.size());
    for (std::size_t i = 0; i < tree.items.size(); ++i) {
      CHECK(outlined.items[i].span == tree.items[i].span);
      CHECK(outlined.items[i].documentation == tree.items[i].documentation);
      if (auto* rule = std::get_if<syntax::Rule>(&tree.items[i].node)) {
        CHECK(outlined.items[i].parameters.size() == rule->parameters.size());
        CHECK(outlined.items[i].lines.size() == rule->clauses.size());
      }
      if (auto* composite = std::get_if<syntax::Composite>(&tree.items[i].node))
        CHECK(outlined.items[i].lines.size() == composite->entries.size());
      if (auto* test = std::get_if<syntax::Test>(&tree.items[i].node))
        CHECK(outlined.items[i].lines.size() == test->clauses.size());
    }
  }
}

TEST_CASE("every name of a sound file means something") {
  for (auto& path : rule_files()) {
    auto project = load_project(path, {});
    if (has_errors(project->diagnostics)) continue;  // several programs in one file
    for (auto& page : project->own)
      for (auto& mention : page->outline.mentions) {
        INFO(page->path << " at " << mention.span.begin << ": " << page->text(mention.span));
        CHECK(meaning(*project, page, mention).has_value());
      }
  }
}

TEST_CASE("what is offered can be read where it is taken") {
  for (auto& path : rule_files()) {
    auto text = bytes_of(path);
    if (text.size() > 6000) continue;
    auto pieces = cut(text);
    auto project = text_project("text.rule", text);
    for (std::size_t i = 0; i < pieces.size(); i += 17) {
      auto offset = pieces[i].span.begin;
      auto found = complete(*project, project->own.front(), offset);
      auto step = std::max<std::size_t>(1, found.offers.size() / 6);
      for (std::size_t k = 0; k < found.offers.size(); k += step) {
        auto from = found.replaces.begin;
        for (auto& item : project->own.front()->outline.items)
          if (item.span.begin < found.replaces.begin &&
              (found.replaces.begin < item.span.end || (found.offers[k].text == "and" || found.offers[k].text == "or")))
            from = item.span.begin;
        auto taken = text.substr(from, found.replaces.begin - from) + found.offers[k].text;
        INFO(path << " at " << offset << ": " << taken);
        CHECK(can_go_on(taken));
      }
    }
  }
}

TEST_CASE("deep and strange texts are answered") {
  for (auto& text : {std::string(100'000, '('), "rule a { map = " + std::string(50'000, '-'), std::string(1000, '"'),
                     std::string("rule\0a", 6), std::string("rule \xff\xfe { map = \xc3"),
                     "fn f(z) = " + std::string(10'000, '[')}) {
    auto project = text_project("text.rule", text);
    complete(*project, project->own.front(), text.size());
    colours(*project, project->own.front());
  }
}
