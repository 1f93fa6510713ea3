# The manual page and the completions: the command itself writes them, from the descriptions of its options.
#   cmake -DCOMMAND=… -DOUTPUT=folder -P pages.cmake
function(written_by_command file)
  execute_process(COMMAND ${COMMAND} ${ARGN} OUTPUT_FILE ${OUTPUT}/${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(MAKE_DIRECTORY ${OUTPUT})
written_by_command(ascribe.1 man)
execute_process(COMMAND gzip -9nf ${OUTPUT}/ascribe.1 COMMAND_ERROR_IS_FATAL ANY)
written_by_command(ascribe completion bash)  # bash-completion loads the file that is called like the command
written_by_command(_ascribe completion zsh)
written_by_command(ascribe.fish completion fish)
