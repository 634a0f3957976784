#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures the machine's limits, then Ashlar and its peers side by side; `make bench` runs it in their environment.

    .cache/bench-venv/bin/python tools/bench/bench.py [--quick] [--cells NAME,...] [--peers NAME,...]
"""
import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
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
    def add(name, kind, default, text, **more):
        parser.add_argument(name, type=kind, default=default, help=text, **more)
    add("--build", pathlib.Path, ROOT / "build", "where ashlar-peaks and ashlar-bench-server lie (bin/)")
    add("--ashlar", pathlib.Path, None, "the driver (default: BUILD/bin/ashlar)")
    add("--work", pathlib.Path, ROOT / ".cache" / "bench", "models, and what is made of them")
    add("--results", pathlib.Path, None, "where the dated file goes (default: tools/bench/results for a whole run, "
        "WORK/results for a part)")
    add("--cells", listed, [], "cells whose names contain one of these", metavar="NAME,...")
    add("--peers", listed, [], "these only; `none`: Ashlar alone", metavar="NAME,...")
    add("--threads", int, 0, "for everyone (default: one per physical core)")
    add("--rounds", int, None, "(default: 7, quick 3)")
    add("--seconds", float, None, "of a turn (default: 2, quick 0.5)")
    parser.add_argument("--quick", action="store_true", help="small cells, few rounds")
    parser.add_argument("--markdown", action="store_true", help="print the README's table too")
    options = parser.parse_args(words)
    options.ashlar = options.ashlar or options.build / "bin" / "ashlar"
    part = options.quick or options.cells or options.peers
    options.results = options.results or (options.work if part else HERE) / "results"
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
                              stdout=subprocess.PIPE, preexec_fn=lambda: processes.bind(self.cpus))
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
    """Ashlar first, then the peers; those that have no part in the cell with the reason."""
    tolerance = rounds.TOLERANCE[cell.dtype]
    ours = rounds.Contender("ashlar", "Ashlar", None, tolerance)
    try:
        ours.process = ashlar_process(options, machine, cell, checkpoint, folder)
    except processes.PeerError as error:
        ours.reason = str(error)
    everyone = [ours]
    description = models.describe(cell, checkpoint, folder, machine.threads)
    for peer in chosen:
        command = [sys.executable, str(HERE / "peers" / "server.py"), peer.name, str(description)]
        process = processes.Process(command, machine.cpus, folder / f"{peer.name}.log", environment(machine))
        allowed = peer.tolerance.get(cell.dtype, tolerance)
        contender = rounds.Contender(peer.name, peer.title, process, allowed, rival=not peer.other_arithmetic)
        not_installed = [f"not installed: {why}" for package, why in missing.items() if package in peer.packages]
        contender.reason = peers.why_not(peer, cell) or next(iter(not_installed), None)
        everyone.append(contender)
    return everyone


def prepare(cell, options):
    """Makes the model, the inputs and PyTorch's answer; returns (checkpoint, the cell's folder)."""
    checkpoint = options.work / "models" / f"{cell.model}-{cell.dtype}"
    folder = options.work / "cells" / cell.file_name
    # In a process of its own: its memory is given back.
    description = json.dumps(dataclasses.asdict(cell))
    subprocess.run([sys.executable, str(HERE / "prepare.py"), description, str(checkpoint), str(folder)], check=True,
                   stdout=subprocess.DEVNULL)
    return checkpoint, folder


def clean_up(folder):
    """Removes what can be made again and is large."""
    for pattern in ("*.onnx*", ".*.onnx*", "*.irpa", "*.mlir", "*.vmfb", "*.partial", "step-inputs.npz"):
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def measure_cell(options, machine, cell, chosen, missing):
    """Returns the cell's entry for the report."""
    import numpy as np

    def load(path):
        return np.load(path).ravel().tolist()
    checkpoint, folder = prepare(cell, options)
    options.memory = 0.8 * processes.available_memory()
    contenders = contenders_of(options, machine, cell, checkpoint, folder, chosen, missing)
    entry = rounds.run_cell(contenders, load(folder / "reference.npy"), folder, options, machine.limits, load, say)
    clean_up(folder)
    return dataclasses.asdict(cell) | dict(name=cell.name, operations=models.operations(cell),
                                           bytes=models.bytes_read(cell)) | entry


def main(words):
    options = parse_options(words)
    machine = Machine(options)
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
        run["cells"].append(measure_cell(options, machine, cell, chosen, missing))
        report.raise_limits(run["peaks"], run["cells"][-1]["peaks"])
        say(report.cell_table(run["cells"][-1], run["peaks"]))
        path = report.write(run, options.results)
    print(report.full_text(run))
    if options.markdown:
        print("\n" + report.markdown(run))
    say(f"written: {path}")
    return 0 if all("ms" in cell["results"]["ashlar"] for cell in run["cells"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
