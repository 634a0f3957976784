#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures the machine's limits, then Ashlar and its peers side by side; `make bench` runs it in the peers' environment.

    .cache/bench-venv/bin/python tools/bench/bench.py [--quick] [--cells NAME,...] [--peers NAME,...]
"""
import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import subprocess
import sys

import models
import peers
import processes
import report
import rounds

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def parse_options(words):
    def listed(text):
        return [word for word in text.split(",") if word]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="where ashlar-peaks lies (bin/)")
    parser.add_argument("--ashlar", type=pathlib.Path, help="the driver (default: BUILD/bin/ashlar)")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / ".cache" / "bench", help="models and what is made of them")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results", help="where the dated file goes")
    parser.add_argument("--cells", type=listed, default=[], metavar="NAME,...", help="cells whose names contain one of these")
    parser.add_argument("--peers", type=listed, default=[], metavar="NAME,...", help="these only; `none` for Ashlar alone")
    parser.add_argument("--threads", type=int, default=0, help="for everyone (default: one per physical core)")
    parser.add_argument("--rounds", type=int, help="(default: 7, quick 3)")
    parser.add_argument("--seconds", type=float, help="of a turn (default: 2, quick 0.5)")
    parser.add_argument("--quick", action="store_true", help="small cells, few rounds")
    parser.add_argument("--markdown", action="store_true", help="print the README's table too")
    options = parser.parse_args(words)
    options.ashlar = options.ashlar or options.build / "bin" / "ashlar"
    options.rounds = options.rounds or (3 if options.quick else 7)
    options.seconds = options.seconds or (0.5 if options.quick else 2.0)
    return options


def say(text):
    print(text, file=sys.stderr, flush=True)


class Machine:
    """The CPUs that everyone gets, and the limits measured on them."""

    def __init__(self, options):
        self.program = options.build / "bin" / "ashlar-peaks"
        self.cpus = processes.one_cpu_per_core()
        if options.threads:
            self.cpus = self.cpus[:options.threads]
        self.threads = len(self.cpus)
        if options.threads > self.threads:
            say(f"warning: {self.threads} physical cores, not {options.threads}")

    def measure(self, *words):
        done = subprocess.run([str(self.program), "--threads", str(self.threads), *words], check=True,
                              stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, self.cpus))
        return json.loads(done.stdout)

    def limits(self):
        """What is measured again in each round."""
        peaks = self.measure("--kind", "f32", "--kind", "read", "--milliseconds", "50")["peaks"]
        return {kind: peak["all_cores"] for kind, peak in peaks.items()}


def environment(machine):
    """Variables that hold every library to the same number of threads."""
    threads = str(machine.threads)
    return os.environ | {name: threads for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")} | {
        "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1",
        # torch.compile: with another compiler its code brings a second OpenMP with it.
        "CXX": "g++"}


def compile_artifact(options, machine, cell, checkpoint):
    """Compiles the cell's model once, for all extents that any cell has; returns the artifact's path."""
    path = checkpoint.with_suffix(".ashlar")
    bounds = (["--batch", "1..8", "--seq", "1..512"] if cell.kind == models.ENCODER else
              ["--seq", "1..256", "--context", "512"])
    done = subprocess.run([str(options.ashlar), "compile", str(checkpoint), "-o", str(path), *bounds],
                          stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["compiling failed"]
        raise processes.PeerError(lines[0])
    return path


def ashlar_process(options, machine, cell, checkpoint, folder):
    artifact = compile_artifact(options, machine, cell, checkpoint)
    entry = {models.ENCODER: "forward"}.get(cell.kind, cell.kind)
    command = [options.build / "bin" / "ashlar-bench-server", artifact, folder / "inputs.npz", "--entry", entry,
               "--output", "last_hidden_state" if cell.kind == models.ENCODER else "logits",
               "--threads", machine.threads]
    if cell.kind == models.DECODE:
        command += ["--prompt", folder / "prompt.npz"]
    return processes.Process(list(map(str, command)), machine.cpus, folder / "ashlar.log", environment(machine))


def contenders_of(options, machine, cell, checkpoint, folder, chosen, missing):
    """Ashlar first, then the peers; those that have no part in the cell are left out."""
    tolerance = rounds.TOLERANCE[cell.dtype]
    ours = rounds.Contender("ashlar", "Ashlar", None, tolerance)
    try:
        ours.process = ashlar_process(options, machine, cell, checkpoint, folder)
    except processes.PeerError as error:
        ours.reason = str(error)
    everyone = [ours]
    description = models.describe(cell, checkpoint, folder, machine.threads)
    for peer in chosen:
        reason = peers.why_not(peer, cell)
        if reason and not options.peers:
            continue
        command = [sys.executable, str(HERE / "peers" / "server.py"), peer.name, str(description)]
        process = processes.Process(command, machine.cpus, folder / f"{peer.name}.log", environment(machine))
        allowed = peer.tolerance.get(cell.dtype, tolerance)
        contender = rounds.Contender(peer.name, peer.title, process, allowed, rival=not peer.other_arithmetic)
        contender.reason = reason or next((f"not installed: {why}" for package, why in missing.items()
                                           if package in peer.packages), None)
        everyone.append(contender)
    return everyone


def prepare(cell, options):
    """Makes the model, the inputs and PyTorch's answer; returns (checkpoint, the cell's folder)."""
    checkpoint = options.work / "models" / f"{cell.model}-{cell.dtype}"
    folder = options.work / "cells" / cell.file_name
    # In a process of its own: its memory is given back.
    subprocess.run([sys.executable, str(HERE / "prepare.py"), json.dumps(dataclasses.asdict(cell)), str(checkpoint),
                    str(folder)], check=True, stdout=subprocess.DEVNULL)
    return checkpoint, folder


def resident_processes(cell, machine):
    """How many processes may be kept: twice the weights each, within two thirds of the memory that is free."""
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            available = int(line.split()[1]) * 1024
    return max(1, int(available * 2 / 3 / (2.2 * models.bytes_read(cell) + (1 << 29))))


def clean_up(folder):
    """Removes what can be made again and is large."""
    for pattern in ("*.onnx*", "*.irpa", "*.mlir", "*.vmfb", "*.partial", "step-inputs.npz"):
        for path in folder.glob(pattern):
            path.unlink()


def main(words):
    options = parse_options(words)
    machine = Machine(options)
    import numpy as np
    try:
        chosen = [] if options.peers == ["none"] else peers.choose_peers(options.peers)
        say("Measuring the machine's limits ...")
        limits = machine.measure()
        has_bf16 = any(limits["peaks"][kind]["all_cores"] for kind in ("bf16_dot", "bf16_tile"))
        cells = models.choose_cells(options.cells, has_bf16, options.quick)
    except ValueError as error:
        say(f"bench: {error}")
        return 2
    state = pathlib.Path(sys.prefix) / "state.json"
    missing = json.loads(state.read_text())["missing"] if state.exists() else {}
    run = dict(date=datetime.datetime.now().isoformat(timespec="minutes"), threads=machine.threads,
               machine=dict(cpu=limits["cpu"], features=limits["features"]), rounds=options.rounds,
               seconds=options.seconds, peaks=limits["peaks"], cells=[])
    for index, cell in enumerate(cells):
        say(f"[{index + 1}/{len(cells)}] {cell.name}")
        checkpoint, folder = prepare(cell, options)
        options.resident = resident_processes(cell, machine)
        contenders = contenders_of(options, machine, cell, checkpoint, folder, chosen, missing)
        reference = np.load(folder / "reference.npy").ravel().tolist()
        entry = rounds.run_cell(contenders, reference, folder, options, machine.limits,
                                lambda path: np.load(path).ravel().tolist(), say)
        run["cells"].append(dataclasses.asdict(cell) | dict(
            name=cell.name, bound=cell.bound, operations=models.operations(cell), bytes=models.bytes_read(cell)) | entry)
        report.raise_limits(run["peaks"], entry["peaks"])
        say(report.cell_table(run["cells"][-1], run["peaks"]))
        clean_up(folder)
        path = report.write(run, options.results)
    print(report.full_text(run))
    if options.markdown:
        print("\n" + report.markdown(run))
    say(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
