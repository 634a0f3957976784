# Checks what ashlar-peaks printed: sane figures, or a reason.
import json
import sys

run = json.load(open(sys.argv[1]))
assert run["cpu"] and run["threads"] == 2 and "sse2" in run["features"], run
kinds = ["f32", "f32_exp", "bf16_dot", "int8_dot", "bf16_tile", "int8_tile", "read", "copy"]
assert list(run["peaks"]) == kinds, list(run["peaks"])
needs = {"bf16_tile": "amx-bf16", "int8_tile": "amx-int8", "bf16_dot": "avx512bf16"}
for kind, peak in run["peaks"].items():
    if peak["all_cores"] is None:
        assert peak["one_core"] is None and peak["reason"].startswith("the CPU lacks "), peak
        assert needs.get(kind) not in run["features"], peak
        continue
    assert needs.get(kind, "sse2") in run["features"], peak
    low, high = (0.3, 1000) if peak["unit"] in ("GB/s", "Gexp/s") else (2, 60000)
    assert low < peak["one_core"] < high and low < peak["all_cores"] < high, (kind, peak)
