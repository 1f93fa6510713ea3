#include "interpreter/attach/ledger.hpp"

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/attach/rule_node.hpp"

namespace ascribe::attaching {

Ledger::Row& Ledger::add(const std::shared_ptr<ForwardPass>& pass, std::string name, std::string_view kind) {
  if (!rows_.empty() && whole(rows_.back().pass.lock()) != pass) forget_what_is_over();
  auto report = std::make_shared<LayerReport>();
  report->name = std::move(name);
  report->kind = std::string(kind);
  ++pass->calls_of_kind[report->kind];
  std::lock_guard lock(*mutex_);
  rows_.push_back({++last_, std::move(report), pass});
  return rows_.back();
}

// A pass is over when relevance has gone through it, or nobody can send any: its graph and its input are gone.
void Ledger::forget_what_is_over() {
  std::lock_guard lock(*mutex_);
  rows_.remove_if([](auto& row) {
    auto pass = whole(row.pass.lock());
    return !pass || pass->over;
  });
}

void Ledger::take_back(std::uint64_t number) {
  auto found = std::find_if(rows_.begin(), rows_.end(), [&](auto& row) { return row.number == number; });
  if (found == rows_.end()) return;
  if (auto pass = whole(found->pass.lock())) {
    --pass->calls_of_kind[found->report->kind];
    for (auto& seen : pass->counts) std::erase(seen, number);
  }
  std::lock_guard lock(*mutex_);
  rows_.erase(found);
}

std::string Ledger::numbered(const ForwardPass& pass, std::string_view kind) {
  auto found = pass.calls_of_kind.find(std::string(kind));
  return filled("{}#{}", kind, (found == pass.calls_of_kind.end() ? 0 : found->second) + 1);
}

Ledger::Row* Ledger::find(std::uint64_t number) {
  auto found = std::find_if(rows_.begin(), rows_.end(), [&](auto& row) { return row.number == number; });
  return found == rows_.end() ? nullptr : &*found;
}

Report Ledger::report() const {
  std::lock_guard lock(*mutex_);
  Report out;
  for (auto& row : rows_) {
    out.push_back(*row.report);
    auto pass = whole(row.pass.lock());
    if (!row.choices.empty() && !row.report->above && pass)
      describe_entry(out.back(), settle(row.choices, row.number, pass->counts));
  }
  return out;
}

}  // namespace ascribe::attaching
