#include "interpreter/command/input_list.hpp"

#include <fmt/ranges.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "grammar/filled_text.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/item_names.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/pack/files.hpp"

namespace ascribe::command {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 6> endings{".png", ".jpg", ".jpeg", ".npy", ".npz", ".pt"};
// Of pictures that are not read: they were meant, and it is told that they are left out.
constexpr std::array<std::string_view, 10> other_pictures{".gif",  ".webp", ".bmp",  ".tif", ".tiff",
                                                          ".heic", ".heif", ".avif", ".jp2", ".jxl"};
constexpr std::size_t largest_list = std::size_t{1} << 28;

std::string lower_ending(std::string_view name) {
  auto dot = name.rfind('.');
  if (dot == name.npos || name.find('/', dot) != name.npos) return {};
  std::string out(name.substr(dot));
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

template <typename Endings>
bool ends_with_one_of(std::string_view name, const Endings& wanted) {
  return std::find(wanted.begin(), wanted.end(), lower_ending(name)) != wanted.end();
}

Error nothing_there(std::string message, std::string help) {
  return Error({.code = Code::unreadable_file, .message = std::move(message), .help = std::move(help)});
}

// ------------------------------------------------------------------------------------------------------------ folders

struct Found {
  std::vector<std::string> files;  // relative to the folder
  std::map<std::string, std::size_t> left_out;
  bool has_folders = false;
};

// Each folder is visited once, so that links in circles end; its own name comes before those that links give it.
class Walk {
 public:
  Walk(fs::path root, bool recursive) : root_(std::move(root)), recursive_(recursive) {}

  Found run() {
    visit("");
    while (!links_.empty()) {
      auto first = links_.extract(links_.begin());
      visit(first.value());
    }
    return std::move(found_);
  }

 private:
  void visit(const std::string& start) {
    std::vector<std::string> rest{start};
    while (!rest.empty()) {
      auto folder = std::move(rest.back());
      rest.pop_back();
      struct stat status {};
      if (::stat((root_ / folder).c_str(), &status) == 0 && visited_.insert({status.st_dev, status.st_ino}).second)
        look_into(folder, rest);
    }
  }

  void look_into(const std::string& folder, std::vector<std::string>& rest) {
    auto unreadable_folder = [&](const std::error_code& error) {
      return nothing_there(
          filled("cannot read the folder {}: {}", files::quoted(root_ / folder), reason(error.value())),
          check_permissions);
    };
    std::error_code error;
    fs::directory_iterator each(root_ / folder, error);
    if (error) throw unreadable_folder(error);
    for (; each != fs::directory_iterator(); each.increment(error)) {
      if (error) throw unreadable_folder(error);
      auto name = each->path().filename().string();
      if (name.starts_with('.')) continue;
      std::error_code ignored;
      bool is_link = each->is_symlink(ignored);
      if (each->is_directory(ignored)) {
        found_.has_folders = true;
        auto below = folder.empty() ? name : folder + "/" + name;
        if (recursive_ && is_link) links_.insert(below);
        if (recursive_ && !is_link) rest.push_back(below);
      } else if (ends_with_one_of(name, endings)) {
        found_.files.push_back(folder.empty() ? name : folder + "/" + name);
      } else if (ends_with_one_of(name, other_pictures)) {
        ++found_.left_out[lower_ending(name)];
      }
    }
    if (error) throw unreadable_folder(error);
  }

  fs::path root_;
  bool recursive_;
  Found found_;
  std::set<std::pair<dev_t, ino_t>> visited_;
  std::set<std::string> links_;
};

std::string joined(const std::map<std::string, std::size_t>& counts) {
  std::vector<std::string> out;
  for (auto& [ending, count] : counts) out.push_back(filled("{} ({})", ending, count));
  return filled("{}", fmt::join(out, ", "));
}

constexpr const char* how_to_convert = "save them as PNG or JPEG, as `mogrify -format png` of ImageMagick does";

InputList in_folder(const std::string& folder, bool recursive) {
  auto found = Walk(folder, recursive).run();
  if (found.files.empty())
    throw nothing_there(
        filled("{} holds nothing that can be read{}: files that end with {}", files::quoted(folder),
               found.left_out.empty() ? "" : filled(", but {}", joined(found.left_out)), fmt::join(endings, ", ")),
        !found.left_out.empty()           ? how_to_convert
        : found.has_folders && !recursive ? "there are folders in it: add `--recursive` to look into them, too"
                                          : "name the folder that they lie in");
  std::sort(found.files.begin(), found.files.end(), naturally_before);
  InputList out;
  auto begin = folder.ends_with('/') ? folder : folder + "/";
  for (auto& each : found.files) out.items.push_back({begin + each, each});
  if (!found.left_out.empty())
    out.warnings.push_back(
        {.code = Code::wrong_input,
         .severity = Severity::warning,
         .message = filled("{} holds pictures that are not read: {}", files::quoted(folder), joined(found.left_out)),
         .help = how_to_convert});
  return out;
}

// ----------------------------------------------------------------------------------------------------------- patterns

InputList of_pattern(const std::string& pattern) {
  struct Matches : glob_t {
    Matches() : glob_t{} {}
    Matches(const Matches&) = delete;
    Matches& operator=(const Matches&) = delete;
    ~Matches() { ::globfree(this); }
  } matches;
  auto result = ::glob(pattern.c_str(), GLOB_NOSORT | GLOB_ERR | GLOB_TILDE | GLOB_BRACE, nullptr, &matches);
  if (result == GLOB_NOSPACE) throw std::bad_alloc();
  if (result != 0 && result != GLOB_NOMATCH)
    throw nothing_there(filled("cannot look for {}: {}", files::quoted(pattern), reason(errno)), check_permissions);
  InputList out;
  for (std::size_t i = 0; i < matches.gl_pathc; ++i) {
    struct stat status {};
    if (::stat(matches.gl_pathv[i], &status) != 0 || !S_ISDIR(status.st_mode))
      out.items.push_back({matches.gl_pathv[i], {}});
  }
  if (out.items.empty())
    throw nothing_there(
        filled("no file matches {}", files::quoted(pattern)),
        "* stands for any part of a name, ? for one character, [ab] for one of these, {a,b} for either");
  std::sort(out.items.begin(), out.items.end(), [](auto& a, auto& b) { return naturally_before(a.path, b.path); });
  return out;
}

// -------------------------------------------------------------------------------------------------------------- lists

InputList of_text(std::string_view text, const fs::path& folder, bool null_separated, const std::string& shown) {
  InputList out;
  if (!null_separated && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // some editors begin texts so
  auto separator = null_separated ? '\0' : '\n';
  while (!text.empty()) {
    auto line = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!null_separated && line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (line.find('\0') != line.npos)
      throw nothing_there(filled("{} is no list of paths, a line for each", shown),
                          "add `--null` where paths end with NUL, as those of `find -print0`");
    out.items.push_back({folder.empty() ? std::string(line) : (folder / line).string(), {}});
  }
  if (out.items.empty())
    throw nothing_there(filled("{} names no file", shown), "write the path of a picture or an array on each line");
  return out;
}

std::string all_of_input() {
  std::string text;
  std::array<char, 65536> piece{};
  for (;;) {
    auto got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      throw nothing_there(filled("cannot read standard input: {}", reason(errno)), "check where it comes from");
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > largest_list)
      throw Error({.code = Code::too_large,
                   .message = filled("standard input has more than {} bytes of paths", largest_list),
                   .help = "give it in parts"});
  }
}

InputList in_list(const std::string& path, bool null_separated) {
  if (path.empty())
    throw usage_error("--input @ names no list", "write `--input @list.txt`, a file with a path on each line");
  files::InputFile file(path);
  if (file.size() > largest_list)
    throw Error({.code = Code::too_large,
                 .message = filled("{} has more than {} bytes", files::quoted(path), largest_list),
                 .help = "give it in parts"});
  std::string text(file.size(), '\0');
  file.read(0, text.data(), text.size());
  return of_text(text, fs::path(path).parent_path(), null_separated, files::quoted(path));
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_pattern(const std::string& argument) {
  struct stat status {};
  return argument.find_first_of("*?[{") != argument.npos && ::lstat(argument.c_str(), &status) != 0 &&
         argument.find(".npz:") == argument.npos;
}

}  // namespace

bool is_many(const std::string& argument) {
  return argument == "-" || argument.starts_with('@') || is_folder(argument) || is_pattern(argument);
}

InputList list_inputs(const std::string& argument, const ListOptions& options) {
  bool is_list = argument == "-" || argument.starts_with('@'), folder = !is_list && is_folder(argument);
  if (options.null_separated && !is_list)
    throw usage_error("--null is for lists of paths", "write `--input -` or `--input @list`, or leave it out");
  if (options.recursive && !folder)
    throw usage_error("--recursive is for a folder", "name one with --input, or leave it out");
  if (folder) {
    auto out = in_folder(argument, options.recursive);
    name_within(out.items);  // below that folder, whether or not all of them lie in one below it
    return out;
  }
  auto out = argument == "-"        ? of_text(all_of_input(), {}, options.null_separated, "standard input")
             : is_list              ? in_list(argument.substr(1), options.null_separated)
             : is_pattern(argument) ? of_pattern(argument)
                                    : InputList{.items = {{argument, {}}}};
  name_items(out.items);
  return out;
}

}  // namespace ascribe::command
