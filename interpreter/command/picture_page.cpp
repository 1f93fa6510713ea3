#include "interpreter/command/picture_page.hpp"
#include "interpreter/command/exit_codes.hpp"
#include "interpreter/files/png.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/version.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <iterator>
#include <set>

#include "ascribe/version.hpp"
#include "grammar/filled_text.hpp"
#include "grammar/html_text.hpp"
#include "grammar/parser.hpp"
#include "grammar/shown_shape.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/binding.hpp"
#include "interpreter/language/definition_text.hpp"
#include "interpreter/language/doc_comment.hpp"
#include "interpreter/pack/sha256.hpp"
#include "interpreter/picture/figure.hpp"
#include "interpreter/picture/quietly.hpp"

namespace ascribe::command {
namespace {

constexpr std::int64_t most_samples = 48, most_classes = 5;

constexpr const char* page_style = R"(
:root { color-scheme: light dark; --text: #1f2328; --faint: #59636e; --line: #d8dee4; --back: #ffffff; --card: #f6f8fa; --bar: #8c959f; --target: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e8ee; --faint: #98a3af; --line: #343b43; --back: #14181d; --card: #1c2128; --bar: #6e7681; --target: #ff7b72; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1.25rem 3rem; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { margin: 0 0 0.25rem; font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 0.75rem; padding-bottom: 0.3rem; border-bottom: 1px solid var(--line); font-size: 1.15rem; }
p { margin: 0.4rem 0; }
code, pre { font: 0.85rem/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { margin: 0.5rem 0; padding: 0.6rem 0.8rem; border-radius: 6px; background: var(--card); white-space: pre-wrap; }
.faint { color: var(--faint); }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1.25rem; margin: 1.25rem 0; }
.samples.one { grid-template-columns: minmax(0, 30rem) minmax(0, 1fr); align-items: start; }
.samples.one .sample { display: contents; }
.sample { min-width: 0; break-inside: avoid; }
.stack { position: relative; border: 1px solid var(--line); border-radius: 6px; overflow: hidden; background: #fff; }
.stack img { display: block; width: 100%; height: auto; image-rendering: pixelated; }
.stack .above { position: absolute; inset: 0; height: 100%; clip-path: inset(0 0 0 var(--cut, 50%)); }
.stack .edge { position: absolute; top: 0; bottom: 0; left: var(--cut, 50%); width: 2px; margin-left: -1px; background: #fff; box-shadow: 0 0 3px #000; pointer-events: none; }
input[type=range] { display: block; width: 100%; margin: 0.4rem 0; accent-color: var(--faint); }
.scale { display: flex; align-items: center; gap: 0.6rem; margin: 0.4rem 0; color: var(--faint); font-size: 0.8rem; font-variant-numeric: tabular-nums; }
.scale img { flex: 1; min-width: 2rem; height: 0.6rem; border: 1px solid var(--line); }
.caption { margin: 0 0 0.6rem; font-weight: 600; overflow-wrap: anywhere; white-space: pre-line; }
table.classes { width: 100%; border-collapse: collapse; font-size: 0.9rem; }
.classes td { padding: 0.15rem 0.5rem 0.15rem 0; vertical-align: middle; overflow-wrap: anywhere; }
.classes td.number { width: 5.5rem; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.classes td.share { width: 38%; }
.classes .length { display: block; height: 0.7rem; border-radius: 2px; background: var(--bar); }
.classes .target { font-weight: 600; }
.classes .target .length { background: var(--target); }
.wide { overflow: auto; max-height: 34rem; border: 1px solid var(--line); border-radius: 6px; }
table.layers { border-collapse: collapse; font-size: 0.85rem; min-width: 100%; }
.layers thead th { position: sticky; top: 0; background: var(--card); }
.layers th, .layers td { padding: 0.25rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
.layers td.number, .layers th.number { text-align: right; font-variant-numeric: tabular-nums; }
.layers th button { all: unset; cursor: pointer; font-weight: 600; }
.layers th button:focus-visible { outline: 2px solid var(--faint); }
.layers th[aria-sort=ascending] button::after { content: " ▲"; }
.layers th[aria-sort=descending] button::after { content: " ▼"; }
.figure svg { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 6px; }
details { margin: 0.5rem 0; }
summary { cursor: pointer; }
.warning { margin: 0.6rem 0; padding: 0.6rem 0.8rem; border-left: 3px solid #bf8700; border-radius: 0 6px 6px 0; background: var(--card); }
footer { margin-top: 2.5rem; padding-top: 0.75rem; border-top: 1px solid var(--line); color: var(--faint); font-size: 0.85rem; }
@media (max-width: 44rem) { .samples.one { grid-template-columns: minmax(0, 1fr); } body { padding: 1rem 0.9rem 2rem; } }
@media print {
  :root { color-scheme: light; --text: #000; --faint: #444; --line: #bbb; --back: #fff; --card: #f4f4f4; --bar: #888; --target: #b3261e; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .stack { display: flex; } .stack img { width: 50%; } .stack .above { position: static; clip-path: none; }
  .stack .edge, input[type=range] { display: none; }
  .wide { overflow: visible; max-height: none; border: 0; } table.layers { font-size: 7pt; } .layers th, .layers td { white-space: normal; padding: 0.1rem 0.3rem 0.1rem 0; }
  .layers thead th { position: static; }
}
)";

// The slider moves the edge between input and map; a click on a column's title sorts by it, once more the other way.
constexpr const char* page_script = R"(
for (const slider of document.querySelectorAll('input[type=range]')) {
  const stack = slider.previousElementSibling;
  const move = () => stack.style.setProperty('--cut', slider.value + '%');
  slider.addEventListener('input', move);
  move();
}
for (const table of document.querySelectorAll('table.layers')) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') === 'ascending';
    heads.forEach(each => each.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const numeric = head.classList.contains('number');
    const compare = (a, b) => numeric ? (key(a) === '' ? 1 : 0) - (key(b) === '' ? 1 : 0) || key(a) - key(b) : key(a).localeCompare(key(b));
    [...body.rows].sort((a, b) => down && !(numeric && (key(a) === '' || key(b) === '')) ? compare(b, a) : compare(a, b))
      .forEach(row => body.append(row));
  }));
}
)";

// A policy names the script by the digest of its text: whatever else got into the page would not run.
std::string script_digest() {
  auto hex = sha256(page_script);
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return picture::base64(bytes);
}

std::string escaped_line(std::string_view any) { return escaped_html(picture::one_line(any)); }

// Of code and doc comments, which have lines.
std::string escaped_lines(std::string_view any) {
  std::string out;
  for (std::size_t begin = 0; begin <= any.size();) {
    auto end = std::min(any.find('\n', begin), any.size());
    out += (begin > 0 ? "\n" : "") + escaped_line(any.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::string image_element(const at::Tensor& pixels, const char* css_class, const std::string& alternative) {
  return filled("<img class=\"{}\" alt=\"{}\" width=\"{}\" height=\"{}\" src=\"data:image/png;base64,{}\">", css_class,
                escaped_line(alternative), pixels.size(1), pixels.size(0), picture::base64(files::png_bytes(pixels)));
}

// The largest outputs of a sample with bars, and the target wherever it is.
std::string classes_of(const PageFacts& facts, std::int64_t sample, std::int64_t samples,
                       const std::set<std::int64_t>& targets) {
  auto& output = facts.output;
  if (!output.defined() || output.dim() != 2 || output.size(0) != samples || output.size(1) < 2) return "";
  auto scores = output.detach()[sample].to(at::kCPU, at::kDouble).contiguous();
  auto order = scores.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true).contiguous();
  std::vector<std::int64_t> shown;
  for (std::int64_t i = 0; i < std::min(most_classes, order.numel()); ++i)
    shown.push_back(order[i].item<std::int64_t>());
  for (auto each : targets)
    if (each >= 0 && each < scores.numel() && std::find(shown.begin(), shown.end(), each) == shown.end())
      shown.push_back(each);
  auto score = [&](std::int64_t index) { return scores[index].item<double>(); };
  double largest = 0;
  for (auto each : shown)
    if (std::isfinite(score(each))) largest = std::max(largest, std::abs(score(each)));
  std::string out = "<table class=\"classes\">\n";
  for (auto each : shown) {
    auto share = largest > 0 && std::isfinite(score(each)) ? 100 * std::abs(score(each)) / largest : 0;
    out += filled(
        "<tr{}><td>{}</td><td class=\"number\">{:.4g}</td><td class=\"share\"><span class=\"length\" style=\"width: "
        "{:.1f}%\"></span></td></tr>\n",
        targets.contains(each) ? " class=\"target\"" : "", escaped_line(name_of_class(each, facts.labels)), score(each),
        score(each) > 0 ? share : 0);
  }
  return out + "</table>\n";
}

std::string scale_of_sample(const picture::Scale& scale, const picture::ColourMap& colours) {
  auto strip = picture::colour_strip(colours, /*upright=*/false);
  auto out =
      filled("<div class=\"scale\"><span>{}</span>{}<span>{}</span></div>\n", escaped_line(picture::low_end(scale)),
             image_element(strip, "strip", "colours from the smallest to the largest value"),
             escaped_line(picture::high_end(scale)));
  auto told = picture::told_not_finite(scale);
  return told.empty() ? out : out + filled("<p class=\"faint\">{}</p>\n", escaped_line(told));
}

// Which outputs relevance started from, for the lists of classes: told by the captions' makers as options, so once
// more.
std::set<std::int64_t> targets_of(const PageFacts& facts, std::size_t sample) {
  auto& per_sample = facts.pictures.targets;
  return sample < per_sample.size() ? std::set(per_sample[sample].begin(), per_sample[sample].end())
                                    : std::set<std::int64_t>{};
}

std::string maps_section(const PictureArguments& arguments, const at::Tensor& relevance, const PageFacts& facts,
                         FigureOptions options) {
  auto samples = relevance.size(0), shown = std::min(samples, most_samples);
  auto original = picture_of(facts.pictures);
  auto wanted = options.heatmap;
  wanted.columns = 1;
  wanted.beside = original.defined() && original.size(0) == samples;
  if (wanted.overlay > 0 && !original.defined())
    throw usage_error("--overlay draws over the input, and this one is no picture", "leave it out");
  if (wanted.beside || wanted.overlay > 0) wanted.original = original.slice(0, 0, shown);
  if (wanted.upside_down && wanted.original.defined()) wanted.original = wanted.original.flip(2);
  if (!arguments.size && shown > 4)
    wanted.size = std::max<std::int64_t>(224, std::max(relevance.size(-1), relevance.size(-2)));
  auto sheet = picture::sheet_of(relevance.slice(0, 0, shown), wanted, 0);
  picture::ColourMap colours(wanted.colour_map);
  auto out = filled("<div class=\"samples{}\">\n", shown == 1 && sheet.per_sample <= 2 ? " one" : "");
  for (std::int64_t i = 0; i < shown; ++i) {
    auto sample = static_cast<std::size_t>(i);
    auto caption = sample < facts.pictures.captions.size() ? facts.pictures.captions[sample] : "";
    auto about = samples > 1 ? filled("sample {}", i) : std::string("the input");
    out += "<div class=\"sample\">\n<div>";
    std::string above;
    for (auto& tile : sheet.tiles) {
      if (tile.sample != i) continue;
      if (tile.part < 0) {
        above = image_element(tile.pixels, "below", about);
        continue;
      }
      bool first = !above.empty() && above.find("class=\"below\"") != std::string::npos;
      out += filled("<div class=\"stack\">{}{}{}</div>", first ? above : "",
                    image_element(tile.pixels, first ? "above" : "below", "relevance of " + about),
                    first ? "<span class=\"edge\"></span>" : "");
      if (first)
        out += filled(
            "<input type=\"range\" min=\"0\" max=\"100\" value=\"{}\" aria-label=\"from the input to its relevance, "
            "{}\">",
            50, escaped_line(about));
      above.clear();
    }
    out += scale_of_sample(sheet.scales[sample], colours) + "</div>\n<div>";
    if (!caption.empty()) out += filled("<p class=\"caption\">{}</p>\n", escaped_lines(caption));
    out += classes_of(facts, i, samples, targets_of(facts, sample)) + "</div>\n</div>\n";
  }
  out += "</div>\n";
  if (shown < samples)
    out += filled("<p class=\"faint\">… and {} samples more; these are the first {}.</p>\n", samples - shown, shown);
  return out;
}

std::string pictures_section(const PictureArguments& arguments, const PageFacts& facts) {
  auto& relevance = facts.attribution.relevance;
  auto options = figure_options(arguments, relevance, facts.pictures);
  options.title.clear();
  if (relevance.dim() >= 4 && options.form == FigureForm::maps && relevance.numel() > 0)
    return maps_section(arguments, relevance.cpu(), facts, std::move(options));
  auto out = filled("<div class=\"figure\">{}</div>\n", picture::svg(picture::figure_scene(relevance.cpu(), options)));
  auto samples = relevance.dim() > 0 ? relevance.size(0) : 1;
  std::string classes;
  for (std::int64_t i = 0; i < std::min<std::int64_t>(samples, most_samples); ++i) {
    auto listed = classes_of(facts, i, samples, targets_of(facts, static_cast<std::size_t>(i)));
    if (listed.empty()) break;
    auto title = samples > 1 ? filled("<p class=\"caption\">sample {}</p>\n", i) : std::string();
    classes += filled("<div class=\"sample\">{}{}</div>\n", title, listed);
  }
  return classes.empty() ? out : out + filled("<div class=\"samples\">\n{}</div>\n", classes);
}

std::string number_cell(const std::optional<double>& value) {
  if (!value) return "<td class=\"number\" data-value=\"\"></td>";
  return filled("<td class=\"number\" data-value=\"{:.9g}\">{}</td>", *value,
                std::isnan(*value) ? "nan" : filled("{:.5g}", *value));
}

std::string layers_section(const Report& report) {
  std::string out =
      "<h2>Layers</h2>\n<p class=\"faint\">From the input to the output; above: the relevance of the layer's output, "
      "below: what it handed on.</p>\n<div class=\"wide\"><table class=\"layers\">\n<thead><tr>";
  for (auto* each : {"layer", "kind", "output", "rule"}) out += filled("<th><button>{}</button></th>", each);
  for (auto* each : {"above", "below", "bias", "stabilizer", "rest"})
    out += filled("<th class=\"number\"><button>{}</button></th>", each);
  out += "<th><button>entry</button></th>";
  out += "</tr></thead>\n<tbody>\n";
  for (auto& layer : report)
    out += filled("<tr><td>{}</td><td>{}</td><td>{}</td><td><code>{}</code></td>{}{}{}{}{}<td>{}</td></tr>\n",
                  escaped_line(layer.name), escaped_line(layer.kind), shown_shape(layer.shape),
                  escaped_line(layer.rule), number_cell(layer.above), number_cell(layer.below), number_cell(layer.bias),
                  number_cell(layer.stabilizer), number_cell(layer.rest()), escaped_line(layer.entry));
  return out + "</tbody>\n</table></div>\n";
}

std::string rules_section(const PageFacts& facts) {
  auto& composite = Inside::bound(facts.rules);
  auto out = filled("<h2>Rules</h2>\n<p><code>{}</code></p>\n", escaped_line(composite.description));
  std::set<const language::Rule*> told;
  for (auto& entry : composite.entries) {
    auto* bound = std::get_if<language::BoundRule>(&entry.target);
    if (!bound || !told.insert(bound->rule.get()).second) continue;
    auto& rule = *bound->rule;
    auto documentation = language::read_doc_comment(rule.documentation);
    out += filled("<details>\n<summary><code>{}</code> {}</summary>\n", escaped_line(rule.name),
                  escaped_line(documentation.summary()));
    if (!rule.documentation.empty()) out += filled("<pre>{}</pre>\n", escaped_lines(rule.documentation));
    auto code = language::definition_text(rule.place);
    if (!code.empty()) out += filled("<pre>{}</pre>\n", escaped_lines(code));
    out += "</details>\n";
  }
  return out;
}

std::string warnings_section(const std::vector<Diagnostic>& warnings) {
  if (warnings.empty()) return "";
  std::string out = "<h2>Warnings</h2>\n";
  for (auto& each : warnings)
    out += filled("<div class=\"warning\"><p><strong>{}</strong> {}</p>{}</div>\n", code_name(each.code),
                  escaped_line(each.message),
                  each.help.empty() ? "" : filled("<p class=\"faint\">{}</p>", escaped_line(each.help)));
  return out;
}

// In single quotes where a shell would see more than letters.
std::string shell_word(const std::string& argument) {
  auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("-_./=,:+@%").find(c) != std::string_view::npos;
  };
  if (!argument.empty() && std::all_of(argument.begin(), argument.end(), plain)) return argument;
  std::string out = "'";
  for (char c : argument) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

std::string own_command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string all{std::istreambuf_iterator<char>(file), {}}, out;
  for (std::size_t begin = 0; begin < all.size();) {
    auto end = std::min(all.find('\0', begin), all.size());
    auto argument = all.substr(begin, end - begin);
    out += begin == 0 ? "ascribe" : " " + shell_word(argument);
    begin = end + 1;
  }
  return out;
}

std::string picture_page(const PictureArguments& arguments, const PageFacts& facts) {
  return picture::quietly([&] {
    auto title = facts.model.empty() ? std::string("Relevance")
                                     : filled("What {} looks at", facts.model.substr(facts.model.rfind('/') + 1));
    auto& relevance = facts.attribution.relevance;
    auto out = filled(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
        "'unsafe-inline'; "
        "script-src 'sha256-{}'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n<p class=\"faint\">Relevance of the input "
        "{} by "
        "<code>{}</code>: in all {:.5g}.</p>\n",
        script_digest(), escaped_line(title), page_style, escaped_line(title), shown_shape(relevance.sizes().vec()),
        escaped_line(facts.rules.description()),
        relevance.numel() == 0 ? 0.0 : relevance.sum(at::kDouble).item<double>());
    out += pictures_section(arguments, facts);
    out += warnings_section(facts.attribution.warnings);
    out += layers_section(facts.attribution.report);
    out += rules_section(facts);
    out += filled("<footer>\n<p>Ascribe {}, LibTorch {}</p>\n{}</footer>\n<script>{}</script>\n</body>\n</html>\n",
                  version(), TORCH_VERSION,
                  facts.command.empty() ? "" : filled("<pre>{}</pre>\n", escaped_line(facts.command)), page_script);
    return out;
  });
}

}  // namespace ascribe::command
