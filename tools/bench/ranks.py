#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures what ranks on one machine gain: a model on several, one core each, beside one rank on one core.

    python3 tools/bench/ranks.py [--quick] [--build DIR] [--mesh tp=2] [--results DIR]

Threads of one process (loopback) and, where there is mpirun, processes take turns with one rank; what is compared are
medians of rounds. Beside it the loopback all-reduce of 64 MiB and copies by as many threads. `make bench` runs it.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys

import models
import processes
import stats

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def parse_options(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="where bin/ and unit/ lie")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / ".cache" / "bench" / "ranks", help="what is made")
    parser.add_argument("--results", type=pathlib.Path, default=None, help="where the dated file goes (default: "
                        "tools/bench/results, or WORK where it is a quick one)")
    parser.add_argument("--mesh", default="tp=2", help="(default: tp=2)")
    parser.add_argument("--rounds", type=int, default=None, help="(default: 7, quick 2)")
    parser.add_argument("--quick", action="store_true", help="a tiny model, few rounds: whether it runs")
    options = parser.parse_args(words)
    options.ranks = 1
    for axis in options.mesh.split(","):
        options.ranks *= int(axis.split("=")[1])
    options.model = "tiny-bert" if options.quick else "bert-base"
    options.batch, options.seq = (4, 16) if options.quick else (8, 128)
    options.rounds = options.rounds or (2 if options.quick else 7)
    options.milliseconds = 50 if options.quick else 4000
    options.results = options.results or (options.work if options.quick else HERE / "results")
    return options


def compile_models(options):
    """Returns the artifacts of one rank and of several."""
    folder = options.work / options.model
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(models.CONFIGS[options.model]))
    artifacts = []
    for name, more in (("one", []), ("ranks", ["--mesh", options.mesh])):
        artifacts.append(folder / f"{name}.ashlar")
        subprocess.run([options.build / "bin" / "ashlar", "compile", folder, "--random-weights", "1", "--batch",
                        str(options.batch), "--seq", str(options.seq), "-o", artifacts[-1], *more], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return artifacts


def ways_of(options, artifacts):
    """Returns (name, command, CPUs) of each way to run the model."""
    one, several = map(str, artifacts)
    cpus = processes.one_cpu_per_core()
    bench = [str(options.build / "bin" / "ashlar"), "bench"]
    step = ["--batch", str(options.batch), "--seq", str(options.seq), "--milliseconds", str(options.milliseconds),
            "--json"]
    ways = [("one rank", [*bench, one, "--threads", "1", *step], cpus[:1]),
            ("loopback", [*bench, several, "--threads", str(options.ranks), *step], cpus[:options.ranks])]
    if shutil.which("mpirun"):
        ways.append(("mpi", ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n",
                             str(options.ranks), *bench, several, "--threads", "1", *step], cpus[:options.ranks]))
    if len(cpus) < options.ranks:
        print(f"warning: {len(cpus)} physical cores for {options.ranks} ranks", file=sys.stderr)
    return ways


def median_of(command, cpus):
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=600,
                          preexec_fn=lambda: processes.bind(cpus))
    return json.loads(done.stdout)["median_ms"]


def measure_steps(options):
    ways = ways_of(options, compile_models(options))
    rounds = {name: [] for name, _, _ in ways}
    for index in range(options.rounds):
        for name, command, cpus in ways[index % len(ways):] + ways[:index % len(ways)]:
            rounds[name].append(median_of(command, cpus))
    results = {}
    for name, times in rounds.items():
        ratios = [alone / time for alone, time in zip(rounds["one rank"], times)]
        results[name] = dict(median_ms=stats.median(times), rounds_ms=times, speedup=stats.median(ratios),
                             low=stats.quantile(ratios, 0.25), high=stats.quantile(ratios, 0.75))
    return results


def measure_all_reduce(options):
    done = subprocess.run([options.build / "unit" / "communicator_rate", str(options.ranks)], check=True, text=True,
                          stdout=subprocess.PIPE)
    found = re.search(r"copied at ([\d.]+) GB/s, all-reduced at ([\d.]+) GB/s; (\d+) % of", done.stdout)
    return dict(copied_gbs=float(found[1]), reduced_gbs=float(found[2]), percent=int(found[3]))


def cpu_name():
    names = re.findall(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return names[0] if names else platform.processor()


def full_text(run):
    lines = [f"{run['model']} f32 {run['batch']}x{run['seq']} on {run['mesh']}, one core a rank, {run['machine']}",
             f"  {'':12} {'median ms':>10} {'speedup':>8}  quartiles of the rounds' ratios"]
    for name, result in run["steps"].items():
        lines.append(f"  {name:12} {result['median_ms']:10.2f} {result['speedup']:8.2f}  {result['low']:.2f}.."
                     f"{result['high']:.2f}")
    reduced = run["all_reduce"]
    lines.append(f"64 MiB by loopback: copied at {reduced['copied_gbs']:.2f} GB/s, all-reduced at "
                 f"{reduced['reduced_gbs']:.2f} GB/s, {reduced['percent']} % of the copy rate over the bus factor")
    return "\n".join(lines)


def main(words):
    options = parse_options(words)
    run = dict(date=datetime.datetime.now().isoformat(timespec="minutes"), machine=cpu_name(), model=options.model,
               batch=options.batch, seq=options.seq, mesh=options.mesh, cpus=len(os.sched_getaffinity(0)),
               steps=measure_steps(options), all_reduce=measure_all_reduce(options))
    print(full_text(run))
    options.results.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", run["machine"].lower()).strip("-")
    path = options.results / f"{run['date'][:10]}-{name}-ranks.json"
    path.write_text(json.dumps(run, indent=1) + "\n")
    print(f"written: {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
