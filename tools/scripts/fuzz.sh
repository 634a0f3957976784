#!/usr/bin/env bash
# Builds the fuzzers with libFuzzer and the address and undefined-behaviour sanitizers and runs them:
#   tools/scripts/fuzz.sh [--runs 1000000] [--jobs 2] [NAME...]
# What they find lies in BUILD/fuzz/findings/NAME; it belongs into test/fuzz/corpus/NAME once it is mended. What they
# learn is kept in BUILD/fuzz/learnt/NAME. BUILD is build-fuzz.
set -euo pipefail
runs=1000000
jobs=$(nproc)
names=()
while [ $# -gt 0 ]; do
  case $1 in
    --runs) runs=$2; shift 2 ;;
    --jobs) jobs=$2; shift 2 ;;
    -*) echo "usage: fuzz.sh [--runs N] [--jobs N] [NAME...]" >&2; exit 2 ;;
    *) names+=("$1"); shift ;;
  esac
done
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build-fuzz
cmake -S "$root" -B "$build" -G Ninja -C "$root/tools/cmake/DebianToolchain.cmake" -DASHLAR_FUZZ=ON \
  -DASHLAR_SANITIZE=address,undefined >/dev/null
[ ${#names[@]} -gt 0 ] || names=($(cd "$root/test/fuzz" && ls *_fuzzer.cc | sed 's/_fuzzer\.cc//'))
cmake --build "$build" -j "$jobs" --target "${names[@]/%/_fuzzer}"

# LLVM's allocators poison memory in code that is ours and in code that is Debian's, which does not know.
export ASAN_OPTIONS=allow_user_poisoning=0:detect_container_overflow=0:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1
export build root runs
fuzz_one() {
  local name=$1 fuzz=$build/fuzz
  mkdir -p "$fuzz/findings/$name" "$fuzz/learnt/$name" "$fuzz/seeds/$name"
  local folders=("$fuzz/learnt/$name" "$fuzz/seeds/$name")
  [ -d "$root/test/fuzz/corpus/$name" ] && folders+=("$root/test/fuzz/corpus/$name")
  local length=65536
  if ASHLAR_FUZZ_SEEDS=$fuzz/seeds/$name "$fuzz/${name}_fuzzer" "${folders[@]}" -runs="$runs" -max_len=$length \
    -timeout=20 -rss_limit_mb=4096 -malloc_limit_mb=2048 -artifact_prefix="$fuzz/findings/$name/" \
    >"$fuzz/$name.log" 2>&1; then
    echo "$name: $(grep -E '^Done' "$fuzz/$name.log")"
  else
    echo "$name: FAILED, see $fuzz/$name.log and $fuzz/findings/$name"
    return 1
  fi
}
export -f fuzz_one
printf '%s\n' "${names[@]}" | xargs -P "$jobs" -I{} bash -c 'fuzz_one {}'
