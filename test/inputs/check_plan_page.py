# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads the page of a plan: check_plan_page.py PAGE.html

It is well-formed and self-contained; a timeline has neither two computations nor two collectives at
once, no time at which nothing goes on, and ends with the step; every map is there.
"""
import re
import sys
import xml.etree.ElementTree as ET

SVG = "{http://www.w3.org/1999/xhtml}"
tree = ET.parse(sys.argv[1])
text = open(sys.argv[1]).read()
assert "<script" not in text and "src=" not in text and "@import" not in text

maps = 0
heading = None
seconds = None
for element in tree.getroot().iter():
    tag = element.tag.removeprefix(SVG)
    if tag == "h2":
        heading = element.text
    elif tag == "p" and "a step at the bounds" in (element.text or ""):
        seconds = float(re.search(r"(\S+) us a step at the bounds", element.text)[1])
    elif tag == "svg" and element.get("aria-label").startswith("timeline"):
        rows = {}
        for name in element.iter(SVG + "text"):
            stage, _, lane = name.text.partition(", ")
            rows.setdefault(lane or stage, set()).add(stage)
        bars = {"compute": [], "link": []}
        for bar in element.iter(SVG + "rect"):
            title = bar.find(SVG + "title").text.split("\n")[0]
            found = re.fullmatch(r"(\S+), (\S+) us from (\S+) us", title)
            kind = "compute" if found[1] == "compute" else "link"
            bars[kind].append((float(found[3]), float(found[2])))
        least = 1e-3 * (seconds + 1)
        for one in bars.values():
            one.sort()
            for (begin, length), (following, _) in zip(one, one[1:]):
                assert begin + length < following + least, (heading, begin, length, following)
        end = 0
        for begin, length in sorted(bars["compute"] + bars["link"]):
            assert begin < end + least, (heading, begin, end)
            end = max(end, begin + length)
        assert abs(end - seconds) < least, (heading, end, seconds)
        print(f"{heading}: rows", ", ".join(f"{lane} of {len(stages)} stages" for lane, stages in rows.items())
              + f"; no hole, {seconds} us")
    elif tag == "svg":
        assert list(element.iter(SVG + "rect")), heading
        maps += 1
    elif tag == "table" and heading == "How tensors lie":
        tensors = len(list(element.iter(SVG + "tr")))
print(f"{maps} memory maps, {tensors} tensors")
