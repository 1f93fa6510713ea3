#include "interpreter/pack/files.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "grammar/limits.hpp"

namespace ascribe {

SourcePointer read_source(const std::filesystem::path& path) {
  auto refuse = [&](Code code, const std::string& why, std::string help) {
    return Error(
        {.code = code, .message = fmt::format("cannot read '{}': {}", path.string(), why), .help = std::move(help)});
  };
  std::error_code error;
  auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status))
    throw refuse(Code::unreadable_file, "no such file", "give the path of a .rule file");
  if (std::filesystem::is_directory(status))
    throw refuse(Code::unreadable_file, "it is a folder", "give the path of a .rule file");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw refuse(Code::unreadable_file, std::strerror(errno), "check its permissions");
  // One byte more than is allowed: what has no end, such as a device, is not read to its end.
  std::string text(limits.source_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) throw refuse(Code::unreadable_file, "reading failed", "check the disk");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > limits.source_bytes)
    throw refuse(Code::too_large, fmt::format("it has more than {} bytes", limits.source_bytes),
                 "cut it into several files");
  return std::make_shared<Source>(path.string(), std::move(text));
}

}  // namespace ascribe
