// What happened to the layers of an attachment's forward passes: their rows, their counts, entries that are not
// decided.
#pragma once

#include <torch/csrc/autograd/edge.h>

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "ascribe/report.hpp"
#include "interpreter/attach/forward_pass.hpp"
#include "interpreter/attach/selection.hpp"

namespace ascribe::attaching {

class Ledger {
 public:
  struct Row {
    std::uint64_t number;  ///< in the order of execution, from 1
    std::shared_ptr<LayerReport> report;
    std::weak_ptr<ForwardPass> pass;
    std::vector<Choice> choices{};                  ///< of a layer whose entry is decided when the pass is over
    std::optional<torch::autograd::Edge> output{};  ///< where relevance arrives at it, if somebody wants to know
  };

  /// A row for a layer's call, which counts among those of its kind. Rows of passes that are over are given up when the
  /// first of another pass comes, so that an attachment may stay for as long as it likes.
  Row& add(const std::shared_ptr<ForwardPass>& pass, std::string name, std::string_view kind);

  /// Takes a row back, as if the call had never been: it turned out to be a part of another layer.
  void take_back(std::uint64_t number);

  /// What a report calls a layer that has no name: `relu#3`.
  static std::string numbered(const ForwardPass& pass, std::string_view kind);

  Row* find(std::uint64_t number);
  const LayerReport* last() const { return rows_.empty() ? nullptr : rows_.back().report.get(); }
  std::size_t size() const { return rows_.size(); }
  const std::list<Row>& rows() const { return rows_; }
  Report report() const;

  /// Held while a report is written or read: backward passes run on any thread, and outlive this.
  const std::shared_ptr<std::mutex>& mutex() const { return mutex_; }

 private:
  void forget_what_is_over();

  std::list<Row> rows_;
  std::uint64_t last_ = 0;
  std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();
};

}  // namespace ascribe::attaching
