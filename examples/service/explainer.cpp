#include "explainer.hpp"

#include <ascribe/heatmap.hpp>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

#include "failure.hpp"

namespace {

constexpr std::int64_t most_predictions = 5;

bool is_png_or_jpeg(std::string_view bytes) {
  using namespace std::string_view_literals;
  return bytes.starts_with("\x89PNG\r\n\x1A\n"sv) || bytes.starts_with("\xFF\xD8\xFF"sv);
}

// A strip of 1 × 100,000 pixels is small, and no longer when its shorter side has become 256.
void check_resized(const at::Tensor& pixels, const ascribe::Preparation& how, std::uint64_t most) {
  if (how.resize.size() != 1) return;
  auto [shorter, longer] = std::minmax(pixels.size(2), pixels.size(3));
  auto side = static_cast<double>(how.resize[0]);
  if (side * side * static_cast<double>(longer) / static_cast<double>(shorter) > static_cast<double>(most))
    throw Failure(
        413, "too_long",
        "the picture is too long and thin: resized, it would have more than " + std::to_string(most) + " pixels",
        "cut it to the part that matters");
}

nlohmann::json diagnostics(const std::vector<ascribe::Diagnostic>& all) {
  auto out = nlohmann::json::array();
  for (auto& each : all)
    out.push_back({{"code", ascribe::code_name(each.code)}, {"message", each.message}, {"help", each.help}});
  return out;
}

nlohmann::json number(const std::optional<double>& value) { return value ? nlohmann::json(*value) : nlohmann::json(); }

double total(const at::Tensor& tensor) { return tensor.sum(at::kDouble).item<double>(); }

}  // namespace

ascribe::Composite Rules::named(const std::string& name) const {
  std::lock_guard lock(mutex_);
  auto place = named_.find(name);
  if (place == named_.end()) place = named_.emplace(name, pack_.composite(name)).first;
  return place->second;
}

void check_colour_map(const std::string& name) {
  auto base = name.ends_with("_r") ? name.substr(0, name.size() - 2) : name;
  auto known = ascribe::colour_maps();
  if (std::ranges::find(known, base) != known.end()) return;
  std::string all;
  for (auto& each : known) all += (all.empty() ? "" : ", ") + each;
  throw Failure(400, "unknown_colour_map", "there is no colour map `" + name + "`", "take one of " + all);
}

Explainer::Explainer(ascribe::Model model, ascribe::Preparation preparation, std::vector<std::string> labels,
                     std::uint64_t most_pixels)
    : model_(std::move(model)),
      preparation_(std::move(preparation)),
      labels_(std::move(labels)),
      most_pixels_(most_pixels) {
  ascribe::prepared(at::zeros({1, 3, 8, 8}), preparation_);
}

ascribe::Picture Explainer::decoded(std::string_view picture) const {
  if (!is_png_or_jpeg(picture))
    throw Failure(415, "no_picture", "the body is neither a PNG nor a JPEG picture",
                  "curl --data-binary @picture.png …/relevance");
  auto photo = ascribe::decode_picture(picture, "the picture", most_pixels_);
  check_resized(photo.pixels, preparation_, most_pixels_);
  return photo;
}

std::string Explainer::seen(std::string_view picture) const {
  auto pixels = ascribe::framed(decoded(picture).pixels, preparation_)[0].mul(255).round().to(at::kByte);
  return ascribe::encode_png(pixels.expand({3, -1, -1}).permute({1, 2, 0}).contiguous());
}

std::string Explainer::answer(const ascribe::Composite& rules, const Question& question, std::string_view picture,
                              std::stop_token stop) const {
  auto photo = decoded(picture);
  // Sums for all forms alike: what relevance is to the last bit may depend on whether a report is wanted.
  auto found = ascribe::attribute(model_, rules, ascribe::prepared(photo.pixels, preparation_), target_of(question),
                                  {.sums = true, .stop = stop});
  switch (question.form) {
    case Form::json:
      return json(rules, question, found, photo.warnings);
    case Form::npy:
      return ascribe::encode_npy(found.relevance);
    case Form::png:
      break;
  }
  return ascribe::encode_png(ascribe::heatmap(found.relevance, {.colour_map = question.colour_map}));
}

ascribe::Target Explainer::target_of(const Question& question) const {
  if (!question.target) return ascribe::Target::largest();
  auto& text = *question.target;
  std::int64_t index = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error == std::errc() && end == text.data() + text.size()) return index;
  return ascribe::Target::named({text}, labels_);
}

std::string Explainer::label(std::int64_t index) const {
  auto place = static_cast<std::size_t>(index);
  return place < labels_.size() ? labels_[place] : std::to_string(index);
}

std::string Explainer::json(const ascribe::Composite& rules, const Question& question,
                            const ascribe::Attribution& found, const std::vector<ascribe::Diagnostic>& warnings) const {
  nlohmann::json out{{"rules", rules.description()},           {"start", total(found.start)},
                     {"relevance", total(found.relevance)},    {"shape", found.relevance.sizes().vec()},
                     {"predictions", nlohmann::json::array()}, {"layers", nlohmann::json::array()}};
  if (question.target) out["target"] = *question.target;
  if (found.output.dim() == 2 && found.output.size(0) == 1) {  // else there are no classes to name
    auto [scores, indices] = found.output[0].topk(std::min(most_predictions, found.output.size(1)));
    for (std::int64_t i = 0; i < scores.size(0); ++i) {
      auto index = indices[i].item<std::int64_t>();
      out["predictions"].push_back({{"index", index}, {"label", label(index)}, {"score", scores[i].item<double>()}});
    }
  }
  for (auto& layer : found.report)
    out["layers"].push_back({{"name", layer.name},
                             {"kind", layer.kind},
                             {"shape", layer.shape},
                             {"rule", layer.rule},
                             {"entry", layer.entry},
                             {"above", number(layer.above)},
                             {"below", number(layer.below)},
                             {"bias", number(layer.bias)},
                             {"stabilizer", number(layer.stabilizer)},
                             {"lost", number(layer.rest())}});
  auto all = warnings;
  all.insert(all.end(), found.warnings.begin(), found.warnings.end());
  out["warnings"] = diagnostics(all);
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}
