#!/usr/bin/env bash
# Runs every test of a build directory and closes with one line: N passed, N failed, N skipped.
set -uo pipefail
build=${1:-build}
lit=$(command -v lit || echo /usr/lib/llvm-22/bin/lit)
report=$build/test-report.json
rm -f "$report"
"$lit" -sv --output "$report" "$build/test" "$build/unit"
status=$?
python3 - "$report" <<'PY'
import collections, json, sys
count = collections.Counter(test["code"] for test in json.load(open(sys.argv[1]))["tests"])
passed = count["PASS"] + count["XFAIL"] + count["FLAKYPASS"]
skipped = count["UNSUPPORTED"] + count["SKIPPED"] + count["EXCLUDED"]
failed = sum(count.values()) - passed - skipped
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
PY
[ $? -eq 0 ] && exit $status
exit 1
