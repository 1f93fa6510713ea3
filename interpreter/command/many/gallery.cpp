#include "interpreter/command/many/gallery.hpp"

#include <cmath>

#include "ascribe/version.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/html_text.hpp"

namespace ascribe::command {
namespace fs = std::filesystem;
namespace {

constexpr const char* style = R"(
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; } p { margin: 0 0 1rem; opacity: .75; }
form { display: flex; flex-wrap: wrap; gap: .75rem; margin-bottom: 1rem; }
input, select { font: inherit; padding: .25rem .5rem; border: 1px solid var(--line); border-radius: .35rem; background: transparent; color: inherit; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; break-inside: avoid; }
figure img { display: block; width: 100%; height: auto; background: #fff; }
figcaption { padding: .5rem .75rem; overflow-wrap: anywhere; } figcaption small { display: block; opacity: .75; }
figure.failed figcaption { color: #b00020; } @media (prefers-color-scheme: dark) { figure.failed figcaption { color: #ff8a80; } }
@media print { form { display: none; } body { margin: 0; } main { grid-template-columns: repeat(3, 1fr); } }
)";

constexpr const char* script = R"(
const all = [...document.querySelectorAll('figure')], main = document.querySelector('main');
const words = document.querySelector('#words'), order = document.querySelector('#order'), count = document.querySelector('#count');
function show() {
  const wanted = words.value.toLowerCase();
  const key = { file: e => +e.dataset.place, score: e => -e.dataset.score, kept: e => +e.dataset.kept }[order.value];
  const found = all.filter(e => e.dataset.words.toLowerCase().includes(wanted)).sort((a, b) => key(a) - key(b));
  main.replaceChildren(...found);
  count.textContent = found.length + ' of ' + all.length;
}
words.addEventListener('input', show); order.addEventListener('change', show); show();
)";

// A path as a link takes it.
std::string as_link(const std::string& path) {
  std::string out;
  for (unsigned char c : path) {
    bool plain = std::isalnum(c) || c == '/' || c == '.' || c == '-' || c == '_' || c == '~';
    out += plain ? std::string(1, static_cast<char>(c)) : filled("%{:02X}", static_cast<int>(c));
  }
  return out;
}

std::string shown_value(double value) { return std::isfinite(value) ? filled("{:.5g}", value) : "not finite"; }

std::string class_of(const Summary::Json& scored) {
  auto index = filled("{}", scored.value("index", std::int64_t{0}));
  auto label = scored.value("label", "");
  return label.empty() ? "class " + index : label;
}

std::string figure_of(const Summary::Json& input, const fs::path& way, std::size_t place) {
  auto name = input.value("file", "");
  if (input.contains("error"))
    return filled(
        "<figure class=\"failed\" data-place=\"{}\" data-score=\"-1e300\" data-kept=\"0\" data-words=\"{}\">"
        "<figcaption>{}<small>{}</small></figcaption></figure>\n",
        place, escaped_html(name), escaped_html(name), escaped_html(input["error"].value("message", "")));
  std::string picture;
  for (auto& result : input.value("results", Summary::Json::array()))
    if (result.value("what", "") == "picture") picture = (way / result.value("path", "")).lexically_normal().string();
  auto& sample = input.contains("samples") && !input["samples"].empty() ? input["samples"][0] : input;
  std::string told, words = name;
  double score = -1e300;
  auto predictions = sample.value("predictions", Summary::Json::array());
  for (auto& each : predictions) words += " " + class_of(each);
  if (!predictions.empty()) {
    auto value = number_in(predictions[0], "value");
    if (std::isfinite(value)) score = value;
    told += filled("<b>{}</b> {}", escaped_html(class_of(predictions[0])), shown_value(value));
  }
  for (auto& each : sample.value("targets", Summary::Json::array()))
    if (predictions.empty() || each.value("index", std::int64_t{-1}) != predictions[0].value("index", std::int64_t{-2}))
      told += filled("; explained: {} {}", escaped_html(class_of(each)), shown_value(number_in(each, "value")));
  auto start = number_in(sample, "start"), sum = number_in(sample, "sum");
  auto kept = sum / start;
  return filled(
      "<figure data-place=\"{}\" data-score=\"{}\" data-kept=\"{}\" data-words=\"{}\"><a href=\"{}\">"
      "<img loading=\"lazy\" src=\"{}\" alt=\"relevance of {}\"></a><figcaption>{}<small>{}</small><small>"
      "{}{} arrived</small></figcaption></figure>\n",
      place, score, std::isfinite(kept) ? kept : -1e300, escaped_html(words), as_link(picture), as_link(picture),
      escaped_html(name), told, escaped_html(name), sample.contains("start") ? shown_value(start) + " started, " : "",
      shown_value(sum));
}

}  // namespace

std::string gallery_page(const std::map<std::size_t, Summary::Batch>& batches, const fs::path& way,
                         const std::string& rules) {
  std::string figures;
  std::size_t place = 0;
  for (auto& [number, batch] : batches)
    for (auto& input : batch.inputs) figures += figure_of(input, way, place++);
  return filled(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<title>{0}</title>\n<style>{1}</style>\n"
      "</head>\n<body>\n<h1>{2} pictures of relevance</h1>\n<p>{0} · ascribe {3}</p>\n"
      "<form onsubmit=\"return false\"><input id=\"words\" type=\"search\" placeholder=\"a class, or a file's name\">"
      "<select id=\"order\"><option value=\"file\">in order of files</option><option value=\"score\">highest score "
      "first"
      "</option><option value=\"kept\">least arrived first</option></select><output id=\"count\"></output></form>\n"
      "<main>\n{4}</main>\n<script>{5}</script>\n</body>\n</html>\n",
      escaped_html(rules), style, place, version(), figures, script);
}

}  // namespace ascribe::command
