#!/usr/bin/env bash
# Packs what a machine with a GPU and no compiler needs to check and to measure Ashlar there:
#
#   tools/scripts/pack_gpu.sh BUILD PACKAGE     compiles for ARCHS (sm_90a)
#   tar xzf PACKAGE.tar.gz; PACKAGE/run.sh RESULTS    there: checks, and then measures
#
# PACKAGE/dist is `make dist`; PACKAGE/cases what the execute tests run, with what they expect (TESTS names them);
# PACKAGE/models the models that are measured (MODELS names them), with made-up weights.
set -euo pipefail
build=$(realpath "$1") package=$(realpath -m "$2") source=$(realpath "$(dirname "$0")/../..")
archs=${ARCHS:-sm_90a}
tests=${TESTS-ops modules tensor_cores bf16_products goldens}
models=${MODELS-bert-base bert-large gpt2 llama-3-8b}
rm -rf "$package"
mkdir -p "$package/models" "$package/cases"
cp -r "$build/dist" "$package/dist"
cp "$source/tools/bench/gpu_bench.py" "$package"

for test in $tests; do
  ASHLAR_EXPORT_CASES=$package/cases ASHLAR_EXPORT_ARCHS=$archs ASHLAR_KERNEL_CACHE=$build/kernel-cache \
    "$build/unit/execute_${test}_test" --gtest_brief=1
done

# name config-file dtype batch seq context
model() {
  case " $models " in *" $1 "*) ;; *) return ;; esac
  mkdir -p "$package/models/$1"
  cp "$source/tools/bench/configs/$1.json" "$package/models/$1/config.json"
  "$build/bin/ashlar" compile "$package/models/$1" --random-weights 1 --dtype bf16 --target cuda --cuda-arch "$archs" \
    --batch "1..$2" --seq "1..$3" --context "$4" -o "$package/models/$1.ashlar"
}
model bert-base 32 512 512
model bert-large 32 512 512
model gpt2 8 1024 1024
model llama-3-8b 32 2048 2048
python3 - "$package/models" $models <<'PY'
import json, sys
folder, models = sys.argv[1], sys.argv[2:]
cells = []
def add(model, entry, batch, seq, context=0):
    if model in models:
        what = f"context {context}" if entry == "decode" else f"seq {seq}"
        cells.append({"name": f"{model} {entry} batch {batch} {what}", "artifact": f"{model}.ashlar",
                      "config": f"{model}/config.json", "entry": entry, "batch": batch, "seq": seq, "context": context})
for model in ("bert-base", "bert-large"):
    for batch in (1, 8, 32):
        for seq in (128, 512):
            add(model, "forward", batch, seq)
add("gpt2", "prefill", 1, 512)
add("gpt2", "decode", 1, 1, 512)
add("llama-3-8b", "prefill", 1, 2048)
for batch in (1, 32):
    add("llama-3-8b", "decode", batch, 1, 1024)
json.dump(cells, open(f"{folder}/cells.json", "w"), indent=1)
PY
cat > "$package/run.sh" <<'SH'
#!/usr/bin/env bash
# run.sh RESULTS [DEVICE]: checks every case on the device (cuda), then measures every model; RESULTS gets a JSON file.
here=$(dirname "$(realpath "$0")") results=${1:-results} device=${2:-cuda}
"$here/dist/bin/ashlar" check "$here/cases" --device "$device" | tee "$results.check"
status=${PIPESTATUS[0]}
grep -q '^unsupported' "$results.check" && exit "$status"
python3 "$here/gpu_bench.py" --package "$here" --device "$device" --output "$results.json" || status=1
exit "$status"
SH
chmod +x "$package/run.sh"
tar -C "$(dirname "$package")" -czf "$package.tar.gz" "$(basename "$package")"
echo "$(ls "$package/cases" | wc -l) cases, $(ls "$package"/models/*.ashlar 2>/dev/null | wc -l) models, $(du -sh "$package.tar.gz" | cut -f1) in $package.tar.gz"
