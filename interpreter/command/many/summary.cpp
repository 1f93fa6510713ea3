#include "interpreter/command/many/summary.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

#include "grammar/filled_text.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/files/atomic_file.hpp"

namespace ascribe::command {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void cannot_write_summary(const fs::path& path, const std::string& why) {
  throw Error({.code = Code::unwritable_file,
               .message = filled("cannot write {}: {}", files::quoted(path), why),
               .help = "choose another folder"});
}

std::string read_all(int descriptor) {
  std::string out;
  char buffer[1 << 16];
  ::lseek(descriptor, 0, SEEK_SET);
  for (ssize_t got; (got = ::read(descriptor, buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<std::size_t>(got));
  return out;
}

// Whether every file that the line names is there, with as many bytes as it had.
bool results_are_there(const Summary::Json& line, const fs::path& folder) {
  for (auto& result : line.value("results", Summary::Json::array())) {
    std::error_code failed;
    auto size = fs::file_size(folder / result.value("path", ""), failed);
    if (failed || size != result.value("bytes", std::uintmax_t{0})) return false;
  }
  return true;
}

}  // namespace

std::string line_of(const Summary::Json& json) {
  return json.dump(-1, ' ', false, Summary::Json::error_handler_t::replace) + "\n";
}

Summary::Summary(const fs::path& path, bool resume) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) cannot_write_summary(path, std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor_);
    throw usage_error(filled("another run writes into {}", files::quoted(path)),
                      "wait until it ends, or choose another folder");
  }
  if (resume) read();
  write_again();
}

Summary::~Summary() { ::close(descriptor_); }

// A line that was cut is none, and neither is a batch without its end, or with an input that failed: it is tried again.
void Summary::read() try {
  std::istringstream lines(read_all(descriptor_));
  std::vector<Json> inputs;
  for (std::string line; std::getline(lines, line);) {
    auto json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || lines.eof()) break;
    if (json.contains("run")) {
      header_ = json;
    } else if (!json.contains("batch")) {
      inputs.push_back(std::move(json));
    } else {
      bool whole = json.value("failed", 0) == 0 && std::all_of(inputs.begin(), inputs.end(), [&](auto& each) {
                     return results_are_there(each, path_.parent_path());
                   });
      if (whole) batches_[json["batch"].get<std::size_t>()] = {std::exchange(inputs, {}), json};
      inputs.clear();
    }
  }
  for (auto& [number, batch] : batches_) order_.push_back(number);
} catch (const Json::exception&) {
  throw usage_error(filled("{} is no summary of a run", files::quoted(path_)),
                    "choose another folder, or leave --resume out to begin anew");
}

void Summary::begin(const Json& header) {
  if (!header_.is_null() && header_ != header) {
    std::string differs;
    auto& before = header_["run"];
    auto& now = header["run"];
    for (auto& [key, value] : now.items())
      if (differs.empty() && before.value(key, Json()) != value) differs = key;
    throw usage_error(filled("{} is of another run: not the same {}", files::quoted(path_), differs),
                      "choose another folder, or leave --resume out to begin anew");
  }
  if (header_.is_null()) {
    header_ = header;
    write_again();
  }
}

void Summary::write_again() {
  std::string text;
  if (!header_.is_null()) text += line_of(header_);
  for (auto& [number, batch] : batches_) {
    for (auto& input : batch.inputs) text += line_of(input);
    text += line_of(batch.end);
  }
  if (text == read_all(descriptor_)) return;
  if (::ftruncate(descriptor_, 0) != 0) cannot_write_summary(path_, std::strerror(errno));
  ::lseek(descriptor_, 0, SEEK_SET);
  append(text);
}

void Summary::append(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    auto wrote = ::write(descriptor_, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) cannot_write_summary(path_, std::strerror(errno));
    done += static_cast<std::size_t>(wrote);
  }
}

void Summary::add(std::size_t number, Batch batch) {
  std::string text;
  for (auto& input : batch.inputs) text += line_of(input);
  append(text + line_of(batch.end));
  batches_[number] = std::move(batch);
  order_.push_back(number);
}

void Summary::finish() {
  if (!std::is_sorted(order_.begin(), order_.end())) write_again();
}

}  // namespace ascribe::command
