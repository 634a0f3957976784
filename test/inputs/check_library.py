# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds a linked file to what it may export, need and weigh; prints the size without symbols."""
import argparse
import os
import re
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("file")
parser.add_argument("--exports-only", help="prefix of every dynamic symbol that it defines")
parser.add_argument("--without", help="parts of names of libraries that it may not need, separated by commas")
parser.add_argument("--limit-kib", type=int)
arguments = parser.parse_args()
failures = []

needed = re.findall(r"NEEDED.*\[(.*)\]", subprocess.check_output(["llvm-readelf", "-d", arguments.file], text=True))
for word in arguments.without.split(","):
    failures += [f"needs {name}" for name in needed if word.lower() in name.lower()]
if arguments.exports_only:
    symbols = subprocess.check_output(["llvm-nm", "-D", "--defined-only", arguments.file], text=True).splitlines()
    names = [line.split()[-1] for line in symbols]
    failures += [f"exports {name}" for name in names if not name.startswith(arguments.exports_only)]
    if not names:
        failures.append("exports nothing")
with tempfile.TemporaryDirectory() as directory:
    stripped = os.path.join(directory, "stripped")
    subprocess.check_call(["llvm-strip", "-o", stripped, arguments.file])
    kib = os.path.getsize(stripped) / 1024
print(f"{os.path.basename(arguments.file)}: {kib:.0f} KiB stripped, needs {', '.join(needed)}")
if kib > arguments.limit_kib:
    failures.append(f"{kib:.0f} KiB are more than {arguments.limit_kib}")
for failure in failures:
    print(f"error: {arguments.file}: {failure}", file=sys.stderr)
sys.exit(1 if failures else 0)
