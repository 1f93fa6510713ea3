#include "interpreter/command/model_arguments.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>

#include "ascribe/files.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/sizes.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/definitions.hpp"

namespace ascribe::command {
namespace {

// A file where a name out of it is wanted.
[[noreturn]] void refuse_file(const std::string& path, const std::string& argument, const LoadOptions& options) {
  std::string name = "NAME";
  auto pack = Pack::load(path, options);
  for (auto& [each, definition] : Inside::definitions(pack).targets)
    if (name == "NAME" || std::holds_alternative<std::shared_ptr<const language::Composite>>(definition)) name = each;
  throw usage_error(
      filled("{} takes the name of a composite or a rule, and {} is a file", argument, files::quoted(path)),
      filled("write `--load {} {}{}`", files::quoted(path), argument.starts_with('-') ? argument + " " : "", name));
}

// The disk, and what was read of it.
class NotingFiles : public Files {
 public:
  Kind kind(const std::filesystem::path& path) const override { return disk_->kind(path); }
  std::vector<Entry> list(const std::filesystem::path& folder, std::size_t most) const override {
    return disk_->list(folder, most);
  }
  std::filesystem::path resolve(const std::filesystem::path& path) const override { return disk_->resolve(path); }
  std::string read(const std::filesystem::path& path, std::size_t most) const override {
    auto text = disk_->read(path, most);
    std::lock_guard lock(mutex_);
    texts_[path.string()] = text;
    return text;
  }
  std::string texts() const {
    std::string out;
    for (auto& [path, text] : texts_) out += path + '\0' + text + '\0';
    return out;
  }

 private:
  std::shared_ptr<const Files> disk_ = Files::disk();
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::string> texts_;
};

}  // namespace

void RuleArguments::add_loading_to(CLI::App& command) {
  command.add_option("--load", load, filled("rule files and packs whose names {} may use", name))
      ->type_name("FILE.rule|DIR")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  loading.add_to(command);
}

void ModelArguments::add_to(CLI::App& command, bool rules_required) {
  command.add_option("--model", model, "an exported program (.pt2) or a TorchScript file (.pt)")
      ->type_name("FILE.pt2|FILE.pt")
      ->required();
  InputArguments::add_to(command);
  auto* option =
      command
          .add_option("--rules", rules,
                      "a composite, such as 'epsilon_plus(epsilon = 0.1)', or one rule for all linear layers")
          ->type_name("RULES");
  if (rules_required) option->required();
  add_loading_to(command);
  command.add_option("--device", device, "cpu or cuda:0")->type_name("DEVICE");
  command
      .add_option("--threads", threads,
                  "threads for one operator (default: all cores, or one for a model so small that they would "
                  "only wait for each other)")
      ->check(CLI::PositiveNumber);
  group(command, "Model and rules", {"--model", "--rules", "--load", "--device", "--threads"});
}

Composite RuleArguments::read(std::string* sources) const {
  auto options = loading.options();
  if (rules.ends_with(".rule") && std::filesystem::exists(rules)) refuse_file(rules, name, options);
  auto noting = std::make_shared<NotingFiles>();
  if (sources) options.files = noting;
  auto pack = load.empty() ? Pack::standard()
                           : Pack::load(std::vector<std::filesystem::path>(load.begin(), load.end()), options);
  if (sources) *sources = noting->texts();
  return pack.call(rules, name);
}

std::vector<at::Tensor> ModelArguments::read_inputs() const {
  std::vector<at::Tensor> out;
  for (auto& each : read_all()) {
    for (auto& warning : each.warnings) std::cerr << render_text(warning);
    out.push_back(each.x);
  }
  return out;
}

Model ModelArguments::read_model() const {
  if (threads > 0) at::set_num_threads(threads);
  auto out = Model::load(model);
  return device == "cpu" ? out : out.to(device);
}

void ModelArguments::choose_threads(const at::Tensor& x) const {
  if (threads == 0) at::set_num_threads(sensible_threads(model, x));
}

}  // namespace ascribe::command
