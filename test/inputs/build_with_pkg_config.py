# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""CC SOURCE OUTPUT LIBRARY_DIRECTORY: compiles a C program with the flags that pkg-config gives for ashlar."""
import shutil
import subprocess
import sys

compiler, source, output, directory = sys.argv[1:]
if shutil.which("pkg-config"):
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", "ashlar"], text=True).split()
else:  # the same by hand: the file is checked where pkg-config is there
    print("no pkg-config here: its flags are not checked")
    flags = [f"-I{directory}/../include", f"-L{directory}", "-lashlar_runtime"]
subprocess.check_call([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", source, *flags,
                       f"-Wl,-rpath,{directory}", "-o", output])
