#include "grammar/entry_habits.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "grammar/unread_text.hpp"

namespace ascribe {
namespace {

// What stands for all layers elsewhere.
constexpr std::array<std::string_view, 3> words_for_any{"*", ".*", "**"};
// Words for a layer that are no kinds; a number behind them is a module's name.
constexpr std::array<std::string_view, 5> words_for_layer{"layer", "layers", "block", "module", "class"};
struct Kind {
  std::string_view in_pytorch, kind;
};
constexpr Kind kinds[] = {
    {"Linear", "linear"},
    {"Conv1d", "conv1d"},
    {"Conv2d", "conv2d"},
    {"Conv3d", "conv3d"},
    {"ReLU", "relu"},
    {"GELU", "gelu"},
    {"SiLU", "silu"},
    {"Sigmoid", "sigmoid"},
    {"Tanh", "tanh"},
    {"Softmax", "softmax"},
    {"LayerNorm", "layer_norm"},
    {"RMSNorm", "rms_norm"},
    {"GroupNorm", "group_norm"},
    {"BatchNorm1d", "batch_norm"},
    {"BatchNorm2d", "batch_norm"},
    {"BatchNorm3d", "batch_norm"},
    {"MaxPool2d", "max_pool2d"},
    {"AvgPool2d", "avg_pool2d"},
    {"Embedding", "embedding"},
};
constexpr std::array<std::string_view, 6> between_kinds{"and", "or", "|", "&", "+", "/"};

bool is_one_of(std::string_view word, auto& words) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

// `nn.Linear`: a kind, or the name of a class.
std::string of_pytorch(std::string_view written) {
  if (!written.starts_with("nn.") && !written.starts_with("torch.")) return "";
  auto name = written.substr(written.rfind('.') + 1);
  for (auto& row : kinds)
    if (row.in_pytorch == name) return std::string(row.kind);
  return name.empty() ? "" : filled("class \"{}\"", name);
}

// A glob of what is written between slashes or with backslashes: `features\.\d+` means nothing else there.
std::string as_glob(std::string_view written) {
  if (written.size() > 2 && written.front() == '/' && written.back() == '/')
    written = written.substr(1, written.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < written.size(); ++i) {
    bool many = written[i] == '.' && i + 1 < written.size() && (written[i + 1] == '*' || written[i + 1] == '+');
    bool digits = written.substr(i).starts_with("\\d+") || written.substr(i).starts_with("\\w+");
    if (written[i] == '^' || written[i] == '$') continue;
    if (many && (i == 0 || written[i - 1] != '\\') && written[i + 1] == '+') {
      out += '*', ++i;
    } else if (digits) {
      out += '*', i += 2;
    } else if (written[i] != '\\') {
      out += written[i];
    }
  }
  return out;
}

class UnreadEntry : UnreadText {
 public:
  using UnreadText::UnreadText;

  std::optional<Diagnostic> explain() const {
    if (at_ >= text_.size()) return {};
    if (auto found = target()) return found;
    bool of_layers =
        expected_.has(expecting::entry) || expected_.has(expecting::layers) || expected_.has(expecting::arrow);
    if (!of_layers || expected_.has(expecting::expression) || expected_.has(expecting::item)) return {};
    if (expected_.has(expecting::entry) && word_at(at_) == "if")
      return make({at_, at_ + 2}, "an entry has no condition",
                  "the first that fits wins: `first convolution => epsilon`");
    if (auto found = word_between()) return found;
    if (auto found = in_brackets()) return found;
    if (auto found = list_mark()) return found;
    if (auto found = count()) return found;
    if (auto found = bare_name()) return found;
    if (auto found = without_layers()) return found;
    if (auto found = any()) return found;
    if (auto found = without_quotes()) return found;
    return argument();
  }

 private:
  // Whether an entry's arrow comes there, or what people write for one.
  bool is_arrow(std::size_t at) const {
    auto rest = text_.substr(behind_blanks(at));
    return rest.starts_with("=>") || rest.starts_with("->") || rest.starts_with(":") ||
           (rest.starts_with("=") && !rest.starts_with("=="));
  }
  // With the arrow that an entry has, where another stands there.
  Diagnostic with_arrow(Diagnostic out, std::size_t end) const {
    auto at = behind_blanks(end);
    auto rest = text_.substr(at);
    if (rest.starts_with("->"))
      out.fixes.back().edits.push_back({{at, at + 2}, "=>"});
    else if (rest.starts_with(":") || (rest.starts_with("=") && !rest.starts_with("=>")))
      out.fixes.back().edits.push_back({{at, at + 1}, at > 0 && text_[at - 1] == ' ' ? "=>" : " =>"});
    return out;
  }
  static bool is_number(std::string_view word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), is_digit);
  }

  // `linear => "epsilon"`, `linear => `
  std::optional<Diagnostic> target() const {
    auto end = before_blanks(at_);
    if (!expected_.has(expecting::name) || end < begin_ + 2 || text_.substr(end - 2, 2) != "=>") return {};
    if (text_[at_] == '"') {
      auto close = text_.find('"', at_ + 1);
      auto name = text_.substr(at_ + 1, close == std::string_view::npos ? 0 : close - at_ - 1);
      if (!name.empty() && is_letter(name[0]) && std::all_of(name.begin(), name.end(), is_name_character)) {
        Span span{at_, close + 1};
        return with_fix(make(span, "a rule is named without quotes", filled("write `{}`", name)), span,
                        std::string(name), true);
      }
    }
    if (std::string_view("}\";[{0123456789").find(text_[at_]) == std::string_view::npos) return {};
    return make({at_, at_ + 1}, "an entry says which rule its layers get",
                "behind `=>` stands a rule, a composite, `merge`, `refuse` or `stop`: `linear => epsilon`");
  }

  // `linear and convolution`
  std::optional<Diagnostic> word_between() const {
    if (!expected_.has(expecting::comma)) return {};
    auto word = word_at(at_);
    if (word.empty()) word = text_.substr(at_, 1);
    if (!is_one_of(word, between_kinds) || (word == "/" && text_.substr(at_, 2) != "/ ")) return {};
    auto end = at_ + word.size();
    if (text_.substr(at_, 2) == "||" || text_.substr(at_, 2) == "&&") ++end;
    auto next = behind_blanks(end);
    if (next >= text_.size() || !(is_letter(text_[next]) || text_[next] == '"')) return {};
    auto shown = text_.substr(at_, end - at_);
    auto out = make({at_, end}, filled("layers are separated by `,`, not by `{}`", shown), "write `,`");
    return with_fix(std::move(out), {before_blanks(at_), end}, end == next ? ", " : ",", true);
  }

  // `(linear, convolution) =>`
  std::optional<Diagnostic> in_brackets() const {
    if (!expected_.has(expecting::entry) || (text_[at_] != '(' && text_[at_] != '[')) return {};
    auto close = text_.find(text_[at_] == '(' ? ')' : ']', at_);
    if (close == std::string_view::npos || !is_arrow(close + 1)) return {};
    auto inside = std::string(text_.substr(at_ + 1, close - at_ - 1));
    if (inside.empty() || inside.find_first_of("()[]{}=>\n") != std::string::npos) return {};
    Span span{at_, close + 1};
    return with_arrow(
        with_fix(make(span, "layers stand without brackets", filled("write `{}`", inside)), span, inside, true),
        close + 1);
  }

  // `1 linear`, `linear 3`, `linear[3]`, `first(2) linear`, `layer 3`
  std::optional<Diagnostic> count() const {
    auto open = text_[at_];
    bool bracket = open == '(' || open == '[';
    auto digits = word_at(bracket ? at_ + 1 : at_);
    if (!is_number(digits)) return {};
    auto end = at_ + digits.size() + (bracket ? 1 : 0);
    if (bracket) {
      if (end >= text_.size() || (text_[end] != ')' && text_[end] != ']')) return {};
      ++end;
    }
    auto before_end = before_blanks(at_);
    auto word = word_before(before_end);
    Span span{before_end - word.size(), end};
    if (bracket && (word == "first" || word == "last")) {
      auto text = filled("{} {}", word, digits);
      return with_fix(make(span, "a count stands without brackets", filled("write `{}`", text)), span, text, true);
    }
    auto next = behind_blanks(end);
    if (expected_.has(expecting::entry) && !bracket && next > end && next < text_.size() && is_letter(text_[next])) {
      auto text = filled("first {}", digits);
      return with_fix(make({at_, end}, "a count says from which end: `first` or `last`", filled("write `{}`", text)),
                      {at_, end}, text, false);
    }
    if (!expected_.has(expecting::arrow) || word.empty() || !is_arrow(end)) return {};
    if (is_one_of(word, words_for_layer)) {
      auto text = word == "module" ? filled("module \"{}\"", digits) : filled("\"{}\"", digits);
      return with_fix(make(span, "a module is named by a string",
                           filled("write `{}`, or `first {} convolution` for calls of a kind", text, digits)),
                      span, text, false);
    }
    auto first = filled("first {} {}", digits == "0" ? "1" : digits, word), named = filled("{} \"{}\"", word, digits);
    auto out = make({at_, end}, "a count stands before the kind, a module's name in quotes",
                    filled("write `{}`, or `{}` for the module of that name", first, named));
    return with_fix(with_fix(std::move(out), span, first, false), span, named, false);
  }

  // `- linear: epsilon`
  std::optional<Diagnostic> list_mark() const {
    auto name = behind_blanks(at_ + 1);
    if (!expected_.has(expecting::entry) || text_[at_] != '-' || name == at_ + 1 || !is_name(word_at(name))) return {};
    auto out = with_fix(make({at_, at_ + 1}, "no mark stands before an entry", "leave it out"), {at_, name}, "", true);
    return with_arrow(std::move(out), name + word_at(name).size());
  }

  // `class Bottleneck =>`
  std::optional<Diagnostic> bare_name() const {
    auto before = word_before(before_blanks(at_)), name = word_at(at_);
    bool named = before == "module" || before == "class";
    if (!named || !is_name(name) || !is_arrow(at_ + name.size())) return {};
    auto text = filled("\"{}\"", name);
    Span span{at_, at_ + name.size()};
    auto out = make(span, filled("`{}` takes a string", before), filled("write `{} {}`", before, text));
    return with_arrow(with_fix(std::move(out), span, text, true), span.end);
  }

  // `first => epsilon`
  std::optional<Diagnostic> without_layers() const {
    if (!expected_.has(expecting::layers) || !is_arrow(at_)) return {};
    auto end = before_blanks(at_);
    auto word = word_before(end);
    if (is_number(word)) word = word_before(before_blanks(end - word.size()));
    if (word != "first" && word != "last") return {};
    auto out = make({at_, at_ + 1}, filled("`{}` of which layers?", word),
                    filled("write `{0} any`, or a kind: `{0} convolution`", word));
    out.fixes.push_back({"add `any`", {{{end, end}, " any"}}});
    return out;
  }

  // `* => epsilon`, `else => epsilon`
  std::optional<Diagnostic> any() const {
    if (!expected_.has(expecting::entry)) return {};
    auto word = word_at(at_);
    if (word.empty())
      for (auto each : words_for_any)
        if (text_.substr(at_).starts_with(each)) word = text_.substr(at_, each.size());
    if (!(is_one_of(word, words_for_any) || word == "else" || word == "_") || !is_arrow(at_ + word.size())) return {};
    Span span{at_, at_ + word.size()};
    auto out = make(span, filled("`{}` is no layer kind", word), "write `any`, which is for all layers");
    return with_arrow(with_fix(std::move(out), span, "any", true), span.end);
  }

  // `features.0 =>`, `conv* =>`, `/features.*/ =>`
  std::optional<Diagnostic> without_quotes() const {
    auto is_part = [&](char c) {
      return is_name_character(c) || std::string_view(".*?[]-/\\+^$|()").find(c) != std::string_view::npos;
    };
    auto begin = at_, end = at_;
    while (begin > begin_ && is_part(text_[begin - 1])) --begin;
    while (end < text_.size() && is_part(text_[end]) && text_.substr(end, 2) != "->") ++end;
    auto written = text_.substr(begin, end - begin);
    if (written.empty() || !is_arrow(end) || begin == begin_) return {};
    if (is_letter(written[0]) && std::all_of(written.begin(), written.end(), is_name_character)) return {};
    auto glob = as_glob(written);
    bool pattern = written.find_first_of("/\\+^$|()") != std::string_view::npos;
    Span span{begin, end};
    if (auto text = of_pytorch(written); !text.empty())
      return with_arrow(with_fix(make(span, "a layer kind is one word", filled("write `{}`", text)), span, text, false),
                        end);
    if (glob.empty() || glob.find_first_of("+|()/") != std::string::npos)
      return make(span, "a module's name stands in quotes", "write a glob, `\"features.*\"`: `*` is any characters");
    auto text = filled("\"{}\"", glob);
    auto out = make(span, pattern ? "modules are chosen by a glob in quotes" : "a module's name stands in quotes",
                    filled("write `{}`", text));
    return with_arrow(with_fix(std::move(out), span, text, !pattern), end);
  }

  // `linear => epsilon 1e-6`, `linear => epsilon[1e-6]`
  std::optional<Diagnostic> argument() const {
    auto end = before_blanks(at_);
    auto word = word_before(end);
    bool same_line = text_.substr(end, at_ - end).find('\n') == std::string_view::npos;
    if (!expected_.has(expecting::entry) || word.empty() || !same_line) return {};
    if (text_[at_] == '[') {
      auto close = text_.find(']', at_);
      auto inside = text_.substr(at_ + 1, close == std::string_view::npos ? 0 : close - at_ - 1);
      if (inside.empty() || inside.find_first_of("[{}=>\n") != std::string_view::npos) return {};
      auto call = filled("{}({})", word, inside);
      return with_fix(make({at_, close + 1}, "arguments stand in parentheses", filled("write `{}`", call)),
                      {end - word.size(), close + 1}, call, false);
    }
    if (!is_digit(text_[at_])) return {};
    auto last = at_;
    while (last < text_.size() && (is_name_character(text_[last]) || text_[last] == '.' ||
                                   (text_[last] == '-' && (text_[last - 1] == 'e' || text_[last - 1] == 'E'))))
      ++last;
    Span span{at_, last};
    auto text = filled("{}({})", word, text_.substr(at_, last - at_));
    return with_fix(make(span, "arguments stand in parentheses", filled("write `{}`", text)), {end - word.size(), last},
                    text, false);
  }
};

}  // namespace

std::optional<Diagnostic> explain_entry(const SourcePointer& source, std::size_t begin, const Expectations& expected) {
  return UnreadEntry(source, begin, expected).explain();
}

}  // namespace ascribe
