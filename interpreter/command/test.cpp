// `ascribe test`: the `test` blocks of rule files.
#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "ascribe/pack.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/glob.hpp"
#include "grammar/json.hpp"
#include "interpreter/command/colour.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/load_arguments.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/pack/rule_sources.hpp"
#include "interpreter/testing/runner.hpp"

namespace ascribe::command {
namespace {

using testing::TestResult;

struct TestOptions {
  std::vector<std::string> paths;
  std::string filter = "*", format = "text";
  LoadArguments load;
};

void print_text(const TestResult& result) {
  std::cerr << render_text(result.failures, wants_colour(STDERR_FILENO)) << std::flush;
  std::cout << (result.failures.empty() ? "ok      " : "FAILED  ") << result.test->name << std::endl;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t')
      out += c;
  }
  return out;
}

std::string junit(const std::vector<TestResult>& results, std::size_t failed) {
  auto out = filled(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"ascribe\" tests=\"{}\" "
      "failures=\"{}\" errors=\"0\" skipped=\"0\">\n",
      results.size(), failed);
  for (auto& each : results) {
    auto& source = *each.test->place.source;
    out += filled("<testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.6f}\"",
                  escaped(each.test->name), escaped(source.name()), escaped(source.name()),
                  source.position(each.test->place.span.begin).line, each.seconds);
    if (each.failures.empty()) {
      out += "/>\n";
      continue;
    }
    out += filled("><failure message=\"{}\">{}</failure></testcase>\n", escaped(each.failures.front().message),
                  escaped(render_text(each.failures)));
  }
  return out + "</testsuite>\n</testsuites>\n";
}

std::string json(const std::vector<TestResult>& results, std::size_t failed) {
  auto tests = nlohmann::json::array();
  for (auto& each : results)
    tests.push_back({{"name", each.test->name},
                     {"file", each.test->place.source->name()},
                     {"line", each.test->place.source->position(each.test->place.span.begin).line},
                     {"passed", each.failures.empty()},
                     {"seconds", each.seconds},
                     {"diagnostics", nlohmann::json::parse(render_json(each.failures))["diagnostics"]}});
  nlohmann::json out{{"tests", tests}, {"passed", results.size() - failed}, {"failed", failed}};
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

int test(const TestOptions& options) {
  std::vector<std::shared_ptr<const language::Test>> tests;
  int worst = fine;
  auto guarded = [&](auto step) {
    try {
      step();
    } catch (const Error& error) {
      std::cerr << render_text(error.diagnostics(), wants_colour(STDERR_FILENO));
      worst = std::max(worst, exit_code(error));
    }
  };
  for (auto& given : options.paths)
    guarded([&] {
      for (auto& path : pack_paths(given))
        guarded([&] {
          auto pack = Pack::load(path, options.load.options());
          for (auto& each : Inside::definitions(pack).tests)
            if (matches_glob(options.filter, each->name)) tests.push_back(each);
        });
    });
  if (tests.empty() && worst == fine)
    throw Error({.code = Code::no_tests,
                 .message = options.filter == "*" ? "there is no test in these files"
                                                  : filled("no test is called '{}'", options.filter),
                 .help = "write one: test \"…\" { model = …; x = …; expect … }"});
  if (tests.empty() && options.format == "text") return worst;  // nothing could be loaded, as was said
  std::vector<TestResult> results;
  std::size_t failed = 0;
  for (auto& each : tests) {
    results.push_back(testing::run(each));
    failed += !results.back().failures.empty();
    if (options.format == "text") print_text(results.back());
  }
  if (options.format == "text")
    std::cout << filled("{} of {} tests passed\n", results.size() - failed, results.size());
  else
    std::cout << (options.format == "json" ? json(results, failed) : junit(results, failed));
  return failed > 0 ? std::max<int>(worst, findings) : worst;
}

}  // namespace

Run add_test(CLI::App& app) {
  auto* command = app.add_subcommand("test", "Runs the test blocks of rule files");
  auto options = std::make_shared<TestOptions>();
  command->add_option("PATH", options->paths, "rule files, folders of them, or packs")
      ->type_name("FILE.rule|DIR")
      ->required();
  command->add_option("--filter", options->filter, "runs the tests whose name this glob matches")->type_name("GLOB");
  one_of(command->add_option("--format", options->format, "how results are shown"), {"text", "json", "junit"});
  options->load.add_to(*command);
  return [options] { return test(*options); };
}

}  // namespace ascribe::command
