#include "connection.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace {

using Name = int (*)(int, sockaddr*, socklen_t*);

void address_of(int socket, Name name, std::string& ip, int& port) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> service{};
  if (name(socket, any, &size) != 0 || getnameinfo(any, size, host.data(), host.size(), service.data(), service.size(),
                                                   NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return;
  ip = host.data();
  port = std::atoi(service.data());
}

}  // namespace

bool Connection::ready(short events, Clock::time_point until) const {
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd one{.fd = socket_, .events = events, .revents = 0};
    auto found = ::poll(&one, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30)));
    if (found < 0 && errno == EINTR) continue;
    return found > 0;
  }
}

bool Connection::wait(std::chrono::milliseconds time) const {
  return buffered_ > begin_ || ready(POLLIN, Clock::now() + time);
}

void Connection::expect_request(std::size_t bytes, std::chrono::milliseconds time) {
  allowed_ = bytes;
  read_until_ = write_until_ = Clock::now() + time;
  late_ = too_much_ = answered_ = whole = false;
  content_type.clear();
}

ssize_t Connection::read(char* bytes, std::size_t size) {
  if (allowed_ == 0) {
    too_much_ = true;
    return -1;
  }
  if (begin_ == buffered_) {
    if (Clock::now() >= read_until_ || !ready(POLLIN, read_until_)) {
      late_ = true;
      return -1;
    }
    auto got = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
    if (got <= 0) return got;
    begin_ = 0;
    buffered_ = static_cast<std::size_t>(got);
  }
  auto count = std::min({size, buffered_ - begin_, allowed_});
  std::memcpy(bytes, buffer_.data() + begin_, count);
  begin_ += count;
  allowed_ -= count;
  return static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* bytes, std::size_t size) {
  while (Clock::now() < write_until_ && ready(POLLOUT, write_until_)) {
    auto sent = ::send(socket_, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    answered_ = answered_ || sent > 0;
    if (sent >= 0 || (errno != EAGAIN && errno != EINTR)) return sent;
  }
  return -1;
}

void Connection::finish() {
  if (whole || !answered_) return;
  ::shutdown(socket_, SHUT_WR);
  while (Clock::now() < read_until_ && ready(POLLIN, read_until_))
    if (::recv(socket_, buffer_.data(), buffer_.size(), 0) <= 0) break;
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  address_of(socket_, ::getpeername, ip, port);
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  address_of(socket_, ::getsockname, ip, port);
}
