# What ./dev does on machines that lack something; the functions of it are tried one by one.
#   bash machine_test.sh path/to/dev
set -u
source "$1"
set +e
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failed=0

same() {  # what, expected, found
  [ "$2" = "$3" ] || { echo "$1: expected '$2', found '$3'"; failed=1; }
}

says() {  # what, part, all
  case "$3" in *"$2"*) ;; *) echo "$1: expected '$2' in '$3'"; failed=1 ;; esac
}

program() {  # name, script: one that is found before the machine's own
  printf '#!/bin/sh\n%s\n' "$2" >"$place/$1"
  chmod +x "$place/$1"
}

same "memory for all cores" 8 "$(jobs_for 8 32000000)"
same "4 GB" 2 "$(jobs_for 8 3900000)"
same "less than one file takes" 1 "$(jobs_for 8 900000)"
same "one core" 1 "$(jobs_for 1 32000000)"
[ "$(free_memory)" -gt 0 ] || { echo "no free memory was found"; failed=1; }

PATH="$place:$PATH"
program cmake 'echo "cmake version 3.18.4"'
says "an old CMake" "CMake 3.25 is needed, and $place/cmake is 3.18.4" "$( (cmake_is_new_enough) 2>&1)"
for version in 3.25.1 3.31.0 4.4.5; do
  program cmake "echo 'cmake version $version'"
  same "CMake $version" "" "$( (cmake_is_new_enough) 2>&1)"
done

# A machine on which nothing is installed.
program dpkg-query 'exit 1'
program apt-get 'echo "E: Temporary failure resolving a name" >&2; exit 100'
program id 'echo 0'
says "apt-get without a network" "E: Temporary failure" "$( (install_packages libfmt-dev) 2>&1)"
says "apt-get without a network" "needs a network" "$( (install_packages libfmt-dev) 2>&1)"
says "apt-get without a network" "By hand: apt-get install libfmt-dev catch2" "$( (install_packages libfmt-dev catch2) 2>&1)"

# Neither root nor sudo: only what is in this folder is found.
program id 'echo 1000'
says "no root" "As root: apt-get install libfmt-dev" "$(PATH=$place; (install_packages libfmt-dev) 2>&1)"

cd "$place" || exit 1
mkdir -p .venv/bin
printf '#!/bin/sh\nexit 1\n' >.venv/bin/pip
chmod +x .venv/bin/pip
says "pip without a network" "pip could not install torch: it needs a network" "$( (pip_install torch) 2>&1)"

exit "$failed"
