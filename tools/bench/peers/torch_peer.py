# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch, eager or through torch.compile in its default mode, in inference mode."""
import torch

from peers import steps


class Peer:
    def __init__(self, cell, variant=""):
        torch.set_num_interop_threads(1)
        with torch.inference_mode():
            self.step = steps.load_step(cell)
            self.arguments = steps.step_inputs(cell, self.step)
            if variant == "compile":
                self.step = torch.compile(self.step)
        if torch.get_num_threads() != cell["threads"]:
            raise RuntimeError(f"PyTorch uses {torch.get_num_threads()} threads in place of {cell['threads']}")
        self.version = f"torch {torch.__version__}"

    def run(self):
        with torch.inference_mode():
            return self.step(*self.arguments)

    def output(self, result):
        return result[0].float().numpy()


def write_reference(cell, path):
    """Writes what PyTorch answers in f32, from the weights as stored: what all are compared with."""
    import numpy as np
    with torch.inference_mode():
        step = steps.load_step(cell, torch.float32)
        np.save(path, step(*steps.step_inputs(cell, step))[0].numpy())
