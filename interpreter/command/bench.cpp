// `ascribe bench`: what the relevance of a model's input costs, beside the model's plain gradient.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "ascribe/attribute.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/attribute/target.hpp"
#include "interpreter/command/command_tree.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/input_misfit.hpp"
#include "interpreter/command/interruption.hpp"
#include "interpreter/command/measured_memory.hpp"
#include "interpreter/command/model_arguments.hpp"
#include "interpreter/command/progress_line.hpp"
#include "interpreter/command/table.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/libtorch/failure.hpp"
#include "interpreter/model/model_state.hpp"

namespace ascribe::command {
namespace {

using Tensors = std::vector<at::Tensor>;

struct BenchOptions {
  ModelArguments model;
  int rounds = 10;
  bool channels_last = false;
  std::string report = "text";
};

// What is measured, and what it took.
struct Contender {
  std::string name;
  bool channels_last = false;
  std::size_t baseline = 0;  // the gradient in the same layout, by its place; its own for a gradient
  std::function<void()> work = {};
  std::optional<std::int64_t> memory = {};
  std::vector<double> seconds = {};
};

struct Spread {
  double lower, median, upper;  // quartiles
};

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  auto quantile = [&](double share) {
    auto place = share * static_cast<double>(values.size() - 1);
    auto below = static_cast<std::size_t>(place);
    auto above = std::min(below + 1, values.size() - 1);
    return values[below] + (place - std::floor(place)) * (values[above] - values[below]);
  };
  return {quantile(0.25), quantile(0.5), quantile(0.75)};
}

// Round by round: what slows both down at the same time does not count.
Spread ratio(const Contender& of, const Contender& to) {
  std::vector<double> out;
  for (std::size_t i = 0; i < of.seconds.size(); ++i) out.push_back(of.seconds[i] / to.seconds[i]);
  return spread_of(std::move(out));
}

// The inputs in the types and on the device that attribute() gives them to the model in; integers stay what they are.
Tensors as_taken(const Model& model, const Tensors& inputs) {
  auto& program = *Inside::state(model).program;
  auto options = program.options();
  Tensors out;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto type = inputs[i].scalar_type();
    if (inputs[i].is_floating_point() && options.has_dtype()) type = c10::typeMetaToScalarType(options.dtype());
    out.push_back(inputs[i].to(options.dtype(program.declared_type(i).value_or(type))));
  }
  return out;
}

bool has_floating(const Tensors& inputs) {
  return std::any_of(inputs.begin(), inputs.end(), [](auto& x) { return x.is_floating_point(); });
}

Tensors in_channels_last(const Tensors& inputs) {
  Tensors out;
  for (auto& x : inputs) out.push_back(x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x);
  return out;
}

void plain_gradient(const Model& model, const Tensors& inputs, const Target& target) {
  at::AutoGradMode record(true);
  Tensors leaves, given;
  for (auto& x : inputs) {
    auto leaf = x.detach();
    if (x.is_floating_point()) leaves.push_back(leaf.requires_grad_());
    given.push_back(leaf.clone());  // as attribute() does it: a model may write into its input
  }
  auto y = attributing::chosen_output(model.run(given), target);
  auto start = attributing::start(y.detach(), target, attributing::layout_of(y.sizes(), inputs));
  try {
    torch::autograd::grad({y}, leaves, {start}, /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
  } catch (const std::exception& failure) {
    throw Error(libtorch::describe(failure, "the model's gradient", Code::model_failed, "failed"));
  }
}

void plain_forward(const Model& model, const Tensors& inputs, const Target&) {
  at::NoGradGuard no_grad;
  Tensors given;
  for (auto& x : inputs) given.push_back(x.clone());
  model.run(given);
}

class Bench {
 public:
  explicit Bench(const BenchOptions& options)
      : options_(options),
        rules_(options.model.read_rules()),
        inputs_(options.model.read_inputs()),
        model_(options.model.read_model()),
        device_(model_.options().device()) {
    if (options.channels_last && std::none_of(inputs_.begin(), inputs_.end(), [](auto& x) { return x.dim() == 4; }))
      throw usage_error("--channels-last is for inputs of 4 dimensions, and there is none", "leave it out");
  }

  void run() {
    warm_up();
    ProgressLine line;
    for (int round = 0; round < options_.rounds; ++round)
      for (std::size_t i = 0; i < contenders_.size(); ++i) {
        line.tell(filled("round {} of {}", round + 1, options_.rounds));
        // Each of them begins in turn.
        auto& contender = contenders_[(i + static_cast<std::size_t>(round)) % contenders_.size()];
        auto began = std::chrono::steady_clock::now();
        finish(contender.work);
        contender.seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
        check_stop(filled("in round {} of {}", round + 1, options_.rounds));
      }
  }

  std::string as_text() const {
    auto spread = [](const std::string& lower, const std::string& upper) { return filled("{} to {}", lower, upper); };
    auto& first = contenders_.front();
    std::vector<std::vector<std::string>> rows{
        {"", "time", "quartiles", "ratio", "quartiles", "in its layout", "memory", "ratio"}};
    for (auto& each : contenders_) {
      auto time = spread_of(each.seconds);
      std::vector<std::string> row{shown_name(each), shown_time(time.median),
                                   spread(shown_time(time.lower), shown_time(time.upper))};
      row.resize(rows.front().size());
      if (&each != &first) {
        auto found = ratio(each, first);
        row[3] = shown_factor(found.median);
        row[4] = spread(shown_factor(found.lower), shown_factor(found.upper));
      }
      auto& baseline = contenders_[each.baseline];
      if (&each != &baseline && &baseline != &first) row[5] = shown_factor(ratio(each, baseline).median);
      if (each.memory) row[6] = filled("{:.4g} MB", static_cast<double>(*each.memory) * 1e-6);
      if (auto share = memory_ratio(each); share && &each != &first) row[7] = shown_factor(*share);
      rows.push_back(std::move(row));
    }
    return filled("rules: {}\n{} sample{}, {} thread{}, {} round{}; ratios are to the {}\n\n{}", rules_.description(),
                  samples(), samples() == 1 ? "" : "s", at::get_num_threads(), at::get_num_threads() == 1 ? "" : "s",
                  options_.rounds, options_.rounds == 1 ? "" : "s", shown_name(first), table(rows, 1));
  }

  std::string as_json() const {
    auto spread = [](const Spread& values) {
      return nlohmann::json{
          {"lower_quartile", values.lower}, {"median", values.median}, {"upper_quartile", values.upper}};
    };
    auto measured = nlohmann::json::array();
    for (auto& each : contenders_) {
      auto memory = memory_ratio(each);
      measured.push_back({{"name", each.name},
                          {"channels_last", each.channels_last},
                          {"seconds", spread(spread_of(each.seconds))},
                          {"ratio", spread(ratio(each, contenders_.front()))},
                          {"ratio_in_its_layout", spread(ratio(each, contenders_[each.baseline]))},
                          {"memory", each.memory ? nlohmann::json(*each.memory) : nlohmann::json()},
                          {"memory_ratio", memory ? nlohmann::json(*memory) : nlohmann::json()}});
    }
    return nlohmann::json{{"rules", rules_.description()},
                          {"samples", samples()},
                          {"threads", at::get_num_threads()},
                          {"rounds", options_.rounds},
                          {"target", target_.choice() == Target::Choice::all ? "all" : "largest"},
                          {"measured", measured}}
               .dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
           "\n";
  }

 private:
  static std::string shown_time(double seconds) { return filled("{:.4g} ms", seconds * 1e3); }
  static std::string shown_factor(double value) { return filled("{:.3g}", value); }
  static std::string shown_name(const Contender& each) {
    return each.name + (each.channels_last ? ", channels_last" : "");
  }

  void finish(const std::function<void()>& work) const {
    work();
    if (!device_.is_cpu()) c10::impl::VirtualGuardImpl(device_.type()).synchronizeDevice(device_.index());
  }

  void check_stop(const std::string& where) const {
    if (interruption_.token().stop_requested())
      throw Error({.code = Code::stopped,
                   .message = filled("stopped as requested, {}", where),
                   .help = "begin again: nothing is left of it"});
  }

  // Runs each of them once. The memory of a first time is what counts: what it keeps for later is part of it.
  // Ours come first, since their messages say more.
  void warm_up() {
    MeasuredMemory memory;
    auto measure = [&](Contender& each, std::int64_t before, const std::function<void()>& work) {
      memory.begin_peak();
      finish(work);
      if (device_.is_cpu()) each.memory = memory.peak() - before;
      check_stop("before the first round");
    };

    std::vector<Contender> ours;
    auto given = options_.channels_last ? in_channels_last(inputs_) : inputs_;
    auto before = memory.held();
    for (bool sums : {false, true}) {
      auto explain = [this, given, sums](std::stop_token stop, ProgressCallback progress) {
        attribute(model_, rules_, given, target_,
                  {.sum_embeddings = true, .sums = sums, .stop = std::move(stop), .progress = std::move(progress)});
      };
      ours.push_back({.name = sums ? "relevance with sums" : "relevance",
                      .channels_last = options_.channels_last,
                      .baseline = options_.channels_last ? 1u : 0u,
                      .work = [explain] { explain({}, {}); }});
      measure(ours.back(), before, [&] {
        ProgressLine line;
        try {
          explain(interruption_.token(), line.callback());
        } catch (const Error& error) {
          // Outputs that have no largest one for each sample.
          if (error.diagnostics().front().code != Code::bad_target || target_.choice() == Target::Choice::all) throw;
          target_ = Target::all().of_output(0);
          explain(interruption_.token(), line.callback());
        }
      });
    }

    auto measure_plain = [&](const std::string& name, auto run, const Tensors& inputs) {
      for (bool channels_last : {false, true}) {
        if (channels_last && !options_.channels_last) break;
        Contender each{.name = name, .channels_last = channels_last, .baseline = contenders_.size()};
        each.work = [this, run, x = channels_last ? in_channels_last(inputs) : inputs] { run(model_, x, target_); };
        measure(each, memory.held(), each.work);
        contenders_.push_back(std::move(each));
      }
    };
    auto taken = as_taken(model_, inputs_);
    bool looks_up = Inside::state(model_).program->looks_up_integers();
    if (!has_floating(taken) && taken.size() == 1 && !looks_up) try {
        plain_forward(model_, taken, target_);
      } catch (const Error&) {
        taken = {taken.front().to(model_.options())};  // as attribute() does: the model takes nothing else
      }
    if (has_floating(taken))
      measure_plain("gradient", plain_gradient, taken);
    else
      measure_plain("forward pass alone", plain_forward, taken);
    contenders_.insert(contenders_.end(), ours.begin(), ours.end());
  }

  std::int64_t samples() const { return inputs_.front().dim() == 0 ? 1 : inputs_.front().size(0); }

  std::optional<double> memory_ratio(const Contender& each) const {
    auto& first = contenders_.front().memory;
    if (!each.memory || !first || *first <= 0) return {};
    return static_cast<double>(*each.memory) / static_cast<double>(*first);
  }

  const BenchOptions& options_;
  Composite rules_;
  Tensors inputs_;
  Model model_;
  c10::Device device_;
  Target target_ = Target::largest().of_output(0);
  Interruption interruption_;
  std::vector<Contender> contenders_;  // the first one is what the others are compared with
};

}  // namespace

Run add_bench(CLI::App& app) {
  auto* command =
      app.add_subcommand("bench", "Measures what the relevance of an input costs, beside the model's plain gradient");
  auto options = std::make_shared<BenchOptions>();
  options->model.add_to(*command, /*rules_required=*/true);
  command->add_option("--rounds", options->rounds, "how often each is run, after once to warm up (default: 10)")
      ->check(CLI::PositiveNumber);
  command->add_flag("--channels-last", options->channels_last,
                    "gives pictures to the rules in PyTorch's channels_last layout; the gradient is measured in both");
  one_of(command->add_option("--report", options->report, "how results are shown"), {"text", "json"});
  return [options] {
    return telling_misfits(options->model, [&] {
      Bench bench(*options);
      bench.run();
      std::cout << (options->report == "json" ? bench.as_json() : bench.as_text());
      return fine;
    });
  };
}

}  // namespace ascribe::command
