#include "interpreter/assist/outline_expressions.hpp"

#include <algorithm>
#include <utility>

#include "grammar/limits.hpp"
#include "interpreter/language/buildable_layers.hpp"

namespace ascribe::assist {

ExpressionReader::ExpressionReader(std::string_view text) : text_(text) {
  out_.lexemes = cut(text);
  for (auto& each : out_.lexemes)
    if (each.kind != Lexeme::Kind::comment) pieces_.push_back(each);
}

void ExpressionReader::note(Span span, std::size_t parts) {
  if (parts > 1) out_.nodes.push_back(span);
}

void ExpressionReader::expression(Clause clause) {
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

void ExpressionReader::chain(std::size_t level, Clause clause) {
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

void ExpressionReader::primary(Clause clause) {
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

void ExpressionReader::close(std::string_view mark) {
  if (take(mark)) return;
  settle();
}

void ExpressionReader::target(Clause clause) {
  auto outer = clause_;
  clause_ = clause;
  if (at_end())
    wants(Expected::Sort::target, clause);
  else if (is(Lexeme::Kind::name))
    path(Use::target, clause);
  clause_ = outer;
}

void ExpressionReader::path(Use use, Clause clause) {
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

void ExpressionReader::arguments(WrittenCall written, Clause clause) {
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

bool ExpressionReader::name_is(Span span, std::string_view name) const {
  return text_.substr(span.begin, span.end - span.begin) == name;
}

bool ExpressionReader::takes_layers(Span span) const {
  auto* layer = language::find_buildable_layer(text_.substr(span.begin, span.end - span.begin));
  return layer && std::any_of(layer->arguments.begin(), layer->arguments.end(),
                              [](auto& each) { return each.form == language::LayerArgument::Form::branch; });
}

}  // namespace ascribe::assist
