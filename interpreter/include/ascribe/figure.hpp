// Relevance as a figure: pictures with captions, titles and the numbers behind their colours, as SVG.
//
//     auto text = ascribe::figure(a.relevance, {.captions = {"Egyptian cat\n9.81"}});   // a file's content
//
// SVG is text that every browser shows; words in it stay words. `ascribe run --heatmap` makes PNG of the same figures.
#pragma once

#include <string>
#include <vector>

#include "ascribe/heatmap.hpp"

namespace ascribe {

enum class FigureForm {
  automatic,  ///< bars where values have names; curves where there is a signal; otherwise maps
  maps,       ///< the pictures of heatmap()
  curves,     ///< of [N, L] or [N, C, L]: the signal as a curve, before the colours of its relevance
  bars,       ///< of [N, L]: a bar for each value, the largest magnitude first
};

struct FigureOptions {
  HeatmapOptions heatmap{};
  FigureForm form = FigureForm::automatic;
  std::string title{};
  /// Of each sample; `\n` is between lines. There may be fewer than samples, or none.
  std::vector<std::string> captions{};
  /// Of the table's columns (`heatmap.columns`) and rows. There may be fewer.
  std::vector<std::string> column_titles{}, row_titles{};
  /// For bars: what the values are called. There may be fewer: others are called by their number.
  std::vector<std::string> names{};
  /// For curves: what the model saw, in the shape of the relevance. Channels are drawn over each other.
  at::Tensor signal{};
  /// Whether it is told what the colours mean.
  bool colour_bar = true;
};

/// The figure as an SVG document: UTF-8, which names no other file. Captions and titles may be any text; what is too
/// wide is cut with …, and captions of maps that are narrower than 40 pixels are left out. Values that are not finite
/// are counted in the caption. Of bars, the largest 20 of each sample are shown, and the sum of the rest.
///
/// Throws Error as heatmap() does; wrong_tensor where a form is for other shapes, or the signal has another shape. May
/// be called from several threads at once.
ASCRIBE_EXPORT std::string figure(const at::Tensor& relevance, const FigureOptions& options = {});

}  // namespace ascribe
