#include "interpreter/assist/outline.hpp"

#include <algorithm>

#include "interpreter/assist/outline_expressions.hpp"

namespace ascribe::assist {
namespace {

using language::Clause;
using ItemSort = OutlinedItem::Sort;

constexpr struct {
  std::string_view word;
  ItemSort sort;
} item_words[] = {{"rule", ItemSort::rule}, {"composite", ItemSort::composite}, {"fn", ItemSort::function},
                  {"test", ItemSort::test}, {"pack", ItemSort::pack},           {"import", ItemSort::import}};

constexpr struct {
  std::string_view word;
  Line::Sort sort;
  Clause clause;
} clause_words[] = {
    {"input", Line::Sort::modifier, Clause::input},      {"param", Line::Sort::modifier, Clause::param},
    {"output", Line::Sort::modifier, Clause::output},    {"map", Line::Sort::modifier, Clause::map},
    {"reduce", Line::Sort::outcome, Clause::reduce},     {"forward", Line::Sort::outcome, Clause::forward},
    {"backward", Line::Sort::outcome, Clause::backward}, {"let", Line::Sort::let, Clause::map},
    {"require", Line::Sort::require, Clause::require},   {"term", Line::Sort::term, Clause::map}};

class Reader : ExpressionReader {
 public:
  using ExpressionReader::ExpressionReader;

  Outline all() {
    while (!at_end()) {
      auto word = begins_item(shown()) && kind() == Lexeme::Kind::word;
      if (word)
        item();
      else
        ++at_;
    }
    if (wants(Expected::Sort::item)) out_.expected.item = none;
    return std::move(out_);
  }

 private:
  // --------------------------------------------------------------------------------------------------------- items

  void item() {
    OutlinedItem item;
    item_ = out_.items.size();
    auto word =
        std::find_if(std::begin(item_words), std::end(item_words), [&](auto& row) { return row.word == shown(); });
    item.sort = word->sort;
    item.keyword = here();
    item.span = item.head = item.keyword;
    document(item);
    ++at_;
    clause_ = Clause::argument;
    if (item.sort == ItemSort::test || item.sort == ItemSort::import)
      quoted_head(item);
    else
      named_head(item);
    call_ = none;
    argument_begins_ = false;
    item.span.end = std::max(item.span.end, last_end());
    out_.items.push_back(std::move(item));
    item_ = none;
    take(";");
  }

  void quoted_head(OutlinedItem& item) {
    bool import = item.sort == ItemSort::import;
    if (!is(Lexeme::Kind::text)) return settle();
    auto text = string(import ? Expected::Sort::import_path : Expected::Sort::test_name);
    item.head.end = text.end;
    if (!import) {
      item.name = text;
      mention(text, Use::defined);
      return body(item);
    }
    item.path = text;
    if (at_end() && !settled_) wants_word("as"), settle();
    if (!take("as")) return;
    item.body = {pieces_[at_ - 1].span.begin, here().end};
    if (is(Lexeme::Kind::name)) {
      item.name = here();
      mention(here(), Use::defined);
      item.head.end = here().end;
      ++at_;
    } else {
      settle();
    }
  }

  void named_head(OutlinedItem& item) {
    if (!is(Lexeme::Kind::name)) return settle();
    item.name = here();
    mention(here(), Use::defined);
    item.head.end = here().end;
    ++at_;
    if (item.sort != ItemSort::pack && is("(")) {
      parameters(item);
      item.head.end = last_end();
    }
    if (take("=")) {
      auto begin = here().begin;
      if (item.sort == ItemSort::function)
        expression(Clause::function);
      else
        target(Clause::argument);
      item.body = {begin, std::max(begin, last_end())};
      return;
    }
    if (item.sort == ItemSort::function) return settle();
    body(item);
  }

  void parameters(OutlinedItem& item) {
    ++at_;
    while (!ended() && !is(")")) {
      if (is("{") || (is("=") && item.parameters.empty())) return;
      if (!is(Lexeme::Kind::name)) {
        ++at_;
        continue;
      }
      WrittenParameter parameter{here()};
      mention(here(), Use::defined);
      ++at_;
      if (take(":")) {
        wants(Expected::Sort::type);
        if (is(Lexeme::Kind::name) || is("input") || is("output") || is("param")) {
          parameter.type = here();
          mention(here(), Use::type);
          ++at_;
        }
      }
      if (take("=")) {
        auto begin = here().begin;
        expression(Clause::argument);
        parameter.standard = Span{begin, std::max(begin, last_end())};
      }
      parameter.span = {parameter.name.begin, last_end()};
      item.parameters.push_back(parameter);
      settle();
    }
    settle();
    take(")");
  }

  void document(OutlinedItem& item) const {
    auto& all = out_.lexemes;
    auto begin = item.span.begin;
    auto i = std::lower_bound(all.begin(), all.end(), begin, [](auto& each, auto b) { return each.span.begin < b; });
    std::vector<std::string_view> lines;
    auto first = begin;
    while (i != all.begin()) {
      --i;
      if (i->kind != Lexeme::Kind::comment) break;
      auto between = text_.substr(i->span.end, first - i->span.end);
      auto written = text_.substr(i->span.begin, i->span.end - i->span.begin);
      auto line_begin = text_.rfind('\n', i->span.begin == 0 ? 0 : i->span.begin - 1);
      auto indent = line_begin == std::string_view::npos ? 0 : line_begin + 1;
      bool alone =
          text_.substr(indent, i->span.begin - indent).find_first_not_of(" \t\r\xEF\xBB\xBF") == std::string_view::npos;
      if (!written.starts_with("##") || !alone || std::count(between.begin(), between.end(), '\n') != 1) break;
      written.remove_prefix(2);
      while (!written.empty() && std::string_view(" \t\r").find(written.back()) != std::string_view::npos)
        written.remove_suffix(1);
      if (written.starts_with(' ')) written.remove_prefix(1);
      lines.push_back(written);
      first = i->span.begin;
    }
    for (auto line = lines.rbegin(); line != lines.rend(); ++line)
      item.documentation +=
          std::string(item.documentation.empty() && line == lines.rbegin() ? "" : "\n") + std::string(*line);
    item.comment = {first, begin};
  }

  // -------------------------------------------------------------------------------------------------------- bodies

  void body(OutlinedItem& item) {
    if (!is("{")) return settle();
    auto begin = here().begin;
    ++at_;
    lines(item.sort, item.lines, Expected::Sort::nothing);
    item.body = {begin, last_end()};
  }

  void lines(ItemSort sort, std::vector<Line>& out, Expected::Sort inner) {
    auto wanted = inner != Expected::Sort::nothing ? inner
                  : sort == ItemSort::rule         ? Expected::Sort::rule_clause
                  : sort == ItemSort::composite    ? Expected::Sort::entry
                  : sort == ItemSort::test         ? Expected::Sort::test_clause
                                                   : Expected::Sort::pack_field;
    while (true) {
      call_ = none;
      argument_begins_ = let_ = false;
      if (at_end()) wants(wanted);
      if (ended() || take("}")) return;
      if (take(";")) continue;
      auto before = at_;
      Line line;
      line.span = line.name = here();
      bool read = sort == ItemSort::rule ? clause(line) : sort == ItemSort::composite ? entry(line) : field(line, sort);
      if (!read || at_ == before) {
        at_ = std::max(at_, before + 1);
        continue;
      }
      line.span.end = std::max(line.span.end, last_end());
      out.push_back(std::move(line));
    }
  }

  bool clause(Line& line) {
    auto word = kind() == Lexeme::Kind::word ? std::find_if(std::begin(clause_words), std::end(clause_words),
                                                            [&](auto& row) { return row.word == shown(); })
                                             : std::end(clause_words);
    if (word == std::end(clause_words)) return false;
    line.sort = word->sort;
    line.clause = word->clause;
    clause_ = word->clause;
    let_ = line.sort == Line::Sort::let;
    ++at_;
    if (line.sort == Line::Sort::require) {
      value(line);
      if (take(",") && is(Lexeme::Kind::text)) string(Expected::Sort::test_name);
      settle();
      return true;
    }
    if (line.sort == Line::Sort::term || line.sort == Line::Sort::let) {
      if (!is(Lexeme::Kind::name)) return settle(), true;
      line.name = here();
      mention(here(), Use::defined);
      ++at_;
    }
    if (line.sort == Line::Sort::term) {
      if (!is("{")) return settle(), true;
      auto begin = here().begin;
      ++at_;
      lines(ItemSort::rule, line.lines, Expected::Sort::term_clause);
      line.value = {begin, last_end()};
      return true;
    }
    if (line.clause == Clause::param && line.sort == Line::Sort::modifier) {
      clause_ = Clause::argument;
      if (is(Lexeme::Kind::text)) {
        mention(here(), Use::parameter_name);
        string(Expected::Sort::parameter_name);
      } else if (is("[") || is(Lexeme::Kind::name)) {
        primary(Clause::argument);
        out_.expected.behind_value = out_.expected.behind_comparison = false;
        settle();
      } else if (at_end() && !settled_) {
        if (wants(Expected::Sort::expression, Clause::argument)) out_.expected.words.push_back("param");
      }
      clause_ = Clause::param;
    }
    if (!take("=")) return settle(), true;
    value(line);
    return true;
  }

  void value(Line& line) {
    auto begin = here().begin;
    expression(line.clause);
    line.value = {begin, std::max(begin, last_end())};
  }

  bool entry(Line& line) {
    line.sort = Line::Sort::entry;
    clause_ = Clause::argument;
    if (take("first") || take("last")) {
      wants(Expected::Sort::layers);
      if (is(Lexeme::Kind::number)) ++at_;
      wants(Expected::Sort::layers);
    }
    bool any = false;
    do {
      if (any) wants(Expected::Sort::layers);
      std::optional<Span> kind;
      if (is(Lexeme::Kind::name)) {
        kind = here();
        mention(here(), Use::kind);
        ++at_;
        any = true;
      }
      if (is(Lexeme::Kind::text)) {
        string(Expected::Sort::glob, kind);
        any = true;
      }
    } while (take(","));
    if (!any) return false;
    if (!take("=>")) return settle(), true;
    auto begin = here().begin;
    target(Clause::argument);
    line.value = {begin, std::max(begin, last_end())};
    return true;
  }

  bool field(Line& line, ItemSort sort) {
    bool test = sort == ItemSort::test;
    if (test && take("expect")) {
      line.sort = Line::Sort::expect;
      line.clause = clause_ = Clause::test;
      value(line);
      wants_word("fails");
      if (take("fails")) {
        wants(Expected::Sort::code);
        if (is(Lexeme::Kind::name)) {
          mention(here(), Use::code);
          ++at_;
        }
      }
      return true;
    }
    bool let = test && take("let");
    if (!is(Lexeme::Kind::name)) return let ? (settle(), true) : false;
    line.sort = let ? Line::Sort::let : Line::Sort::field;
    auto name = shown();
    line.name = here();
    line.clause = !test             ? Clause::argument
                  : let             ? Clause::test
                  : name == "model" ? Clause::test_model
                  : name == "x"     ? Clause::test_x
                                    : Clause::test_R;
    clause_ = line.clause;
    mention(here(), let ? Use::defined : Use::field);
    ++at_;
    if (!take("=")) return settle(), true;
    value(line);
    return true;
  }
};

}  // namespace

Outline outline(std::string_view text) { return Reader(text).all(); }

std::size_t item_at(const Outline& outline, std::size_t offset) {
  for (std::size_t i = 0; i < outline.items.size(); ++i) {
    auto& each = outline.items[i];
    if (each.comment.begin <= offset && offset <= each.span.end) return i;
  }
  return none;
}

const Mention* mention_at(const Outline& outline, std::size_t offset) {
  const Mention* ending = nullptr;
  for (auto& each : outline.mentions) {
    if (each.span.begin <= offset && offset < each.span.end) return &each;
    if (each.span.end == offset) ending = &each;
  }
  return ending;
}

}  // namespace ascribe::assist
