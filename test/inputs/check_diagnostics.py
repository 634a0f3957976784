# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""TRACE.json... PAGE.html INSPECT.txt: holds traces and a page of one artifact to what they promise."""
import collections
import json
import os
import re
import sys
import xml.etree.ElementTree

*traces, page, inspected = sys.argv[1:]

# Every piece lies in a step, and every step does the same items of the same launches.
for path in traces:
    trace = json.load(open(path))
    events = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    names = {event["tid"]: event["args"]["name"] for event in trace["traceEvents"] if event["name"] == "thread_name"}
    steps = [event for event in events if names[event["tid"]] == "steps"]
    pieces = [event for event in events if names[event["tid"]].startswith("worker")]
    items = collections.Counter()
    for piece in pieces:
        step = [s for s in steps if s["ts"] <= piece["ts"] and piece["ts"] + piece["dur"] <= s["ts"] + s["dur"]]
        assert len(step) == 1, f"{path}: a piece lies in {len(step)} steps: {piece}"
        assert piece["args"]["path"] and piece["args"]["bytes"] > 0, piece
        items[steps.index(step[0]), piece["args"]["launch"]] += piece["args"]["items"]
    launches = 1 + max(launch for _, launch in items)
    for step in range(len(steps)):
        assert [items[step, launch] for launch in range(launches)] == [items[0, launch] for launch in range(launches)]
    rows = collections.defaultdict(float)
    for piece in pieces:  # in the order of their rows' time, and one at a time
        assert piece["ts"] >= rows[piece["tid"]], piece
        rows[piece["tid"]] = piece["ts"] + piece["dur"] - 0.002
    print(f"{os.path.basename(path)}: {len(steps)} steps of {launches} launches in {len(pieces)} pieces")

# Well-formed, and nothing that would be fetched.
text = open(page).read()
root = xml.etree.ElementTree.fromstring(text)
assert not re.search(r"(?:src|href)\s*=|url\(|@import|<script", text)
html = "{http://www.w3.org/1999/xhtml}"
titles = [title.text for title in root.iter(html + "title")][1:]
assert any(title.startswith("input_ids\n") for title in titles), titles[:3]
ranges = [tuple(map(int, re.search(r"\((\d+)\) at (\d+)\n", title).groups())) for title in titles]
reached = max(offset + size for size, offset in ranges)
planned = int(re.search(r"forward +peak (\d+)", open(inspected).read()).group(1))
assert reached <= planned and planned - reached < 64, (reached, planned)
kernels = [row for row in root.iter(html + "tr") if len(row) == 6 and row[0].tag == html + "td"]
assert len(kernels) > 3
print(f"{os.path.basename(page)}: forward: {len(ranges)} ranges reach {reached} bytes of {planned}; {len(kernels)} kernels")
