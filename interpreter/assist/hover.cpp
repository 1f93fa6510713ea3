#include "interpreter/assist/hover.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/explanation.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/assist/types.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/doc_comment.hpp"
#include "interpreter/language/kinds.hpp"

namespace ascribe::assist {
namespace {

using SymbolSort = Symbol::Sort;

struct Described {
  std::string_view name, in_rule, in_test;
};
constexpr Described quantities[] = {
    {"x", "the input of the layer, as the clauses before it left it", "the test's input"},
    {"w", "each parameter of the layer, in turn", ""},
    {"y", "the output of the layer, as the clauses before it left it", "the output of the test's model"},
    {"v", "what comes back to the input: (∂y/∂x)ᵀ γ", ""},
    {"R", "the relevance of the layer's output", "where relevance begins; y, if it is not given"},
    {"grad", "the layer's own gradient: (∂y/∂x)ᵀ R", ""},
    {"inputs", "how many of the call's inputs get relevance", ""},
    {"other", "the other one of exactly two inputs", ""},
    {"layer", "the layer itself: `layer.x` and `layer.y` are its own input and output", ""},
    {"layer.x", "the layer's own input, whatever the clauses make of it", ""},
    {"layer.y", "the layer's own output, whatever the clauses make of it", ""}};

constexpr struct {
  std::string_view name, text;
} engines[] = {{"merge", "batch norm becomes part of the linear layer or convolution beside it"},
               {"refuse", "an error when a layer meets it, which names the layer"},
               {"stop", "the layer's output is a constant for all that follows: no relevance arrives at it"}};

constexpr struct {
  std::string_view name, text;
} types[] = {
    {"scalar", "a number"},
    {"names", "a list of strings: `[\"bias\"]`"},
    {"stabilizer", "a number ε, for z + ε · sign z; or a function, without its first argument: `relative(0.1)`"},
    {"input", "a number or a tensor for a value at the input"},
    {"output", "a number or a tensor for a value at the output"},
    {"param", "a number or a tensor for a parameter"}};

std::string code_block(std::string_view text) { return filled("```rule\n{}\n```", text); }

// One line, whatever blanks and comments there are in it.
std::string on_one_line(std::string_view text) {
  std::string out;
  bool blank = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\n')) {
      i = std::min(text.find('\n', i), text.size());
      blank = true;
    } else if (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
      blank = true;
    } else {
      if (blank && !out.empty()) out += ' ';
      blank = false;
      out += text[i];
    }
  }
  return out;
}

std::string shortened(std::string text, std::size_t most = 400) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return text.substr(0, most) + "…";
}

std::string about_kind(std::string_view name) {
  if (name == "any") return "every layer";
  if (language::is_module_word(name))
    return filled("`{} \"…\"`: every call of a module, chosen by its {}, as one layer", name,
                  name == "class" ? "class's name" : "path");
  std::vector<std::string_view> members, parameters;
  for (auto& each : language::kinds())
    if (language::covers(name, each)) {
      members.push_back(each.name);
      for (auto parameter : each.parameters)
        if (std::find(parameters.begin(), parameters.end(), parameter) == parameters.end())
          parameters.push_back(parameter);
    }
  std::string out = "a kind of layers";
  if (members.size() > 1 || (!members.empty() && members[0] != name)) out += filled(": {}", fmt::join(members, ", "));
  return out +
         (parameters.empty() ? "\n\nwithout parameters" : filled("\n\nparameters: {}", fmt::join(parameters, ", ")));
}

template <typename Rows>
std::string in_table(const Rows& rows, std::string_view name) {
  for (auto& each : rows)
    if (each.name == name) return std::string(each.text);
  return "";
}

}  // namespace

std::string documentation_text(std::string_view documentation) {
  auto comment = language::read_doc_comment(documentation);
  std::string out = comment.description;
  for (auto& label : language::doc_labels())
    for (auto text : comment.texts(label.label)) {
      if (!out.empty()) out += "\n\n";
      out += label.form == language::DocForm::sentences ? filled("**{}:** {}", label.word, text)
             : label.form == language::DocForm::code    ? filled("**{}:**\n```rule\n{}\n```", label.word, text)
                                                        : filled("**{}:**\n```\n{}\n```", label.word, text);
    }
  return out;
}

std::string summary_of(std::string_view documentation) { return language::read_doc_comment(documentation).summary(); }

std::string signature_of(const Project& project, const PagePointer& page, const Symbol& symbol) {
  if (symbol.sort == SymbolSort::builtin) return std::string(language::find_builtin(symbol.name)->signature);
  if (symbol.sort == SymbolSort::layer) return language::signature(*language::find_buildable_layer(symbol.name));
  bool called =
      symbol.sort == SymbolSort::rule || symbol.sort == SymbolSort::composite || symbol.sort == SymbolSort::function;
  if (!called) return "";
  auto [there, item] = written(project, page, symbol);
  return item ? shortened(on_one_line(there->text(item->head))) : "";
}

std::string about(const Project& project, const PagePointer& page, const Symbol& symbol) {
  auto [there, item] = written(project, page, symbol);
  auto with = [](std::string head, const std::string& rest) { return rest.empty() ? head : head + "\n\n" + rest; };
  switch (symbol.sort) {
    case SymbolSort::rule:
    case SymbolSort::composite:
    case SymbolSort::function: {
      if (!item) return "";
      auto head = signature_of(project, page, symbol);
      bool alias = symbol.sort != SymbolSort::function && !there->text(item->body).starts_with("{");
      if (symbol.sort == SymbolSort::function || alias)
        head = shortened(filled("{} = {}", head, on_one_line(there->text(item->body))));
      auto out = with(code_block(head), documentation_text(item->documentation));
      return there->path.empty() && there->identity.starts_with("std/") ? with(out, "of the standard pack") : out;
    }
    case SymbolSort::parameter: {
      if (!item) return "";
      for (auto& each : item->parameters)
        if (each.name == symbol.definition)
          return with(code_block(on_one_line(there->text(each.span))),
                      filled("a parameter of `{}`", there->text(item->name)));
      return "";
    }
    case SymbolSort::let: {
      if (!item) return "";
      for (auto& line : item->lines)
        if (line.name == symbol.definition) {
          auto type = type_of_let(project, *there, symbol.item, line.name);
          return with(code_block(shortened(on_one_line(there->text(line.span)))),
                      type ? language::describe(*type) : "");
        }
      return "";
    }
    case SymbolSort::term:
      return filled("a term: `{0}.x`, `{0}.y` and `{0}.v` are its values", symbol.name);
    case SymbolSort::import:
      if (!item) return "";
      return code_block(on_one_line(there->text(item->span)));
    case SymbolSort::pack:
      return item ? with(code_block(on_one_line(there->text(item->head))), documentation_text(item->documentation))
                  : "";
    case SymbolSort::quantity: {
      for (auto& each : quantities)
        if (each.name == symbol.name) return with(filled("`{}`", symbol.name), std::string(each.in_rule));
      return "";
    }
    case SymbolSort::builtin: {
      auto* found = language::find_builtin(symbol.name);
      return with(code_block(found->signature), std::string(found->documentation));
    }
    case SymbolSort::kind:
      return with(filled("`{}`", symbol.name), about_kind(symbol.name));
    case SymbolSort::layer:
      return with(code_block(signature_of(project, page, symbol)), "a layer of a test's model");
    case SymbolSort::engine:
      return with(filled("`{}`", symbol.name), in_table(engines, symbol.name));
    case SymbolSort::type:
      return with(filled("`{}`", symbol.name), in_table(types, symbol.name));
    case SymbolSort::argument:
      return filled("an argument of `{}`", symbol.owner);
    case SymbolSort::code: {
      auto number = read_code(symbol.name);
      auto* found = number ? find_explanation(static_cast<Code>(*number)) : nullptr;
      return found ? filled("**{}: {}**\n\n{}", code_name(found->code), found->title, found->text) : "";
    }
    case SymbolSort::standard_pack:
      return "the standard pack, which every file reaches";
    case SymbolSort::test:
    case SymbolSort::field:
    case SymbolSort::parameter_name:
      break;
  }
  return "";
}

std::optional<Hover> hover(const Project& project, const PagePointer& page, std::size_t offset) {
  std::string text;
  Span span;
  if (auto* mention = mention_at(page->outline, offset)) {
    span = mention->span;
    if (auto symbol = meaning(project, page, *mention)) {
      text = about(project, page, *symbol);
      if (symbol->sort == SymbolSort::quantity && language::is_in_test(mention->clause))
        for (auto& each : quantities)
          if (each.name == symbol->name && !each.in_test.empty())
            text = filled("`{}`\n\n{}", symbol->name, each.in_test);
    }
  }
  if (auto typed = expression_at(project, *page, offset)) {
    bool of_name = span.end > span.begin && typed->span.begin <= span.begin && typed->span.end <= span.end;
    if (text.empty() || of_name) {
      if (text.empty()) span = typed->span;
      auto line = typed->value ? filled("{}: {}", language::describe(typed->type), *typed->value)
                               : std::string(language::describe(typed->type));
      if (text.find(line) == std::string::npos) text += (text.empty() ? "" : "\n\n") + line;
    }
  }
  if (text.empty()) return {};
  return Hover{span, std::move(text)};
}

std::optional<Signature> signature_help(const Project& project, const PagePointer& page, std::size_t offset) {
  const WrittenCall* innermost = nullptr;
  for (auto& call : page->outline.calls)
    if (holds(call.inside, offset) && (!innermost || call.inside.begin >= innermost->inside.begin)) innermost = &call;
  if (!innermost) return {};
  auto symbol = callee(project, page, *innermost);
  if (!symbol) return {};
  Signature out;
  out.label = signature_of(project, page, *symbol);
  if (out.label.empty()) return {};
  // The parameters are what stands between the parentheses and the commas outside of inner brackets.
  std::vector<std::string> names;
  auto open = out.label.find('(');
  int depth = 0;
  auto begin = open + 1;
  bool in_string = false;
  for (auto i = open; open != std::string::npos && i < out.label.size(); ++i) {
    auto c = out.label[i];
    if (c == '"') in_string = !in_string;
    if (in_string) continue;
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if ((c == ',' && depth == 1) || depth == 0) {
      while (begin < i && out.label[begin] == ' ') ++begin;
      if (begin < i) out.parameters.push_back({begin, i});
      begin = i + 1;
    }
    if (depth == 0) break;
  }
  for (auto& each : out.parameters) {
    auto written = std::string_view(out.label).substr(each.begin, each.end - each.begin);
    names.emplace_back(written.substr(0, written.find_first_of(":= …")));
  }
  std::size_t position = 0;
  for (auto comma : innermost->commas) position += comma < offset;
  out.active = position;
  if (position < innermost->arguments.size())
    if (auto& argument = innermost->arguments[position]; argument.name) {
      auto found = std::find(names.begin(), names.end(), page->text(*argument.name));
      out.active = found == names.end() ? none : static_cast<std::size_t>(found - names.begin());
    }
  // `max(a, b, …)` has no end.
  if (out.active != none && out.active >= out.parameters.size())
    out.active = !out.label.empty() && out.label.find("…") != std::string::npos ? out.parameters.size() - 1 : none;
  if (auto* builtin = symbol->sort == SymbolSort::builtin ? language::find_builtin(symbol->name) : nullptr)
    out.documentation = builtin->documentation;
  else if (auto [there, item] = written(project, page, *symbol); item)
    out.documentation = summary_of(item->documentation);
  return out;
}

}  // namespace ascribe::assist
