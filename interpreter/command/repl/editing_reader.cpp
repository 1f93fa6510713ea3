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

#include "grammar/limits.hpp"
#include "grammar/text_width.hpp"

namespace ascribe::repl {
namespace {

class EditingReader : public LineReader {
 public:
  EditingReader(const Signals& signals, Completer completer, WholeInput is_whole, const History& history)
      : signals_(signals),
        completer_(std::move(completer)),
        is_whole_(std::move(is_whole)),
        entries_(history.entries()) {
    // libedit takes characters as the locale has them; ours are UTF-8.
    std::setlocale(LC_CTYPE, "");
    if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
    history_ = history_init();
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, static_cast<int>(2 * History::most_entries));
    ::history(history_, &event, H_SETUNIQUE, 1);
    for (auto& each : entries_) ::history(history_, &event, H_ENTER, each.c_str());
    editor_ = el_init("ascribe", stdin, stdout, stderr);
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, &EditingReader::prompt);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_SIGNAL, 0);
    el_set(editor_, EL_HIST, ::history, history_);
    el_set(editor_, EL_GETCFN, &EditingReader::next_character);
    struct Key {
      const char* name;
      unsigned char (*does)(EditLine*, int);
      const char* what;
      std::initializer_list<const char*> keys;
    };
    for (auto& [name, does, what, keys] : std::initializer_list<Key>{
             {"ascribe-complete", &EditingReader::complete, "completes what is being written", {"^I"}},
             {"ascribe-enter", &EditingReader::enter, "ends a line, or an input of several", {"^M", "^J"}},
             {"ascribe-break", &EditingReader::insert_break, "begins a new line of the same input", {"\\e^M", "\\e^J"}},
             {"ascribe-paste", &EditingReader::paste, "takes what is pasted as one piece", {"\\e[200~"}},
             {"ascribe-begin", &EditingReader::to_begin, "to the line's begin", {"^A"}},
             {"ascribe-end", &EditingReader::to_end, "to the line's end", {"^E"}},
             {"ascribe-up", &EditingReader::up, "to the line above, or the input before", {"\\e[A", "\\eOA", "^P"}},
             {"ascribe-down",
              &EditingReader::down,
              "to the line below, or the next input",
              {"\\e[B", "\\eOB", "^N"}}}) {
      el_set(editor_, EL_ADDFN, name, what, does);
      for (auto* key : keys) el_set(editor_, EL_BIND, key, name, nullptr);
    }
    el_set(editor_, EL_BIND, accepting_key, "ed-newline", nullptr);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(editor_, nullptr);  // what the user wants of all programs with libedit
  }

  ~EditingReader() override {
    el_end(editor_);
    history_end(history_);
  }
  EditingReader(const EditingReader&) = delete;
  EditingReader& operator=(const EditingReader&) = delete;

  Line read(const std::string& prompt, const std::string& before) override {
    prompt_ = prompt;
    before_ = before;
    anew_ = false;
    chosen_ = entries_.size();
    el_set(editor_, EL_PREP_TERM, 1);  // before the prompt: what is typed behind it are keys, Ctrl-D as well
    tell_terminal(paste_as_one);
    int count = 0;
    auto* text = el_gets(editor_, &count);
    if (!text) tell_terminal(paste_as_keys);  // otherwise it was told before the line was left
    if (!text && signals_.interrupted() && !signals_.ending()) {
      std::fputs("^C", stdout);  // which the terminal does not do while a line is edited
      std::fflush(stdout);
      return {Line::End::interrupt};
    }
    if (!text) return {Line::End::end};
    std::string line(text, static_cast<std::size_t>(count));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    return {Line::End::line, std::move(line), anew_};
  }

  void remember(const std::string& entry) override {
    HistEvent event;
    ::history(history_, &event, H_ENTER, entry.c_str());
    entries_.push_back(entry);
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
          tell_terminal(paste_as_one);
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

  // What a terminal does with what is pasted: it marks where that begins and ends, or not.
  static constexpr auto paste_as_one = "\033[?2004h", paste_as_keys = "\033[?2004l", end_of_paste = "\033[201~";
  static constexpr auto accepting_key = "^^", accepting_character = "\x1e";

  static void tell_terminal(const char* text) {
    std::fputs(text, stdout);
    std::fflush(stdout);
  }

  // ------------------------------------------------------------------------------------- what is written, in several
  // lines

  static std::string text_of(EditLine* editor) {
    auto* line = el_line(editor);
    return {line->buffer, static_cast<std::size_t>(line->lastchar - line->buffer)};
  }

  static bool insert(EditLine* editor, const std::string& text) {
    return text.empty() || el_insertstr(editor, text.c_str()) == 0;
  }

  static unsigned char replace_all(EditLine* editor, const std::string& text) {
    auto* line = el_wline(editor);
    el_cursor(editor, static_cast<int>(line->lastchar - line->cursor));
    line = el_wline(editor);
    if (line->lastchar > line->buffer) el_deletestr(editor, static_cast<int>(line->lastchar - line->buffer));
    return insert(editor, text) ? CC_REFRESH : CC_REFRESH_BEEP;
  }

  // Enter: of several lines it is the end only where they are whole.
  static unsigned char enter(EditLine* editor, int) {
    auto& reader = self(editor);
    auto text = text_of(editor);
    if (text.find('\n') != std::string::npos && !reader.is_whole((reader.anew_ ? "" : reader.before_) + text))
      return insert_break(editor, 0);
    tell_terminal(paste_as_keys);
    el_push(editor, accepting_character);
    return CC_NORM;
  }

  bool is_whole(const std::string& lines) const {
    try {
      return is_whole_(lines);
    } catch (const std::exception&) {  // whatever it is, it has its message when it is run
      return true;
    }
  }

  static unsigned char insert_break(EditLine* editor, int) {
    return insert(editor, "\n") ? CC_REFRESH : CC_REFRESH_BEEP;
  }

  // What comes up to the mark of its end is text, whatever keys it would be.
  static unsigned char paste(EditLine* editor, int) {
    auto& signals = self(editor).signals_;
    const std::string_view end = end_of_paste;
    std::string text;
    bool too_long = false;  // to be meant; the end has to be found all the same
    while (!std::string_view(text).ends_with(end)) {
      char byte = 0;
      if (!wait_for_input(signals) || ::read(STDIN_FILENO, &byte, 1) != 1) return CC_REFRESH_BEEP;
      text += byte;
      if (text.size() <= limits.source_bytes + end.size()) continue;
      too_long = true;
      text.erase(0, text.size() - end.size());
    }
    text.resize(text.size() - end.size());
    if (too_long) text.assign(limits.source_bytes + 1, ' ');  // which is refused, as one
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      auto c = text[i];
      if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
      if (c == '\r') c = '\n';
      if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    }
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return insert(editor, out) ? CC_REFRESH : CC_REFRESH_BEEP;
  }

  // ---------------------------------------------------------------------------------------------- lines above and
  // below

  // Moves the cursor to another line of what is written. Whether there is one.
  static bool move(EditLine* editor, bool upwards) {
    auto* line = el_wline(editor);
    std::wstring_view text(line->buffer, static_cast<std::size_t>(line->lastchar - line->buffer));
    auto cursor = static_cast<std::size_t>(line->cursor - line->buffer);
    auto begin = cursor == 0 ? 0 : text.rfind(L'\n', cursor - 1) + 1;
    auto target = begin;  // where the other line begins
    if (upwards) {
      if (begin == 0) return false;
      target = begin < 2 ? 0 : text.rfind(L'\n', begin - 2) + 1;
    } else {
      auto next = text.find(L'\n', cursor);
      if (next == std::wstring_view::npos) return false;
      target = next + 1;
    }
    auto end = std::min(text.find(L'\n', target), text.size());
    auto place = std::min(target + (cursor - begin), end);
    el_cursor(editor, static_cast<int>(place) - static_cast<int>(cursor));
    return true;
  }

  static unsigned char to_begin(EditLine* editor, int) {
    auto* line = el_wline(editor);
    int back = 0;
    while (line->cursor - back > line->buffer && line->cursor[-back - 1] != L'\n') ++back;
    el_cursor(editor, -back);
    return CC_CURSOR;
  }

  static unsigned char to_end(EditLine* editor, int) {
    auto* line = el_wline(editor);
    el_cursor(editor, static_cast<int>(std::find(line->cursor, line->lastchar, L'\n') - line->cursor));
    return CC_CURSOR;
  }

  static unsigned char up(EditLine* editor, int) {
    auto& reader = self(editor);
    if (move(editor, true)) return CC_CURSOR;
    if (!reader.before_.empty() && !reader.anew_) {  // the lines before are entered already: now they can be changed
      auto text = reader.before_ + text_of(editor);
      reader.anew_ = true;
      reader.prompt_ = "> ";
      return replace_all(editor, text) == CC_REFRESH ? CC_REDISPLAY : CC_REFRESH_BEEP;
    }
    return reader.choose(reader.chosen_ - 1);
  }

  static unsigned char down(EditLine* editor, int) {
    auto& reader = self(editor);
    return move(editor, false) ? CC_CURSOR : reader.choose(reader.chosen_ + 1);
  }

  // An input of the history; behind the last one is what was being written.
  unsigned char choose(std::size_t entry) {
    if (entry > entries_.size()) return CC_REFRESH_BEEP;  // or before the first
    if (chosen_ == entries_.size()) written_ = text_of(editor_);
    chosen_ = entry;
    return replace_all(editor_, entry == entries_.size() ? written_ : entries_[entry]);
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
    bool told =
        count <= few && std::any_of(words.begin(), words.end(), [](auto& each) { return !each.detail.empty(); });
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
  WholeInput is_whole_;
  std::vector<std::string> entries_;  // those of the history
  std::size_t chosen_ = 0;            // of them
  std::string prompt_, before_, written_;
  bool anew_ = false;
  ::History* history_;
  EditLine* editor_;
};

}  // namespace

std::unique_ptr<LineReader> editing_reader(const Signals& signals, Completer completer, WholeInput is_whole,
                                           const History& history) {
  auto* kind = std::getenv("TERM");
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !kind || !*kind || std::string_view(kind) == "dumb")
    return nullptr;
  return std::make_unique<EditingReader>(signals, std::move(completer), std::move(is_whole), history);
}

}  // namespace ascribe::repl

#else

namespace ascribe::repl {

std::unique_ptr<LineReader> editing_reader(const Signals&, Completer, WholeInput, const History&) { return nullptr; }

}  // namespace ascribe::repl

#endif
