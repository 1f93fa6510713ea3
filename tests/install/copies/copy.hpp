// What a copy of the library does, for a program that holds several.
#pragma once

#include <string>
#include <vector>

struct Copy {
  virtual ~Copy() = default;
  /// Attaches a standard rule on this thread, until remove().
  virtual void attach(const std::string& rule) = 0;
  virtual void remove() = 0;
  /// Of a fixed input of a fixed layer, under whatever is attached on this thread.
  virtual std::vector<double> relevance() = 0;
  /// The names of a saved model's layers.
  virtual std::string layers(const std::string& file) = 0;
};

extern "C" Copy* make_copy();
