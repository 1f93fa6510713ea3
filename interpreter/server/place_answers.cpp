// Answers about a place: what could stand there, what it means, where else that is.
#include <algorithm>

#include "grammar/filled_text.hpp"
#include "interpreter/assist/completion.hpp"
#include "interpreter/assist/hover.hpp"
#include "interpreter/assist/rename.hpp"
#include "interpreter/assist/structure.hpp"
#include "interpreter/server/answering.hpp"

namespace ascribe::server {

using assist::Symbol;

namespace {

Json markdown(std::string text) { return {{"kind", "markdown"}, {"value", std::move(text)}}; }

int completion_kind(const assist::Offer& offer) {
  enum {
    text = 1,
    function = 3,
    field = 5,
    variable = 6,
    cls = 7,
    module = 9,
    property = 10,
    unit = 11,
    value = 12,
    keyword = 14,
    file = 17,
    constant = 21,
    type = 25
  };
  if (offer.sort == assist::Offer::Sort::word) return keyword;
  if (offer.sort == assist::Offer::Sort::file) return file;
  if (offer.sort == assist::Offer::Sort::argument) return property;
  if (!offer.symbol) return offer.sort == assist::Offer::Sort::label ? text : constant;
  switch (offer.symbol->sort) {
    case Symbol::Sort::rule:
    case Symbol::Sort::composite:
      return cls;
    case Symbol::Sort::function:
    case Symbol::Sort::builtin:
      return function;
    case Symbol::Sort::parameter:
    case Symbol::Sort::let:
    case Symbol::Sort::quantity:
      return variable;
    case Symbol::Sort::term:
      return field;
    case Symbol::Sort::import:
    case Symbol::Sort::pack:
    case Symbol::Sort::standard_pack:
      return module;
    case Symbol::Sort::type:
      return type;
    case Symbol::Sort::kind:
    case Symbol::Sort::layer:
      return unit;
    case Symbol::Sort::engine:
      return keyword;
    case Symbol::Sort::test:
    case Symbol::Sort::field:
    case Symbol::Sort::argument:
    case Symbol::Sort::parameter_name:
    case Symbol::Sort::code:
      break;
  }
  return value;
}

}  // namespace

Json completion(const Asked& asked) {
  auto in = about(asked);
  auto offset = offset_in(asked, in);
  auto found = assist::complete(in.project(), in.page(), offset, &asked.workspace.options());
  auto items = Json::array();
  auto range = in.lines.range(found.replaces);
  for (auto& each : found.offers) {
    Json item{{"label", each.text},
              {"kind", completion_kind(each)},
              {"sortText", filled("{}{}", each.rank, each.text)},
              {"textEdit", {{"range", range}, {"newText", each.text}}}};
    if (!each.detail.empty()) item["detail"] = each.detail;
    if (!each.others.empty()) item["additionalTextEdits"] = edits(each.others, in.lines);
    if (each.symbol) item["data"] = {{"uri", in.uri}, {"offset", offset}};
    items.push_back(std::move(item));
  }
  return {{"isIncomplete", false}, {"items", std::move(items)}};
}

// The words about what was offered, when they are asked for.
Json resolved_completion(const Asked& asked) {
  auto out = asked.parameters;
  if (!out.is_object() || !out.contains("data") || !out["data"].is_object()) return out;
  auto uri = out["data"].at("uri").get<std::string>();
  auto place = asked.workspace.place(uri);
  if (!place.page) return out;
  auto offset = out["data"].at("offset").get<std::size_t>();
  auto label = out.at("label").get<std::string>();
  for (auto& each : assist::complete(*place.project, place.page, offset, &asked.workspace.options()).offers)
    if (each.text == label && each.symbol) {
      auto text = assist::about(*place.project, place.page, *each.symbol);
      if (!text.empty()) out["documentation"] = markdown(std::move(text));
      break;
    }
  return out;
}

Json hover(const Asked& asked) {
  auto in = about(asked);
  auto found = assist::hover(in.project(), in.page(), offset_in(asked, in));
  if (!found) return nullptr;
  return {{"contents", markdown(found->text)}, {"range", in.lines.range(found->span)}};
}

Json signature_help(const Asked& asked) {
  auto in = about(asked);
  auto found = assist::signature_help(in.project(), in.page(), offset_in(asked, in));
  if (!found) return nullptr;
  auto parameters = Json::array();
  Lines label(found->label, Encoding::utf16);  // in labels, always
  for (auto& each : found->parameters)
    parameters.push_back({{"label",
                           {label.units(std::string_view(found->label).substr(0, each.begin)),
                            label.units(std::string_view(found->label).substr(0, each.end))}}});
  Json signature{{"label", found->label}, {"parameters", parameters}};
  if (!found->documentation.empty()) signature["documentation"] = markdown(found->documentation);
  Json out{{"signatures", Json::array({signature})}, {"activeSignature", 0}};
  // Behind the last: none is shown as the active one.
  out["activeParameter"] = found->active == assist::none ? found->parameters.size() : found->active;
  return out;
}

Json definition(const Asked& asked) {
  auto in = about(asked);
  auto offset = offset_in(asked, in);
  for (auto& each : assist::import_links(in.project(), *in.page()))
    if (assist::holds(each.span, offset))
      return {{"uri", uri_of(asked.workspace.options().files->resolve(each.leads))},
              {"range", Lines("", asked.client.encoding).range({})}};
  auto symbol = assist::symbol_at(in.project(), in.page(), offset);
  auto spot = symbol ? assist::definition(in.project(), in.page(), *symbol) : std::nullopt;
  return spot ? location(asked, *spot) : Json(nullptr);
}

Json references(const Asked& asked) {
  auto in = about(asked);
  auto out = Json::array();
  auto symbol = assist::symbol_at(in.project(), in.page(), offset_in(asked, in));
  if (!symbol) return out;
  bool with_definition = asked.parameters.value("/context/includeDeclaration"_json_pointer, true);
  for (auto& each : assist::references(in.project(), *symbol)) {
    bool itself = each.page->identity == symbol->page && each.span == symbol->definition;
    if (!itself || with_definition) out.push_back(location(asked, each));
  }
  return out;
}

Json highlights(const Asked& asked) {
  auto in = about(asked);
  auto out = Json::array();
  auto symbol = assist::symbol_at(in.project(), in.page(), offset_in(asked, in));
  if (!symbol) return out;
  for (auto& each : assist::references(in.project(), *symbol)) {
    if (each.page != in.page()) continue;
    bool itself = each.page->identity == symbol->page && each.span == symbol->definition;
    out.push_back({{"range", in.lines.range(each.span)}, {"kind", itself ? 3 : 2}});
  }
  return out;
}

Json prepare_rename(const Asked& asked) {
  auto in = about(asked);
  try {
    auto found = assist::renameable(in.project(), in.page(), offset_in(asked, in));
    return {{"range", in.lines.range(found.span)}, {"placeholder", found.symbol.name}};
  } catch (const Error& error) {
    throw Refusal{request_failed, error.diagnostics().front().message};
  }
}

Json rename(const Asked& asked) {
  auto in = about(asked);
  auto name = asked.parameters.at("newName").get<std::string>();
  try {
    std::map<std::string, Json> out;
    for (auto& [identity, made] : assist::rename(in.project(), in.page(), offset_in(asked, in), name)) {
      auto page = in.project().page(identity);
      out[asked.workspace.uri(*page)] = edits(made, Lines(page->source->text(), asked.client.encoding));
    }
    return workspace_edit(asked, out);
  } catch (const Error& error) {
    auto& first = error.diagnostics().front();
    throw Refusal{request_failed, first.message};
  }
}

}  // namespace ascribe::server
