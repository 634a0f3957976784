# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""COMMAND...: runs it with less and less address space. Each run must succeed or fail with an error that has a code: none may
be ended by a signal. Prints which codes there were."""
import collections
import re
import resource
import subprocess
import sys

MIB = 1 << 20
outcomes = collections.Counter()
for limit in [4096, 2048, 1024, *range(800, 150, -50), *range(150, 60, -10)]:
    def lower():
        resource.setrlimit(resource.RLIMIT_AS, (limit * MIB, limit * MIB))

    done = subprocess.run(sys.argv[1:], preexec_fn=lower, capture_output=True, text=True)
    codes = re.findall(r"\[(E\d{4})\]", done.stderr)
    if done.returncode == 0:
        outcome = "success"
    elif done.returncode == 127:
        outcome = "the loader finds no room for the program itself"
    elif done.returncode == 1 and codes:
        outcome = codes[-1]
    else:
        sys.exit(f"with {limit} MiB: exit code {done.returncode}\n{done.stderr}")
    outcomes[outcome] += 1
for outcome, count in sorted(outcomes.items()):
    print(f"{outcome}: {count}")
