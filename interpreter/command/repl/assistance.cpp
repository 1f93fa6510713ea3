#include "interpreter/command/repl/assistance.hpp"

#include <algorithm>
#include <set>

#include "grammar/filled_text.hpp"
#include "interpreter/assist/hover.hpp"
#include "interpreter/inside.hpp"

namespace ascribe::repl {
namespace {

// The files that definitions were written in.
assist::Pages pages_of(const language::Definitions& definitions) {
  std::set<SourcePointer> sources;
  for (auto& [name, each] : definitions.targets) sources.insert(language::place_of(each).source);
  for (auto& [name, each] : definitions.functions) sources.insert(language::place_of(each).source);
  assist::Pages out;
  for (auto& each : sources)
    if (each) out.push_back(assist::make_page({}, std::string(each->name()), each));
  return out;
}

struct Place {
  assist::Project project;
  assist::PagePointer page;
  std::size_t begin;  // of what is written
};

Place place_of_text(const State& state, std::string_view text) {
  std::string all;
  for (auto& each : state.definitions.entered()) all += each->text + "\n";
  auto begin = all.size();
  all += text;
  constexpr auto name = "input";
  auto page = assist::make_page({}, name, std::make_shared<const Source>(name, std::move(all)));
  assist::Project project;
  project.own = pages_of(Inside::definitions(state.definitions.loaded()));
  project.own.insert(project.own.begin(), page);
  for (auto& [alias, definitions] : state.definitions.imports()) project.imports[name][alias] = pages_of(*definitions);
  return {std::move(project), std::move(page), begin};
}

// Markdown as a terminal shows it: without the marks of code and of what is bold.
std::string plain(std::string_view markdown) {
  std::string out;
  while (!markdown.empty()) {
    auto end = std::min(markdown.find('\n'), markdown.size());
    auto line = markdown.substr(0, end);
    markdown.remove_prefix(std::min(end + 1, markdown.size()));
    if (line.starts_with("```")) continue;
    if (line.starts_with("**")) {
      line.remove_prefix(2);
      auto bold = line.find("**");
      out += line.substr(0, bold);
      line.remove_prefix(std::min(bold + 2, line.size()));
    }
    out += line;
    out += '\n';
  }
  return out;
}

}  // namespace

std::vector<assist::Offer> offers(const State& state, std::string_view text) {
  auto place = place_of_text(state, text);
  auto end = place.begin + text.size();
  auto found = assist::complete(place.project, place.page, end);
  auto begun = place.page->text({found.replaces.begin, end});
  std::erase_if(found.offers, [&](auto& each) { return !each.text.starts_with(begun); });
  return std::move(found.offers);
}

std::string about(const State& state, const std::string& name) {
  constexpr const char* contexts[][2] = {{"rule _ = ", ""},
                                         {"rule _ { map = ", " }"},
                                         {"rule _ { map = ", "(x) }"},
                                         {"test \"\" { expect ", "(x) }"},
                                         {"test \"\" { model = ", " }"},
                                         {"composite _ { ", " => pass }"},
                                         {"composite _ { any => ", " }"},
                                         {"rule _(a: ", ") { }"}};
  std::string out;
  std::set<std::string> told;
  for (auto& [before, behind] : contexts) {
    if (std::string_view(before).ends_with(": ") && name.find('.') != std::string::npos) continue;  // no type
    auto place = place_of_text(state, before + name + behind);
    auto found = assist::hover(place.project, place.page, place.begin + std::string_view(before).size() + name.size());
    if (found && told.insert(found->text).second) out += (out.empty() ? "" : "\n") + plain(found->text);
  }
  return out;
}

}  // namespace ascribe::repl
