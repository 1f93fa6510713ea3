#include "http_server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "failure.hpp"
#include "form.hpp"

namespace {

thread_local Connection* connection = nullptr;  // the one that this thread talks to
thread_local bool refusing = false;             // this thread accepts connections, and there are too many

// Threads for connections, and a queue that has an end.
class ConnectionThreads final : public httplib::TaskQueue {
 public:
  ConnectionThreads(std::size_t count, std::size_t waiting, std::atomic<std::size_t>& waits)
      : most_waiting_(waiting), waits_(waits) {
    for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { serve(); });
  }

  void enqueue(std::function<void()> task) override {
    {
      std::lock_guard lock(mutex_);
      if (tasks_.size() < most_waiting_) {
        tasks_.push_back(std::move(task));
        waits_ = tasks_.size();
        arrived_.notify_one();
        return;
      }
    }
    refusing = true;
    task();
    refusing = false;
  }

  void shutdown() override {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    arrived_.notify_all();
    threads_.clear();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      arrived_.wait(lock, [&] { return closing_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      waits_ = tasks_.size();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    }
  }

  const std::size_t most_waiting_;
  std::atomic<std::size_t>& waits_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> tasks_;
  bool closing_ = false;
  std::vector<std::jthread> threads_;
};

void answer_with(httplib::Response& response, const Failure& failure) {
  response.status = failure.status;
  response.set_content(failure.json(), "application/json");
  if (failure.status == 503) response.set_header("Retry-After", "1");
}

std::uint64_t length_of(const httplib::Request& request) {
  return request.get_header_value<std::uint64_t>("Content-Length");
}

bool has_body(const httplib::Request& request) {
  return request.has_header("Transfer-Encoding") || length_of(request) > 0;
}

Failure body_too_large(std::size_t most) {
  return {413, "body_too_large", "the body has more than " + std::to_string(most) + " bytes", "send a smaller picture"};
}

}  // namespace

HttpServer::HttpServer(const HttpLimits& limits) : limits_(limits) {
  new_task_queue = [this] { return new ConnectionThreads(limits_.connections, limits_.waiting_connections, waiting_); };
  set_keep_alive_max_count(1000);
  set_keep_alive_timeout(std::chrono::ceil<std::chrono::seconds>(limits_.idle_time).count());  // as clients are told
  set_payload_max_length(limits_.body_bytes);
  set_tcp_nodelay(true);

  // Before a client that asks first sends its body.
  set_expect_100_continue_handler([this](const httplib::Request& request, httplib::Response& response) {
    return refuse_early(request, response) == HandlerResponse::Handled ? response.status : 100;
  });
  set_pre_routing_handler(
      [this](const httplib::Request& request, httplib::Response& response) { return refuse_early(request, response); });
  set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    auto failure = Failure::of_status(response.status);
    if (connection->late())
      failure = {408, "slow", "the request did not come in time", "try again over a faster connection"};
    else if (connection->too_much())
      failure = {413, "head_too_large", "the request's headers are too large", "send fewer or shorter headers"};
    answer_with(response, failure);
  });
  set_post_routing_handler([this](const httplib::Request&, httplib::Response& response) {
    connection->expect_answer_taken(limits_.answer_time);
    if (!connection->whole || waiting_ > 0 || svr_sock_ == INVALID_SOCKET) {
      connection->closing = true;
      response.headers.erase("Keep-Alive");
      response.headers.erase("Connection");
      response.set_header("Connection", "close");
    }
  });
}

int HttpServer::open(const std::string& host, int port) {
  auto bound = port == 0 ? bind_to_any_port(host) : bind_to_port(host, port) ? port : -1;
  // The library's own backlog is 5: of many clients that come at once, some would wait a second for their next try.
  if (bound < 0 || ::listen(svr_sock_, 256) != 0)
    throw Failure(500, "port",
                  "cannot listen on " + host + " port " + std::to_string(port) + ": " + std::strerror(errno),
                  "choose another one with --port; 0 is any that is free");
  return bound;
}

void HttpServer::end() {
  if (is_running() && svr_sock_ != INVALID_SOCKET) stop();
}

void HttpServer::get(const std::string& path, Answer answer) {
  routes_.emplace(path, "GET");
  Get(path, [answer = std::move(answer)](const httplib::Request& request, httplib::Response& response) {
    try {
      answer(request, response, [] { return std::string(); });
    } catch (...) {
      answer_with(response, Failure::of_current_exception());
    }
  });
}

void HttpServer::post(const std::string& path, Answer answer) {
  routes_.emplace(path, "POST");
  Post(path, [this, answer = std::move(answer)](const httplib::Request& request, httplib::Response& response,
                                                const httplib::ContentReader& reader) {
    try {
      answer(request, response, [&] { return read_body(request, reader); });
    } catch (...) {
      answer_with(response, Failure::of_current_exception());
    }
  });
}

std::string HttpServer::content_type(const httplib::Request& request) {
  return connection->content_type.empty() ? request.get_header_value("Content-Type") : connection->content_type;
}

// What is known from the headers alone.
HttpServer::HandlerResponse HttpServer::refuse_early(const httplib::Request& request,
                                                     httplib::Response& response) const {
  auto refuse = [&](const Failure& failure) {
    answer_with(response, failure);
    return HandlerResponse::Handled;
  };
  auto [begin, end] = routes_.equal_range(request.path);
  if (begin == end) return refuse(Failure::of_status(404));
  auto method = request.method == "HEAD" ? "GET" : request.method;
  if (std::none_of(begin, end, [&](auto& each) { return each.second == method; })) {
    response.set_header("Allow", begin->second);
    return refuse({405, "wrong_method", request.path + " takes " + begin->second + ", not " + request.method,
                   "curl -X " + begin->second + " …" + request.path});
  }
  if (auto encoding = request.get_header_value("Content-Encoding"); !encoding.empty() && encoding != "identity")
    return refuse({415, "encoded_body", "the body is encoded: " + encoding, "send the picture as it is"});
  if (length_of(request) > limits_.body_bytes) return refuse(body_too_large(limits_.body_bytes));
  return HandlerResponse::Unhandled;
}

std::string HttpServer::read_body(const httplib::Request& request, const httplib::ContentReader& reader) const {
  std::string body;
  body.reserve(std::min<std::uint64_t>(length_of(request), limits_.body_bytes));
  bool too_large = false;
  auto complete = reader([&](const char* bytes, std::size_t count) {
    too_large = body.size() + count > limits_.body_bytes;
    if (!too_large) body.append(bytes, count);
    return !too_large;
  });
  connection->whole = complete;
  if (too_large || connection->too_much()) throw body_too_large(limits_.body_bytes);
  if (connection->late())
    throw Failure(408, "slow", "the body did not come in time", "try again over a faster connection");
  if (!complete)
    throw Failure(400, "cut_body",
                  "the body ended after " + std::to_string(body.size()) + " bytes, before it was whole",
                  "look at the header Content-Length, and send all of the picture");
  return body;
}

bool HttpServer::process_and_close_socket(socket_t socket) {
  Connection own(socket);
  connection = &own;
  own.expect_request(limits_.head_bytes, limits_.request_time);
  if (refusing) {
    auto body = Failure(503, "busy", "there are too many connections", "try again later").json();
    auto text =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    ::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(socket, SHUT_WR);
  } else {
    auto arrives = [&] {
      auto until = Connection::Clock::now() + limits_.idle_time;
      while (!own.wait(std::chrono::milliseconds(100)))
        if (svr_sock_ == INVALID_SOCKET || Connection::Clock::now() > until) return false;
      return true;
    };
    for (std::size_t left = keep_alive_max_count_; left > 0 && !own.closing && arrives(); --left) {
      own.expect_request(limits_.head_bytes, limits_.request_time);
      auto closed = false;
      auto fine = process_request(own, left == 1, closed, [&](httplib::Request& request) {
        own.expect_more(limits_.body_bytes + limits_.body_bytes / 8);  // chunks have a line each
        request.ranges.clear();                                        // there are no parts of answers
        own.whole = !has_body(request);
        if (own.whole) request.set_header("Content-Length", "0");  // without, the library reads to the end of all
        // The library's parser of forms runs a regular expression over what clients write; form.cpp does not.
        if (auto type = request.headers.find("Content-Type"); type != request.headers.end() && is_form(type->second))
          own.content_type = std::exchange(type->second, "application/octet-stream");
      });
      if (!fine || closed) break;
    }
    own.finish();
  }
  connection = nullptr;
  ::close(socket);
  return true;
}
