#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <iostream>
#include <latch>
#include <thread>
#include <utility>

#include "ascribe/version.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/command/interruption.hpp"
#include "interpreter/command/many/batches.hpp"
#include "interpreter/command/many/hand_over.hpp"
#include "interpreter/command/many/many.hpp"
#include "interpreter/command/many/progress.hpp"
#include "interpreter/command/many/results.hpp"
#include "interpreter/command/many/summary.hpp"
#include "interpreter/command/sizes.hpp"

namespace ascribe::command {
namespace {

using Json = Summary::Json;

class Many {
 public:
  explicit Many(const ManyRun& run)
      : run_(run),
        inputs_(run.model.list(), run.many.shard),
        chosen_(run.target),
        results_(run.output, run.picture, run.model, chosen_, inputs_.shard_name()),
        rules_(run.model.read_rules(&sources_)) {
    if (run.many.resume && !results_.summary())
      throw usage_error("there is nothing to go on with: --resume needs what an earlier run wrote",
                        "write `--output maps/`, as that did, or leave --resume out");
    chosen_.check_inputs(inputs_.all());
    run.model.preparation();  // what contradicts itself is told before any work
    results_.check_apart(inputs_, run.model.inputs.front(), run.model.recursive);
  }

  int run() {
    auto model = run_.model.read_model();
    auto path = results_.summary();
    if (path) summary_.emplace(*path, run_.many.resume);
    choose_sizes(model);
    if (summary_) summary_->begin(header());
    auto batches = batches_to_do();
    progress_.emplace(inputs_.count(), inputs_.count() - count(batches));
    Explainer explainer(model, rules_, chosen_, sample_dimension_, run_.picture.wanted(), interruption_.token());
    if (summary_ && !summary_->batches().empty()) explainer.go_on();
    work(batches, explainer);
    progress_.reset();
    finish(!batches.empty());
    return failed_ > 0 ? findings : fine;
  }

 private:
  struct Read {
    std::size_t number;
    std::vector<BatchItem> items;
  };
  struct Done {
    std::size_t number;
    std::vector<Explained> inputs;
    Json end;
  };

  // What a run that goes on has in common with the one before, batches and threads included: the same numbers come out.
  Json header() const {
    return {{"run",
             {{"model", digest_of_file(run_.model.model)},
              {"rules", rules_.description()},
              {"target", chosen_.described()},
              {"options", digest_of(run_.settings)},
              {"rule files", digest_of(sources_)},
              {"inputs", inputs_.digest()},
              {"results", results_.patterns()},
              {"shard", inputs_.shard_name()},
              {"batch size", batch_size_},
              {"threads", at::get_num_threads()},
              {"ascribe", version()}}}};
  }

  // As an earlier run chose them, if this one goes on with it.
  void choose_sizes(const Model& model) {
    auto before = Json::object();
    if (summary_ && summary_->header().is_object()) before = summary_->header()["run"];
    batch_size_ = run_.many.batch_size;
    if (batch_size_ == 0) batch_size_ = before.value("batch size", std::int64_t{0});
    if (run_.model.threads == 0 && before.contains("threads")) at::set_num_threads(before["threads"].get<int>());
    if (batch_size_ > 0 && batches_to_do().empty()) return;
    constexpr std::size_t most_tries = 8;
    for (std::size_t place = 0; place < std::min(inputs_.count(), most_tries); ++place) try {
        check_stop();
        auto first = run_.model.read(inputs_.item(place)).x;
        if (!before.contains("threads")) run_.model.choose_threads(first);
        BatchProbe probe(model, run_.model.model, rules_, chosen_, interruption_.token());
        sample_dimension_ = probe.sample_dimension(inputs_.place_in_list(place), first);
        if (batch_size_ == 0) batch_size_ = probe.batch_size(inputs_.place_in_list(place), first);
        break;
      } catch (const Error& error) {
        if (!is_of_one_input(error)) throw;
      }
    batch_size_ = std::max<std::int64_t>(batch_size_, 1);
  }

  void check_stop() const {
    if (interruption_.token().stop_requested())
      throw Error({.code = Code::stopped, .message = "stopped as requested", .help = "begin again"});
  }

  std::vector<std::size_t> batches_to_do() const {
    std::vector<std::size_t> out;
    auto size = static_cast<std::size_t>(batch_size_);
    for (std::size_t number = 0; number * size < inputs_.count(); ++number)
      if (!summary_ || !summary_->batches().contains(number)) out.push_back(number);
    return out;
  }
  std::size_t size_of(std::size_t number) const {
    auto size = static_cast<std::size_t>(batch_size_);
    return std::min(size, inputs_.count() - number * size);
  }
  std::size_t count(const std::vector<std::size_t>& batches) const {
    std::size_t out = 0;
    for (auto number : batches) out += size_of(number);
    return out;
  }

  // Three threads, one for each step. Whoever fails ends them all; what was handed over before is still finished.
  void work(const std::vector<std::size_t>& batches, Explainer& explainer) {
    Places places(2);
    HandOver<Read> read;
    HandOver<Done> done;
    auto threads = at::get_num_threads();
    std::latch began(2);
    auto guarded = [&](auto& failure, auto step) {
      at::set_num_threads(1);  // of this thread: the operators that take long are elsewhere
      began.count_down();
      try {
        step();
      } catch (...) {
        failure = std::current_exception();
        places.close();
      }
    };
    std::exception_ptr reading, writing, explaining;
    std::jthread reader([&] {
      guarded(reading, [&] {
        for (auto number : batches) {
          if (!places.take()) break;
          check_stop();
          read.put(read_batch(number));
        }
      });
      read.close();
    });
    std::jthread writer([&] {
      guarded(writing, [&] {
        while (auto next = done.take()) {
          write(*next);
          places.give_back();
        }
      });
    });
    began.wait();
    at::set_num_threads(threads);
    try {
      while (auto next = read.take()) done.put(explain(*next, explainer));
    } catch (...) {
      explaining = std::current_exception();
      places.close();
    }
    places.close();
    done.close();
    reader.join();
    writer.join();
    for (auto& failure : {explaining, reading, writing})
      if (failure) rethrow(failure);
  }

  [[noreturn]] void rethrow(const std::exception_ptr& failure) {
    auto before = progress_ ? progress_->done() : 0;
    progress_.reset();
    try {
      std::rethrow_exception(failure);
    } catch (const Error& error) {
      auto first = error.diagnostics().front();
      if (first.code == Code::unwritable_file && summary_) {
        first.help += first.help.empty() ? "" : "; ";
        first.help += "then, the same command goes on with `--resume`";
        throw Error(first);
      }
      if (first.code != Code::stopped) throw;
      throw Error({.code = Code::stopped,
                   .message = filled("stopped as requested: {} of {} inputs are done", before, inputs_.count()),
                   .help = summary_ ? "the same command goes on with `--resume`" : "begin again"});
    }
  }

  Read read_batch(std::size_t number) {
    Read out{number, {}};
    auto first = number * static_cast<std::size_t>(batch_size_);
    for (std::size_t i = first; i < first + size_of(number); ++i) {
      auto& item = out.items.emplace_back(BatchItem{.place = inputs_.place_in_list(i), .item = inputs_.item(i)});
      try {
        item.read = run_.model.read(item.item);
      } catch (const Error& error) {
        if (run_.many.strict) throw;
        item.failure = error.diagnostics().front();
      }
    }
    return out;
  }

  Done explain(Read& batch, Explainer& explainer) {
    Done out{batch.number, {}, {}};
    auto found = explainer.explain(std::move(batch.items), run_.many.strict, run_.model);
    if (!labels_checked_) {
      for (auto& each : found.inputs)
        if (each.outcome.classes > 0) chosen_.labels().check(each.outcome.classes), labels_checked_ = true;
    }
    out.inputs = std::move(found.inputs);
    out.end = std::move(found.end);
    out.end["batch"] = batch.number;
    return out;
  }

  void write(Done& batch) {
    Summary::Batch lines{{}, std::move(batch.end)};
    std::size_t failed = 0;
    auto row = batch.number * static_cast<std::size_t>(batch_size_);
    for (auto& each : batch.inputs) {
      each.row = row++;
      lines.inputs.push_back(results_.write(each, run_.many.strict));
      for (auto& warning : each.warnings) say_once(warning);
      if (!each.failure && !is_finite(each)) {
        if (not_finite_ == 0)
          progress_->say(render_text({.code = Code::not_finite,
                                      .severity = Severity::warning,
                                      .message = filled("the relevance of {} is not finite", each.item.path),
                                      .help = "give some layer a larger stabilizer, or another rule: `ascribe run` on "
                                              "this input says which"}));
        ++not_finite_;
      }
      if (!each.failure) continue;
      ++failed;
      progress_->say(render_text(*each.failure));
    }
    lines.end["explained"] = batch.inputs.size() - failed;
    lines.end["failed"] = failed;
    failed_ += failed;
    if (!summary_)
      for (auto& line : lines.inputs) progress_->say(""), std::cout << results_.shown(line, run_.report == "json");
    if (summary_) summary_->add(batch.number, std::move(lines));
    progress_->advance(batch.inputs.size(), failed);
  }

  // The same is told of many inputs in one breath.
  void say_once(const Diagnostic& warning) {
    auto text = render_text(warning);
    auto key = filled("{} {}", static_cast<int>(warning.code), warning.help);
    if (std::find(said_.begin(), said_.end(), key) != said_.end()) return;
    said_.push_back(key);
    progress_->say(text);
  }

  void finish(bool changed) {
    for (auto& warning : inputs_.warnings()) std::cerr << render_text(warning);
    if (!summary_) return;
    summary_->finish(results_.collect(*summary_, changed));
    results_.remove_parts(*summary_);
    auto page = results_.gallery(summary_->batches(), rules_.description());
    auto explained = inputs_.count() - failed_;
    if (run_.report == "json") {
      std::cout << Json{{"inputs", inputs_.count()},
                        {"explained", explained},
                        {"failed", failed_},
                        {"summary", summary_->path().string()}}
                       .dump(2, ' ', false, Json::error_handler_t::replace)
                << "\n";
      return;
    }
    std::cout << filled("{} of {} inputs explained{}{}, in batches of {}\nsummary in {}\n", explained, inputs_.count(),
                        failed_ > 0 ? filled(", {} failed", failed_) : "",
                        not_finite_ > 0 ? filled(", {} not finite", not_finite_) : "", batch_size_,
                        summary_->path().string());
    if (!summary_->whole().is_null()) std::cout << "relevance of all in " << *results_.collected() << "\n";
    if (page) std::cout << "page of all in " << *page << "\n";
  }

  const ManyRun& run_;
  std::string sources_;
  Inputs inputs_;
  ChosenTarget chosen_;
  Results results_;
  Composite rules_;
  Interruption interruption_;
  std::optional<Summary> summary_;
  std::optional<ManyProgress> progress_;
  std::int64_t batch_size_ = 0;
  std::optional<std::int64_t> sample_dimension_;
  std::size_t failed_ = 0, not_finite_ = 0;
  bool labels_checked_ = false;
  std::vector<std::string> said_;
};

}  // namespace

int explain_many(const ManyRun& run) { return Many(run).run(); }

}  // namespace ascribe::command
