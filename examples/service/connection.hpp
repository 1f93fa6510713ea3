// One client's connection: how much may come of it, and until when.
//
// A timeout for each read is no protection: a client that sends a byte a second never meets it. Here a whole request
// has a time, and so has a whole answer.
#pragma once

#include <httplib.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>

class Connection final : public httplib::Stream {
 public:
  using Clock = std::chrono::steady_clock;

  /// The socket stays the caller's.
  explicit Connection(int socket) : socket_(socket) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Whether there is something to read within that time.
  bool wait(std::chrono::milliseconds time) const;

  /// A request begins: so many bytes of it may come, and within this time.
  void expect_request(std::size_t bytes, std::chrono::milliseconds time);
  /// Of the same request, so many more.
  void expect_more(std::size_t bytes) { allowed_ += bytes; }
  /// The answer begins: the client has so long to take it.
  void expect_answer_taken(std::chrono::milliseconds time) { write_until_ = Clock::now() + time; }

  bool late() const { return late_; }          ///< the request's time was over before it was here
  bool too_much() const { return too_much_; }  ///< it had more bytes than it may have

  /// The last answer is sent. Of a request that was refused before it was here, what still comes is read, for as long
  /// as it has time: closed before, the connection would be reset, and the answer might never be read.
  void finish();

  /// Whether the request's body is read, or it has none. If not, what comes next is no request.
  bool whole = false;
  /// Of a form: the header that tells of it (see http_server.cpp).
  std::string content_type{};
  bool closing = false;  ///< the client was told that this is the last answer

  bool is_readable() const override { return buffered_ > begin_ || wait(std::chrono::milliseconds(0)); }
  bool is_writable() const override { return true; }
  ssize_t read(char* bytes, std::size_t size) override;
  ssize_t write(const char* bytes, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  bool ready(short events, Clock::time_point until) const;

  const int socket_;
  std::array<char, 1 << 14> buffer_;
  std::size_t begin_ = 0, buffered_ = 0;
  std::size_t allowed_ = 0;
  Clock::time_point read_until_{}, write_until_{};
  bool late_ = false, too_much_ = false, answered_ = false;
};
