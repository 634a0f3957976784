# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""signal_rank.py RANK SIGNAL FILE PROGRAM ...: runs the program; where mpirun or a launcher has started
this process as RANK, it gets the signal (STOP, KILL) once something stands in the file, such as the output."""
import os
import signal
import sys
import time

rank, name, path, *program = sys.argv[1:]
if os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("RANK")) == rank:
    process = os.getpid()
    if os.fork() == 0:
        while not (os.path.exists(path) and os.path.getsize(path)):
            time.sleep(0.05)
        os.kill(process, getattr(signal, "SIG" + name))
        os._exit(0)
os.execvp(program[0], program)
