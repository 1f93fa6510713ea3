# The target LibTorch, from Torch_DIR, CMAKE_PREFIX_PATH, or the local virtual environment that ./dev makes, in this order.
#
# LibTorch's own package file is not used: with a CUDA build it insists on a CUDA toolkit, which is needed to write
# kernels, not to run a model.
set(torch_prefixes ${CMAKE_PREFIX_PATH} $ENV{CMAKE_PREFIX_PATH})
list(TRANSFORM torch_prefixes REPLACE "/share/cmake(/Torch)?/?$" "")
foreach(named ${Torch_DIR} $ENV{Torch_DIR})
  cmake_path(ABSOLUTE_PATH named NORMALIZE)
  string(REGEX REPLACE "/share/cmake/Torch/?$" "" named "${named}")
  list(PREPEND torch_prefixes ${named})
endforeach()
file(GLOB local_environment ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
list(APPEND torch_prefixes ${local_environment})

find_path(LIBTORCH_INCLUDE torch/library.h HINTS ${torch_prefixes} PATH_SUFFIXES include NO_DEFAULT_PATH)
foreach(part torch torch_cpu c10)
  find_library(LIBTORCH_${part} ${part} HINTS ${torch_prefixes} PATH_SUFFIXES lib NO_DEFAULT_PATH)
endforeach()
if(NOT LIBTORCH_INCLUDE OR NOT LIBTORCH_torch OR NOT LIBTORCH_torch_cpu OR NOT LIBTORCH_c10)
  message(FATAL_ERROR "LibTorch was not found. ./dev build installs it; or name one: CMAKE_PREFIX_PATH=/path/to/libtorch. "
                      "-DASCRIBE_LANGUAGE_ONLY=ON builds what needs none.")
endif()
file(STRINGS ${LIBTORCH_INCLUDE}/torch/headeronly/version.h version_lines REGEX "\"[0-9]+\\.[0-9]+")
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" LIBTORCH_VERSION "${version_lines}")
cmake_path(GET LIBTORCH_torch PARENT_PATH LIBTORCH_LIB)

add_library(LibTorch INTERFACE)
target_include_directories(LibTorch SYSTEM INTERFACE ${LIBTORCH_INCLUDE} ${LIBTORCH_INCLUDE}/torch/csrc/api/include)
target_link_libraries(LibTorch INTERFACE ${LIBTORCH_torch} ${LIBTORCH_torch_cpu} ${LIBTORCH_c10})
set(LIBTORCH_BUILD "CPU build")
find_library(LIBTORCH_torch_cuda torch_cuda HINTS ${LIBTORCH_LIB} NO_DEFAULT_PATH)
if(LIBTORCH_torch_cuda)
  set(LIBTORCH_BUILD "CUDA build")
  # Nothing of ours calls it: it registers its kernels by being there.
  target_link_libraries(LibTorch INTERFACE -Wl,--no-as-needed ${LIBTORCH_torch_cuda} -Wl,--as-needed)
endif()
message(STATUS "LibTorch ${LIBTORCH_VERSION} (${LIBTORCH_BUILD}): ${LIBTORCH_LIB}")
