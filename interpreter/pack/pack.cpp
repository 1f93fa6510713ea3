#include "ascribe/pack.hpp"

#include <fmt/ranges.h>

#include <cmath>
#include <limits>

#include "grammar/filled_text.hpp"
#include "grammar/parser.hpp"
#include "grammar/shown_shape.hpp"
#include "grammar/suggest.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/binding.hpp"
#include "interpreter/language/checker.hpp"
#include "interpreter/pack/loader.hpp"
#include "interpreter/pack/standard_pack_files.hpp"

namespace ascribe {
namespace {

using language::Definitions;

const std::shared_ptr<const Definitions>& standard_definitions() {
  static const auto definitions = [] {
    std::vector<SourcePointer> sources;
    for (auto& file : standard_pack_files())
      sources.push_back(std::make_shared<Source>(std::string(file.name), std::string(file.text)));
    return load_texts(sources, nullptr).definitions;
  }();
  return definitions;
}

// A stabilizer function as a value, found and checked as it would be in a call of `callee`.
language::Value stabilizer(const std::string& parameter, const Stabilizer& given, const language::Definition& callee,
                           const Definitions& own) {
  auto source = std::make_shared<Source>(parameter, given.call);
  std::vector<Diagnostic> diagnostics;
  if (auto written = parse_call(source, diagnostics))
    if (auto value = language::check_stabilizer(std::move(*written), source, callee, parameter,
                                                {standard_definitions().get(), &own}, diagnostics);
        value && !has_errors(diagnostics))
      return *value;
  throw Error(std::move(diagnostics));
}

language::NamedValues named_values(const Arguments& arguments, const language::Definition& callee,
                                   const Definitions& own) {
  struct {
    const language::Definition& callee;
    const Definitions& own;
    const std::string* parameter;
    language::Value operator()(const Stabilizer& given) const { return stabilizer(*parameter, given, callee, own); }
    void refuse_nan(double number) const {
      if (std::isnan(number))
        throw Error({.code = Code::wrong_type,
                     .message = filled("`{}` is given NaN, which is not a number", *parameter),
                     .help = "look at what it was computed from: 0 / 0, a mean of nothing, a file with gaps"});
    }
    language::Value operator()(double number) const {
      refuse_nan(number);
      return number;
    }
    language::Value operator()(const std::vector<std::string>& names) const { return names; }
    language::Value operator()(const Numbers& numbers) const {
      auto shown = filled("`{}` is given numbers of the shape {}", *parameter, shown_shape(numbers.shape));
      std::size_t count = 1;
      for (auto size : numbers.shape) {
        if (size < 0) throw Error({.code = Code::wrong_type, .message = shown, .help = "sizes are at least 0"});
        auto elements = static_cast<std::size_t>(size);
        constexpr auto most = std::numeric_limits<std::size_t>::max();
        count = elements != 0 && count > most / elements ? most : count * elements;
      }
      if (count != numbers.values.size())
        throw Error({.code = Code::wrong_type,
                     .message = filled("{} with {} value{}", shown, numbers.values.size(),
                                       numbers.values.size() == 1 ? "" : "s"),
                     .help = "give as many values as the shape holds"});
      for (auto each : numbers.values) refuse_nan(each);
      return language::Array{numbers.shape, std::make_shared<const std::vector<double>>(numbers.values)};
    }
  } visitor{callee, own, nullptr};
  language::NamedValues out;
  for (auto& [name, argument] : arguments) {
    visitor.parameter = &name;
    out.emplace_back(name, std::visit(visitor, argument.value()));
  }
  return out;
}

// A definition of the wanted sort by its name, the pack's own before the standard ones.
template <typename Wanted>
std::shared_ptr<const Wanted> find(const std::string& name, const Definitions& own, const char* word,
                                   const char* other_word) {
  std::vector<std::string> known;
  auto bare = name.starts_with("std.") ? name.substr(4) : name;
  for (auto* scope : {name == bare ? &own : standard_definitions().get(), standard_definitions().get()}) {
    if (auto found = scope->targets.find(bare); found != scope->targets.end()) {
      if (auto* wanted = std::get_if<std::shared_ptr<const Wanted>>(&found->second)) return *wanted;
      throw Error({.code = Code::unknown_rule,
                   .message = filled("`{}` is a {}, not a {}", name, other_word, word),
                   .help = filled("ask for it with Pack::{}", other_word)});
    }
    if (scope->hidden.contains(bare))
      throw Error({.code = Code::private_name,
                   .message = filled("`{}` stays inside its pack", name),
                   .help = "names that begin with `_` are for the pack's own files: ask for a name without it"});
    for (auto& [each, definition] : scope->targets)
      if (std::holds_alternative<std::shared_ptr<const Wanted>>(definition)) known.push_back(each);
  }
  throw Error({.code = Code::unknown_rule,
               .message = filled("there is no {} `{}`", word, name),
               .help = did_you_mean(name, known, filled("there are: {}", listed(known)))});
}

}  // namespace

const std::string& Rule::description() const { return bound_->description; }
const std::string& Composite::description() const { return bound_->description; }
Composite::Composite(const Rule& rule)
    : bound_(std::make_shared<const language::BoundComposite>(language::for_linear_layers(Inside::bound(rule)))) {}

Pack::Pack(Loaded loaded)
    : definitions_(std::move(loaded.definitions)),
      packs_(std::move(loaded.packs)),
      warnings_(std::make_shared<const std::vector<Diagnostic>>(std::move(loaded.warnings))),
      name_(std::move(loaded.pack.name)),
      version_(std::move(loaded.pack.version)),
      author_(std::move(loaded.pack.author)),
      licence_(std::move(loaded.pack.licence)),
      description_(std::move(loaded.pack.description)) {}

const Pack& Pack::standard() {
  static const Pack pack(Loaded{.definitions = standard_definitions(), .warnings = {}});
  return pack;
}

struct Pack::Origin {
  std::vector<std::filesystem::path> paths;
  LoadOptions options;
};

Pack Pack::load(const std::filesystem::path& path, const LoadOptions& options) {
  return load(std::vector{path}, options);
}

Pack Pack::load(const std::vector<std::filesystem::path>& paths, const LoadOptions& options) {
  Pack out(load_files(paths, options, *standard_definitions()));
  auto kept = std::make_shared<Origin>(Origin{paths, options});
  kept->options.stop = {};
  kept->options.progress = {};
  out.origin_ = std::move(kept);
  return out;
}

Pack Pack::reload(std::stop_token stop, std::function<void(const LoadProgress& progress)> progress) const {
  if (!origin_) return *this;
  auto options = origin_->options;
  options.stop = std::move(stop);
  options.progress = std::move(progress);
  return load(origin_->paths, options);
}

Pack Pack::parse(std::string text, std::string name) {
  return Pack(load_texts({std::make_shared<Source>(std::move(name), std::move(text))}, standard_definitions().get()));
}

Rule Pack::rule(const std::string& name, const Arguments& arguments) const {
  auto found = find<language::Rule>(name, *definitions_, "rule", "composite");
  auto values = named_values(arguments, found, *definitions_);
  return Inside::make<Rule>(std::make_shared<const language::BoundRule>(language::bind(found, values)));
}

Composite Pack::composite(const std::string& name, const Arguments& arguments) const {
  auto found = find<language::Composite>(name, *definitions_, "composite", "rule");
  auto values = named_values(arguments, found, *definitions_);
  return Inside::make<Composite>(std::make_shared<const language::BoundComposite>(language::bind(found, values)));
}

Composite Pack::call(const std::string& text, const std::string& name) const {
  auto source = std::make_shared<Source>(name, text);
  std::vector<Diagnostic> diagnostics;
  if (auto written = parse_call(source, diagnostics))
    if (auto target =
            language::check_call(*written, source, {standard_definitions().get(), definitions_.get()}, diagnostics);
        target && !has_errors(diagnostics))
      return Inside::make<Composite>(std::make_shared<const language::BoundComposite>(language::bind(*target)));
  throw Error(std::move(diagnostics));
}

}  // namespace ascribe
