#include "failure.hpp"

#include <nlohmann/json.hpp>

#include <new>

namespace {

// What is not here is the client's: the request is understood, and cannot be done.
int status_of(ascribe::Code code) {
  using ascribe::Code;
  switch (code) {
    case Code::unknown_rule:
    case Code::private_name:
      return 404;
    case Code::too_large:
      return 413;
    case Code::stopped:
      return 503;
    case Code::unreadable_file:
    case Code::internal_fault:
      return 500;
    default:
      return 422;
  }
}

}  // namespace

Failure Failure::of(const ascribe::Error& error) {
  auto& first = error.diagnostics().front();
  auto message = first.message;
  if (auto& place = first.primary; place.source) {
    auto [line, column] = place.source->position(place.span.begin);
    message = place.source->name() + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + message;
  }
  if (auto others = error.diagnostics().size() - 1; others > 0) message += " (and " + std::to_string(others) + " more)";
  return {status_of(first.code), ascribe::code_name(first.code), message, first.help};
}

Failure Failure::of_current_exception() {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const ascribe::Error& error) {
    return of(error);
  } catch (const std::bad_alloc&) {
    return {503, "memory", "there is no memory left for this request", "try again later, or with a smaller picture"};
  } catch (const std::exception& error) {
    return {500, "fault", error.what(), "this is a fault of the service; its log may say more"};
  } catch (...) {
    return {500, "fault", "an unknown exception", "this is a fault of the service; its log may say more"};
  }
}

Failure Failure::of_status(int status) {
  switch (status) {
    case 404:
      return {404, "no_such_path", "there is nothing here",
              "GET /, GET /health, POST /relevance, POST /input, POST /reload"};
    case 413:
      return {413, "body_too_large", "the request is too large", "send a smaller picture"};
    case 414:
      return {414, "path_too_long", "the address is too long", "send the picture as the body"};
    case 416:
      return {416, "bad_range", "there are no parts to be had", "leave the header Range out"};
    case 500:
      return {500, "fault", "the service failed", "this is a fault of the service; its log may say more"};
    default:
      return {status, "bad_request", "this is no whole HTTP request", "look at what the client sends"};
  }
}

std::string Failure::json() const {
  nlohmann::json out{{"code", code}, {"message", message}, {"help", help}};
  // Messages may quote bytes of the request.
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}
