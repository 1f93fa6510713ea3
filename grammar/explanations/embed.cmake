# Writes OUTPUT, a C++ file that holds the files FILES as string literals, in the order of their names.
set(entries "")
foreach(file ${FILES})
  file(READ ${file} text)
  # Brackets and semicolons mean something to CMake's lists; the text is only ever handed on as a whole.
  string(APPEND entries "    R\"__page(${text})__page\",\n")
endforeach()
file(WRITE ${OUTPUT} "// The files of grammar/explanations/, made by the build.
#include \"grammar/explanation.hpp\"

namespace ascribe {
std::span<const std::string_view> explanation_files() {
  static constexpr std::string_view files[] = {
${entries}  };
  return files;
}
}  // namespace ascribe
")
