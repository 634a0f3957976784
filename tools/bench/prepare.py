# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes a cell's checkpoint, inputs and reference: prepare.py CELL-AS-JSON CHECKPOINT FOLDER."""
import dataclasses
import json
import os
import pathlib
import sys

import models
from peers.torch_peer import write_reference

cell = models.Cell(**json.loads(sys.argv[1]))
checkpoint, folder = map(pathlib.Path, sys.argv[2:4])
models.make_checkpoint(cell.model, cell.dtype, checkpoint)
models.make_inputs(cell, folder)
partial = folder / "reference.partial.npy"
write_reference(dataclasses.asdict(cell) | dict(checkpoint=str(checkpoint), folder=str(folder), threads=os.cpu_count()),
                partial)
partial.rename(folder / "reference.npy")
