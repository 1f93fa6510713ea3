// What the shared library shows to programs; everything else of it is hidden.
#pragma once

#if defined(__GNUC__)
#define ASCRIBE_EXPORT __attribute__((visibility("default")))
#else
#define ASCRIBE_EXPORT
#endif
