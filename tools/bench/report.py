#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a run found: as a table to read, as the file that keeps it, and as the README's table made from such a file:

    tools/bench/report.py tools/bench/results/2026-01-31-some-machine.json [--markdown]
"""
import argparse
import json
import pathlib
import re
import sys

import stats


def gflops(cell, milliseconds):
    return cell["operations"] / milliseconds * 1e-6


def gigabytes(cell, milliseconds):
    return cell["bytes"] / milliseconds * 1e-6


def limit_of(cell, peaks):
    """Returns (kind, the limit or None, unit) of what takes longer at the least.

    That is the operations, in the fastest arithmetic of the cell's type, or reading: a few tokens through many weights.
    """
    figures = {kind: peak["all_cores"] for kind, peak in peaks.items() if peak["all_cores"]}
    kinds = ("f32", "bf16_dot", "bf16_tile") if cell["dtype"] == "bf16" else ("f32",)
    kind = max(kinds, key=lambda kind: figures.get(kind, 0))
    if "read" in figures and kind in figures and cell["bytes"] / figures["read"] > cell["operations"] / figures[kind]:
        return "read", figures["read"], "GB/s"
    return kind, figures.get(kind), "GFLOP/s"


def raise_limits(peaks, again):
    """Notes what was measured again: a limit is what was reached at best in the run."""
    for kind, figure in again.items():
        if figure is not None:
            peaks[kind]["all_cores"] = max(peaks[kind]["all_cores"] or 0, figure)


def share(cell, peaks, milliseconds):
    """What was reached of the limit, 0 to 1; None where the limit is not known."""
    _, limit, unit = limit_of(cell, peaks)
    if not limit:
        return None
    return (gigabytes if unit == "GB/s" else gflops)(cell, milliseconds) / limit


def measured(cell, name):
    entry = cell["results"].get(name, {})
    return entry.get("ms")


def best_peer(cell):
    """Returns the fastest rival's name, or None."""
    rivals = {name: entry["ms"]["median"] for name, entry in cell["results"].items()
              if name != "ashlar" and entry.get("rival") and "ms" in entry}
    return min(rivals, key=rivals.get) if rivals else None


def ratio(cell, name):
    """Returns (their median by ours, lower and upper quartile of the rounds' ratios); above 1, Ashlar is faster."""
    ours, theirs = cell["results"].get("ashlar", {}), cell["results"].get(name, {})
    if "ms" not in ours or "ms" not in theirs:
        return None
    each = [b / a for a, b in zip(ours["rounds_ms"], theirs["rounds_ms"])]
    return theirs["ms"]["median"] / ours["ms"]["median"], stats.quantile(each, 0.25), stats.quantile(each, 0.75)


# ---- Text ----------------------------------------------------------------------------------------------------------
def align(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *[text.rjust(width) for text, width in
                                                            zip(row[1:], widths[1:])]]).rstrip() for row in rows)


def number(value):
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def percent(value):
    return "-" if value is None else f"{100 * value:.0f} %"


def cell_table(cell, peaks):
    """One cell in full: a line for each contender, the fastest first, then those that have only a reason."""
    kind, limit, unit = limit_of(cell, peaks)
    rate = gigabytes if unit == "GB/s" else gflops
    rows = [["", "median", "quartiles", "min", unit, f"of {kind}", "Ashlar is", "quartiles", "cores", "error"]]
    done = [(name, entry) for name, entry in cell["results"].items() if "ms" in entry]
    for name, entry in sorted(done, key=lambda item: item[1]["ms"]["median"]):
        ms, compared = entry["ms"], ratio(cell, name)
        rows.append([entry["title"] + ("" if entry["rival"] else " *"), number(ms["median"]) + " ms",
                     f"{number(ms['low'])} - {number(ms['high'])}", number(ms["min"]),
                     number(rate(cell, ms["median"])), percent(share(cell, peaks, ms["median"])),
                     "" if name == "ashlar" or not compared else f"{compared[0]:.2f} x",
                     "" if name == "ashlar" or not compared else f"{compared[1]:.2f} - {compared[2]:.2f}",
                     f"{entry['cores']:.2f}", f"{entry['error']:.0e}"])
    text = f"{cell['name']}   ({kind} {number(limit) if limit else '?'} {unit})\n" + align(rows)
    if cell.get("others_cores", 0) > 0.1:
        text += f"\nnot quiet: in a quarter of the turns others used {cell['others_cores']} cores or more"
    for entry in cell["results"].values():
        if "reason" in entry:
            text += f"\n{entry['title']}: {entry['reason']}"
    return text


def machine_line(run):
    machine = run["machine"]
    return f"{machine['cpu']}, {run['threads']} threads; {run['date']}"


def peak_lines(peaks):
    rows = [["limit", "one core", "all cores", "unit", "by"]]
    reasons = []
    for kind, peak in peaks.items():
        if peak["all_cores"] is None:
            reasons.append(f"{kind}: none, {peak['reason']}")
        else:
            rows.append([kind, number(peak["one_core"]), number(peak["all_cores"]), peak["unit"], peak["instruction"]])
    return "\n".join([align(rows), *reasons])


def full_text(run):
    tables = [cell_table(cell, run["peaks"]) for cell in run["cells"]]
    notes = "Ashlar is N x: as many times as fast, the other's median by ours; with quartiles of the rounds' ratios."
    if any(not entry["rival"] for cell in run["cells"] for entry in cell["results"].values()):
        notes += "\n* computes in another type than the cell's: shown, and no rival."
    return "\n\n".join([machine_line(run), peak_lines(run["peaks"]), *tables, notes])


def markdown(run):
    """The README's table: a line for each cell, a column for each contender that was measured anywhere.

    "Ashlar is 1.20 x X" compares with the fastest rival: as many times as fast.
    """
    names = [name for cell in run["cells"] for name, entry in cell["results"].items() if "ms" in entry]
    columns = ["ashlar", *[name for name in dict.fromkeys(names) if name != "ashlar"]]
    titles = {name: entry["title"] for cell in run["cells"] for name, entry in cell["results"].items()}
    head = ["cell", "Ashlar, ms", "of the limit", "Ashlar is", *[titles[name] for name in columns[1:]]]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" + " ---: |" * (len(head) - 1)]
    for cell in run["cells"]:
        ours, best = measured(cell, "ashlar"), best_peer(cell)
        compared = ratio(cell, best) if best else None
        row = [cell["name"], number(ours["median"]) if ours else "-",
               percent(share(cell, run["peaks"], ours["median"])) if ours else "-",
               f"{compared[0]:.2f} x {titles[best]}" if compared else "-"]
        for name in columns[1:]:
            theirs = measured(cell, name)
            row.append(number(theirs["median"]) if theirs else "-")
        lines.append("| " + " | ".join(row) + " |")
    peaks = run["peaks"]
    limits = ", ".join(f"{kind} {number(peak['all_cores'])} {peak['unit']}" for kind, peak in peaks.items()
                       if peak["all_cores"] is not None)
    return "\n".join([*lines, "", f"{machine_line(run)}. Limits measured in the same run: {limits}."])


# ---- Files ---------------------------------------------------------------------------------------------------------
def file_name(run):
    """YYYY-MM-DD-machine.json: the machine's name without marks, its widest instructions, the threads."""
    cpu = re.sub(r"\(r\)|\(tm\)|@.*|\bcpu\b|\bprocessor\b|\d+-core", " ", run["machine"]["cpu"].lower())
    widest = next((short for name, short in (("amx-tile", "amx"), ("avx512f", "avx512"), ("avx2", "avx2"))
                   if name in run["machine"]["features"]), "sse")
    words = [*re.findall(r"[a-z0-9]+", cpu), widest, f"{run['threads']}t"]
    return f"{run['date'][:10]}-{'-'.join(words)}.json"


def write(run, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(run)
    path.write_text(json.dumps(run, indent=1) + "\n")
    return path


def main():
    parser = argparse.ArgumentParser(description="Shows a run of `make bench` again.")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--markdown", action="store_true", help="the README's table")
    args = parser.parse_args()
    run = json.loads(args.file.read_text())
    print(markdown(run) if args.markdown else full_text(run))
    return 0


if __name__ == "__main__":
    sys.exit(main())
