// cpp-httplib's server, with bounds: on connections, on how long a request may take to come, and on how large it is.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "connection.hpp"

struct HttpLimits {
  std::size_t connections = 64;          ///< threads that talk to clients; each talks to one
  std::size_t waiting_connections = 64;  ///< accepted ones beside them; more are told to come later
  std::size_t head_bytes = 1 << 15;      ///< of a request's first line and headers
  std::size_t body_bytes = 10 << 20;
  std::chrono::milliseconds request_time{20'000};  ///< from its first byte to the last one
  std::chrono::milliseconds answer_time{20'000};   ///< for the client to take it
  std::chrono::milliseconds idle_time{5'000};      ///< between two requests of a connection
};

class HttpServer : public httplib::Server {
 public:
  explicit HttpServer(const HttpLimits& limits);

  /// Answers with what `handler` leaves, or the Failure, Error or other exception that it throws. `body` is empty for
  /// get().
  using Body = std::function<std::string()>;
  using Answer = std::function<void(const httplib::Request& request, httplib::Response& response, const Body& body)>;
  void get(const std::string& path, Answer answer);
  void post(const std::string& path, Answer answer);

  /// The body's type as the client said it: of this thread's request.
  static std::string content_type(const httplib::Request& request);

  /// Starts listening, and gives the port; 0 is any. Throws Failure where that cannot be.
  int open(const std::string& host, int port);
  /// Ends listen_after_bind(), which returns as soon as requests under way are answered; does nothing before it began.
  void end();

 private:
  bool process_and_close_socket(socket_t socket) override;
  HandlerResponse refuse_early(const httplib::Request& request, httplib::Response& response) const;
  std::string read_body(const httplib::Request& request, const httplib::ContentReader& reader) const;

  const HttpLimits limits_;
  std::atomic<std::size_t> waiting_ = 0;            // accepted, and no thread has them
  std::multimap<std::string, std::string> routes_;  // paths and their methods
};
