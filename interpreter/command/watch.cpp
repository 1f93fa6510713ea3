#include "interpreter/command/watch.hpp"

#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "grammar/filled_text.hpp"
#include "interpreter/pack/pack_folder.hpp"
#include "interpreter/pack/rule_sources.hpp"

namespace ascribe::command {

namespace fs = std::filesystem;

Watched::Watched(std::set<fs::path> files, std::vector<fs::path> given)
    : files_(std::move(files)), given_(std::move(given)), before_(look()) {}

std::map<fs::path, std::string> Watched::look() const {
  auto all = files_;
  for (auto& each : given_) try {
      auto found = rule_paths(each);
      all.insert(found.begin(), found.end());
      all.insert(each);
      all.insert(each / lock_file_name);
    } catch (const std::exception&) {
      all.insert(each);  // that it is gone is a change, too
    }
  std::map<fs::path, std::string> out;
  for (auto& each : all) {
    struct stat is {};
    if (::stat(each.c_str(), &is) == 0)
      out[each] = filled("{} {} {} {}", is.st_ino, is.st_size, is.st_mtim.tv_sec, is.st_mtim.tv_nsec);
  }
  return out;
}

bool Watched::wait(const std::stop_token& stop) const {
  while (!stop.stop_requested()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (look() != before_) return true;
  }
  return false;
}

}  // namespace ascribe::command
