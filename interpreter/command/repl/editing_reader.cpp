#include <string_view>

#include "interpreter/command/repl/line_editor.hpp"

#ifdef ASCRIBE_LIBEDIT

#include <histedit.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>

#include "grammar/text_width.hpp"

namespace ascribe::repl {
namespace {

class EditingReader : public LineReader {
 public:
  EditingReader(const Signals& signals, Completer completer, const History& history)
      : signals_(signals), completer_(std::move(completer)) {
    // libedit takes characters as the locale has them; ours are UTF-8.
    std::setlocale(LC_CTYPE, "");
    if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
    history_ = history_init();
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, static_cast<int>(2 * History::most_lines));
    ::history(history_, &event, H_SETUNIQUE, 1);
    for (auto& line : history.lines()) ::history(history_, &event, H_ENTER, line.c_str());
    editor_ = el_init("ascribe", stdin, stdout, stderr);
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, &EditingReader::prompt);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_SIGNAL, 0);
    el_set(editor_, EL_HIST, ::history, history_);
    el_set(editor_, EL_GETCFN, &EditingReader::next_character);
    el_set(editor_, EL_ADDFN, "ascribe-complete", "completes what is being written", &EditingReader::complete);
    el_set(editor_, EL_BIND, "^I", "ascribe-complete", nullptr);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(editor_, nullptr);  // what the user wants of all programs with libedit
  }

  ~EditingReader() override {
    el_end(editor_);
    history_end(history_);
  }
  EditingReader(const EditingReader&) = delete;
  EditingReader& operator=(const EditingReader&) = delete;

  Line read(const std::string& prompt) override {
    prompt_ = prompt;
    el_set(editor_, EL_PREP_TERM, 1);  // before the prompt: what is typed behind it are keys, Ctrl-D as well
    int count = 0;
    auto* text = el_gets(editor_, &count);
    if (!text && signals_.interrupted() && !signals_.ending()) {
      std::fputs("^C", stdout);  // which the terminal does not do while a line is edited
      std::fflush(stdout);
      return {Line::End::interrupt};
    }
    if (!text) return {Line::End::end};
    std::string line(text, static_cast<std::size_t>(count));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    return {Line::End::line, std::move(line)};
  }

  void remember(const std::string& line) override {
    HistEvent event;
    ::history(history_, &event, H_ENTER, line.c_str());
  }

 private:
  static EditingReader& self(EditLine* editor) {
    void* out = nullptr;
    el_get(editor, EL_CLIENTDATA, &out);
    return *static_cast<EditingReader*>(out);
  }

  static char* prompt(EditLine* editor) { return self(editor).prompt_.data(); }

  // The next character that was typed: 1; or 0 at the end, −1 for Ctrl-C.
  static int next_character(EditLine* editor, wchar_t* out) {
    auto& signals = self(editor).signals_;
    std::mbstate_t state{};
    while (true) {
      auto on_signal = [&] {
        if (signals.continued()) {
          el_set(editor, EL_PREP_TERM, 0);  // it takes the terminal to be as it was before
          el_set(editor, EL_PREP_TERM, 1);
          el_set(editor, EL_REFRESH);
        }
        if (signals.resized()) el_resize(editor);
      };
      if (!wait_for_input(signals, on_signal)) return signals.ending() ? 0 : -1;
      char byte = 0;
      if (::read(STDIN_FILENO, &byte, 1) != 1) return 0;
      auto length = std::mbrtowc(out, &byte, 1, &state);
      if (length == static_cast<std::size_t>(-2)) continue;  // more bytes belong to it
      if (length == static_cast<std::size_t>(-1)) {
        state = {};
        continue;  // no text: left out
      }
      return 1;
    }
  }

  static unsigned char complete(EditLine* editor, int) {
    auto& reader = self(editor);
    auto* line = el_line(editor);
    std::string_view text(line->buffer, static_cast<std::size_t>(line->lastchar - line->buffer));
    auto cursor = static_cast<std::size_t>(line->cursor - line->buffer);
    Completion found;
    try {
      found = reader.completer_(text, cursor);
    } catch (const std::exception&) {  // what cannot be completed is not worth a message
    }
    if (found.words.empty()) return CC_REFRESH_BEEP;
    auto begun = cursor - found.begin;
    auto common = found.common();
    if (common.size() > begun) {
      auto rest = common.substr(begun);
      return el_insertstr(editor, rest.c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
    }
    if (found.words.size() == 1) return CC_NORM;
    show(found.words);
    return CC_REDISPLAY;
  }

  // The words below the line: in columns, or where they are few and there is something to say about them, a line each.
  static void show(const std::vector<Completion::Word>& words) {
    constexpr std::size_t most = 120, few = 24;
    winsize size{};
    std::size_t columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    std::size_t width = 0;
    auto count = std::min(words.size(), most);
    for (std::size_t i = 0; i < count; ++i) width = std::max(width, text_width(words[i].text) + 2);
    bool told = count <= few && std::any_of(words.begin(), words.end(), [](auto& each) { return !each.detail.empty(); });
    auto per_line = told ? 1 : std::max<std::size_t>(1, columns / std::max<std::size_t>(width, 1));
    std::string out = "\n";
    for (std::size_t i = 0; i < count; ++i) {
      auto& [text, detail] = words[i];
      out += text;
      bool last = i + 1 == count || (i + 1) % per_line == 0;
      bool fits = told && width + text_width(detail) < columns;
      if (!last || (fits && !detail.empty())) out.append(width - text_width(text), ' ');
      if (fits) out += detail;
      if (last) out += "\n";
    }
    if (count < words.size()) out += "… and " + std::to_string(words.size() - count) + " more\n";
    std::fputs(out.c_str(), stdout);
    std::fflush(stdout);
  }

  const Signals& signals_;
  Completer completer_;
  std::string prompt_;
  ::History* history_;
  EditLine* editor_;
};

}  // namespace

std::unique_ptr<LineReader> editing_reader(const Signals& signals, Completer completer, const History& history) {
  auto* kind = std::getenv("TERM");
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !kind || !*kind || std::string_view(kind) == "dumb")
    return nullptr;
  return std::make_unique<EditingReader>(signals, std::move(completer), history);
}

}  // namespace ascribe::repl

#else

namespace ascribe::repl {

std::unique_ptr<LineReader> editing_reader(const Signals&, Completer, const History&) { return nullptr; }

}  // namespace ascribe::repl

#endif
