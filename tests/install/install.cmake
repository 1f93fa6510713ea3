# Installs one of the libraries and everything else to PREFIX: through DESTDIR, as packages are made, for another prefix
# than the one that it is used from. Nothing may name the folders of sources and builds.
cmake_minimum_required(VERSION 3.25)

set(stage ${PREFIX}.stage)
file(REMOVE_RECURSE ${PREFIX} ${stage})
foreach(component headers ${LIBRARY} command pages)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env DESTDIR=${stage} ${CMAKE_COMMAND} --install ${BUILD} --prefix /opt/ascribe --component ${component}
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endforeach()
file(RENAME ${stage}/opt/ascribe ${PREFIX})
file(REMOVE_RECURSE ${stage})

# But for where LibTorch is, which may lie there.
foreach(folder ${SOURCE} ${BUILD} ${stage} /opt/ascribe)
  execute_process(COMMAND grep -raoh "${folder}/[[:print:]]*" ${PREFIX} OUTPUT_VARIABLE found)
  string(REPLACE "${LIBTORCH_LIB}" "" found "${found}")
  if(found MATCHES "${folder}")
    message(FATAL_ERROR "what is installed names ${folder}:\n${found}")
  endif()
endforeach()

execute_process(COMMAND ${PREFIX}/bin/ascribe --version OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
if(NOT said STREQUAL "ascribe ${VERSION}\n")
  message(FATAL_ERROR "ascribe --version: ${said}")
endif()
