# The target ascribe::LibTorch, from a Torch that the project has found already, Torch_DIR, CMAKE_PREFIX_PATH, the local
# virtual environment that ./dev makes, or, for programs, the one that Ascribe was built with, in this order. Where there is
# none, LIBTORCH_PROBLEM says so. This file is installed, too, so that a program finds LibTorch as Ascribe's own build does.
#
# LibTorch's own package file is not used: with a CUDA build it insists on a CUDA toolkit, which is needed to write
# kernels, not to run a model.
set(LIBTORCH_PROBLEM "")
if(TARGET ascribe::LibTorch)
  return()
endif()
set(torch_prefixes ${CMAKE_PREFIX_PATH} $ENV{CMAKE_PREFIX_PATH})
list(TRANSFORM torch_prefixes REPLACE "/share/cmake(/Torch)?/?$" "")
foreach(named ${Torch_DIR} $ENV{Torch_DIR})
  cmake_path(ABSOLUTE_PATH named NORMALIZE)
  string(REGEX REPLACE "/share/cmake/Torch/?$" "" named "${named}")
  list(PREPEND torch_prefixes ${named})
endforeach()
if(TARGET torch)
  get_target_property(found_torch torch LOCATION)
  if(found_torch)
    cmake_path(GET found_torch PARENT_PATH named)
    cmake_path(GET named PARENT_PATH named)
    list(PREPEND torch_prefixes ${named})
  endif()
endif()
file(GLOB local_environment ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
list(APPEND torch_prefixes ${local_environment} ${LIBTORCH_BUILT_WITH})

find_path(LIBTORCH_INCLUDE torch/library.h HINTS ${torch_prefixes} PATH_SUFFIXES include NO_DEFAULT_PATH)
foreach(part torch torch_cpu c10)
  find_library(LIBTORCH_${part} ${part} HINTS ${torch_prefixes} PATH_SUFFIXES lib NO_DEFAULT_PATH)
endforeach()
if(NOT LIBTORCH_INCLUDE OR NOT LIBTORCH_torch OR NOT LIBTORCH_torch_cpu OR NOT LIBTORCH_c10)
  set(LIBTORCH_PROBLEM "LibTorch was not found. Name one: CMAKE_PREFIX_PATH=/path/to/libtorch")
elseif(NOT EXISTS ${LIBTORCH_INCLUDE}/torch/headeronly/version.h)
  set(LIBTORCH_PROBLEM "the LibTorch in ${LIBTORCH_INCLUDE} is older than Ascribe needs")
else()
  file(STRINGS ${LIBTORCH_INCLUDE}/torch/headeronly/version.h version_lines REGEX "\"[0-9]+\\.[0-9]+")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" LIBTORCH_VERSION "${version_lines}")
  cmake_path(GET LIBTORCH_torch PARENT_PATH LIBTORCH_LIB)
  if(LIBTORCH_BUILT_VERSION AND NOT "${LIBTORCH_VERSION}." MATCHES "^${LIBTORCH_BUILT_VERSION}\\.")
    set(LIBTORCH_PROBLEM
      "Ascribe was built with LibTorch ${LIBTORCH_BUILT_VERSION}, and this is ${LIBTORCH_VERSION}: ${LIBTORCH_LIB}")
  endif()
endif()
if(LIBTORCH_PROBLEM)
  foreach(found INCLUDE torch torch_cpu c10)
    unset(LIBTORCH_${found} CACHE)  # another one that is named is looked for
  endforeach()
  return()
endif()

add_library(ascribe::LibTorch INTERFACE IMPORTED GLOBAL)
target_include_directories(ascribe::LibTorch SYSTEM INTERFACE
  ${LIBTORCH_INCLUDE} ${LIBTORCH_INCLUDE}/torch/csrc/api/include)
target_link_libraries(ascribe::LibTorch INTERFACE ${LIBTORCH_torch} ${LIBTORCH_torch_cpu} ${LIBTORCH_c10})
set(LIBTORCH_BUILD "CPU build")
find_library(LIBTORCH_torch_cuda torch_cuda HINTS ${LIBTORCH_LIB} NO_DEFAULT_PATH)
if(LIBTORCH_torch_cuda)
  set(LIBTORCH_BUILD "CUDA build")
  # Nothing of ours calls it: it registers its kernels by being there.
  target_link_libraries(ascribe::LibTorch INTERFACE -Wl,--no-as-needed ${LIBTORCH_torch_cuda} -Wl,--as-needed)
endif()
