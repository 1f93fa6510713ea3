#include "interpreter/command/many/summary.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <sstream>
#include <utility>

#include "grammar/filled_text.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/many/collected.hpp"
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

// Whether a file is there with as many bytes as it had.
bool is_there(const fs::path& path, const Summary::Json& result) {
  std::error_code failed;
  auto size = fs::file_size(path, failed);
  return !failed && size == result.value("bytes", std::uintmax_t{0});
}

bool is_collected(const Summary::Json& result) { return result.contains("array") || result.contains("row"); }

// Whether every file that the line names is there, and the input is what it was. `in_whole`: what many inputs have
// together is.
bool results_are_there(const Summary::Json& line, const fs::path& folder, bool in_whole) {
  if (line.contains("modified") && line["modified"] != modified(line.value("file", ""))) return false;
  for (auto& result : line.value("results", Summary::Json::array())) {
    auto path = (folder / result.value("path", "")).string();
    if (is_collected(result) && in_whole) continue;
    if (!is_there(is_collected(result) ? part_path(path, line.value("name", "")) : path, result)) return false;
  }
  return true;
}

}  // namespace

Summary::Json modified(const std::string& file) {
  std::error_code failed;
  auto when = fs::last_write_time(file, failed);
  return failed ? Summary::Json() : Summary::Json(when.time_since_epoch().count());
}

double number_in(const Summary::Json& json, const char* key) {
  auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>() : NAN;
}

std::string line_of(const Summary::Json& json) {
  return json.dump(-1, ' ', false, Summary::Json::error_handler_t::replace) + "\n";
}

// Opened and locked; what is no file is refused, and a pipe is not waited for.
int Summary::open_locked() const {
  auto out = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
  if (out < 0) cannot_write_summary(path_, std::strerror(errno));
  struct stat status {};
  if (::fstat(out, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(out);
    cannot_write_summary(path_, "it is no regular file");
  }
  if (::flock(out, LOCK_EX | LOCK_NB) == 0) return out;
  ::close(out);
  throw usage_error(filled("another run writes into {}", files::quoted(path_)),
                    "wait until it ends, or choose another folder");
}

// What an earlier run left stays until there is something to put in its place.
Summary::Summary(const fs::path& path, bool resume) : path_(path), descriptor_(open_locked()) {
  if (resume) read();
}

Summary::~Summary() { ::close(descriptor_); }

// A line that was cut is none, and neither is a batch without its end, or with an input that failed: it is tried again.
void Summary::read() {
  auto refuse = [&] {
    throw usage_error(filled("{} is no summary of a run", files::quoted(path_)),
                      "choose another folder, or leave --resume out to begin anew");
  };
  auto text = read_all(descriptor_);
  std::istringstream lines(text);
  std::vector<Json> inputs;
  std::vector<Batch> found, before_whole;
  try {
    for (std::string line; std::getline(lines, line) && !lines.eof();) {
      auto json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!json.is_object()) break;
      if (json.contains("run")) {
        header_ = json;
      } else if (json.contains("whole")) {
        whole_ = json["whole"];
        before_whole = std::exchange(found, {});
      } else if (!json.contains("batch")) {
        inputs.push_back(std::move(json));
      } else {
        found.push_back({std::exchange(inputs, {}), json});
      }
    }
    bool is_whole = !whole_.is_null() && is_there(path_.parent_path() / whole_.value("path", ""), whole_);
    if (!is_whole) whole_ = {};
    auto keep = [&](std::vector<Batch>& batches, bool in_whole) {
      for (auto& batch : batches)
        if (batch.end.value("failed", 0) == 0 && std::all_of(batch.inputs.begin(), batch.inputs.end(), [&](auto& each) {
              return results_are_there(each, path_.parent_path(), in_whole);
            }))
          batches_[batch.end["batch"].get<std::size_t>()] = std::move(batch);
    };
    keep(before_whole, is_whole);
    keep(found, false);
    if (!header_.is_null()) {
      auto& run = header_["run"];
      if (!run.is_object() || run.value("batch size", 0) < 1 || run.value("threads", 0) < 1) refuse();
    }
  } catch (const Json::exception&) {
    refuse();
  }
  if (header_.is_null() && !text.empty() && text.find('\n') != std::string::npos) refuse();
  changed_ = header_.is_null() || text != this->text();
  for (auto& [number, batch] : batches_) order_.push_back(number);
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
  header_ = header;
}

std::string Summary::text() const {
  std::string out;
  if (!header_.is_null()) out += line_of(header_);
  for (auto& [number, batch] : batches_) {
    for (auto& input : batch.inputs) out += line_of(input);
    out += line_of(batch.end);
  }
  if (!whole_.is_null()) out += line_of({{"whole", whole_}});
  return out;
}

// Whole or not at all: a new file takes the name, and the lock.
void Summary::write_again() {
  files::write_file(path_, {text()});
  auto next = open_locked();
  ::close(std::exchange(descriptor_, next));
  ::lseek(descriptor_, 0, SEEK_END);
  changed_ = false;
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
  if (changed_) write_again();
  std::string text;
  for (auto& input : batch.inputs) text += line_of(input);
  append(text + line_of(batch.end));
  batches_[number] = std::move(batch);
  order_.push_back(number);
}

void Summary::finish(const Json& whole) {
  if (whole != whole_) whole_ = whole, changed_ = true;
  if (changed_ || !std::is_sorted(order_.begin(), order_.end())) write_again();
}

}  // namespace ascribe::command
