// What the ledger counts, and how it takes that back.
#include "interpreter/attach/ledger.hpp"

#include "tests/catch.hpp"

using namespace ascribe;
using attaching::ForwardPass;
using attaching::Ledger;

TEST_CASE("rows are numbered in order, and named by their kind") {
  Ledger ledger;
  auto pass = std::make_shared<ForwardPass>();
  CHECK(Ledger::numbered(*pass, "relu") == "relu#1");
  ledger.add(pass, "a", "relu");
  ledger.add(pass, "b", "linear");
  CHECK(Ledger::numbered(*pass, "relu") == "relu#2");
  CHECK(ledger.report().size() == 2);
}

TEST_CASE("a row that is taken back was never there: neither counted, nor among the first") {
  Ledger ledger;
  auto pass = std::make_shared<ForwardPass>();
  auto number = ledger.add(pass, "a", "tanh").number;
  pass->counts = {{number}, {}};
  ledger.take_back(number);
  CHECK(ledger.size() == 0);
  CHECK(pass->counts[0].empty());
  CHECK(Ledger::numbered(*pass, "tanh") == "tanh#1");
  ledger.take_back(number);  // of one that is gone, nothing
}

TEST_CASE("rows of passes that are over go when another pass begins") {
  Ledger ledger;
  auto first = std::make_shared<ForwardPass>(), second = std::make_shared<ForwardPass>(),
       third = std::make_shared<ForwardPass>();
  ledger.add(first, "a", "linear");
  ledger.add(second, "b", "linear");
  CHECK(ledger.size() == 2);  // both may still be explained
  first->over = true;
  CHECK(ledger.report().size() == 2);
  second.reset();  // nobody can send relevance through it any more
  ledger.add(third, "c", "linear");
  REQUIRE(ledger.size() == 1);
  CHECK(ledger.last()->name == "c");
}
