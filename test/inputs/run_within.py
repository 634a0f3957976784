# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""run_within.py SECONDS MEBIBYTES COMMAND...: fails when the command fails, or takes more time or resident memory."""
import resource
import subprocess
import sys
import time

start = time.monotonic()
code = subprocess.run(sys.argv[3:]).returncode
seconds = time.monotonic() - start
mebibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
if code == 0 and (seconds > float(sys.argv[1]) or mebibytes > float(sys.argv[2])):
    print(f"took {seconds:.1f} s and {mebibytes:.0f} MiB", file=sys.stderr)
    code = 1
sys.exit(code)
