// How long the language's front takes: the standard pack from texts to rules that could run, generated files of four
// sizes, and sources of costly shapes of two sizes, where 4 times the time for 4 times the size is linear. Prints the
// fastest of several runs; nothing fails on a time.
#include <fmt/format.h>

#include <chrono>
#include <limits>
#include <string>

#include "grammar/limits.hpp"
#include "interpreter/language/binding.hpp"
#include "interpreter/language/definitions.hpp"
#include "interpreter/pack/loader.hpp"
#include "interpreter/pack/standard_pack_files.hpp"
#include "tests/language/large_sources.hpp"

namespace {

using namespace ascribe;

template <typename Step>
double fastest_milliseconds(int runs, Step step) {
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < runs; ++run) {
    auto begin = std::chrono::steady_clock::now();
    step();
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

std::vector<SourcePointer> standard_sources() {
  std::vector<SourcePointer> sources;
  for (auto& file : standard_pack_files())
    sources.push_back(std::make_shared<Source>(std::string(file.name), std::string(file.text)));
  return sources;
}

// Parsed, checked, and every definition that needs no arguments bound: what an attachment works with.
language::Definitions lowered_standard_pack() {
  auto loaded = load_texts(standard_sources(), nullptr);
  for (auto& [name, definition] : loaded.definitions->targets) {
    auto needs_none = [](auto& each) {
      for (auto& parameter : each->parameters)
        if (!parameter.default_value) return false;
      return true;
    };
    std::visit([&](auto& each) { return needs_none(each) ? (void)language::bind(each, {}) : (void)0; }, definition);
  }
  return *loaded.definitions;
}

// Rules, functions and composites as people write them, each with names of its own.
std::string generated(std::size_t bytes) {
  std::string out;
  for (int i = 0; out.size() < bytes; ++i)
    out += fmt::format(
        "## The {0}th rule of its kind.\n"
        "fn soft_{0}(z, epsilon = 1e-6) = z + epsilon * sign(z) * sqrt(mean(z ^ 2) + {0})\n"
        "rule gamma_{0}(gamma = 0.25, epsilon: stabilizer = 1e-6, zero_params = []) {{\n"
        "  let positive = if layer.y > 0 then R / stabilize(pp.y + nn.y, epsilon) else 0\n"
        "  param zero_params = 0\n"
        "  term pp {{ input = max(x, 0); param = w + gamma * max(w, 0); map = positive }}\n"
        "  term nn {{ input = min(x, 0); param \"bias\" = 0; param = w + gamma * min(w, 0); map = positive }}\n"
        "}}\n"
        "composite mine_{0}(low = {0}) {{\n"
        "  first 3 convolution \"features.*\" => gamma_{0}(low + 1, soft_{0}(0.1))\n"
        "  linear => epsilon(relative(0.1), [\"bias\"])\n"
        "  any => epsilon_plus\n"
        "}}\n",
        i);
  out.resize(out.rfind("## "));
  return out;
}

}  // namespace

int main() {
  auto standard = lowered_standard_pack();
  std::size_t bytes = 0;
  for (auto& file : standard_pack_files()) bytes += file.text.size();
  fmt::print("standard pack ({} bytes): parse, check and lower  {:8.2f} ms\n", bytes,
             fastest_milliseconds(20, [] { lowered_standard_pack(); }));
  for (auto size : {std::size_t{1} << 17, std::size_t{1} << 18, std::size_t{1} << 19, std::size_t{1} << 20}) {
    auto text = generated(size);
    auto milliseconds =
        fastest_milliseconds(3, [&] { load_texts({std::make_shared<Source>("generated.rule", text)}, &standard); });
    fmt::print("generated file of {:8} bytes: parse and check  {:8.2f} ms, {:6.2f} µs/KiB\n", text.size(), milliseconds,
               milliseconds * 1000 / (static_cast<double>(text.size()) / 1024));
  }
  fmt::print("\neverything that is done with a source of {} and {} bytes:\n", limits.source_bytes / 4,
             limits.source_bytes);
  for (auto& shape : large::shapes) {
    auto quarter = shape.text(limits.source_bytes / 4), whole = shape.text(limits.source_bytes);
    auto first = fastest_milliseconds(1, [&] { large::process(quarter); });
    auto second = fastest_milliseconds(1, [&] { large::process(whole); });
    fmt::print("{:8.1f} {:8.1f} ms  × {:4.1f}  {}\n", first, second, second / first, shape.name);
  }
}
