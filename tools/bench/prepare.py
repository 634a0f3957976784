# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes a cell's checkpoint, inputs and reference, unless they are there: prepare.py CELL-AS-JSON CHECKPOINT FOLDER."""
import dataclasses
import json
import os
import pathlib
import sys

import models


def main(description, checkpoint, folder):
    cell = models.Cell(**json.loads(description))
    what = json.dumps([models.CONFIGS[cell.model], dataclasses.asdict(cell)])
    if models.holds(folder, what) and (checkpoint / "complete").exists():
        return
    from peers.torch_peer import write_reference
    models.make_checkpoint(cell.model, cell.dtype, checkpoint)
    models.make_inputs(cell, folder)
    write_reference(dataclasses.asdict(cell) | dict(checkpoint=str(checkpoint), folder=str(folder),
                                                    threads=os.cpu_count()), folder / "reference.npy")
    (folder / "complete").write_text(what)


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
