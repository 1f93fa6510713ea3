#include "interpreter/command/target_arguments.hpp"

#include <ATen/core/Tensor.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/parsed_number.hpp"
#include "interpreter/command/tokens.hpp"
#include "interpreter/files/atomic_file.hpp"
#include "interpreter/files/npy.hpp"

namespace ascribe::command {
namespace {

// An index, or a name with --labels.
std::int64_t index_of(const std::string& text, const Labels& labels, const char* option, const TargetWords& words) {
  auto named = std::find(labels.names.begin(), labels.names.end(), text);
  if (auto index = parsed_number<std::int64_t>(text)) {
    auto of_name = named - labels.names.begin();
    if (named != labels.names.end() && of_name != *index)
      throw usage_error(filled("{} {} is an index, and the name of output {}", words.option(option), text, of_name),
                        filled("write `{}`, or leave the labels out", words.option(option, std::to_string(of_name))));
    return *index;
  }
  if (labels.path.empty())
    throw usage_error(filled("{} {} is no index", words.option(option), files::quoted_name(text)),
                      filled("give the outputs' names with {}, or write `{}`",
                             words.of_session ? "`:labels names.txt`" : "--labels", words.option(option, "3")));
  return Target::named({text}, labels.names).indices().front();
}

// The 3 of `top3`.
std::optional<std::int64_t> count_of_largest(std::string_view text) {
  if (!text.starts_with("top")) return {};
  auto out = parsed_number<std::int64_t>(text.substr(3));
  return out && *out >= 1 ? out : std::nullopt;
}

std::vector<std::int64_t> position_of(const std::string& text, const TargetWords& words) {
  std::vector<std::int64_t> out;
  for (std::string_view rest = text;;) {
    auto end = std::min(rest.find(','), rest.size());
    auto number = parsed_number<std::int64_t>(rest.substr(0, end));
    if (!number)
      throw usage_error(
          filled("{} {} is no position", words.option("position"), files::quoted_name(text)),
          filled("write `{}`, or `{}` of outputs [batch, classes, height, width]", words.option("position", "-1"),
                 words.option("position", words.of_session ? "[12, 30]" : "12,30")));
    out.push_back(*number);
    if (end == rest.size()) return out;
    rest.remove_prefix(end + 1);
  }
}

}  // namespace

void TargetArguments::add_to(CLI::App& command) {
  auto several = [&](const char* name, std::vector<std::string>& values, const char* placeholder, const char* help) {
    return command.add_option(name, values, help)
        ->type_name(placeholder)
        ->expected(1)
        ->allow_extra_args(false)
        ->take_all()
        ->group("Where relevance starts");
  };
  several(
      "--target", targets, "INDEX|NAME|topN|all|@FILE",
      "which output to explain: an index of dimension 1 (of the last one in [time, batch, classes]), a name (with "
      "--labels), each sample's largest N, `all`, or a file with one for each sample (default: the largest; outputs "
      "[batch] and [] need none). Several: relevance starts from each of them");
  several("--against", against, "INDEX|NAME",
          "less this output: what speaks for the target rather than for it. Several: less each of them");
  command.add_option("--labels", labels, "the outputs' names, a line for each")
      ->type_name("FILE")
      ->group("Where relevance starts");
  command
      .add_option(
          "--position", position,
          "of outputs [batch, positions, classes], the position that --target is of; -1 is the last. Of outputs "
          "[batch, classes, height, width]: `12,30`")
      ->type_name("INDEX[,INDEX…]")
      ->group("Where relevance starts");
  command.add_option("--of-output", of_output, "of a model with several outputs, which one, from 0 on")
      ->check(CLI::NonNegativeNumber)
      ->group("Where relevance starts");
  command.add_option("--start", start, "relevance to start from: output, one, or a .npy file of the output's shape")
      ->type_name("output|one|FILE.npy")
      ->group("Where relevance starts");
}

std::string TargetWords::option(std::string_view name) const {
  return of_session ? filled("`{}`", name) : filled("--{}", name);
}

std::string TargetWords::option(std::string_view name, std::string_view value) const {
  return of_session ? filled("{} = {}", name, value) : filled("--{} {}", name, value);
}

ChosenTarget::ChosenTarget(const TargetArguments& arguments, const TargetWords& words) {
  if (words.of_session) labels_ = *words.of_session;
  if (!arguments.labels.empty()) labels_ = Labels::read(arguments.labels);
  if (!arguments.position.empty()) position_ = position_of(arguments.position, words);
  if (arguments.of_output >= 0) output_ = static_cast<std::size_t>(arguments.of_output);
  for (auto& each : arguments.against) opposed_.push_back(index_of(each, labels_, "against", words));
  auto& targets = arguments.targets;
  from_one_ = arguments.start == "one";
  described_ = targets.empty() ? "largest" : filled("{}", fmt::join(targets, ", "));
  if (!opposed_.empty()) described_ += filled(" against {}", fmt::join(arguments.against, ", "));
  if (arguments.start != "output" && !from_one_) {
    if (!arguments.start.ends_with(".npy"))
      throw usage_error(filled("--start is `output`, `one` or a .npy file, not '{}'", arguments.start),
                        "write `--start one`");
    auto* other = !targets.empty() ? "--target" : !opposed_.empty() ? "--against" : "--position";
    if (!targets.empty() || !opposed_.empty() || !position_.empty())
      throw usage_error(filled("{} and a --start file exclude each other", other),
                        "the file says how much relevance each output has");
    described_ = arguments.start;
    target_ = Target::from(files::read_npy(arguments.start));
    return;
  }
  std::vector<std::int64_t> indices;
  for (auto& text : targets) {
    auto count = count_of_largest(text);
    bool alone = text == "all" || text.starts_with('@') || count;
    if (alone && targets.size() > 1)
      throw usage_error(filled("{} {} stands alone", words.option("target"), text), "leave the others out");
    if (text == "all") {
      target_ = Target::all();
    } else if (count) {
      target_ = Target::largest(*count);
    } else if (text.starts_with('@')) {
      each_from_ = text.substr(1);
      for (auto& line : read_lines(each_from_, "targets")) {
        if (line.empty())
          throw usage_error(filled("line {} of {} is empty", each_.size() + 1, files::quoted(each_from_)),
                            "give a target on each line, one for each input");
        each_.push_back(index_of(line, labels_, "target", words));
      }
    } else {
      indices.push_back(index_of(text, labels_, "target", words));
    }
  }
  for (auto index : opposed_)
    if (std::find(indices.begin(), indices.end(), index) != indices.end())
      throw usage_error(filled("output {} is a target, and what it is against", index), "choose two different ones");
  if (!indices.empty()) target_ = Target(std::move(indices));
}

Target ChosenTarget::finished(Target target) const {
  if (!opposed_.empty()) target = target.against(opposed_);
  if (from_one_) target = target.from_one();
  if (!position_.empty()) target = target.at_position(position_);
  return output_ ? target.of_output(*output_) : target;
}

Target ChosenTarget::whole() const { return finished(each_.empty() ? target_ : Target::one_per_sample(each_)); }

Target ChosenTarget::of(std::span<const std::size_t> places) const {
  if (each_.empty()) return finished(target_);
  std::vector<std::int64_t> chosen;
  for (auto place : places) chosen.push_back(each_.at(place));
  return finished(Target::one_per_sample(std::move(chosen)));
}

void ChosenTarget::check_inputs(std::size_t count) const {
  if (target_.choice() == Target::Choice::tensor)
    throw usage_error("a --start file is for one input", "choose outputs: `--target 3`");
  if (each_.empty() || each_.size() == count) return;
  throw usage_error(filled("{} has {} target{}, and there are {} inputs", files::quoted_name(each_from_), each_.size(),
                           each_.size() == 1 ? "" : "s", count),
                    "give a line for each input, in their order");
}

}  // namespace ascribe::command
