#include "grammar/explanation.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "grammar/filled_text.hpp"
#include "grammar/render_text.hpp"
#include "grammar/text_width.hpp"

namespace ascribe {
namespace {

constexpr std::string_view kind_words[] = {"rule", "test", "shell", "cpp", "generated"};  // in the order of Kind

// Lines of a file, one after another.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool over() const { return rest_.empty(); }
  std::string_view next() {
    auto end = std::min(rest_.find('\n'), rest_.size());
    auto line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return line;
  }

 private:
  std::string_view rest_;
};

[[noreturn]] void malformed(std::string_view line, const char* why) {
  throw std::logic_error(filled("explanations: {}: '{}'", why, line));
}

Example read_example(std::string_view opening, Lines& lines) {
  auto word = std::find(std::begin(kind_words), std::end(kind_words), opening.substr(3));
  if (word == std::end(kind_words)) malformed(opening, "no kind of example");
  Example out{static_cast<Example::Kind>(word - std::begin(kind_words)), ""};
  while (true) {
    if (lines.over()) malformed(opening, "the example has no end");
    auto line = lines.next();
    if (line == "```") return out;
    out.text += filled("{}\n", line);
  }
}

// One word after another, a new line where the next would not fit.
std::string wrapped(std::string_view text, std::size_t widest) {
  std::string out;
  for (Lines lines(text); !lines.over();) {
    auto line = lines.next();
    std::size_t column = 0;
    while (!line.empty()) {
      auto end = std::min(line.find(' '), line.size());
      auto word = line.substr(0, end);
      line.remove_prefix(std::min(end + 1, line.size()));
      auto width = text_width(word);
      if (column > 0 && column + 1 + width > widest) out += '\n', column = 0;
      if (column > 0) out += ' ', ++column;
      out += word;
      column += width;
    }
    out += '\n';
  }
  return out;
}

std::string indented(std::string_view text) {
  std::string out;
  for (Lines lines(text); !lines.over();) {
    auto line = lines.next();
    out += line.empty() ? "\n" : filled("    {}\n", line);
  }
  return out;
}

}  // namespace

std::vector<Explanation> read_explanations(std::string_view file) {
  std::vector<Explanation> out;
  std::size_t examples = 0;
  auto complete = [&] {
    if (!out.empty() && (examples != 2 || out.back().text.empty()))
      malformed(out.back().title, "a page is a title, a text, a failing and a mended example");
  };
  for (Lines lines(file); !lines.over();) {
    auto line = lines.next();
    if (line.starts_with("# ")) {
      complete();
      examples = 0;
      auto end = std::min(line.find(' ', 2), line.size());
      auto number = read_code(line.substr(2, end - 2));
      if (!number || end + 1 >= line.size()) malformed(line, "a page begins with `# A0101 title`");
      out.push_back({static_cast<Code>(*number), std::string(line.substr(end + 1)), "", {}, {}});
    } else if (out.empty()) {
      if (!line.empty()) malformed(line, "text before the first page");
    } else if (line.starts_with("```")) {
      if (examples == 2) malformed(line, "a page has two examples");
      (examples++ == 0 ? out.back().failing : out.back().mended) = read_example(line, lines);
    } else if (!line.empty()) {
      if (examples > 0) malformed(line, "the text stands before the examples");
      // In the files, too, lines are broken: those of one paragraph belong together.
      auto& text = out.back().text;
      text += text.empty() || text.ends_with('\n') ? "" : " ";
      text += line;
    } else if (auto& text = out.back().text; examples == 0 && !text.empty() && !text.ends_with('\n')) {
      text += "\n\n";
    }
  }
  complete();
  for (auto& page : out) page.text.erase(page.text.find_last_not_of('\n') + 1);
  return out;
}

const std::vector<Explanation>& explanations() {
  static const auto pages = [] {
    std::vector<Explanation> out;
    for (auto file : explanation_files())
      for (auto& page : read_explanations(file)) out.push_back(std::move(page));
    std::stable_sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.code < b.code; });
    return out;
  }();
  return pages;
}

const Explanation* find_explanation(Code code) {
  auto& pages = explanations();
  auto found = std::find_if(pages.begin(), pages.end(), [&](auto& page) { return page.code == code; });
  return found == pages.end() ? nullptr : &*found;
}

std::optional<int> read_code(std::string_view written) {
  if (written.starts_with('A') || written.starts_with('a')) written.remove_prefix(1);
  int number = 0;
  auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), number);
  if (error != std::errc() || end != written.data() + written.size() || written.starts_with('-')) return {};
  return number;
}

std::string render_explanation(const Explanation& page,
                               const std::function<std::vector<Diagnostic>(const std::string& text)>& messages,
                               bool colour) {
  constexpr std::size_t widest = 100;
  auto bold = [&](const std::string& text) { return colour ? "\033[1m" + text + "\033[0m" : text; };
  auto out = bold(filled("{}: {}", code_name(page.code), page.title)) + "\n\n" + wrapped(page.text, widest);
  out += filled("\n{}\n\n{}", bold("This fails:"), indented(page.failing.text));
  if (page.failing.kind == Example::Kind::rule)
    out += "\n" + indented(render_text(messages(page.failing.text), colour));
  out += filled("\n{}\n\n{}", bold("This is right:"), indented(page.mended.text));
  return out;
}

}  // namespace ascribe
