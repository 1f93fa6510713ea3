// The language server: the Language Server Protocol 3.17 over a pair of descriptors. One thread answers, in the order
// in which requests came; another one reads, so that what is cancelled, or is about a text that has changed since,
// costs nothing.
#pragma once

namespace ascribe::server {

/// Serves until the client says `exit` or is gone. Gives the exit status: 0 after `shutdown`, otherwise 1.
int serve(int input, int output);

}  // namespace ascribe::server
