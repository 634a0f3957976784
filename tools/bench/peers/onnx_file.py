# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A cell's step as an ONNX file, for the exact extents of the cell; made once by whoever needs it first.

It is made in a process of its own, so that no peer computes with PyTorch's libraries loaded beside its own.
"""
import fcntl
import json
import pathlib
import subprocess
import sys

import numpy as np


def onnx_step(cell):
    """Returns (path of step.onnx, names and arrays of its inputs)."""
    folder = pathlib.Path(cell["folder"])
    arrays = folder / "step-inputs.npz"
    with open(folder / "step.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not arrays.exists():
            done = subprocess.run([sys.executable, __file__, str(folder)], stdout=sys.stderr, stderr=subprocess.PIPE,
                                  text=True)
            sys.stderr.write(done.stderr)
            if done.returncode:
                raise RuntimeError("export to ONNX: " + (done.stderr.strip().splitlines() or ["no message"])[-1])
    with np.load(arrays) as loaded:
        return folder / "step.onnx", {name: loaded[name] for name in loaded.files}


def export(folder):
    import torch

    from peers import steps
    cell = json.loads((folder / "cell.json").read_text())
    with torch.no_grad():
        # Attention in single products: exported from one op, it comes with a guard around its softmax that others keep.
        step = steps.load_step(cell, torch.float32, attention="eager")
        arguments = steps.step_inputs(cell, step)
        names = steps.input_names(cell, arguments)
        torch.onnx.export(step, arguments, str(folder / "step.onnx"), dynamo=True, external_data=True, verbose=False,
                          input_names=names, output_names=steps.output_names(cell, step))
    np.savez(folder / "step-inputs.npz", **dict(zip(names, (argument.numpy() for argument in arguments))))


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
    export(pathlib.Path(sys.argv[1]))
