#include "service.hpp"

#include <ascribe/cache.hpp>
#include <ascribe/heatmap.hpp>
#include <ascribe/version.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string_view>

#include "failure.hpp"
#include "form.hpp"

extern const char* const page;

namespace {

struct FormName {
  Form form;
  std::string_view type;
};
constexpr std::array forms{FormName{Form::png, "image/png"}, FormName{Form::json, "application/json"},
                           FormName{Form::npy, "application/x-npy"}};

std::string_view type_of(Form form) { return std::ranges::find(forms, form, &FormName::form)->type; }

// The first type of the header Accept that there is; what is weighed by `q` is taken in the order as it stands there.
Form form_of(const httplib::Request& request) {
  auto accept = request.get_header_value("Accept");
  if (accept.empty()) return Form::png;
  for (std::string_view rest = accept; !rest.empty();) {
    auto one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    one = one.substr(0, one.find(';'));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one == "*/*" || one == "image/*") return Form::png;
    if (auto found = std::ranges::find(forms, one, &FormName::type); found != forms.end()) return found->form;
  }
  throw Failure(406, "unknown_form", "there is no answer of the type `" + accept + "`",
                "Accept: image/png, application/json or application/x-npy");
}

Question question_of(const httplib::Request& request) {
  Question out{.form = form_of(request)};
  for (auto& [name, value] : request.params) {
    if (request.get_param_value_count(name) > 1)
      throw Failure(400, "repeated_parameter", "`" + name + "` stands there twice", "give it once");
    if (name == "target")
      out.target = value;
    else if (name == "rules")
      out.rules = value;
    else if (name == "colour_map")
      out.colour_map = value;
    else
      throw Failure(400, "unknown_parameter", "there is no parameter `" + name + "`",
                    "there are target, rules and colour_map");
  }
  check_colour_map(out.colour_map);
  return out;
}

// Whether a process of this machine asks by itself: not through a proxy, which would stand for all the world, nor for a
// page in a browser.
bool is_from_here(const httplib::Request& request) {
  auto& from = request.remote_addr;
  auto loopback = from == "::1" || from.starts_with("127.") || from.starts_with("::ffff:127.");
  auto passed_on = request.has_header("X-Forwarded-For") || request.has_header("Forwarded") ||
                   request.has_header("Via") || request.has_header("Origin");
  return loopback && !passed_on;
}

}  // namespace

Service::Service(Explainer explainer, const ascribe::Pack& pack, std::string usual, Workers& workers,
                 std::chrono::milliseconds time)
    : explainer_(std::move(explainer)),
      usual_(std::move(usual)),
      workers_(workers),
      time_(time),
      rules_(loaded(pack)) {}

std::shared_ptr<const Rules> Service::loaded(ascribe::Pack pack) const {
  return std::make_shared<const Rules>(std::move(pack), usual_);
}

void Service::add_to(HttpServer& server) {
  server.get("/", [](auto&, httplib::Response& response, auto&) {
    // Nothing of it comes from elsewhere, and nothing of the picture goes anywhere else.
    response.set_header("Content-Security-Policy",
                        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src blob:; "
                        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    response.set_content(page, "text/html; charset=utf-8");
  });
  server.get("/health", [this](auto&, httplib::Response& response, auto&) { health(response); });
  server.post("/relevance", [this](auto& request, auto& response, auto& body) { relevance(request, response, body); });
  server.post("/input", [this](auto& request, auto& response, auto& body) { input(request, response, body); });
  server.post("/reload", [this](auto& request, auto& response, auto&) { reload(request, response); });
}

void Service::relevance(const httplib::Request& request, httplib::Response& response, const HttpServer::Body& body) {
  auto question = question_of(request);
  auto rules = rules_.load();  // these, whatever is loaded meanwhile
  auto composite = question.rules ? rules->named(*question.rules) : rules->usual();
  auto sent = body();
  auto picture = picture_of(sent, HttpServer::content_type(request));
  std::string answer;
  workers_.run([&](std::stop_token stop) { answer = explainer_.answer(composite, question, picture, std::move(stop)); },
               time_);
  response.set_header("Cache-Control", "no-store");
  response.set_content(answer, std::string(type_of(question.form)));
  ++answered_;
}

void Service::input(const httplib::Request& request, httplib::Response& response, const HttpServer::Body& body) {
  auto sent = body();
  auto picture = picture_of(sent, HttpServer::content_type(request));
  std::string answer;
  workers_.run([&](auto&&) { answer = explainer_.seen(picture); }, time_);
  response.set_header("Cache-Control", "no-store");
  response.set_content(answer, "image/png");
}

void Service::reload(const httplib::Request& request, httplib::Response& response) {
  if (!is_from_here(request))
    throw Failure(403, "not_from_here", "rules are loaded anew only from this machine itself",
                  "there: curl -X POST http://127.0.0.1:PORT/reload");
  std::lock_guard lock(reloading_);
  // A mistake ends here, as an Error, and nothing has changed.
  auto fresh = loaded(rules_.load()->pack().reload());
  rules_ = fresh;
  ++reloads_;
  nlohmann::json out{{"pack", fresh->pack().name()},
                     {"version", fresh->pack().version()},
                     {"rules", fresh->usual().description()},
                     {"warnings", nlohmann::json::array()}};
  for (auto& each : fresh->pack().warnings()) out["warnings"].push_back(ascribe::render_text(each));
  response.set_content(out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n", "application/json");
}

void Service::health(httplib::Response& response) const {
  auto rules = rules_.load();
  nlohmann::json out{{"status", "ok"},
                     {"ascribe", ascribe::version()},
                     {"pack", rules->pack().name()},
                     {"version", rules->pack().version()},
                     {"rules", rules->usual().description()},
                     {"colour_maps", ascribe::colour_maps()},
                     {"answered", answered_.load()},
                     {"reloads", reloads_.load()},
                     {"waiting", workers_.waiting()},
                     {"parameter_cache_bytes", ascribe::parameter_cache_bytes()}};
  response.set_header("Cache-Control", "no-store");
  response.set_content(out.dump() + "\n", "application/json");
}
