# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How near the cost model comes to what kernels take: compiles models with made-up weights, profiles
them at several shapes and prints, per shape, the median error over the kernels and the step's error.

    python3 tools/bench/predict.py build/bin/ashlar bert=DIR minilm=DIR --shapes 1x16,1x128,8x128

DIR holds a config.json. Exits with 1 where the median over all kernels is above --limit.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile


def profile(ashlar, artifact, shape, flags):
    batch, seq = shape.split("x")
    command = [ashlar, "inspect", artifact, "--profile", "--json", "--batch", batch, "--seq", seq]
    return json.loads(subprocess.run(command + flags, check=True, stdout=subprocess.PIPE).stdout)


def errors(entry):
    """Relative errors of an entry's kernels, of those that do something."""
    return [abs(kernel["predicted_us"] - kernel["median_us"]) / kernel["median_us"]
            for kernel in entry["kernels"] if kernel["flops"] + kernel["bytes"] > 0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ashlar")
    parser.add_argument("models", nargs="+", metavar="NAME=DIR")
    parser.add_argument("--shapes", default="1x16,1x128,1x512,8x128", help="BATCHxSEQ,...")
    parser.add_argument("--dtype", default="auto", help="of weights: f32, bf16")
    parser.add_argument("--limit", type=float, default=0.25, help="of the median error")
    parser.add_argument("--machine", help="a file of machine constants (default: the measured ones)")
    arguments = parser.parse_args()
    flags = ["--machine", arguments.machine] if arguments.machine else []
    every = []
    print("| model | shape | kernels | median error | step predicted, us | measured, us | error |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for model in arguments.models:
            name, directory = model.split("=", 1)
            artifact = str(pathlib.Path(folder) / f"{name}.ashlar")
            compiled = subprocess.run([arguments.ashlar, "compile", directory, "-o", artifact, "--random-weights", "1",
                                       "--dtype", arguments.dtype, "--batch", "1..8", "--seq", "1..512"], capture_output=True, text=True)
            if compiled.returncode != 0:
                sys.exit(f"predict.py: cannot compile {directory}:\n{compiled.stderr}")
            for shape in arguments.shapes.split(","):
                for entry in profile(arguments.ashlar, artifact, shape, flags)["entries"]:
                    found = errors(entry)
                    every += found
                    step = abs(entry["predicted_us"] / entry["measured_us"] - 1)
                    print(f"| {name} {entry['entry']} | {shape} | {len(found)} | {statistics.median(found):.1%} | "
                          f"{entry['predicted_us']:.0f} | {entry['measured_us']:.0f} | {step:.1%} |", flush=True)
    median = statistics.median(every)
    print(f"\nmedian error over {len(every)} kernels: {median:.1%}")
    return median > arguments.limit


if __name__ == "__main__":
    sys.exit(main())
