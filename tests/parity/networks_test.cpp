// Zennit's composites on networks, saved as TorchScript and by torch.export.
#include <torch/csrc/jit/serialization/import.h>

#include <map>
#include <set>

#include "tests/evaluators.hpp"
#include "tests/folder.hpp"
#include "tests/parity/reference.hpp"

namespace test {
using namespace ascribe;
namespace {

constexpr double of_networks = 1e-9, single_precision = 1e-4;

at::Tensor relevance(const Model& model, const Entry& network, const std::string& call, at::ScalarType type) {
  return by_each_evaluator([&] {
    return attribute(model, Pack::standard().call(call), network["x"].tensor().to(type),
                     Target::from(network["R"].tensor().to(type)), {.sums = false})
        .relevance;
  });
}

// The same network in float32.
Model in_single_precision(const std::filesystem::path& file) {
  Folder folder;
  auto module = torch::jit::load(file.string());
  module.to(at::kFloat);
  module.save((folder / "network.pt").string());
  return Model::load(folder / "network.pt");
}

// One row for each composite, one column for each network.
void write(Table& table, const std::vector<std::string>& rows, const std::vector<std::vector<double>>& columns) {
  auto line = fmt::format("{:>8}", 1);
  for (std::size_t i = 1; i < columns.size(); ++i) line += fmt::format(" {:>8}", i + 1);
  table.line("{}", line);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    line.clear();
    for (auto& column : columns) line += fmt::format("{:>8.1e} ", column.at(row));
    table.line("{} {}", line, rows[row]);
  }
}

TEST_CASE("every composite gives every network what Zennit gives") {
  auto reference = Reference::best();
  auto networks = reference.read("networks.pt");
  std::vector<std::string> rows;
  std::vector<std::vector<double>> in_double, in_single;
  std::size_t cases = 0;
  std::set<std::string> composites;
  Table table("3 networks");
  table.line("Composites on networks, largest difference from Zennit's float64 ({})", reference.shown());
  for (auto& name : networks.keys()) {
    auto network = networks[name];
    auto torchscript = reference.file(name + ".pt"), exported = reference.file(name + ".pt2");
    auto model = Model::load(torchscript), roughly = in_single_precision(torchscript);
    std::optional<Model> also;
    if (std::filesystem::exists(exported)) also = Model::load(exported);
    CHECK(difference(model.forward(network["x"].tensor()), network["output"].tensor()) <= 1e-12);
    rows.clear();
    in_double.emplace_back();
    in_single.emplace_back();
    for (auto& each : network["under"].list()) {
      auto call = each["call"].text();
      auto expected = each["relevance"].tensor();
      INFO(name << " under " << call);
      auto found = difference(relevance(model, network, call, at::kDouble), expected);
      if (also) found = std::max(found, difference(relevance(*also, network, call, at::kDouble), expected));
      auto found_in_single = difference(relevance(roughly, network, call, at::kFloat), expected);
      CHECK(found <= of_networks);
      CHECK(found_in_single <= single_precision);
      CHECK(expected.abs().max().item<double>() > 1e-3);  // something is compared
      rows.push_back(each["row"].text());
      in_double.back().push_back(found);
      in_single.back().push_back(found_in_single);
      composites.insert(call.substr(0, call.find('(')));
      ++cases;
    }
    table.line("{:>8} {}{}", in_double.size(), name, also ? ", as .pt2, too" : "");
  }
  table.line("float64");
  write(table, rows, in_double);
  table.line("float32");
  write(table, rows, in_single);
  table.line("{} cases: {} composites with {} choices of arguments, on {} networks", cases, composites.size(),
             rows.size(), in_double.size());
  CHECK(composites == std::set<std::string>{"epsilon_plus", "epsilon_alpha2_beta1", "epsilon_plus_flat",
                                            "epsilon_alpha2_beta1_flat", "epsilon_gamma_box", "deconvnet",
                                            "guided_backprop", "excitation_backprop", "beta_smooth"});
  CHECK(cases == 19 * 12);
}

TEST_CASE("the stored networks are those that Zennit ran on") {
  auto reference = Reference::best();
  for (auto file : {"networks.pt", "differences.pt"}) {
    auto networks = reference.read(file);
    for (auto& name : networks.keys()) {
      if (!networks[name].has("output")) continue;
      INFO(name);
      auto model = Model::load(Reference::stored().file(name + ".pt"));
      CHECK(difference(model.forward(networks[name]["x"].tensor()), networks[name]["output"].tensor()) <= 1e-12);
    }
  }
}

}  // namespace
}  // namespace test
