#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <iostream>

#include "ascribe/version.hpp"
#include "interpreter/server/server.hpp"

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(arguments[i], "--version") == 0) {
      std::cout << "ascribe-language-server " << ascribe::version() << "\n";
      return 0;
    }
    if (std::strcmp(arguments[i], "--stdio") == 0) continue;  // which some editors add
    bool help = std::strcmp(arguments[i], "--help") == 0;
    (help ? std::cout : std::cerr)
        << "ascribe-language-server: the Language Server Protocol over standard input and output\n";
    return help ? 0 : 2;
  }
  // Without waiting for threads that wait for the client.
  std::_Exit(ascribe::server::serve(STDIN_FILENO, STDOUT_FILENO));
}
