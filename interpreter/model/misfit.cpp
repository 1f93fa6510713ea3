#include "interpreter/model/misfit.hpp"

#include <charconv>
#include <functional>
#include <numeric>

#include "grammar/filled_text.hpp"
#include "grammar/shown_shape.hpp"

namespace ascribe::model {
namespace {

using Numbers = std::vector<std::int64_t>;

// All numbers of a text, if it goes as the pattern does, in which a # stands for each, and [] for a list of some.
std::optional<Numbers> match(std::string_view text, std::string_view pattern) {
  auto begin = text.find(pattern.substr(0, pattern.find_first_of("#[")));
  if (begin == text.npos) return {};
  text.remove_prefix(begin);
  Numbers out;
  auto number = [&] {
    std::int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    out.push_back(value);
    return true;
  };
  while (!pattern.empty()) {
    if (pattern.starts_with("[]")) {
      if (!text.starts_with('[')) return {};
      do {
        text.remove_prefix(text.starts_with(", ") ? 2 : 1);
        if (!number()) return {};
      } while (text.starts_with(", "));
      if (!text.starts_with(']')) return {};
      text.remove_prefix(1);
      pattern.remove_prefix(2);
    } else if (pattern.front() == '#') {
      if (!number()) return {};
      pattern.remove_prefix(1);
    } else {
      if (text.empty() || text.front() != pattern.front()) return {};
      text.remove_prefix(1);
      pattern.remove_prefix(1);
    }
  }
  return out;
}

std::int64_t product(const Numbers& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::int64_t{1}, std::multiplies<>());
}

struct Picture {
  std::size_t input;
  Numbers shape;
};

Misfit of(const Picture& picture, Misfit::What what, std::optional<std::int64_t> wanted = {}) {
  return {.what = what, .input = picture.input, .shape = picture.shape, .wanted = wanted};
}

using What = Misfit::What;

// Each takes the numbers of its pattern, and says what is wrong with the picture, if that is what they mean.
struct Sentence {
  std::string_view pattern;
  std::optional<Misfit> (*meaning)(const Numbers&, const Picture&);
};

std::optional<Misfit> too_small(const Numbers&, const Picture& picture) { return of(picture, What::size); }

constexpr Sentence sentences[] = {
    {"expected input[] to have # channels, but got # channels instead",
     [](const Numbers& n, const Picture& picture) -> std::optional<Misfit> {
       if (Numbers(n.begin(), n.end() - 2) != picture.shape) return {};  // a layer further behind
       return of(picture, What::channels, n[n.size() - 2]);
     }},
    {"running_mean should contain # elements not #",
     [](const Numbers& n, const Picture& picture) -> std::optional<Misfit> {
       if (n[0] != picture.shape[1]) return {};
       return of(picture, What::channels, n[1]);
     }},
    {"mat1 and mat2 shapes cannot be multiplied (#x# and #x#)", too_small},
    {"shape '[]' is invalid for input of size #",
     [](const Numbers& n, const Picture& picture) -> std::optional<Misfit> {
       Numbers sample(n.begin() + 1, n.end() - 1);
       auto size = product(sample);
       if (n.front() > 0 && size > 0 && n.back() == size * picture.shape[0] && n.front() != picture.shape[0])
         return of(picture, What::batch, n.front());
       return of(picture, What::size);
     }},
    {"The size of tensor a (#) must match the size of tensor b (#) at non-singleton dimension #",
     [](const Numbers& n, const Picture& picture) -> std::optional<Misfit> {
       if (n[2] > 0) return of(picture, What::size);
       if (n[0] == picture.shape[0]) return of(picture, What::batch, n[1]);
       return {};
     }},
    {"Sizes of tensors must match except in dimension #", too_small},
    {"Calculated padded input size per channel: (# x #). Kernel size: (# x #)", too_small},
    {"Given input size: (#x#x#). Calculated output size: (#x#x#)", too_small},
};

std::string counted(std::int64_t count, const char* what) {
  return filled("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

std::optional<Misfit> misfit_in(std::string_view refusal, const std::vector<at::Tensor>& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined() || inputs[i].dim() != 4) continue;
    Picture picture{.input = i, .shape = inputs[i].sizes().vec()};
    for (auto& [pattern, meaning] : sentences)
      if (auto numbers = match(refusal, pattern))
        if (auto found = meaning(*numbers, picture)) return found;
  }
  return {};
}

std::string plain_refusal(const std::string& refusal) {
  if (auto n = match(refusal, "mat1 and mat2 shapes cannot be multiplied (#x# and #x#)"))
    return filled("it takes {} of each sample, and gets {}", counted((*n)[2], "number"), (*n)[1]);
  return refusal;
}

std::string told(const Misfit& misfit) {
  auto& shape = misfit.shape;
  switch (misfit.what) {
    case What::batch:
      return filled("has {} ({}), and the model takes {}", counted(shape[0], "sample"), shown_shape(shape),
                    misfit.wanted ? std::to_string(*misfit.wanted) : "another number");
    case What::channels:
      return filled("has {} ({}), and the model takes {}", counted(shape[1], "channel"), shown_shape(shape),
                    misfit.wanted ? std::to_string(*misfit.wanted) : "another number");
    case What::size:
      break;
  }
  auto side = [](std::int64_t wanted) { return wanted < 0 ? std::string("any") : std::to_string(wanted); };
  auto has = filled("has {} × {} pixels ({})", shape[2], shape[3], shown_shape(shape));
  if (misfit.wanted_size.empty()) return has + ", which is likely not the size that the model takes";
  return filled("{}, and the model takes {} × {} (height × width)", has, side(misfit.wanted_size[0]),
                side(misfit.wanted_size[1]));
}

std::string advice(const Misfit& misfit) {
  switch (misfit.what) {
    case What::batch:
      return misfit.wanted
                 ? filled(
                       "give {} at a time, or save the model such that the number may vary (dynamic_shapes of "
                       "torch.export)",
                       counted(*misfit.wanted, "sample"))
                 : "save the model such that the number of samples may vary";
    case What::channels:
      return misfit.wanted ? filled("give {} in dimension 1", counted(*misfit.wanted, "channel"))
                           : "give the channels that the model was trained with";
    case What::size:
      break;
  }
  return misfit.wanted_size.empty() ? "give pictures of the size that the model was trained with"
                                    : "give pictures of that size, or save the model such that sizes may vary "
                                      "(dynamic_shapes of torch.export)";
}

}  // namespace ascribe::model
