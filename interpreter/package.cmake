# The manual page and the completions, which are installed with the command; and what `cpack` puts into a Debian package:
# the command, the static library, the headers, and the package of CMake's.
set(pages ${CMAKE_CURRENT_BINARY_DIR}/pages)
add_custom_command(
  OUTPUT ${pages}/ascribe.1.gz ${pages}/ascribe ${pages}/_ascribe ${pages}/ascribe.fish
  COMMAND ${CMAKE_COMMAND} -DCOMMAND=$<TARGET_FILE:ascribe_command> -DOUTPUT=${pages} -P ${CMAKE_CURRENT_SOURCE_DIR}/pages.cmake
  DEPENDS ascribe_command pages.cmake
  VERBATIM)
add_custom_target(ascribe_pages ALL DEPENDS ${pages}/ascribe.1.gz)
install(FILES ${pages}/ascribe.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT pages)
install(FILES ${pages}/ascribe DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT pages)
install(FILES ${pages}/_ascribe DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT pages)
install(FILES ${pages}/ascribe.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT pages)

if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()

# LibTorch is no Debian package, and lies on another machine elsewhere than here. What comes as a package looks for it
# where its own archive unpacks to below /opt.
set(libtorch_place /opt/libtorch)
add_executable(ascribe_packaged EXCLUDE_FROM_ALL command/main.cpp)
target_link_libraries(ascribe_packaged PRIVATE ascribe_commands)
add_dependencies(ascribe_packaged ascribe_language_server)
set_target_properties(ascribe_packaged PROPERTIES
  OUTPUT_NAME ascribe RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/package INSTALL_RPATH ${libtorch_place}/lib)
install(TARGETS ascribe_packaged ascribe_language_server RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT package EXCLUDE_FROM_ALL)
block()
  set(LIBTORCH_LIB ${libtorch_place}/lib)
  configure_package_config_file(ascribe-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/package/ascribe-config.cmake
    INSTALL_DESTINATION ${package} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
endblock()
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/package/ascribe-config.cmake
  DESTINATION ${package} COMPONENT package EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/ascribe RENAME copyright COMPONENT package EXCLUDE_FROM_ALL)
configure_file(postinst.in ${CMAKE_CURRENT_BINARY_DIR}/package/postinst @ONLY FILE_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_GENERATOR DEB)
set(CPACK_INSTALL_CMAKE_PROJECTS "")
foreach(component headers static pages package)  # the last one replaces what names this machine's LibTorch
  list(APPEND CPACK_INSTALL_CMAKE_PROJECTS ${PROJECT_BINARY_DIR} ascribe ${component} /)
endforeach()
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_CONTACT "The Ascribe authors <ascribe@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "language for relevance rules, run on LibTorch models")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
  "Checks, tests and runs rules of layer-wise relevance propagation on models that
torch.export or TorchScript saved. With the library for C++ programs.

Built with LibTorch ${LIBTORCH_VERSION}, which is no Debian package: it is looked for in
${libtorch_place}.")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${LIBTORCH_LIB})
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "zlib1g-dev, libpng-dev, libjpeg62-turbo-dev, fonts-dejavu-core")  # what links the static library; words in pictures
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "g++, cmake (>= 3.25)")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_BINARY_DIR}/package/postinst)
include(CPack)
