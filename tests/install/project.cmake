# Builds a project that uses what is installed at PREFIX, in the folder PLACE, and runs its PROGRAM there; RUNNER is what
# runs it, where it is not itself.
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE ${PLACE})
file(COPY ${PROJECT}/ DESTINATION ${PLACE})
execute_process(
  COMMAND ${CMAKE_COMMAND} -S ${PLACE} -B ${PLACE}/build -G ${GENERATOR} "-DCMAKE_PREFIX_PATH=${PREFIX};${TORCH}"
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} ${OPTIONS}
  OUTPUT_FILE ${PLACE}/configure.log COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${PLACE}/build COMMAND_ERROR_IS_FATAL ANY)
if(PROGRAM)
  list(POP_FRONT PROGRAM program)
  execute_process(COMMAND ${RUNNER} ${PLACE}/build/${program} ${PROGRAM} WORKING_DIRECTORY ${PLACE}
    OUTPUT_VARIABLE said ERROR_VARIABLE complained RESULT_VARIABLE code)
  message("${said}")
  if(NOT code EQUAL 0 OR complained)
    message(FATAL_ERROR "${program}: ${code}\n${complained}")
  endif()
  if(NOT said MATCHES "${EXPECTS}")
    message(FATAL_ERROR "${program} did not say: ${EXPECTS}")
  endif()
endif()
file(REMOVE_RECURSE ${PLACE})
