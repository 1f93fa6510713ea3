// SHA-256 (FIPS 180-4), the digests of locks. Our own: the only use is a few small files, and a cryptographic library
// would have to be found, linked and loaded by every host, with its global state.
#pragma once

#include <string>
#include <string_view>

namespace ascribe {

/// The digest in 64 lower-case hexadecimal digits, as `sha256sum` prints it.
std::string sha256(std::string_view bytes);

}  // namespace ascribe
