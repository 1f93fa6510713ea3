// From the bytes of a picture to the bytes of an answer. It knows nothing of HTTP.
#pragma once

#include <ascribe/attribute.hpp>
#include <ascribe/model.hpp>
#include <ascribe/pack.hpp>
#include <ascribe/picture.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

/// What is loaded of rules. Loading anew makes another one, which takes its place; a request keeps the one that it
/// began with.
class Rules {
 public:
  /// `usual` is a call, such as `epsilon_plus(epsilon = 0.1)`. Throws Error where the pack has no such rules.
  Rules(ascribe::Pack pack, const std::string& usual) : pack_(std::move(pack)), usual_(pack_.call(usual, "--rules")) {}

  const ascribe::Pack& pack() const { return pack_; }
  const ascribe::Composite& usual() const { return usual_; }  ///< where a request names none
  /// One by its name, which is made once: what rules keep of a model's parameters goes with their last copy. Throws
  /// Error (unknown_rule, private_name, …). May be called by several threads at once.
  ascribe::Composite named(const std::string& name) const;

 private:
  const ascribe::Pack pack_;
  const ascribe::Composite usual_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, ascribe::Composite> named_;  // not more than the pack and the standard one have
};

enum class Form { png, json, npy };

struct Question {
  Form form = Form::png;
  std::optional<std::string> target{};  ///< an index, or a label; without it, the largest output
  std::optional<std::string> rules{};   ///< a rule or composite of the pack, or a standard one
  std::string colour_map = "bwr";
};

/// Throws Failure (400): a word that is none of colour_maps().
void check_colour_map(const std::string& name);

class Explainer {
 public:
  /// Throws Error where the preparation does not fit together.
  Explainer(ascribe::Model model, ascribe::Preparation preparation, std::vector<std::string> labels,
            std::uint64_t most_pixels);

  /// A PNG, JSON or NumPy array, as the question wants it. Throws Failure (415: no PNG or JPEG; 413: too large) and
  /// Error. May be called by several threads at once.
  std::string answer(const ascribe::Composite& rules, const Question& question, std::string_view picture,
                     std::stop_token stop) const;

  /// A PNG of the part of the picture that the model sees, to be shown below its relevance. Throws as answer() does.
  std::string seen(std::string_view picture) const;

 private:
  ascribe::Picture decoded(std::string_view picture) const;
  ascribe::Target target_of(const Question& question) const;
  std::string json(const ascribe::Composite& rules, const Question& question, const ascribe::Attribution& found,
                   const std::vector<ascribe::Diagnostic>& warnings) const;
  std::string label(std::int64_t index) const;

  const ascribe::Model model_;
  const ascribe::Preparation preparation_;
  const std::vector<std::string> labels_;
  const std::uint64_t most_pixels_;
};
