# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""signal_rank.py RANK SIGNAL SECONDS PROGRAM ...: runs the program; where mpirun has started this
process as RANK, it gets the signal (STOP, KILL) after so many seconds."""
import os
import signal
import sys
import time

rank, name, seconds, *program = sys.argv[1:]
if os.environ.get("OMPI_COMM_WORLD_RANK") == rank:
    process = os.getpid()
    if os.fork() == 0:
        time.sleep(float(seconds))
        os.kill(process, getattr(signal, "SIG" + name))
        os._exit(0)
os.execvp(program[0], program)
