# The manual page and the completions: the command itself writes them, from the descriptions of its options.
#   cmake -DCOMMAND=… -DOUTPUT=folder -P pages.cmake
function(written_by_command file)
  execute_process(COMMAND ${COMMAND} ${ARGN} OUTPUT_FILE ${OUTPUT}/${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(MAKE_DIRECTORY ${OUTPUT})
written_by_command(ascribe.1 man)
file(REMOVE ${OUTPUT}/ascribe.1.gz)
# The same bytes whenever it is packed.
file(ARCHIVE_CREATE OUTPUT ${OUTPUT}/ascribe.1.gz PATHS ${OUTPUT}/ascribe.1 FORMAT raw COMPRESSION GZip MTIME "2000-01-01T00:00:00")
written_by_command(ascribe completion bash)  # bash-completion loads the file that is called like the command
written_by_command(_ascribe completion zsh)
written_by_command(ascribe.fish completion fish)
