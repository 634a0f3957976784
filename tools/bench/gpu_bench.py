# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ashlar on a GPU beside PyTorch, eager and compiled, on a machine that has nothing of Ashlar's but what was packed.

    python3 gpu_bench.py --package PACKAGE --output results/DATE-gpu.json

PACKAGE is what tools/scripts/pack_gpu.sh made: dist/bin/ashlar, and models/cells.json with an artifact, a config.json and
the extents of each cell. Every figure is the median of CUDA events over a step's kernels, after warming up; with torch the
machine's limits are measured in the same run (copying memory that no cache holds, a bf16 product of 8192), and each
cell's share of them is written beside it. What cannot be measured is written down as an error, never left out."""
import argparse
import datetime
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import time

try:
    import torch
except ImportError:
    torch = None


def event_times(step, seconds):
    """Milliseconds of each of many calls, by CUDA events."""
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    times, end = [], time.monotonic() + seconds
    while len(times) < 10 or (time.monotonic() < end and len(times) < 5000):
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        step()
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop))
    return times


def measure_limits(seconds):
    """Bytes copied (read and written) and bf16 operations a second, random data."""
    source = torch.randn(1 << 30, device="cuda", dtype=torch.float32)
    target = torch.empty_like(source)
    copy = statistics.median(event_times(lambda: target.copy_(source), seconds))
    moved = 2 * source.numel() * source.element_size()
    del source, target
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    product = statistics.median(event_times(lambda: a @ b, seconds))
    return {"copy_gbs": moved / copy * 1e-6, "bf16_tflops": 2 * 8192**3 / product * 1e-9}


class TorchModel:
    """A model of the cell's config with random bf16 weights, and a function that makes a step of it."""

    def __init__(self, package, cell):
        import transformers
        with open(package / "models" / cell["config"]) as file:
            fields = json.load(file)
        config = transformers.AutoConfig.for_model(**fields)
        kind = transformers.AutoModel if fields["model_type"] == "bert" else transformers.AutoModelForCausalLM
        with torch.device("cuda"):
            self.model = kind.from_config(config, torch_dtype=torch.bfloat16).eval()
        self.config = config
        self.cell = cell

    def step(self, mode):
        model = torch.compile(self.model, mode=mode) if mode else self.model
        cell = self.cell
        decode = cell["entry"] == "decode"
        length = 1 if decode else cell["seq"]
        ids = torch.randint(0, self.config.vocab_size, (cell["batch"], length), device="cuda")
        if not decode:
            return lambda: model(input_ids=ids)
        from transformers import StaticCache
        context = cell["context"]
        cache = StaticCache(config=self.config, max_cache_len=context + 8)
        prompt = torch.randint(0, self.config.vocab_size, (cell["batch"], context), device="cuda")
        self.model(input_ids=prompt, past_key_values=cache, use_cache=True)
        position = torch.tensor([context], device="cuda")
        return lambda: model(input_ids=ids, past_key_values=cache, use_cache=True, cache_position=position)


def measure_torch(package, cell, seconds):
    results = {}
    for name, mode in (("torch eager", None), ("torch.compile", "max-autotune")):
        try:
            with torch.inference_mode():
                times = event_times(TorchModel(package, cell).step(mode), seconds)
            results[name] = {"median_ms": statistics.median(times), "min_ms": min(times)}
        except Exception as error:  # whatever a peer dies of is its result
            results[name] = {"error": f"{type(error).__name__}: {error}"[:500]}
        torch.cuda.empty_cache()
    return results


def measure_ashlar(package, cell, device, seconds):
    words = [str(package / "dist/bin/ashlar"), "bench", str(package / "models" / cell["artifact"]), "--device", device,
             "--entry", cell["entry"], "--batch", str(cell["batch"]), "--seq", str(cell["seq"]),
             "--milliseconds", str(int(1000 * seconds)), "--json"]
    if cell["entry"] == "decode":
        words += ["--context", str(cell["context"])]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=240)
    except subprocess.TimeoutExpired:
        return {"error": "took more than 240 s"}
    if done.returncode != 0:
        return {"error": done.stderr.strip()[-500:]}
    found = json.loads(done.stdout)
    on_device = found["device_ms"] if found["device_ms"] > 0 else found["median_ms"]
    return {"median_ms": on_device, "with_copies_ms": found["median_ms"], "gflops": found["gflops"], "gbs": found["gbs"],
            "plain_products": found["library"]}


def with_shares(cell, limits):
    ours = cell["ashlar"]
    if limits and "error" not in ours:
        ours["of_bf16_peak"] = ours["gflops"] * 1e-3 / limits["bf16_tflops"]
        ours["of_copy_bandwidth"] = ours["gbs"] / limits["copy_gbs"]
    for peer in cell["peers"].values():
        if "error" not in peer and "error" not in ours:
            peer["ashlar_is"] = peer["median_ms"] / ours["median_ms"]
    return cell


def describe(cell):
    def text(result):
        return f"{result['median_ms']:9.3f} ms" if "error" not in result else "        error"
    ours = cell["ashlar"]
    shares = "".join(f"  {100 * ours[key]:3.0f} % of {what}" for key, what in
                     (("of_bf16_peak", "peak"), ("of_copy_bandwidth", "copy")) if key in ours)
    peers = "".join(f"  {name} {text(peer)}" for name, peer in cell["peers"].items())
    return f"{cell['name']:32} {text(ours)}{shares}{peers}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--device", default="cuda", help="of ashlar: cuda, or cuda-emulator to try this script")
    parser.add_argument("--cells", default="", help="only cells with this in their name")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--no-torch", action="store_true")
    arguments = parser.parse_args()
    has_torch = torch is not None and torch.cuda.is_available() and not arguments.no_torch
    with open(arguments.package / "models/cells.json") as file:
        cells = [cell for cell in json.load(file) if arguments.cells in cell["name"]]
    if not cells:
        sys.exit(f"no cell has '{arguments.cells}' in its name")
    limits = measure_limits(arguments.seconds) if has_torch else {}
    report = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
              "machine": platform.node(), "device": torch.cuda.get_device_name() if has_torch else arguments.device,
              "torch": torch.__version__ if has_torch else None, "limits": limits, "cells": []}
    for cell in cells:
        result = dict(cell)
        result["ashlar"] = measure_ashlar(arguments.package, cell, arguments.device, arguments.seconds)
        result["peers"] = measure_torch(arguments.package, cell, arguments.seconds) if has_torch else {}
        report["cells"].append(with_shares(result, limits))
        print(describe(result), flush=True)
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(report, indent=1) + "\n")  # what is there survives a time limit
    if limits:
        print(f"limits: {limits['copy_gbs']:.0f} GB/s copied, {limits['bf16_tflops']:.0f} TFLOP/s bf16")
    failed = [cell["name"] for cell in report["cells"] if "error" in cell["ashlar"]]
    if failed:
        print("not measured: " + "; ".join(f"{c['name']}: {c['ashlar']['error']}" for c in report["cells"]
                                           if "error" in c["ashlar"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
