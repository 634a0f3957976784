#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""launch_ranks.py N COMMAND...: starts N processes as torchrun does, with RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and
MASTER_PORT; ends them after 60 s. Exit code: the largest of theirs, 128 and more for signals."""
import os
import socket
import subprocess
import sys
import time

count = int(sys.argv[1])
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
ranks = []
for rank in range(count):
    env = dict(os.environ, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count), LOCAL_WORLD_SIZE=str(count),
               MASTER_ADDR="localhost", MASTER_PORT=str(port))
    ranks.append(subprocess.Popen(sys.argv[2:], env=env))
end = time.monotonic() + 60
while any(each.poll() is None for each in ranks) and time.monotonic() < end:
    # One that is stopped is not waited for once the others are over.
    if sum(each.poll() is None for each in ranks) < count and len([each for each in ranks if each.poll() is None]) == 1:
        end = min(end, time.monotonic() + 5)
    time.sleep(0.05)
for each in ranks:
    if each.poll() is None:
        each.kill()
codes = [each.wait() for each in ranks]
sys.exit(max(code if code >= 0 else 128 - code for code in codes))
