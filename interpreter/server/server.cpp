#include "interpreter/server/server.hpp"

#include <signal.h>

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <set>
#include <thread>

#include "ascribe/version.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/server/answers.hpp"
#include "interpreter/server/test_runs.hpp"

namespace ascribe::server {
namespace {

// What came from the client, or from a test that has run.
struct Event {
  Input::Message message{};
  bool gone = false;
  std::string test_uri{};  // set: of a test that was run
  std::string test_name{};
  Outcome outcome{};
  Json request = nullptr;  // its id
};

class Queue {
 public:
  void push(Event event) {
    std::lock_guard lock(mutex_);
    auto& content = event.message.content;
    if (content.is_object() && content.value("method", Json()) == "$/cancelRequest" && content.contains("params") &&
        content["params"].is_object() && content["params"].contains("id")) {
      cancelled_.insert(content["params"]["id"].dump());
      if (cancelled_.size() > 10'000) cancelled_.clear();  // of requests that were never there
    }
    events_.push_back(std::move(event));
    there_.notify_one();
  }
  Event pop() {
    std::unique_lock lock(mutex_);
    there_.wait(lock, [&] { return !events_.empty(); });
    auto out = std::move(events_.front());
    events_.pop_front();
    return out;
  }
  /// Whether something comes within a short while.
  bool wait(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return there_.wait_for(lock, time, [&] { return !events_.empty(); });
  }
  bool is_cancelled(const Json& id) {
    std::lock_guard lock(mutex_);
    return cancelled_.erase(id.dump()) > 0;
  }
  /// Whether a change of this document waits.
  bool is_to_change(const std::string& uri) {
    std::lock_guard lock(mutex_);
    for (auto& each : events_) {
      auto& content = each.message.content;
      if (content.is_object() && content.value("method", Json()) == "textDocument/didChange" &&
          content.value("/params/textDocument/uri"_json_pointer, Json()) == uri)
        return true;
    }
    return false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable there_;
  std::deque<Event> events_;
  std::set<std::string> cancelled_;
};

class Server {
 public:
  Server(int input, int output) : input_(input), output_(output) {}

  int run() {
    std::thread reader([this] {
      while (auto message = input_.next()) queue_.push({std::move(*message)});
      queue_.push({.gone = true});
    });
    reader.detach();  // it waits for the client, who may never say more
    while (true) {
      // What is wrong with the texts is told when nothing else is to be done.
      if (stale_ && !queue_.wait(std::chrono::milliseconds(25))) {
        stale_ = false;
        publish_all();
      }
      auto event = queue_.pop();
      if (event.gone) return shut_down_ ? 0 : 1;
      if (!event.test_uri.empty()) {
        finish_test(event);
        continue;
      }
      if (auto status = handle(event.message)) return *status;
      if (broken_) return 1;
    }
  }

 private:
  void send(const Json& content) { broken_ = !output_.write(content) || broken_; }
  void respond(const Json& id, Json result) { send({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}}); }
  void refuse(const Json& id, int code, const std::string& why) {
    send({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", why}}}});
  }
  void notify(const char* method, Json parameters) {
    send({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(parameters)}});
  }
  void show(int type, const std::string& message) {
    notify("window/showMessage", {{"type", type}, {"message", message}});
  }

  // The exit status where this was the last message.
  std::optional<int> handle(const Input::Message& message) {
    auto& content = message.content;
    if (!message.mistake.empty()) {
      refuse(nullptr, parse_error, message.mistake);
      return {};
    }
    if (!content.is_object() || content.value("jsonrpc", Json()) != "2.0") {
      refuse(nullptr, invalid_request, "this is no message of JSON-RPC 2.0");
      return {};
    }
    auto id = content.value("id", Json());
    bool request = content.contains("id");
    if (!content.contains("method")) {  // an answer to a request of ours
      if (!content.contains("result") && !content.contains("error")) refuse(id, invalid_request, "there is no method");
      return {};
    }
    if (!content["method"].is_string()) {
      refuse(id, invalid_request, "the method is no string");
      return {};
    }
    auto method = content["method"].get<std::string>();
    if (method == "exit") return shut_down_ ? 0 : 1;
    static const Json nothing = Json::object();
    auto parameters = content.find("params");
    auto& given = parameters == content.end() || parameters->is_null() ? nothing : *parameters;
    try {
      if (request)
        answer(id, method, given);
      else if (started_ && !shut_down_)
        note(method, given);
    } catch (const Refusal& refusal) {
      if (request) refuse(id, refusal.code, refusal.why);
    } catch (const Json::exception& wrong) {
      if (request) refuse(id, invalid_parameters, filled("{}: {}", method, wrong.what()));
    } catch (const Error& error) {
      if (request) refuse(id, request_failed, error.diagnostics().front().message);
    } catch (const std::exception& fault) {
      if (request) refuse(id, internal_error, filled("a fault of Ascribe's in {}: {}", method, fault.what()));
    }
    return {};
  }

  void answer(const Json& id, const std::string& method, const Json& parameters) {
    if (method == "initialize") {
      if (started_) throw Refusal{invalid_request, "initialize comes once"};
      return respond(id, initialize(parameters));
    }
    if (!started_) throw Refusal{not_initialized, "initialize comes first"};
    if (shut_down_) throw Refusal{invalid_request, "the server is shut down"};
    if (queue_.is_cancelled(id)) throw Refusal{cancelled, "cancelled"};
    if (method == "shutdown") {
      shut_down_ = true;
      return respond(id, nullptr);
    }
    if (method == "workspace/executeCommand") return execute(id, parameters);
    auto found = find_answer(method);
    if (!found) throw Refusal{method_not_found, "unknown: " + method};
    auto uri =
        parameters.is_object() ? parameters.value("/textDocument/uri"_json_pointer, std::string()) : std::string();
    if (is_asked_again(method) && queue_.is_to_change(uri)) throw Refusal{content_modified, "the text has changed"};
    respond(id, found({workspace_, client_, parameters}));
  }

  Json initialize(const Json& parameters) {
    started_ = true;
    auto can = [&](const char* pointer) {
      auto value = parameters.value(Json::json_pointer(pointer), Json(false));
      return value.is_boolean() && value.get<bool>();
    };
    auto encodings = parameters.value("/capabilities/general/positionEncodings"_json_pointer, Json::array());
    if (encodings.is_array())
      for (auto& each : encodings) {
        if (each == "utf-8") client_.encoding = Encoding::utf8;
        if (each == "utf-8" || each == "utf-16") break;
      }
    client_.nested_symbols = can("/capabilities/textDocument/documentSymbol/hierarchicalDocumentSymbolSupport");
    client_.document_changes = can("/capabilities/workspace/workspaceEdit/documentChanges");
    watches_ = can("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration");
    configure(parameters.value("initializationOptions", Json::object()));
    return {{"capabilities", capabilities(client_)}, {"serverInfo", {{"name", "ascribe"}, {"version", version()}}}};
  }

  // {"path": ["/usr/share/rules"], "command": "/usr/bin/ascribe", "locked": false}
  void configure(const Json& options) {
    std::vector<std::filesystem::path> path;
    if (options.is_object()) {
      if (options.contains("path") && options["path"].is_array())
        for (auto& each : options["path"])
          if (each.is_string()) path.emplace_back(each.get<std::string>());
      if (options.contains("command") && options["command"].is_string()) command_ = options["command"];
      if (options.contains("locked") && options["locked"].is_boolean())
        workspace_.options().require_lock = options["locked"];
    }
    // As the command has it: the environment's behind what is said.
    if (auto* more = std::getenv("ASCRIBE_PATH")) {
      std::string_view rest(more);
      while (!rest.empty()) {
        auto end = std::min(rest.find(':'), rest.size());
        if (end > 0) path.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
    workspace_.set_search_path(std::move(path));
    stale_ = true;
  }

  void note(const std::string& method, const Json& parameters) {
    if (method == "initialized") {
      assist::standard_pages();  // what every text needs is there before the first
      assist::text_project("", "");
      if (watches_)
        send({{"jsonrpc", "2.0"},
              {"id", "watch"},
              {"method", "client/registerCapability"},
              {"params",
               {{"registrations",
                 Json::array({{{"id", "files"},
                               {"method", "workspace/didChangeWatchedFiles"},
                               {"registerOptions",
                                {{"watchers", Json::array({{{"globPattern", "**/*.rule"}},
                                                           {{"globPattern", "**/pack.lock"}}})}}}}})}}}});
      return;
    }
    if (method == "workspace/didChangeConfiguration") {
      auto settings = parameters.value("settings", Json::object());
      if (settings.is_object() && settings.contains("ascribe")) settings = Json(settings["ascribe"]);
      if (settings.is_object() && !settings.empty()) configure(settings);
      return;
    }
    if (method == "workspace/didChangeWatchedFiles") {
      workspace_.changed_outside();
      results_.clear();
      stale_ = true;
      return;
    }
    if (!method.starts_with("textDocument/did")) return;
    auto& document = parameters.at("textDocument");
    auto uri = document.at("uri").get<std::string>();
    if (method == "textDocument/didOpen") {
      workspace_.open(uri, document.at("text").get<std::string>(), document.value("version", std::int64_t{0}));
    } else if (method == "textDocument/didChange") {
      workspace_.change(uri, parameters.at("contentChanges"), document.value("version", std::int64_t{0}),
                        client_.encoding);
      results_.erase(uri);
    } else if (method == "textDocument/didClose") {
      workspace_.close(uri);
      results_.erase(uri);
    }
    stale_ = true;
  }

  // -------------------------------------------------------------------------------------------------- diagnostics

  void publish_all() {
    std::map<std::string, Json> now;
    std::set<const assist::Project*> seen;
    for (auto& [uri, document] : workspace_.documents()) {
      auto project = workspace_.project(document);
      if (!seen.insert(project.get()).second) continue;
      for (auto& page : project->own) {
        auto there = workspace_.uri(*page);
        if (there.empty()) continue;
        auto& list = now.try_emplace(there, Json::array()).first->second;
        Lines lines(page->source->text(), client_.encoding);
        for (auto* each : diagnostics_of(*project, *page))
          list.push_back(diagnostic(*each, lines, workspace_, client_));
      }
      // A pack that could not be read has no pages of its own.
      if (!project->page(document.identity)) {
        auto& list = now.try_emplace(uri, Json::array()).first->second;
        Lines lines(document.text, client_.encoding);
        for (auto& each : project->diagnostics)
          if (!each.primary.source) list.push_back(diagnostic(each, lines, workspace_, client_));
      }
    }
    for (auto& [uri, tests] : results_)
      if (workspace_.document(uri))
        for (auto& [name, list] : tests)
          for (auto& each : list) now.try_emplace(uri, Json::array()).first->second.push_back(each);
    for (auto& [uri, list] : published_)
      if (!now.contains(uri) && !list.empty())
        notify("textDocument/publishDiagnostics", {{"uri", uri}, {"diagnostics", Json::array()}});
    for (auto& [uri, list] : now) {
      auto* open = workspace_.document(uri);
      Json told = list;
      if (open) told.push_back(open->version);
      auto before = published_.find(uri);
      if (before != published_.end() && before->second == told) continue;
      if (before == published_.end() && list.empty() && !open) continue;
      Json parameters{{"uri", uri}, {"diagnostics", list}};
      if (open) parameters["version"] = open->version;
      notify("textDocument/publishDiagnostics", std::move(parameters));
      now[uri] = list;
      published_[uri] = std::move(told);
    }
    std::erase_if(published_, [&](auto& each) { return !now.contains(each.first); });
  }

  // ------------------------------------------------------------------------------------------------------- tests

  void execute(const Json& id, const Json& parameters) {
    if (parameters.at("command") != "ascribe.runTest") throw Refusal{invalid_parameters, "unknown command"};
    auto& arguments = parameters.at("arguments");
    auto uri = arguments.at(0).get<std::string>();
    auto name = arguments.at(1).get<std::string>();
    auto* open = workspace_.document(uri);
    auto path = open ? open->path : path_of(uri).value_or("");
    if (path.empty()) throw Refusal{request_failed, "the test lies in no file: save it first"};
    if (open) {
      std::string saved;
      try {
        saved = Files::disk()->read(path, open->text.size());
      } catch (const std::exception&) {
        throw Refusal{request_failed, "the file is not there: save it first"};
      }
      if (saved != open->text) throw Refusal{request_failed, "the file has changes: save it first"};
    }
    std::string glob;
    for (auto c : name)
      glob += std::string_view("*?[]\\").find(c) != std::string_view::npos ? filled("[{}]", c) : std::string(1, c);
    std::vector<std::string> command{find_command(command_), "test", "--format", "json", "--filter", glob};
    for (auto& each : workspace_.options().path) command.insert(command.end(), {"--path", each.string()});
    // A pack's file means nothing alone.
    if (auto project = open ? workspace_.project(*open) : nullptr; project && project->pack)
      for (auto& page : project->own)
        if (page->path.filename() == "pack.rule") path = page->path.parent_path();
    command.push_back(path.empty() ? "." : path.string());
    runs_.start(std::move(command), [this, uri, name, id](const Outcome& outcome) {
      queue_.push({.test_uri = uri, .test_name = name, .outcome = outcome, .request = id});
    });
  }

  // What came of it stands where the test does.
  void finish_test(const Event& event) {
    auto told = Json::parse(event.outcome.output, nullptr, false);
    if (event.outcome.status < 0 || told.is_discarded() || !told.is_object()) {
      show(1, filled("the test \"{}\" could not be run: is the command `ascribe` installed?", event.test_name));
      return refuse(event.request, request_failed, "the test could not be run");
    }
    respond(event.request, told);
    auto* open = workspace_.document(event.test_uri);
    if (!open) return;
    auto list = Json::array();
    Lines lines(open->text, client_.encoding);
    Source source("", open->text);
    for (auto& test : told.value("tests", Json::array()))
      for (auto& each : test.value("diagnostics", Json::array())) {
        if (!each.is_object() || !each.value("line", Json()).is_number()) continue;
        auto offset = [&](const char* line, const char* column) {
          auto begin = each.at(line).get<std::size_t>();
          auto left = each.at(column).get<std::size_t>() - 1;
          std::size_t at = lines.offset(begin - 1, 0);
          for (; left > 0 && at < open->text.size(); --left) {
            ++at;
            while (at < open->text.size() && (static_cast<unsigned char>(open->text[at]) & 0xC0) == 0x80) ++at;
          }
          return at;
        };
        list.push_back({{"range", lines.range({offset("line", "column"), offset("end_line", "end_column")})},
                        {"severity", 1},
                        {"code", each.value("code", "")},
                        {"source", "ascribe test"},
                        {"message", filled("{}{}{}", each.value("message", ""),
                                           each.value("note", "").empty() ? "" : "\n", each.value("note", ""))}});
      }
    bool passed = told.value("failed", 1) == 0;
    auto page = workspace_.place(event.test_uri).page;
    for (auto& item : page->outline.items) {
      auto name = page->text(item.name);
      bool this_one = item.sort == assist::OutlinedItem::Sort::test && name.size() >= 2 &&
                      name.substr(1, name.size() - 2) == event.test_name;
      if (passed && this_one)
        list.push_back({{"range", lines.range(item.name)},
                        {"severity", 4},
                        {"source", "ascribe test"},
                        {"message", "the test passed"}});
    }
    results_[event.test_uri][event.test_name] = std::move(list);
    stale_ = true;
  }

  Input input_;
  Output output_;
  Queue queue_;
  Workspace workspace_;
  Client client_;
  TestRuns runs_;
  std::string command_;
  bool started_ = false, shut_down_ = false, stale_ = false, broken_ = false, watches_ = false;
  std::map<std::string, Json> published_;
  std::map<std::string, std::map<std::string, Json>> results_;  // of tests, by document and name
};

}  // namespace

int serve(int input, int output) {
  ::signal(SIGPIPE, SIG_IGN);  // who writes to a client that is gone is told so
  // It lives as long as the program: the thread that reads may still wait when this returns.
  static auto* server = new Server(input, output);
  return server->run();
}

}  // namespace ascribe::server
