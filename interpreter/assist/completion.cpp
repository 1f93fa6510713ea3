#include "interpreter/assist/completion.hpp"

#include <algorithm>
#include <set>

#include "grammar/explanation.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/assist/hover.hpp"
#include "interpreter/language/buildable_layers.hpp"
#include "interpreter/language/builtins.hpp"
#include "interpreter/language/doc_comment.hpp"
#include "interpreter/language/kinds.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/language/pack_checker.hpp"
#include "interpreter/language/scope.hpp"
#include "interpreter/pack/pack_folder.hpp"

namespace ascribe::assist {
namespace {

namespace fs = std::filesystem;
using language::Clause;
using Wanted = Expected::Sort;
using ItemSort = OutlinedItem::Sort;

// How near something is: the first come first.
enum class Rank { at_hand, local, own, imported, standard, built_in, word };

class Completer {
 public:
  Completer(const Project& project, const PagePointer& page, std::size_t offset, const LoadOptions* options)
      : project_(project), page_(page), offset_(std::min(offset, page->source->text().size())), options_(options) {}

  Completion all() {
    auto text = page_->source->text();
    auto upto = text.substr(0, offset_);
    auto begin = begin_of_name(upto, offset_);
    auto pieces = outline(upto);
    if (!pieces.lexemes.empty() && pieces.lexemes.back().span.end == offset_) {
      auto& last = pieces.lexemes.back();
      if (last.kind == Lexeme::Kind::comment) return in_comment(last);
      if (last.kind == Lexeme::Kind::text && !last.whole) return in_string(pieces, last);
      if (last.kind == Lexeme::Kind::number || last.kind == Lexeme::Kind::text) return {{offset_, offset_}, {}};
    }
    out_.replaces = {begin, offset_};
    before_ = outline(text.substr(0, begin));
    // Behind a number or a string, a name needs a blank.
    if (!before_.lexemes.empty() && before_.lexemes.back().span.end == begin &&
        (before_.lexemes.back().kind == Lexeme::Kind::number || before_.lexemes.back().kind == Lexeme::Kind::text ||
         before_.lexemes.back().kind == Lexeme::Kind::name || before_.lexemes.back().kind == Lexeme::Kind::word))
      return {{offset_, offset_}, {}};
    offer_expected(before_.expected);
    return finish();
  }

 private:
  Completion finish() {
    std::set<std::string> seen;
    std::stable_sort(out_.offers.begin(), out_.offers.end(), [](auto& a, auto& b) { return a.rank < b.rank; });
    std::erase_if(out_.offers, [&](auto& each) { return !seen.insert(each.text).second; });
    return std::move(out_);
  }

  void add(std::string text, Offer::Sort sort, Rank rank, std::string detail = "", std::optional<Symbol> symbol = {}) {
    out_.offers.push_back({std::move(text), sort, std::move(symbol), std::move(detail), static_cast<int>(rank), {}});
  }
  void add_word(std::string_view text, std::string detail = "") {
    add(std::string(text), Offer::Sort::word, Rank::word, std::move(detail));
  }
  void add_symbol(Rank rank, Symbol symbol, std::string detail = "") {
    auto text = symbol.name;
    if (detail.empty()) detail = signature_of(project_, page_, symbol);
    add(std::move(text), Offer::Sort::name, rank, std::move(detail), std::move(symbol));
  }

  const OutlinedItem* item() const {
    auto index = before_.expected.item;
    return index < page_->outline.items.size() ? &page_->outline.items[index] : nullptr;
  }

  void offer_expected(const Expected& expected) {
    for (auto each : expected.words)
      if (each != "param") add_word(each);
    if (expected.behind_value)
      for (auto each : {"and", "or"}) add_word(each);
    if (expected.behind_comparison) add_word("within");
    switch (expected.sort) {
      case Wanted::nothing:
      case Wanted::import_path:
      case Wanted::glob:
      case Wanted::test_name:
        break;
      case Wanted::item:
        for (auto each : {"rule", "composite", "fn", "test", "import"}) add_word(each);
        if (page_->path.filename() == pack_file_name) add_word("pack");
        break;
      case Wanted::rule_clause:
        clause_words({"input", "param", "output", "map", "reduce", "forward", "backward", "let", "term", "require"});
        break;
      case Wanted::term_clause:
        clause_words({"input", "param", "output", "map"});
        break;
      case Wanted::entry:
        for (auto each : {"first", "last"}) add_word(each);
        kinds();
        break;
      case Wanted::layers:
        kinds();
        break;
      case Wanted::test_clause:
        test_words();
        break;
      case Wanted::pack_field:
        for (auto& each : language::pack_fields()) add_word(each);
        break;
      case Wanted::type:
        for (auto& each : language::type_words)
          add(std::string(each.word), Offer::Sort::name, Rank::built_in, language::describe(each.type),
              Symbol{Symbol::Sort::type, std::string(each.word)});
        break;
      case Wanted::expression:
        expression(expected);
        break;
      case Wanted::target:
        targets(expected);
        break;
      case Wanted::layer:
        arguments(expected);
        for (auto& each : language::buildable_layers())
          add_symbol(Rank::built_in, {Symbol::Sort::layer, std::string(each.name)});
        break;
      case Wanted::member:
        members(expected);
        break;
      case Wanted::code:
        for (auto& each : explanations())
          add(code_name(each.code), Offer::Sort::name, Rank::built_in, each.title,
              Symbol{Symbol::Sort::code, code_name(each.code)});
        break;
      case Wanted::parameter_name:
        for (auto each : language::parameter_names()) add(std::string(each), Offer::Sort::name, Rank::built_in);
        break;
    }
  }

  // What is there once is not offered again.
  void clause_words(std::initializer_list<std::string_view> words) {
    auto* around = item();
    for (auto each : words) {
      bool once = each == "reduce" || each == "forward" || each == "backward";
      bool there = around && std::any_of(around->lines.begin(), around->lines.end(), [&](auto& line) {
                     return page_->text(line.name) == each && !holds(line.name, offset_);
                   });
      if (!(once && there)) add_word(each);
    }
  }

  void test_words() {
    for (auto each : {"expect", "let"}) add_word(each);
    auto* around = item();
    for (auto each : {"model", "x", "R"}) {
      bool there = around && std::any_of(around->lines.begin(), around->lines.end(), [&](auto& line) {
                     return page_->text(line.name) == each && !holds(line.name, offset_);
                   });
      if (!there) add_word(each);
    }
  }

  void kinds() {
    for (auto each : language::kind_words())
      add(std::string(each), Offer::Sort::name, Rank::built_in, "", Symbol{Symbol::Sort::kind, std::string(each)});
    for (auto each : language::module_words)
      add(std::string(each), Offer::Sort::name, Rank::word, "", Symbol{Symbol::Sort::kind, std::string(each)});
  }

  // The arguments of the open call that are not given yet.
  void arguments(const Expected& expected) {
    if (!expected.argument_begins || expected.call == none) return;
    auto& call = before_.calls[expected.call];
    auto symbol = callee(project_, page_, call);
    if (!symbol) return;
    std::set<std::string_view> given;
    for (auto& each : call.arguments)
      if (each.name) given.insert(page_->text(*each.name));
    auto offer = [&](std::string_view name, std::string detail, std::optional<Symbol> what) {
      if (!given.contains(name))
        add(filled("{} = ", name), Offer::Sort::argument, Rank::at_hand, std::move(detail), std::move(what));
    };
    if (symbol->sort == Symbol::Sort::layer) {
      for (auto& each : language::find_buildable_layer(symbol->name)->arguments) offer(each.name, "", {});
    } else if (symbol->name == "random" && symbol->sort == Symbol::Sort::builtin) {
      offer("seed", "", {});
    } else if (auto [there, called] = written(project_, page_, *symbol); called) {
      // Arguments by position come first, and are not named again.
      auto positions = static_cast<std::size_t>(
          std::count_if(call.arguments.begin(), call.arguments.end(), [](auto& each) { return !each.name; }));
      for (std::size_t i = positions; i < called->parameters.size(); ++i) {
        auto& each = called->parameters[i];
        offer(there->text(each.name), std::string(there->text(each.span)),
              Symbol{Symbol::Sort::parameter, std::string(there->text(each.name)), there->identity, each.name,
                     symbol->item});
      }
    }
  }

  void functions() {
    auto add_all = [&](const Pages& pages, Rank rank) {
      for (auto& each : items_of(pages, ItemSort::function)) add_symbol(rank, each);
    };
    add_all(project_.own, Rank::own);
    add_all(standard_pages(), Rank::standard);
  }

  void packs() {
    for (auto& each : project_.aliases(*page_))
      add(each, Offer::Sort::name, Rank::imported, "pack",
          Symbol{each == "std" ? Symbol::Sort::standard_pack : Symbol::Sort::import, each});
  }

  void locals() {
    auto* around = item();
    if (!around) return;
    auto add_local = [&](Symbol::Sort sort, Span name, std::string detail) {
      auto text = page_->text(name);
      if (!text.empty() && !holds(name, offset_))
        add_symbol(Rank::local, {sort, std::string(text), page_->identity, name, before_.expected.item},
                   std::move(detail));
    };
    for (auto& each : around->parameters)
      add_local(Symbol::Sort::parameter, each.name, std::string(page_->text(each.span)));
    for (auto& line : around->lines) {
      if (line.sort == Line::Sort::let) add_local(Symbol::Sort::let, line.name, "let");
      if (line.sort == Line::Sort::term) add_local(Symbol::Sort::term, line.name, "term");
    }
  }

  bool has_terms() const {
    auto* around = item();
    return around && std::any_of(around->lines.begin(), around->lines.end(), [](auto& line) {
             return line.sort == Line::Sort::term && line.name.end > line.name.begin;
           });
  }

  void expression(const Expected& expected) {
    auto* around = item();
    bool in_test = around && around->sort == ItemSort::test;
    arguments(expected);
    // A default sees no parameters; what an entry's target is given sees those of the composite.
    bool in_head = around && offset_ <= around->head.end;
    if (!in_head) locals();
    bool selector = expected.clause == Clause::argument && !expected.words.empty();
    if (selector) return;
    quantities(expected);
    for (auto& each : language::builtins()) {
      bool fits = each.place == language::BuiltinPlace::anywhere ||
                  (each.place == language::BuiltinPlace::require && expected.clause == Clause::require) ||
                  (each.place == language::BuiltinPlace::test && in_test);
      if (fits) add_symbol(Rank::built_in, {Symbol::Sort::builtin, std::string(each.name)});
    }
    functions();
    packs();
    if (expected.whole_begins) add_word("if");
    if (expected.truth_begins) add_word("not");
  }

  void quantities(const Expected& expected) {
    std::set<std::string> names;
    auto see = [&](Clause clause) {
      for (auto each : language::sight(clause).quantities) names.insert(name_of(each));
    };
    see(expected.clause);
    if (expected.let)
      for (auto each : {Clause::map, Clause::reduce, Clause::backward}) see(each);
    bool needs_term = has_terms() && (expected.let || expected.clause == Clause::reduce);
    for (auto& each : names) {
      if (needs_term && (each == "x" || each == "y" || each == "v")) continue;
      add(each, Offer::Sort::name, Rank::at_hand, "", Symbol{Symbol::Sort::quantity, each});
    }
  }

  static std::string name_of(language::Quantity quantity) {
    switch (quantity) {
      case language::Quantity::x:
        return "x";
      case language::Quantity::w:
        return "w";
      case language::Quantity::y:
        return "y";
      case language::Quantity::v:
        return "v";
      case language::Quantity::R:
        return "R";
      case language::Quantity::grad:
        return "grad";
      case language::Quantity::layer_x:
        return "layer.x";
      case language::Quantity::layer_y:
        return "layer.y";
      case language::Quantity::inputs:
        return "inputs";
      case language::Quantity::other:
        break;
    }
    return "other";
  }

  void targets(const Expected& expected) {
    for (auto sort : {ItemSort::rule, ItemSort::composite}) {
      for (auto& each : items_of(project_.own, sort)) add_symbol(Rank::own, each);
      for (auto& each : items_of(standard_pages(), sort)) add_symbol(Rank::standard, each);
    }
    auto* around = item();
    bool in_entry = around && around->sort == ItemSort::composite && expected.call == none &&
                    page_->text(around->body).starts_with("{");
    if (in_entry)
      for (auto each : language::engine_words())
        add(std::string(each), Offer::Sort::name, Rank::built_in, "", Symbol{Symbol::Sort::engine, std::string(each)});
    packs();
    offer_imports();
  }

  void members(const Expected& expected) {
    auto qualifier = page_->text(*expected.qualifier);
    if (expected.use == Use::value) {
      if (qualifier == "layer") {
        for (auto each : {"x", "y"})
          add(each, Offer::Sort::name, Rank::at_hand, "", Symbol{Symbol::Sort::quantity, filled("layer.{}", each)});
        return;
      }
      auto* around = item();
      bool term = around && std::any_of(around->lines.begin(), around->lines.end(), [&](auto& line) {
                    return line.sort == Line::Sort::term && page_->text(line.name) == qualifier;
                  });
      if (term) {
        std::set<std::string> seen;
        auto see = [&](Clause clause) {
          for (auto each : language::sight(clause).terms) seen.insert(name_of(each));
        };
        see(expected.clause);
        if (expected.let) see(Clause::map), see(Clause::reduce);
        for (auto& each : seen) add(each, Offer::Sort::name, Rank::at_hand, "", Symbol{Symbol::Sort::quantity, each});
        return;
      }
    }
    auto* pages = project_.behind(*page_, qualifier);
    if (!pages) return;
    auto offer = [&](ItemSort sort) {
      for (auto& each : items_of(*pages, sort))
        if (!language::is_private(each.name)) add_symbol(Rank::imported, each);
    };
    if (expected.use == Use::target) offer(ItemSort::rule), offer(ItemSort::composite);
    if (expected.use == Use::value) offer(ItemSort::function);
  }

  // ------------------------------------------------------------------------------------------ comments and strings

  Completion in_comment(const Lexeme& comment) {
    auto text = page_->text({comment.span.begin, offset_});
    out_.replaces = {begin_of_name(page_->source->text(), offset_), offset_};
    auto begun = text.substr(std::min<std::size_t>(2, text.size()));
    if (text.starts_with("##") && begun.find_first_not_of(' ') >= out_.replaces.begin - comment.span.begin - 2)
      for (auto& each : language::doc_labels()) add(filled("{}: ", each.word), Offer::Sort::label, Rank::at_hand);
    return finish();
  }

  Completion in_string(Outline& pieces, const Lexeme& string) {
    out_.replaces = {string.span.begin + 1, offset_};
    before_ = std::move(pieces);
    if (before_.expected.sort == Wanted::parameter_name) offer_expected(before_.expected);
    if (before_.expected.sort == Wanted::import_path) files();
    return finish();
  }

  void list_folder(const fs::path& folder, const std::string& prefix, bool searched) {
    try {
      Reading reading(*options_);
      for (auto& each : reading.list(folder)) {
        if (each.name.starts_with('.') || each.name.find_first_of("\"\\") != std::string::npos) continue;
        bool is_folder = each.kind == Files::Kind::folder;
        bool is_pack = is_folder && reading.kind(folder / each.name / pack_file_name) == Files::Kind::file;
        bool rule = each.kind == Files::Kind::file && each.name.ends_with(".rule") && !searched &&
                    folder / each.name != page_->path && each.name != pack_file_name;
        if (is_pack || rule || (is_folder && !searched))
          add(prefix + each.name, Offer::Sort::file,
              is_pack ? Rank::own
              : rule  ? Rank::imported
                      : Rank::word,
              is_pack     ? "pack"
              : is_folder ? "folder"
                          : "file");
      }
    } catch (const Error&) {
      // What cannot be looked into offers nothing.
    }
  }

  void files() {
    if (!options_ || page_->path.empty()) return;
    auto begun = std::string(page_->text(out_.replaces));
    auto slash = begun.rfind('/');
    auto prefix = slash == std::string::npos ? std::string() : begun.substr(0, slash + 1);
    auto folder = page_->path.parent_path();
    list_folder((folder.empty() ? "." : folder) / fs::path(prefix), prefix.empty() ? "./" : prefix, false);
    if (!prefix.empty()) return;
    for (auto& each : options_->path) list_folder(each, "", true);
  }

  // Packs of the search path that the file does not import yet, each with the import as a second edit.
  void offer_imports() {
    if (!options_ || page_->path.empty()) return;
    auto known = project_.aliases(*page_);
    try {
      Reading reading(*options_);
      for (auto& folder : options_->path) {
        if (reading.behind(folder) != Files::Kind::folder) continue;
        for (auto& each : reading.list(folder)) {
          bool named = !each.name.empty() && begin_of_name(each.name, each.name.size()) == 0 && !is_reserved(each.name);
          if (each.kind != Files::Kind::folder || !named || each.name == project_.name ||
              std::find(known.begin(), known.end(), each.name) != known.end() ||
              reading.kind(folder / each.name / pack_file_name) != Files::Kind::file)
            continue;
          add(each.name, Offer::Sort::name, Rank::word, filled("import \"{0}\" as {0}", each.name));
          out_.offers.back().others = {{{0, 0}, filled("import \"{0}\" as {0}\n", each.name)}};
        }
      }
    } catch (const Error&) {
      // As above.
    }
  }

  const Project& project_;
  const PagePointer& page_;
  std::size_t offset_;
  const LoadOptions* options_;
  Outline before_;
  Completion out_;
};

}  // namespace

Completion complete(const Project& project, const PagePointer& page, std::size_t offset, const LoadOptions* options) {
  return Completer(project, page, offset, options).all();
}

}  // namespace ascribe::assist
