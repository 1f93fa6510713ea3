# The target taocpp::pegtl. PEGTL 4 has other names for what the parser uses (memory_input, tracking_mode, its parse tree),
# and would only be found out by pages of errors.
find_package(pegtl 3.2 QUIET GLOBAL)
if(NOT pegtl_FOUND)
  set(problem "was not found")
  foreach(version found IN ZIP_LISTS pegtl_CONSIDERED_VERSIONS pegtl_CONSIDERED_CONFIGS)
    set(problem "is needed, and this is ${version}: ${found}")
  endforeach()
  message(FATAL_ERROR "PEGTL 3.2 or a later 3.x ${problem}. Debian's package is tao-pegtl-dev; another one is named by pegtl_DIR or CMAKE_PREFIX_PATH.")
endif()
