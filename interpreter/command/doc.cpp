// `ascribe doc`: the page of a pack, made from its doc comments.
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <optional>

#include "ascribe/pack.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/parser.hpp"
#include "interpreter/command/colour.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/load_arguments.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/pack/files.hpp"
#include "interpreter/pack/page.hpp"
#include "interpreter/pack/rule_sources.hpp"

namespace ascribe::command {
namespace {

namespace fs = std::filesystem;

struct DocOptions {
  std::vector<std::string> paths;
  std::string format;
  std::optional<std::string> output;
  LoadArguments load;
};

// What a page can be written as; the first is what is written where nothing says otherwise.
constexpr struct {
  const char *name, *ending;
  std::string (*write)(const Page&);
} formats[] = {{"markdown", ".md", markdown}, {"html", ".html", html}};

auto writer_for(const DocOptions& options) {
  if (options.format.empty() && !options.output) return formats[0].write;
  fs::path output = options.output.value_or("");
  for (auto& format : formats)
    if (options.format.empty() ? output.extension() == format.ending : options.format == format.name)
      return format.write;
  throw usage_error(filled("the ending of {} says no format", files::quoted(output)),
                    "name a .md or .html file, or give --format markdown or --format html");
}

PageSource load(const fs::path& path, const fs::path& folder, const LoadOptions& options) {
  if (path != standard_input) return {Pack::load(path, options), folder};
  auto source = read_source(path);
  return {Pack::parse(std::string(source->text()), source->name()), folder};
}

// The last name of a path, of one that ends with a slash or a dot, too.
std::string last_name(const fs::path& path) {
  std::error_code error;
  auto whole = fs::absolute(path, error).lexically_normal();
  return shown(whole.has_filename() ? whole.filename() : whole.parent_path().filename());
}

// What is said of a pack as a whole: the doc comment above `pack`.
std::string pack_documentation(const fs::path& folder) {
  std::vector<Diagnostic> reported;  // when it was loaded
  auto file = parse_file(read_source(folder / "pack.rule"), reported);
  for (auto& item : file.items)
    if (std::holds_alternative<syntax::Pack>(item.node)) return item.documentation;
  return "";
}

// The texts of a page's head.
struct Head {
  std::string title, introduction;
};

// What one of the command's paths leads to: the head of its page, if it has one to itself.
Head head_of(const fs::path& given, const std::vector<fs::path>& units, const Pack& last) {
  if (given == standard_input) return {"Standard input", ""};
  if (units.size() > 1 || last.name().empty()) return {last_name(given), ""};
  std::error_code unknown;
  auto folder = fs::is_directory(units[0], unknown) ? units[0] : units[0].parent_path();
  std::string introduction;
  auto add = [&](const char* word, const std::string& text) {
    if (!text.empty()) introduction += filled("{}{}{}", introduction.empty() ? "" : "\n\n", word, text);
  };
  add("", last.description());
  add("", pack_documentation(folder));
  add("Author: ", last.author());
  add("Licence: ", last.licence());
  return {filled("{} {}", last.name(), last.version()), introduction};
}

// The page of all paths. Throws Error, or gives nothing and says why in `worst`, after messages for every mistake.
std::optional<Page> page_of(const std::vector<std::string>& paths, const LoadOptions& options, int& worst) {
  std::vector<PageSource> sources;
  std::vector<Head> heads;
  auto attempt = [&](auto action) {
    try {
      action();
    } catch (const Error& error) {
      std::cerr << render_text(error.diagnostics(), wants_colour(STDERR_FILENO)) << std::flush;
      worst = std::max(worst, exit_code(error));
    }
  };
  for (fs::path given : paths)
    attempt([&] {
      std::error_code unknown;
      // Of several paths the whole names of files are shown, so that they can be told apart.
      auto folder = paths.size() > 1 ? "" : fs::is_directory(given, unknown) ? given : given.parent_path();
      // A pack's page is its own: packs that are nested in it have theirs.
      auto units = fs::exists(given / "pack.rule", unknown) ? std::vector{given} : pack_paths(given);
      for (auto& unit : units) attempt([&] { sources.push_back(load(unit, folder, options)); });
      if (worst == fine) heads.push_back(head_of(given, units, sources.back().pack));
    });
  if (worst != fine) return {};
  std::vector<std::string> titles;
  for (auto& head : heads) titles.push_back(head.title);
  return make_page(filled("{}", fmt::join(titles, ", ")), heads.size() == 1 ? heads[0].introduction : "", sources);
}

int document(const DocOptions& options) {
  auto write = writer_for(options);
  if (options.output) files::check_writable(*options.output);
  int worst = fine;
  auto page =
      options.paths.empty() ? std::optional(standard_page()) : page_of(options.paths, options.load.options(), worst);
  if (!page) return worst;
  auto text = write(*page);
  if (options.output)
    files::write_file(*options.output, {text});
  else
    std::cout << text;
  return fine;
}

}  // namespace

Run add_doc(CLI::App& app) {
  auto* command = app.add_subcommand("doc", "Writes the page of a pack, made from its doc comments");
  auto options = std::make_shared<DocOptions>();
  command
      ->add_option("PATH", options->paths,
                   "rule files, folders of them, packs, or - for standard input; without it, the standard pack")
      ->type_name("FILE.rule|DIR");
  one_of(command->add_option("--format", options->format, "how the page is written, instead of what --output says"),
         {"markdown", "html"});
  command->add_option("--output", options->output, "writes into this .md or .html file, not to standard output")
      ->type_name("FILE.md|FILE.html");
  options->load.add_to(*command);
  return [options] { return document(*options); };
}

}  // namespace ascribe::command
