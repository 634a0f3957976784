# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A cell's step as an ONNX file, for the exact extents of the cell; made once by whoever needs it first."""
import fcntl
import pathlib

import numpy as np
import torch

from peers import steps


def onnx_step(cell):
    """Returns (path of step.onnx, names and arrays of its inputs)."""
    folder = pathlib.Path(cell["folder"])
    path, arrays = folder / "step.onnx", folder / "step-inputs.npz"
    with open(folder / "step.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not arrays.exists():
            with torch.no_grad():
                step = steps.load_step(cell, torch.float32)
                arguments = steps.step_inputs(cell, step)
                names = steps.input_names(cell, arguments)
                torch.onnx.export(step, arguments, str(path), dynamo=True, external_data=True, verbose=False,
                                  input_names=names, output_names=steps.output_names(cell, step))
            np.savez(arrays, **dict(zip(names, (argument.numpy() for argument in arguments))))
    with np.load(arrays) as loaded:
        return path, {name: loaded[name] for name in loaded.files}
