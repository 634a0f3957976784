# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One cell: everyone is started and checked, then all take turns for several rounds.

Each round begins with another, and the machine's limits are measured again in each, so that what else the machine does
falls on all alike.
"""
import time

import stats
from processes import PeerError, busy_seconds

# How far outputs may be from PyTorch's in f32 (relative, root mean square): rounding through a dozen layers, not more.
# llama.cpp's cache is f16, and int8 weights are another model nearly.
TOLERANCE = {"f32": 2e-3, "bf16": 4e-2}


class Contender:
    """Someone in a cell: a process, the rounds' times, or why there are none."""

    def __init__(self, name, title, process, tolerance, rival=True):
        self.name, self.title, self.process, self.tolerance, self.rival = name, title, process, tolerance, rival
        self.rounds, self.cores, self.reason, self.error, self.version = [], [], None, None, ""
        self.memory, self.load_seconds = 0, 0

    def attempt(self, action):
        """Runs an action of the process; notes the reason when it fails, and is out from then on."""
        if self.reason:
            return None
        try:
            return action()
        except (PeerError, OSError) as error:
            self.reason = str(error)
            if self.process:
                self.process.stop()
            return None

    def as_json(self):
        entry = dict(title=self.title, rival=self.rival)
        if self.reason or not self.rounds:
            return entry | dict(reason=self.reason or "not measured")
        return entry | dict(version=self.version, error=self.error, cores=round(stats.median(self.cores), 2),
                            ms=stats.summary(self.rounds), rounds_ms=[stats.median(times) for times in self.rounds])


def enter(contender, reference, folder, load):
    """Starts a contender and compares its output with the reference; out with the reason when it differs."""
    contender.attempt(contender.process.start)
    path = folder / f"output-{contender.name}.npy"
    if contender.attempt(lambda: contender.process.request(op="outputs", path=str(path))) is None:
        return
    output = load(path)
    path.unlink()
    contender.error = stats.relative_error(output, reference)
    contender.version = contender.process.ready.get("version", "")
    contender.load_seconds = contender.process.ready.get("load_s", 0)
    contender.memory = contender.process.memory()
    if not contender.error <= contender.tolerance:
        contender.reason = (f"wrong: {contender.error:.1e} from PyTorch's output, "
                            f"at most {contender.tolerance:.0e} passes")
        contender.process.stop()


def choose_resident(contenders, memory):
    """Returns those that stay loaded between their turns: all, or those that fit, the slowest to load first.

    Each of the others must then fit beside them with twice what it holds in the end: loading takes more.
    """
    if sum(contender.memory for contender in contenders) <= memory:
        return contenders
    kept, rest = [], sorted(contenders, key=lambda contender: contender.load_seconds)
    while rest:
        candidate = rest.pop()
        others = [contender for contender in contenders if contender not in kept and contender is not candidate]
        beside = max((2 * contender.memory for contender in others), default=0)
        if sum(contender.memory for contender in [*kept, candidate]) + beside <= memory:
            kept.append(candidate)
    return kept


def take_turns(contenders, rounds, seconds, measure_peaks, memory, say):
    """Fills the contenders' rounds; returns each round's peaks, and for each turn how many cores others used.

    Who does not fit in `memory` bytes beside the others is started for each turn.
    """
    peaks, others = [], []
    resident = choose_resident([contender for contender in contenders if not contender.reason], memory)
    for contender in contenders:
        if contender.process and contender not in resident:
            contender.process.stop()
    say(f"  measuring, {rounds} rounds")
    for number in range(rounds):
        peaks.append(measure_peaks())
        present = [contender for contender in contenders if not contender.reason]
        for i in range(len(present)):
            contender = present[(i + number) % len(present)]
            if not contender.process.running():
                contender.attempt(contender.process.start)
            busy, begin = busy_seconds(), time.monotonic()
            answer = contender.attempt(
                lambda: contender.process.request(op="time", seconds=seconds, calls=3, timeout=600))
            if answer:
                contender.rounds.append(answer["ms"])
                contender.cores.append(answer["cores"])
                busy, wall = busy_seconds() - busy, time.monotonic() - begin
                others.append(max(0, busy / wall - answer["cores"]) if wall > 0.1 else 0)
            if contender not in resident:
                contender.process.stop()
        say(f"  round {number + 1} of {rounds}")
    peaks.append(measure_peaks())
    return peaks, others


def run_cell(contenders, reference, folder, options, measure_peaks, load, say):
    """Returns the cell's entry for the report. `options`: rounds, seconds, memory (bytes)."""
    try:
        for contender in contenders:
            if not contender.reason:
                say(f"  starting {contender.title}")
                enter(contender, reference, folder, load)
                # Half for those that are loaded, half for the next one's loading.
                running = [c for c in contenders if c.process and c.process.running()]
                if sum(c.memory for c in running) > options.memory / 2:
                    contender.process.stop()
            if contender.reason:
                say(f"  {contender.title}: {contender.reason}")
        peaks, others = take_turns(contenders, options.rounds, options.seconds, measure_peaks, options.memory, say)
    finally:
        for contender in contenders:
            if contender.process:
                contender.process.stop()
    return dict(results={contender.name: contender.as_json() for contender in contenders}, peaks=best_of(peaks),
                others_cores=round(stats.quantile(others, 0.75), 2) if others else 0)


def best_of(peaks):
    """The best figure of each kind: a limit is what was reached at best."""
    figures = {kind: [entry[kind] for entry in peaks if entry[kind] is not None] for kind in peaks[0]}
    return {kind: max(found) if found else None for kind, found in figures.items()}
