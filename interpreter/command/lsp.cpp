// `ascribe lsp`: the language server. It is a program of its own, since it needs no LibTorch, whose libraries take
// longer to load than an editor likes to wait; this command becomes it.
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>

#include "grammar/error.hpp"
#include "grammar/filled_text.hpp"
#include "interpreter/command/commands.hpp"
#include "interpreter/pack/files.hpp"

namespace ascribe::command {
namespace {

int become_server() {
  constexpr const char* name = "ascribe-language-server";
  std::error_code error;
  auto beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / name;
  if (!error) ::execl(beside.c_str(), name, static_cast<char*>(nullptr));
  ::execlp(name, name, static_cast<char*>(nullptr));
  throw Error({.code = Code::unreadable_file,
               .message = filled("cannot start '{}': {}", name, reason(errno)),
               .help = "it is installed beside `ascribe`; `ninja -C build/release ascribe_language_server` builds it"});
}

}  // namespace

Run add_lsp(CLI::App& app) {
  auto* command =
      app.add_subcommand("lsp", "Serves editors: the Language Server Protocol over standard input and output");
  auto stdio = std::make_shared<bool>(false);
  command->add_flag("--stdio", *stdio, "what some editors add; there is no other way");
  return [stdio] { return become_server(); };
}

}  // namespace ascribe::command
