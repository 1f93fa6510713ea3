// The page as one HTML file. Everything that comes from rule files goes through `escaped_html`.
#include <fmt/ranges.h>

#include <algorithm>

#include "grammar/filled_text.hpp"
#include "grammar/html_text.hpp"
#include "interpreter/pack/page.hpp"

namespace ascribe {
namespace {

using language::DocForm;

constexpr const char* style = R"(
:root { color-scheme: light dark; --text: #1f2328; --faint: #59636e; --line: #d8dee4; --back: #ffffff; --code: #f4f6f8; --link: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e8ee; --faint: #98a3af; --line: #343b43; --back: #14181d; --code: #1e242b; --link: #7fb8f5; }
}
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1.25rem 4rem; background: var(--back); color: var(--text); font: 1rem/1.55 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.25; }
h2 { margin-top: 3rem; padding-bottom: 0.3rem; border-bottom: 1px solid var(--line); }
h3 { margin: 2.5rem 0 0.6rem; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
code, pre { font: 0.875rem/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code { padding: 0.1em 0.3em; border-radius: 4px; background: var(--code); }
pre { margin: 0.6rem 0; padding: 0.7rem 0.9rem; overflow-x: auto; border-radius: 6px; background: var(--code); }
pre code, h3 code, td a code { padding: 0; background: none; }
h3 code { font-size: 1.1rem; }
pre.signature { border-left: 3px solid var(--link); }
table { width: 100%; margin: 1rem 0 1.75rem; border-collapse: collapse; }
th, td { padding: 0.35rem 0.9rem 0.35rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.4rem 1.1rem; margin: 1rem 0; }
dt { color: var(--faint); }
dd { margin: 0; }
dd > pre { margin: 0; }
dd > p { margin: 0 0 0.4rem; }
summary { color: var(--faint); cursor: pointer; }
@media (max-width: 40rem) { dl { display: block; } dd { margin-bottom: 0.8rem; } }
)";

std::string code(std::string_view text) { return filled("<code>{}</code>", escaped_html(text)); }

std::string block(std::string_view text, const char* attributes = "") {
  return filled("<pre{}>{}</pre>\n", attributes, code(text));
}

std::string paragraph(std::string_view text) {
  std::string out;
  for (auto& piece : language::pieces(text)) out += piece.is_code ? code(piece.text) : escaped_html(piece.text);
  return out;
}

std::string all_paragraphs(std::string_view text) {
  std::string out;
  for (auto& each : language::paragraphs(text)) out += filled("<p>{}</p>\n", paragraph(each));
  return out;
}

std::string link(const std::string& content, std::string_view anchor) {
  return anchor.empty() ? content : filled("<a href=\"#{}\">{}</a>", escaped_html(anchor), content);
}

void write_parts(std::string& out, const language::DocComment& documentation) {
  if (documentation.parts.empty()) return;
  out += "<dl>\n";
  for (auto& label : language::doc_labels()) {
    auto texts = documentation.texts(label.label);
    if (texts.empty()) continue;
    out += filled("<dt>{}</dt>\n<dd>", texts.size() > 1 ? label.plural : label.word);
    if (label.form == DocForm::sentences)
      for (auto text : texts) out += all_paragraphs(text);
    else
      out += block(filled("{}", fmt::join(texts, "\n")));
    out += "</dd>\n";
  }
  out += "</dl>\n";
}

void write_definition(std::string& out, const DocumentedDefinition& definition) {
  out += filled("<section id=\"{}\">\n<h3>{}</h3>\n", escaped_html(definition.anchor),
                link(code(definition.name), definition.anchor));
  out += block(definition.signature, " class=\"signature\"");
  if (definition.alias)
    out += filled("<p>Another name of {}.</p>\n", link(code(definition.alias->call), definition.alias->anchor));
  out += all_paragraphs(definition.documentation.description);
  write_parts(out, definition.documentation);
  out += filled("<details>\n<summary>Definition, in {}</summary>\n{}</details>\n</section>\n", code(definition.file),
                block(definition.code));
}

void write_table(std::string& out, const PageSection& section) {
  out += filled("<table>\n<thead><tr><th>{}</th><th></th></tr></thead>\n<tbody>\n", section.column);
  for (auto& definition : section.definitions)
    out += filled("<tr><td>{}</td><td>{}</td></tr>\n", link(code(definition.name), definition.anchor),
                  paragraph(definition.documentation.summary()));
  out += "</tbody>\n</table>\n";
}

}  // namespace

std::string html(const Page& page) {
  auto title = escaped_html(page.title);
  auto out = filled(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n",
      title, style, title);
  out += all_paragraphs(page.introduction);
  if (page.sections.empty()) out += "<p>There are no rules, composites or functions here.</p>\n";
  for (auto& section : page.sections) write_table(out, section);
  for (auto& section : page.sections) {
    out += filled("<h2 id=\"{}\">{}</h2>\n", section.anchor, section.title);
    for (auto& definition : section.definitions) write_definition(out, definition);
  }
  return out + "</body>\n</html>\n";
}

}  // namespace ascribe
