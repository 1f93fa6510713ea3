#include "interpreter/language/function_scope.hpp"

#include "grammar/filled_text.hpp"
#include "grammar/suggest.hpp"

namespace ascribe::language {

void report_unknown_pack(const syntax::Name& qualifier, Code code, const std::vector<std::string>& known,
                         const Reporter& reporter) {
  reporter.report(code, qualifier.span, filled("unknown pack `{}`", qualifier.text),
                  did_you_mean(qualifier.text, known,
                               filled("`import \"../{0}\" as {0}` makes it known in this file", qualifier.text)));
}

}  // namespace ascribe::language
