# `cmake --install`: the headers, one of the libraries, the command, and the package that find_package(ascribe) finds.
# Nothing of it names the folder that it is installed to, or was built in: it may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/ascribe)
set(interpreter ${PROJECT_SOURCE_DIR}/interpreter)

# Of the two libraries one is installed with everything else, and the other on demand: `--component shared`.
set(without_static "")
set(without_shared EXCLUDE_FROM_ALL)
if(BUILD_SHARED_LIBS AND NOT ASCRIBE_LANGUAGE_ONLY)
  set(without_static EXCLUDE_FROM_ALL)
  set(without_shared "")
endif()

# Headers name each other as neighbours: ascribe/pack.hpp, and ascribe/grammar/ below it.
set(needs_libtorch "")
if(ASCRIBE_LANGUAGE_ONLY)
  foreach(header ascribe attach attribute cache figure heatmap hooked host_model model picture)
    list(APPEND needs_libtorch PATTERN ${header}.hpp EXCLUDE)
  endforeach()
endif()
install(DIRECTORY ${interpreter}/include/ascribe ${PROJECT_BINARY_DIR}/interpreter/include/ascribe
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT headers FILES_MATCHING PATTERN *.hpp ${needs_libtorch})
foreach(header code diagnostic error export render_text source)
  install(FILES ${PROJECT_SOURCE_DIR}/grammar/${header}.hpp
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ascribe/grammar COMPONENT headers)
endforeach()

function(install_library export component excluded)
  install(TARGETS ${ARGN} EXPORT ${export}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component} ${excluded}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${component} ${excluded}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT ${export} NAMESPACE ascribe:: DESTINATION ${package} COMPONENT ${component} ${excluded})
endfunction()

set_target_properties(ascribe_grammar PROPERTIES EXPORT_NAME grammar)
set_target_properties(ascribe_language PROPERTIES EXPORT_NAME language)
install_library(ascribe-language static "${without_static}" ascribe_grammar ascribe_language)

if(NOT ASCRIBE_LANGUAGE_ONLY)
  # A shared library that a static copy is linked into keeps it to itself: its neighbours may have other copies.
  if(UNIX AND NOT APPLE)
    target_link_options(ascribe INTERFACE
      $<INSTALL_INTERFACE:LINKER:--exclude-libs,libascribe.a:libascribe_language.a:libascribe_grammar.a>)
  endif()
  install_library(ascribe-static static "${without_static}" ascribe)
  set_target_properties(ascribe_shared PROPERTIES EXPORT_NAME ascribe INSTALL_RPATH "${LIBTORCH_LIB}")
  install_library(ascribe-shared shared "${without_shared}" ascribe_shared)

  # The command holds its own copy of the library, and finds LibTorch where it was found.
  set_target_properties(ascribe_command PROPERTIES INSTALL_RPATH "${LIBTORCH_LIB}")
  install(TARGETS ascribe_command ascribe_language_server RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
  install(FILES ${interpreter}/LibTorch.cmake DESTINATION ${package} RENAME ascribe-libtorch.cmake COMPONENT headers)
  string(REGEX MATCH "^[0-9]+\\.[0-9]+" ASCRIBE_LIBTORCH "${LIBTORCH_VERSION}")
endif()

configure_package_config_file(${interpreter}/ascribe-config.cmake.in ${PROJECT_BINARY_DIR}/ascribe-config.cmake
  INSTALL_DESTINATION ${package} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ascribe-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ascribe-config.cmake ${PROJECT_BINARY_DIR}/ascribe-config-version.cmake
  DESTINATION ${package} COMPONENT headers)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/ascribe COMPONENT headers)
