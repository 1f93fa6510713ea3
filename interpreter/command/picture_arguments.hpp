// The options that say how relevance is drawn, and drawing it: those of `ascribe run` and `ascribe compare`.
#pragma once

#include <ATen/core/Tensor.h>

#include <CLI/App.hpp>

#include <optional>
#include <string>
#include <vector>

#include "ascribe/attribute.hpp"
#include "ascribe/figure.hpp"

namespace ascribe::command {

struct PictureArguments {
  std::string file, form, features, range;
  HeatmapOptions heatmap;
  std::optional<std::int64_t> size, columns, channels;
  std::optional<double> overlay;
  bool no_caption = false;

  /// Adds `--heatmap` and how it is drawn, in a group of their own; `this` has to live as long as the subcommand.
  void add_to(CLI::App& command);

  bool wanted() const { return !file.empty(); }
  bool is_page() const { return file.ends_with(".html"); }
  /// Before any work: refuses what could not be drawn, whatever the relevance is. Throws Error: usage; unreadable_file.
  void check() const;
};

/// What is known beside relevance.
struct PictureFacts {
  std::string title{};
  std::vector<std::string> captions{};               ///< of each sample
  std::vector<std::vector<std::int64_t>> targets{};  ///< of each sample, the outputs that relevance started from
  std::vector<std::string> column_titles{}, row_titles{};
  at::Tensor input{};                       ///< what the model saw
  std::vector<double> mean{}, deviation{};  ///< of a picture, which the input had subtracted, and was divided by
};

/// A model's input as a picture, [N, 1 or 3, H, W] from 0 to 1, or undefined where it is none. What lies beyond 0 and 1
/// without a mean and a deviation is spread over it.
at::Tensor picture_of(const PictureFacts& facts);

/// Tells each sample's caption and targets: `target`'s outputs by name, with their scores. `output` is [samples,
/// classes], or anything else, of which there are no scores.
void tell_targets(PictureFacts& facts, const at::Tensor& output, const Target& target,
                  const std::vector<std::string>& labels, std::int64_t samples);
/// As labels call it, or `class 3`.
std::string name_of_class(std::int64_t index, const std::vector<std::string>& labels);

/// How relevance of this shape is drawn, with everything that is known of it.
FigureOptions figure_options(const PictureArguments& arguments, const at::Tensor& relevance, const PictureFacts& facts);

/// The content of the file that `--heatmap` names, PNG or SVG. Tells on the standard error where words have no font.
/// Throws what figure() throws.
std::string drawn(const PictureArguments& arguments, const at::Tensor& relevance, const PictureFacts& facts);

}  // namespace ascribe::command
