#include "interpreter/pack/page.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "grammar/filled_text.hpp"
#include "grammar/formatter.hpp"
#include "grammar/overloaded.hpp"
#include "grammar/parser.hpp"
#include "grammar/tokens.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/pack/files.hpp"

namespace ascribe {
namespace {

namespace fs = std::filesystem;

// What sections hold, in their order. `inner` are private definitions of any sort that others use.
enum class Sort { rule, composite, function, inner };

constexpr struct {
  const char *title, *column;
} section_words[] = {{"Rules", "Rule"},
                     {"Composites", "Composite"},
                     {"Functions", "Function"},
                     {"Private definitions", "Used by others here"}};

// Sources have no controls but tabs and line ends. One that is no line end to us could be one to a page's readers.
std::string with_plain_line_ends(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "\r\n") continue;
    out += text[i] == '\r' ? ' ' : text[i];
  }
  return out;
}

// The anchors that GitHub gives to headings: in lower case, blanks as hyphens, a number behind those that are there
// already.
class Anchors {
 public:
  std::string add(std::string_view heading) {
    std::string wanted;
    for (char c : heading) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      if (c == ' ') c = '-';
      bool stays = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || (c & 0x80) != 0;
      if (stays) wanted += c;
    }
    auto out = wanted;
    for (auto& count = repeats_[wanted]; !taken_.insert(out).second;) out = filled("{}-{}", wanted, ++count);
    return out;
  }

 private:
  std::set<std::string> taken_;
  std::map<std::string, std::size_t> repeats_;
};

// A file's definitions in canonical form.
class CanonicalFile {
 public:
  explicit CanonicalFile(const SourcePointer& source) {
    std::vector<Diagnostic> none;
    auto text = format_source(source, none);
    // One whose canonical text would be too large is shown as it is written.
    file_ = parse_file(text ? std::make_shared<Source>(source->name(), *text) : source, none);
    auto begin = file_.source->text().data();
    for (auto& token : cut_into_tokens(file_).tokens)
      if (language::is_private(token.text))
        private_.emplace(static_cast<std::size_t>(token.text.data() - begin), token.text);
  }

  const std::vector<syntax::Item>& items() const { return file_.items; }

  // The private names that an item's text has.
  std::set<std::string> private_names(const syntax::Item& item) const {
    std::set<std::string> out;
    for (auto it = private_.lower_bound(item.span.begin); it != private_.end() && it->first < item.span.end; ++it)
      out.emplace(it->second);
    return out;
  }

  std::string code(const syntax::Item& item) const { return std::string(file_.source->text(item.span)); }

  // On one line.
  std::string call(const syntax::Call& call) const {
    std::string out;
    auto text = without_comments(call.span);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\n') {
        out += text[i];
        continue;
      }
      // Strings hold no line ends: only the layout does.
      out.resize(out.find_last_not_of(' ') + 1);
      while (i + 1 < text.size() && (text[i + 1] == ' ' || text[i + 1] == '\n')) ++i;
      bool at_bracket = out.ends_with('(') || out.ends_with('[') ||
                        (i + 1 < text.size() && (text[i + 1] == ')' || text[i + 1] == ']'));
      if (!at_bracket) out += ' ';
    }
    return out;
  }

  // The formatter writes it, as the head of a rule without clauses.
  std::string signature(std::string_view keyword, const std::string& name,
                        const std::vector<syntax::Parameter>& parameters) const {
    if (parameters.empty()) return filled("{} {}{}", keyword, name, keyword == "fn" ? "()" : "");
    auto written = without_comments({parameters.front().span.begin, parameters.back().span.end});
    constexpr std::string_view head = "rule ", body = " {}\n";
    std::vector<Diagnostic> none;
    auto text =
        format_source(std::make_shared<Source>("signature", filled("{}{}({}){}", head, name, written, body)), none);
    if (!text || !text->ends_with(body)) return filled("{} {}({})", keyword, name, written);
    return filled("{} {}", keyword, text->substr(head.size(), text->size() - head.size() - body.size()));
  }

 private:
  std::string without_comments(Span span) const {
    std::string out;
    auto next = std::lower_bound(file_.comments.begin(), file_.comments.end(), span.begin,
                                 [](const Span& comment, std::size_t begin) { return comment.begin < begin; });
    for (; next != file_.comments.end() && next->begin < span.end; ++next) {
      out += file_.source->text({span.begin, next->begin});
      span.begin = next->end;
    }
    out += file_.source->text(span);
    return out;
  }

  syntax::File file_;
  std::map<std::size_t, std::string_view> private_;  // names, by their places
};

struct Found {
  DocumentedDefinition definition;
  Sort sort;
  std::size_t source;            // from which it is
  std::string called{};          // by an alias, in the same source
  std::set<std::string> uses{};  // private names
};

std::string file_name(const Source& source, const fs::path& folder) {
  auto path = fs::path(source.name()).lexically_normal();
  auto relative = path.lexically_relative(folder.lexically_normal());
  return shown(relative.empty() || *relative.begin() == ".." ? path : relative);
}

// Definitions of a source, in the order of its files' names and then as they are written.
class Collector {
 public:
  explicit Collector(std::vector<Found>& found) : found_(found) {}

  void add(const PageSource& from, std::size_t number) {
    std::map<std::string, SourcePointer> files;
    auto note = [&](auto& definitions) {
      for (auto& [name, definition] : definitions) {
        auto& source = language::place_of(definition).source;
        files.emplace(file_name(*source, from.folder), source);
      }
    };
    note(Inside::definitions(from.pack).targets);
    note(Inside::definitions(from.pack).functions);
    for (auto& [name, place] : Inside::definitions(from.pack).hidden)
      files.emplace(file_name(*place.source, from.folder), place.source);
    source_ = number;
    for (auto& [name, source] : files) {
      CanonicalFile file(source);
      for (auto& item : file.items()) add(item, file, name);
    }
  }

 private:
  void add(const syntax::Item& item, const CanonicalFile& file, const std::string& file_name) {
    auto add_written = overloaded{
        [&](const syntax::Rule& rule) {
          add(Sort::rule, "rule", rule, item, file, file_name);
          if (rule.alias) note_alias(*rule.alias, file);
        },
        [&](const syntax::Composite& composite) {
          add(Sort::composite, "composite", composite, item, file, file_name);
          if (composite.alias) note_alias(*composite.alias, file);
        },
        [&](const syntax::Function& function) { add(Sort::function, "fn", function, item, file, file_name); },
        [](const OneOf<syntax::Test, syntax::Pack, syntax::Import> auto&) {}};
    std::visit(add_written, item.node);
  }

  template <typename Written>
  void add(Sort sort, std::string_view keyword, const Written& written, const syntax::Item& item,
           const CanonicalFile& file, const std::string& file_name) {
    auto& name = written.name.text;
    found_.push_back({{.name = name,
                       .anchor = "",
                       .signature = with_plain_line_ends(file.signature(keyword, name, written.parameters)),
                       .alias = {},
                       .documentation = language::read_doc_comment(with_plain_line_ends(item.documentation)),
                       .file = file_name,
                       .code = with_plain_line_ends(file.code(item))},
                      language::is_private(name) ? Sort::inner : sort,
                      source_,
                      "",
                      file.private_names(item)});
  }

  void note_alias(const syntax::Call& call, const CanonicalFile& file) {
    found_.back().definition.alias = {with_plain_line_ends(file.call(call)), ""};
    if (!call.path.qualifier) found_.back().called = call.path.name.text;
  }

  std::vector<Found>& found_;
  std::size_t source_ = 0;
};

// Leaves out private definitions that no public one uses, directly or through other private ones.
void leave_out_unused(std::vector<Found>& found) {
  using Name = std::pair<std::size_t, std::string>;
  std::set<Name> used;
  std::vector<Name> open;
  auto note = [&](const Found& each) {
    for (auto& name : each.uses)
      if (used.emplace(each.source, name).second) open.emplace_back(each.source, name);
  };
  for (auto& each : found)
    if (each.sort != Sort::inner) note(each);
  while (!open.empty()) {
    auto name = std::move(open.back());
    open.pop_back();
    for (auto& each : found)
      if (each.sort == Sort::inner && Name(each.source, each.definition.name) == name) note(each);
  }
  std::erase_if(found, [&](auto& each) {
    return each.sort == Sort::inner && !used.contains({each.source, each.definition.name});
  });
}

}  // namespace

Page make_page(std::string title, const std::string& introduction, const std::vector<PageSource>& sources) {
  std::vector<Found> found;
  for (std::size_t i = 0; i < sources.size(); ++i) Collector(found).add(sources[i], i);

  leave_out_unused(found);
  std::stable_sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.sort < b.sort; });

  Page page{std::move(title), with_plain_line_ends(introduction), {}};
  Anchors anchors;
  anchors.add(page.title);
  std::map<std::pair<std::size_t, std::string>, std::string> targets;  // anchors of a source's rules and composites
  for (std::size_t i = 0; i < found.size(); ++i) {
    auto& [definition, sort, source, called, uses] = found[i];
    if (i == 0 || sort != found[i - 1].sort) {
      auto& words = section_words[static_cast<std::size_t>(sort)];
      page.sections.push_back({words.title, anchors.add(words.title), words.column, {}});
    }
    definition.anchor = anchors.add(definition.name);
    if (sort != Sort::function) targets.emplace(std::pair(source, definition.name), definition.anchor);
    page.sections.back().definitions.push_back(definition);
  }
  auto next = found.begin();
  for (auto& section : page.sections)
    for (auto& definition : section.definitions) {
      auto target = targets.find({next->source, next->called});
      if (definition.alias && target != targets.end()) definition.alias->anchor = target->second;
      ++next;
    }
  return page;
}

Page standard_page() {
  return make_page(
      "The standard pack",
      "The rules, composites and functions that come with Ascribe. In the formulas, x_i is an input of the layer, w_ij "
      "its weight for the output z_j = Σ_i x_i w_ij + b_j, R_j that output's relevance, and R_i the relevance that "
      "the input gets. x⁺ is max(x, 0), x⁻ is min(x, 0); s(z) is z + ε sign z, or what another stabilizer makes of z; "
      "[c] is 1 where c holds, and else 0; σ is the logistic function.",
      {{Pack::standard(), "std"}});
}

}  // namespace ascribe
