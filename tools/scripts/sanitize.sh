#!/usr/bin/env bash
# Builds the runtime, its tools and their tests with sanitizers and passes the tests:
#   tools/scripts/sanitize.sh address,undefined [DIRECTORY]
#   tools/scripts/sanitize.sh thread [DIRECTORY]
# The compiler is left out: LLVM comes from Debian without sanitizers.
set -euo pipefail
sanitizers=${1:?usage: sanitize.sh address,undefined|thread [DIRECTORY]}
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${2:-$root/build-${sanitizers/,/-}}
cmake -S "$root" -B "$build" -G Ninja -C "$root/tools/cmake/DebianToolchain.cmake" -DASHLAR_COMPILER=OFF \
  -DASHLAR_SANITIZE="$sanitizers" >/dev/null
cmake --build "$build"
lit=$(command -v lit || echo /usr/lib/llvm-22/bin/lit)
"$lit" -sv "$build/unit"
