# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""KIB OPTIONS DIRECTORY COMMAND...: runs the command with a file system of so many KiB at DIRECTORY, in a mount namespace of its
own; OPTIONS are mount's (rw, or ro for one that is read-only). Prints what lies there afterwards; exits as the command does."""
import os
import shlex
import subprocess
import sys

kib, options, directory, *command = sys.argv[1:]
script = (f"mount -t tmpfs -o size={kib}k,{options} none {shlex.quote(directory)} || exit 99\n"
          f"{shlex.join(command)}\ncode=$?\nls -A {shlex.quote(directory)} | sed 's/^/left: /'\nexit $code")
os.makedirs(directory, exist_ok=True)
sys.exit(subprocess.run(["unshare", "-m", "sh", "-c", script]).returncode)
