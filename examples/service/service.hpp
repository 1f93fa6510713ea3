// What the service answers at which path.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "explainer.hpp"
#include "http_server.hpp"
#include "workers.hpp"

class Service {
 public:
  /// `usual` is a call, such as `epsilon_plus(epsilon = 0.1)`. Throws Error where the pack has no such rules.
  Service(Explainer explainer, const ascribe::Pack& pack, std::string usual, Workers& workers,
          std::chrono::milliseconds time);

  /// Adds GET /, GET /health, POST /relevance, POST /input and POST /reload. The service has to outlive the server.
  void add_to(HttpServer& server);

 private:
  void relevance(const httplib::Request& request, httplib::Response& response, const HttpServer::Body& body);
  void input(const httplib::Request& request, httplib::Response& response, const HttpServer::Body& body);
  void reload(const httplib::Request& request, httplib::Response& response);
  void health(httplib::Response& response) const;
  std::shared_ptr<const Rules> loaded(ascribe::Pack pack) const;

  const Explainer explainer_;
  const std::string usual_;
  Workers& workers_;
  const std::chrono::milliseconds time_;
  std::atomic<std::shared_ptr<const Rules>> rules_;
  std::mutex reloading_;  // one at a time: the later one has the later files
  std::atomic<std::uint64_t> answered_ = 0, reloads_ = 0;
};
