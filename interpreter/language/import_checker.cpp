#include "interpreter/language/import_checker.hpp"

#include "grammar/filled_text.hpp"
#include "interpreter/language/mentions.hpp"
#include "interpreter/language/name_resolver.hpp"

namespace ascribe::language {

void ImportChecker::add(const syntax::Import& written) {
  auto reporter = file_.reporter();
  auto& alias = written.name.text;
  if (alias == "std" || is_protected(alias) || find_engine(alias)) {
    reporter.report(Code::protected_name, written.name.span,
                    filled("`{}` means something already and cannot be an import's name", alias),
                    "choose another name behind `as`");
    return;
  }
  auto [first, fresh] = known_.emplace(alias, &written);
  if (!fresh) {
    auto& diagnostic = reporter.report(Code::duplicate_name, written.name.span,
                                       filled("two imports are called `{}`", alias), "choose another name behind `as`");
    diagnostic.others.push_back({file_.source(), first->second->name.span, "first here"});
    return;
  }
  auto found = imports_.find(&written);
  file_.add_alias(alias, found == imports_.end() ? nullptr : found->second);
}

void ImportChecker::report_unused(const syntax::File& file) const {
  Mentions used;
  for (auto& item : file.items) collect_qualifiers(item, used);
  for (auto& [name, each] : known_) {
    auto found = imports_.find(each);
    bool loaded = found != imports_.end() && found->second;  // otherwise it has its message already
    if (loaded && !used.contains(name))
      file_.reporter().report(Code::unused, each->name.span, filled("the import `{}` is never used", name),
                              filled("leave it out, or write `{}.name`", name));
  }
}

}  // namespace ascribe::language
