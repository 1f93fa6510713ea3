// The wire: messages with a header, over a pair of descriptors.
#pragma once

#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace ascribe::server {

using Json = nlohmann::ordered_json;

/// What is read from the client.
class Input {
 public:
  explicit Input(int descriptor) : descriptor_(descriptor) {}

  struct Message {
    Json content;
    std::string mistake{};  ///< set: nothing could be made of what came, and this is why
  };
  /// The next message; nothing where the client is gone. What is no header is passed over up to the next one.
  std::optional<Message> next();

 private:
  bool more();

  int descriptor_;
  std::string buffer_;
};

/// What is written to the client; several threads may write.
class Output {
 public:
  explicit Output(int descriptor) : descriptor_(descriptor) {}
  /// False where nobody reads any more.
  bool write(const Json& content);

 private:
  int descriptor_;
  std::mutex mutex_;
};

}  // namespace ascribe::server
