# Writes OUTPUT, a C++ file that holds the rule files FILES as string literals, in the order of their names.
set(entries "")
foreach(file ${FILES})
  file(READ ${file} text)
  cmake_path(GET file FILENAME name)
  string(APPEND entries "    {\"std/${name}\", R\"__rule(${text})__rule\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// The files of stdlib/, made by the build.
#include \"interpreter/pack/standard_pack_files.hpp\"

namespace ascribe {
std::span<const StandardPackFile> standard_pack_files() {
  static constexpr StandardPackFile files[] = {
${entries}  };
  return files;
}
}  // namespace ascribe
")
