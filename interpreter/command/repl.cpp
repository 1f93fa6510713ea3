// `ascribe repl`: a session to try rules in.
#include "interpreter/command/repl/loop.hpp"

#include <CLI/CLI.hpp>

#include <chrono>

#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/load_arguments.hpp"

namespace ascribe::command {
namespace {

struct ReplOptions {
  std::vector<std::string> paths;
  std::string model, script;
  std::uint64_t memory = repl::Limits{}.memory;
  double seconds = std::chrono::duration<double>(repl::Limits{}.time).count();
  LoadArguments load;
};

int run_session(const ReplOptions& options) {
  constexpr double longest = 1e9;  // seconds
  if (!(options.seconds > 0) || options.seconds > longest)
    throw usage_error("--time takes seconds, more than 0", "write `--time 60`");
  if (options.memory == 0) throw usage_error("--memory takes bytes, more than 0", "write `--memory 2GB`");
  auto time = std::chrono::duration<double>(options.seconds);
  return repl::run({{options.paths.begin(), options.paths.end()},
                    options.model,
                    {options.memory, std::chrono::ceil<std::chrono::milliseconds>(time)},
                    options.load.options(),
                    options.script});
}

}  // namespace

Run add_repl(CLI::App& app) {
  auto* command = app.add_subcommand("repl", "A session to try rules in: definitions, values, relevance, heatmaps");
  auto options = std::make_shared<ReplOptions>();
  command->add_option("PATH", options->paths, "rule files and packs that are loaded first")->type_name("FILE.rule|DIR");
  command->add_option("--model", options->model, "a model that is loaded first, as `model`")
      ->type_name("FILE.pt2|FILE.pt")
      ->expected(1);
  command
      ->add_option(
          "--script", options->script,
          "runs what stands in a file, or for - on standard input, up to the first mistake: then the exit code "
          "is 1. There is no prompt")
      ->type_name("FILE")
      ->expected(1);
  command->add_option("--time", options->seconds, "seconds that one evaluation may take (default: 300)")
      ->type_name("SECONDS");
  command->add_option("--memory", options->memory, "bytes that one evaluation may take, such as 2GB (default: 4GB)")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false))
      ->transform(
          CLI::Validator([](std::string& written) { return written.starts_with('-') ? "less than 0" : ""; }, ""))
      ->type_name("BYTES");
  options->load.add_to(*command);
  return [options] { return run_session(*options); };
}

}  // namespace ascribe::command
