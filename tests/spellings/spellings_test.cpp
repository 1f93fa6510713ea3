// The same network in every way that it can be saved has one relevance, whatever operators a way has for its layers.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/attach/layers.hpp"

namespace {

using namespace ascribe;

std::vector<std::string> all_names() {
  std::ifstream file(std::string(ASCRIBE_SPELLINGS) + "/names.txt");
  std::vector<std::string> out;
  for (std::string line; std::getline(file, line); out.push_back(line)) continue;
  return out;
}

at::Tensor input_of(const std::string& name) {
  std::ifstream file(std::string(ASCRIBE_SPELLINGS) + "/" + name + ".input.txt");
  std::string line;
  std::getline(file, line);
  std::istringstream sizes(line), numbers;
  std::vector<std::int64_t> shape;
  for (std::int64_t size = 0; sizes >> size;) shape.push_back(size);
  std::getline(file, line);
  numbers.str(line);
  std::vector<double> values;
  for (double value = 0; numbers >> value;) values.push_back(value);
  return at::tensor(values, at::kDouble).reshape(shape);
}

const char* const rules = R"(
composite c {
  activation, softmax, log_softmax                => pass
  max_pool                                        => norm(1e-3)
  batch_norm                                      => merge
  layer_norm, group_norm, instance_norm, rms_norm => epsilon(1e-3)
  convolution                                     => gamma(0.25)
  linear                                          => epsilon(1e-3)
  avg_pool, add, sum, scale, product              => norm(1e-3)
  interpolate                                     => zplus(1e-3)
}
composite bicubic { interpolate => norm(1e-3); any => c }  # with weights below zero among others, zplus is refused
)";

std::string shown(const Report& report) {
  std::string out;
  for (auto& row : report) out += row.name + " " + row.kind + " " + row.rule + "\n";
  return out;
}

}  // namespace

TEST_CASE("a network has one relevance in all ways that it is saved") {
  auto names = all_names();
  CHECK(names.size() > 80);
  auto pack = Pack::parse(rules);
  for (auto& name : names) {
    auto chosen = pack.composite(name.ends_with("bicubic") ? "bicubic" : "c");
    auto x = input_of(name);
    std::optional<Attribution> first;
    std::string first_way;
    for (auto* way : {"trace.pt", "script.pt", "frozen.pt", "exported.pt2", "decomposed.pt2"}) {
      auto path = std::filesystem::path(ASCRIBE_SPELLINGS) / (name + "." + way);
      if (!exists(path)) continue;
      INFO(name << " as " << way);
      auto found = attribute(Model::load(path), chosen, x, Target::all());
      INFO(shown(found.report));
      for (auto& row : found.report) CHECK(row.rule != "gradient");  // every layer was known
      if (!first) {
        first = found;
        first_way = way;
        continue;
      }
      INFO("the other, as " << first_way << ":\n" << shown(first->report));
      CHECK(test::difference(found.output, first->output) <= test::exact);
      CHECK(test::difference(found.relevance, first->relevance) <= test::exact);
    }
  }
}
