#include "interpreter/assist/outline.hpp"

#include <algorithm>
#include <utility>

#include "grammar/limits.hpp"
#include "interpreter/language/buildable_layers.hpp"

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

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {
    out_.lexemes = cut(text);
    for (auto& each : out_.lexemes)
      if (each.kind != Lexeme::Kind::comment) pieces_.push_back(each);
  }

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
  // -------------------------------------------------------------------------------------------------------- pieces

  bool at_end() const { return at_ >= pieces_.size(); }
  /// Nothing more of this item: the text ends, or another begins.
  bool ended() const { return at_end() || (kind() == Lexeme::Kind::word && begins_item(shown())); }
  Lexeme::Kind kind() const { return pieces_[at_].kind; }
  std::string_view shown(std::size_t i) const {
    auto [begin, end] = pieces_[i].span;
    return text_.substr(begin, end - begin);
  }
  std::string_view shown() const { return shown(at_); }
  bool is(std::string_view mark) const { return !at_end() && kind() != Lexeme::Kind::text && shown() == mark; }
  bool is(Lexeme::Kind wanted) const { return !at_end() && kind() == wanted; }
  bool take(std::string_view mark) {
    if (!is(mark)) return false;
    ++at_;
    return true;
  }
  Span here() const { return at_end() ? Span{text_.size(), text_.size()} : pieces_[at_].span; }
  std::size_t last_end() const { return at_ == 0 ? 0 : pieces_[at_ - 1].span.end; }
  /// Whether the next piece touches the one before it.
  bool touches() const { return at_ > 0 && !at_end() && pieces_[at_].span.begin == pieces_[at_ - 1].span.end; }

  // ------------------------------------------------------------------------------------------ where the text ends

  /// Notes what could stand here, where the text ends and nobody has said it yet. True if it was noted.
  bool wants(Expected::Sort sort, Clause clause = Clause::argument) {
    if (!at_end() || settled_) return false;
    settled_ = true;
    auto& expected = out_.expected;
    expected.sort = sort;
    expected.item = item_;
    expected.clause = clause;
    expected.call = call_;
    expected.argument_begins = argument_begins_;
    expected.let = let_;
    expected.whole_begins = level_ == 0;
    expected.truth_begins = level_ <= 2;
    return true;
  }
  void wants_word(std::string_view word) {
    if (at_end() && !settled_) out_.expected.words.push_back(word);
  }
  /// Nothing of what is outside of a bracket can stand here: it is open.
  void settle() { settled_ = settled_ || at_end(); }

  Mention& mention(Span span, Use use, std::optional<Span> qualifier = {}) {
    return out_.mentions.emplace_back(Mention{span, use, item_, qualifier, none, clause_});
  }

  /// A string: where the text ends within it, `sort` is what it would say.
  Span string(Expected::Sort sort, std::optional<Span> name = {}) {
    auto span = here();
    bool last = at_ + 1 == pieces_.size() && !pieces_[at_].whole && span.end == text_.size();
    ++at_;
    if (last) {
      if (wants(sort)) out_.expected.name = name;
    }
    return span;
  }

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

  // --------------------------------------------------------------------------------------------------- expressions

  // Noted where it holds more than one part.
  void note(Span span, std::size_t parts) {
    if (parts > 1) out_.nodes.push_back(span);
  }

  void expression(Clause clause) {
    auto outer = clause_;
    auto comparing = std::exchange(comparing_, false);
    clause_ = clause;
    level_ = 0;
    if (++depth_ <= 2 * limits.nesting) {
      auto begin = here().begin;
      if (take("if")) {
        expression(clause);
        for (std::string_view word : {"then", "else"}) {
          wants_word(word);
          settle();
          if (!take(word)) break;
          expression(clause);
        }
        out_.nodes.push_back({begin, last_end()});
      } else {
        chain(0, clause);
      }
    } else if (!at_end()) {
      ++at_;
    }
    --depth_;
    comparing_ = comparing;
    clause_ = outer;
  }

  /// Operators from the loosest to the tightest.
  void chain(std::size_t level, Clause clause) {
    constexpr std::string_view levels[][6] = {
        {"or"}, {"and"}, {"==", "!=", "<=", ">=", "<", ">"}, {"within"}, {"+", "-"}, {"*", "/"}, {"^"}};
    auto begin = here().begin;
    if (level == std::size(levels)) {
      bool inverted = is("not");
      if (take("not") || take("-")) {
        argument_begins_ = false;
        level_ = inverted ? 2 : level;
        if (++depth_ <= 2 * limits.nesting) chain(level, clause);
        --depth_;
        out_.nodes.push_back({begin, last_end()});
        return;
      }
      return primary(clause);
    }
    std::size_t parts = 0;
    auto another = [&] {
      for (auto each : levels[level])
        if (!each.empty() && take(each)) {
          level_ = level + 1;
          if (level == 2) comparing_ = each == "==" || each == "!=";
          if (level == 3) comparing_ = false;
          return true;
        }
      return false;
    };
    do {
      if (parts > 0) argument_begins_ = false;
      chain(level + 1, clause);
      ++parts;
    } while (another());
    if (level == 2) comparing_ = false;
    note({begin, last_end()}, parts);
  }

  void primary(Clause clause) {
    bool layers = clause == Clause::test_model && call_ == none;
    if (at_end()) {
      wants(layers || in_branch_ ? Expected::Sort::layer : Expected::Sort::expression, clause);
      return;
    }
    auto begin = here().begin;
    if (is(Lexeme::Kind::number)) {
      ++at_;
    } else if (is(Lexeme::Kind::text)) {
      mention(here(), Use::parameter_name);
      string(Expected::Sort::parameter_name);
    } else if (is("(") || is("[")) {
      bool list = is("[");
      argument_begins_ = false;
      auto call = call_;
      ++at_;
      while (true) {
        expression(clause);
        if (list && take(",")) continue;
        break;
      }
      close(list ? "]" : ")");
      call_ = call;
      out_.nodes.push_back({begin, last_end()});
    } else if (is(Lexeme::Kind::name)) {
      bool layer = clause == Clause::test_model && (layers || in_branch_);
      path(layer ? Use::layer : Use::value, clause);
    } else {
      return;
    }
    if (at_end() && !settled_) {
      out_.expected.behind_value = true;
      out_.expected.behind_comparison = comparing_;
    }
  }

  void close(std::string_view mark) {
    if (take(mark)) return;
    settle();
  }

  /// Behind `=>`, in an alias, or in `relevance(…)`.
  void target(Clause clause) {
    auto outer = clause_;
    clause_ = clause;
    if (at_end())
      wants(Expected::Sort::target, clause);
    else if (is(Lexeme::Kind::name))
      path(Use::target, clause);
    clause_ = outer;
  }

  /// A name with what stands before and behind it: `acme.soft(0.1)`.
  void path(Use use, Clause clause) {
    auto first = here();
    auto begin = first.begin;
    ++at_;
    std::optional<Span> qualifier;
    auto name = first;
    if (is(".") && touches()) {
      qualifier = first;
      ++at_;
      bool member = use == Use::value;
      if (at_end() && touching_end()) {
        mention(first, member ? Use::value : Use::pack);
        if (wants(Expected::Sort::member, clause)) out_.expected.use = use, out_.expected.qualifier = first;
        return;
      }
      if (is(Lexeme::Kind::name) && touches()) {
        name = here();
        ++at_;
        member = member && !is("(");
        mention(first, member ? Use::value : Use::pack);
        mention(name, member ? Use::member : use == Use::value ? Use::function : use, qualifier);
      } else {
        mention(first, Use::value);
        return;
      }
    } else {
      mention(first, use == Use::value && is("(") ? Use::function : use);
    }
    argument_begins_ = false;
    if (!is("(")) return;
    arguments({use == Use::value ? Use::function : use, qualifier, name, {}, false, {}, {}, item_, clause}, clause);
    out_.nodes.push_back({begin, last_end()});
  }

  bool touching_end() const { return at_ > 0 && pieces_[at_ - 1].span.end == text_.size(); }

  void arguments(WrittenCall written, Clause clause) {
    auto outer = call_;
    auto branch = in_branch_;
    auto index = out_.calls.size();
    bool relevance = written.use == Use::function && !written.qualifier && name_is(written.name, "relevance");
    // `product([…], […])` takes layers again; the sizes of others are values.
    in_branch_ = written.use == Use::layer && takes_layers(written.name);
    auto inner = written.use == Use::target ? Clause::argument : clause;
    written.inside = {here().end, text_.size()};
    out_.calls.push_back(std::move(written));
    ++at_;
    call_ = index;
    while (true) {
      call_ = index;
      argument_begins_ = true;
      if (ended()) {
        if (at_end())
          wants(relevance    ? Expected::Sort::target
                : in_branch_ ? Expected::Sort::layer
                             : Expected::Sort::expression,
                inner);
        break;
      }
      if (is(")")) break;
      WrittenArgument argument{here()};
      bool named = is(Lexeme::Kind::name) && at_ + 1 < pieces_.size() && shown(at_ + 1) == "=";
      if (named) {
        argument.name = here();
        auto& name = mention(here(), Use::argument);
        name.call = index;
        at_ += 2;
        argument_begins_ = false;
      }
      argument.value.begin = here().begin;
      auto before = at_;
      if (relevance)
        target(Clause::argument);
      else
        expression(inner);
      argument.span.end = argument.value.end = std::max(argument.value.begin, last_end());
      argument.span.end = std::max(argument.span.begin, argument.span.end);
      bool read = at_ > before || named;
      if (read) out_.calls[index].arguments.push_back(argument);
      call_ = index;
      if (is(",")) {
        out_.calls[index].commas.push_back(here().begin);
        ++at_;
        continue;
      }
      break;
    }
    argument_begins_ = false;
    auto& done = out_.calls[index];
    done.inside.end = std::max(here().begin, done.inside.begin);
    done.closed = is(")");
    close(")");
    call_ = outer;
    in_branch_ = branch;
  }

  bool name_is(Span span, std::string_view name) const {
    return text_.substr(span.begin, span.end - span.begin) == name;
  }
  bool takes_layers(Span span) const {
    auto* layer = language::find_buildable_layer(text_.substr(span.begin, span.end - span.begin));
    return layer && std::any_of(layer->arguments.begin(), layer->arguments.end(),
                                [](auto& each) { return each.form == language::LayerArgument::Form::branch; });
  }

  std::string_view text_;
  std::vector<Lexeme> pieces_;  // without comments
  std::size_t at_ = 0;
  Outline out_;
  std::size_t item_ = none, call_ = none, depth_ = 0, level_ = 0;
  Clause clause_ = Clause::argument;
  bool argument_begins_ = false, in_branch_ = false, settled_ = false, let_ = false, comparing_ = false;
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
