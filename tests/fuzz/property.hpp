// What the fuzz targets share: how a broken property ends the run, and what holds for every diagnostic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/diagnostic.hpp"
#include "grammar/syntax.hpp"

/// What libFuzzer calls with each input, and the corpus test with each file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace ascribe::fuzz {

/// Ends the program with the message, as a crash that the fuzzer keeps the input of.
[[noreturn]] void violated(std::string_view property, std::string_view detail = {});

inline void require(bool holds, std::string_view property, std::string_view detail = {}) {
  if (!holds) violated(property, detail);
}

/// The input as a source named `fuzz.rule`.
SourcePointer source_of(const std::uint8_t* data, std::size_t size);

/// Every diagnostic has a code, a message and places inside its sources, is no fault of ours, and renders.
void check_diagnostics(const std::vector<Diagnostic>& diagnostics);

/// The spans of a tree lie within the source, and those of its parts within those of the whole.
void check_spans(const syntax::File& file);
void check_spans(const syntax::Call& call, Span within);

}  // namespace ascribe::fuzz
