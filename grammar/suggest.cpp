#include "grammar/suggest.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>
#include <utility>

#include "grammar/filled_text.hpp"

namespace ascribe {
namespace {

constexpr std::size_t shortest_beginning = 3;
constexpr std::size_t longest = 64;  // nobody mistypes a longer name into one of ours

// Edit distance in which exchanging two neighbours counts as one slip; `enough` stands for all from there on.
std::size_t distance(std::string_view a, std::string_view b, std::size_t enough) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) >= enough) return enough;
  std::array<std::size_t, longest + 1> before{}, above{}, row{};
  std::iota(above.begin(), above.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::string letters_of(std::string_view name) {
  std::string out;
  for (char c : name)
    if (c != '_') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string nearest(std::string_view written, const std::vector<std::string>& candidates) {
  if (written.size() > longest) return "";
  auto letters = letters_of(written);
  for (auto& candidate : candidates)
    if (!letters.empty() && letters_of(candidate) == letters && candidate != written) return candidate;
  std::string best;
  // Something has to be the same: one letter is near to every other.
  auto least = std::min(std::max<std::size_t>(1, written.size() / 3) + 1, written.size());
  for (auto& candidate : candidates)
    if (candidate.size() <= longest)
      if (auto d = distance(written, candidate, least); d < least) least = d, best = candidate;
  if (!best.empty() || written.size() < shortest_beginning) return best;
  for (auto& candidate : candidates)  // the shortest that begins so: `eps`
    if (candidate.starts_with(written) && (best.empty() || candidate.size() < best.size())) best = candidate;
  if (!best.empty()) return best;
  for (auto& candidate : candidates)  // a part of the name: `kernel_size`
    if (written.starts_with(candidate + "_") || written.ends_with("_" + candidate)) return candidate;
  for (auto& candidate : candidates)  // the other way round: `epsilon` for `eps`
    if (candidate.size() >= shortest_beginning && written.starts_with(candidate)) return candidate;
  return "";
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 40;
  auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(most, names.size()));
  return filled("{}{}", fmt::join(names.begin(), end, ", "), names.size() > most ? ", …" : "");
}

std::string did_you_mean(std::string_view written, const std::vector<std::string>& candidates, std::string otherwise) {
  auto best = nearest(written, candidates);
  return best.empty() ? std::move(otherwise) : filled("did you mean `{}`?", best);
}

}  // namespace ascribe
