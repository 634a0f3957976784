#!/usr/bin/env bash
# Builds with sanitizers and passes the tests:
#   tools/scripts/sanitize.sh address,undefined [DIRECTORY]   # everything
#   tools/scripts/sanitize.sh thread [DIRECTORY]              # the runtime, its tools and their tests
# For threads the compiler is left out: LLVM comes from Debian without sanitizers, so that they do not see how its threads
# wait for each other.
set -euo pipefail
sanitizers=${1:?usage: sanitize.sh address,undefined|thread [DIRECTORY]}
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${2:-$root/build-${sanitizers/,/-}}
compiler=ON suites=()
[ "$sanitizers" = thread ] && compiler=OFF suites=(unit)
cmake -S "$root" -B "$build" -G Ninja -C "$root/tools/cmake/DebianToolchain.cmake" -DASHLAR_COMPILER=$compiler \
  -DASHLAR_SANITIZE="$sanitizers" >/dev/null
cmake --build "$build"

# LLVM's allocators poison memory in code that is ours and in code that is Debian's, which does not know.
export ASAN_OPTIONS=allow_user_poisoning=0
export LSAN_OPTIONS=suppressions=$root/tools/cmake/sanitize-leaks.txt
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=suppressions=$root/tools/cmake/sanitize-races.txt
"$root/tools/scripts/run_tests.sh" "$build" "${suites[@]}"
