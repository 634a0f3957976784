#!/usr/bin/env bash
# Runs every test of a build directory, or those of some of its suites (test, unit), and closes with one line: N passed, N
# failed, N skipped.
#   run_tests.sh [BUILD [SUITE...]]
set -uo pipefail
build=${1:-build}
suites=("${@:2}")
[ ${#suites[@]} -gt 0 ] || suites=(test unit)
lit=$(command -v lit || echo /usr/lib/llvm-22/bin/lit)
log=$build/test-report.log
"$lit" -sv "${suites[@]/#/$build/}" | tee "$log"
status=$?
# lit closes with a count for each kind of result: "  Passed : 500 (94.70%)".
python3 - "$log" <<'PY'
import collections, re, sys
count = collections.Counter()
for line in open(sys.argv[1], errors="replace"):
    match = re.match(r"\s+([A-Z][A-Za-z ]+?)\s*:\s*(\d+) \(\d", line)
    if match:
        count[match.group(1)] += int(match.group(2))
passed = count.pop("Passed", 0) + count.pop("Passed With Retry", 0) + count.pop("Expectedly Failed", 0)
skipped = count.pop("Skipped", 0) + count.pop("Unsupported", 0) + count.pop("Excluded", 0)
failed = sum(count.values())
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
PY
[ $? -eq 0 ] && exit $status
exit 1
