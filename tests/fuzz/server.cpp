// A session of the language server: a text is opened and edited, and everything is asked of it at places that the input
// draws. Each request has an answer that is no fault of ours; places lie in the text; formatting gives what the
// formatter gives; a renaming leaves the program the same, and can be taken back; what is offered as an edit can be
// made. The wire reads whatever comes.
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "ascribe/pack.hpp"
#include "grammar/fixes.hpp"
#include "grammar/formatter.hpp"
#include "grammar/parser.hpp"
#include "interpreter/server/positions.hpp"
#include "interpreter/server/server.hpp"
#include "tests/fuzz/property.hpp"

using namespace ascribe;
using server::Json;

namespace {

constexpr const char* uri = "untitled:fuzz.rule";
constexpr int internal_error = -32603;

// Draws from the bytes of an input, again and again.
class Draw {
 public:
  Draw(const std::uint8_t* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) state_ = (state_ ^ data[i]) * 1099511628211U;
  }
  std::size_t below(std::size_t end) {
    state_ ^= state_ << 13U, state_ ^= state_ >> 7U, state_ ^= state_ << 17U;
    return end == 0 ? 0 : static_cast<std::size_t>(state_ % end);
  }

 private:
  std::uint64_t state_ = 14695981039346656037U;
};

// The client's end. There is one server for all inputs, as an editor has one for all texts.
class Client {
 public:
  Client() {
    int ends[2];
    fuzz::require(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "a pair of sockets");
    descriptor_ = ends[0];
    std::thread([end = ends[1]] {
      server::serve(end, end);
      fuzz::violated("the server goes on until it is told to end");
    }).detach();
    input_.emplace(descriptor_);
    output_.emplace(descriptor_);
    ask("initialize", {{"capabilities", {{"general", {{"positionEncodings", {"utf-16"}}}}}}});
    tell("initialized", Json::object());
  }

  void tell(const char* method, Json parameters) {
    output_->write({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(parameters)}});
  }
  /// The answer's result; nothing where it was refused with a reason.
  std::optional<Json> ask(const std::string& method, Json parameters) {
    auto id = ++last_;
    output_->write({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(parameters)}});
    while (auto message = input_->next()) {
      // Selections are nested as deep as the text is, and the server's own reader has a limit.
      bool deep = method == "textDocument/selectionRange";
      fuzz::require(message->mistake.empty() || deep, "what the server writes can be read", message->mistake);
      if (!message->mistake.empty()) return {};
      auto& content = message->content;
      if (content.value("id", Json()) != id) continue;  // told without being asked
      if (content.contains("result")) return content["result"];
      auto& error = content.at("error");
      fuzz::require(error.at("code") != internal_error, "no fault of ours", error.dump());
      fuzz::require(!error.at("message").get<std::string>().empty(), "a refusal has a reason", method);
      return {};
    }
    fuzz::violated("the server answers", method);
  }

 private:
  int descriptor_ = -1;
  int last_ = 0;
  std::optional<server::Input> input_;
  std::optional<server::Output> output_;
};

Client& client() {
  static auto* out = new Client;  // as long as the server
  return *out;
}

// The text as the server has it: JSON is UTF-8.
std::string as_sent(const std::string& text) {
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

std::vector<Edit> edits_of(const Json& list, const std::string& text) {
  server::Lines lines(text, server::Encoding::utf16);
  std::vector<Edit> out;
  for (auto& each : list) {
    auto& range = each.at("range");
    out.push_back({lines.span(range), each.at("newText").get<std::string>()});
    for (auto* end : {"start", "end"}) {
      auto& place = range.at(end);
      fuzz::require(lines.position(lines.offset(place)) == place, "an edit's place lies in the text", place.dump());
    }
  }
  return out;
}

std::vector<std::string> mistakes_in(const std::string& text) {
  std::vector<std::string> out;
  std::vector<Diagnostic> found;
  try {
    found = Pack::parse(text, "fuzz.rule").warnings();
  } catch (const Error& error) {
    found = error.diagnostics();
  }
  for (auto& each : found) out.push_back(code_name(each.code));
  std::sort(out.begin(), out.end());
  return out;
}

// Whether a definition that is being written can be read as far as it goes; `deep`: or ends at the limit of nesting.
bool can_go_on(const std::string& text, bool deep) {
  std::vector<Diagnostic> diagnostics;
  auto parsed = parse_input(std::make_shared<const Source>("fuzz.rule", text), diagnostics);
  return parsed.input || parsed.incomplete ||
         (deep && !diagnostics.empty() && diagnostics.back().code == Code::too_deep);
}

// Whether it is whole: other words are offered behind it than in a session.
bool has_ended(const std::string& text) {
  std::vector<Diagnostic> diagnostics;
  return parse_input(std::make_shared<const Source>("fuzz.rule", text), diagnostics).input.has_value();
}

class Session {
 public:
  Session(std::string text, Draw draw) : text_(std::move(text)), draw_(draw) {
    client().tell("textDocument/didOpen",
                  {{"textDocument", {{"uri", uri}, {"languageId", "ascribe"}, {"version", 0}, {"text", text_}}}});
  }
  ~Session() { client().tell("textDocument/didClose", {{"textDocument", {{"uri", uri}}}}); }

  void go() {
    for (int step = 0; step < 2; ++step) {
      if (step > 0) change();
      everything();
      format();
      rename();
      actions();
      complete();
    }
  }

 private:
  Json document() const { return {{"uri", uri}}; }
  std::size_t place() {
    auto out = draw_.below(text_.size() + 1);
    return lines().offset(lines().position(out));  // neither within a character nor within a line's end
  }
  server::Lines lines() const { return {text_, server::Encoding::utf16}; }
  Json at(std::size_t offset) const { return {{"textDocument", document()}, {"position", lines().position(offset)}}; }

  void change() {
    auto begin = place(), end = place();
    if (begin > end) std::swap(begin, end);
    end = std::min(end, begin + draw_.below(40));
    while (end > begin && end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) --end;
    auto from = place();
    auto piece = as_sent(text_.substr(from, draw_.below(30)));
    // A place between "\r" and "\n" is none.
    auto range = lines().range({begin, end});
    auto span = lines().span(range);
    text_ = edited(text_, {{span, piece}});
    client().tell("textDocument/didChange", {{"textDocument", {{"uri", uri}, {"version", ++version_}}},
                                             {"contentChanges", Json::array({{{"range", range}, {"text", piece}}})}});
  }

  void everything() {
    for (auto* method : {"hover", "signatureHelp", "definition", "references", "documentHighlight", "prepareRename"}) {
      auto asked = at(place());
      asked["context"] = {{"includeDeclaration", true}};
      client().ask(std::string("textDocument/") + method, asked);
    }
    auto here = lines().range({place(), text_.size()});
    for (auto* method : {"documentSymbol", "foldingRange", "semanticTokens/full", "semanticTokens/range", "inlayHint",
                         "documentLink", "codeLens", "selectionRange", "rangeFormatting"})
      client().ask(std::string("textDocument/") + method, {{"textDocument", document()},
                                                           {"range", here},
                                                           {"options", {{"tabSize", 2}, {"insertSpaces", true}}},
                                                           {"positions", Json::array({lines().position(place())})}});
    client().ask("workspace/symbol", {{"query", text_.substr(0, draw_.below(3))}});
    // What is no place, and no request.
    client().ask("textDocument/hover",
                 {{"textDocument", document()}, {"position", {{"line", -1}, {"character", 1e300}}}});
    client().ask("textDocument/completion", {{"textDocument", draw_.below(9)}, {"position", text_.substr(0, 3)}});
  }

  void format() {
    std::vector<Diagnostic> mistakes;
    auto wanted = format_source(std::make_shared<const Source>("fuzz.rule", text_), mistakes);
    auto told = client().ask("textDocument/formatting", {{"textDocument", document()}, {"options", Json::object()}});
    if (!told) return;
    fuzz::require(wanted.has_value(), "the server formats what the formatter does");
    fuzz::require(edited(text_, edits_of(*told, text_)) == *wanted, "the server formats as the formatter does");
  }

  void rename() {
    auto offset = place();
    auto asked = at(offset);
    asked["newName"] = "fresh_and_new";
    auto told = client().ask("textDocument/rename", asked);
    if (!told || !told->contains("changes") || !told->at("changes").contains(uri)) return;
    auto edits = edits_of(told->at("changes").at(uri), text_);
    if (edits.empty()) return;
    auto renamed = edited(text_, edits);
    auto before = mistakes_in(text_), after = mistakes_in(renamed);
    bool sound = std::none_of(before.begin(), before.end(), [](auto& code) { return code < "A05" || code >= "A06"; });
    if (sound) fuzz::require(before == after, "a renamed program is the same", renamed);
    auto name = text_.substr(edits.front().span.begin, edits.front().span.end - edits.front().span.begin);
    for (auto& each : edits)
      fuzz::require(text_.substr(each.span.begin, each.span.end - each.span.begin) == name, "one name is renamed",
                    name);
    for (auto at = renamed.find("fresh_and_new"); at != std::string::npos; at = renamed.find("fresh_and_new", at))
      renamed.replace(at, 13, name);
    if (text_.find("fresh_and_new") == std::string::npos)
      fuzz::require(renamed == text_, "a renaming changes names alone", renamed);
  }

  void actions() {
    auto begin = place();
    auto told =
        client().ask("textDocument/codeAction", {{"textDocument", document()},
                                                 {"range", lines().range({begin, std::min(text_.size(), begin + 80)})},
                                                 {"context", {{"diagnostics", Json::array()}}}});
    if (!told) return;
    for (auto& each : *told) edited(text_, edits_of(each.at("edit").at("changes").at(uri), text_));
  }

  void complete() {
    auto offset = place();
    auto told = client().ask("textDocument/completion", at(offset));
    if (!told) return;
    auto& items = told->is_array() ? *told : told->at("items");
    if (items.empty()) return;
    auto& item = items.at(draw_.below(items.size()));
    if (!item.contains("textEdit")) return;
    auto edit = edits_of(Json::array({item.at("textEdit")}), text_);
    fuzz::require(edit.front().span.end == offset, "what is offered stands in front of the cursor");
    // Where what stands in front could be gone on with, it still can. Before `and` and `or` a definition ends as well.
    auto before = text_.substr(0, edit.front().span.begin);
    auto begin = before.rfind("\nrule ");
    begin = begin == std::string::npos ? 0 : begin + 1;
    before.erase(0, begin);
    bool inside = std::count(before.begin(), before.end(), '{') > std::count(before.begin(), before.end(), '}');
    if (inside && before.starts_with("rule ") && can_go_on(before, false) && !has_ended(before))
      fuzz::require(can_go_on(before + edit.front().text, true), "what is offered can be read",
                    before + edit.front().text);
  }

  std::string text_;
  Draw draw_;
  int version_ = 0;
};

// Whatever comes over the wire is read to its end.
void frame(const std::string& bytes) {
  auto descriptor = ::memfd_create("wire", 0);
  if (descriptor < 0) return;
  fuzz::require(::write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
                "a file in memory");
  ::lseek(descriptor, 0, SEEK_SET);
  server::Input input(descriptor);
  std::size_t messages = 0;
  while (auto message = input.next()) {
    ++messages;
    fuzz::require(message->mistake.empty() || message->content.is_null(), "a mistake has no content");
    fuzz::require(messages <= bytes.size() + 1, "the wire ends");
  }
  ::close(descriptor);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  frame(bytes);
  frame("Content-Length: " + std::to_string(size) + "\r\n\r\n" + bytes);
  frame("Content-Length: " + bytes.substr(0, size / 8) + "\r\n\r\n{}" + bytes);
  Session(as_sent(bytes), Draw(data, size)).go();
  return 0;
}
