#include "interpreter/command/command_line.hpp"

int main(int count, char** arguments) { return ascribe::command::run_command_line(count, arguments); }
