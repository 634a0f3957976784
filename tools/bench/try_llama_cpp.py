# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs one step of a tiny random model through llama.cpp; crashes where its code does not suit the CPU."""
import dataclasses
import pathlib
import tempfile

import models
from peers.llama_cpp_peer import Peer

for dtype in ("f32", "bf16"):
    cell = models.Cell("tiny-llama", models.PREFILL, 1, 16, dtype=dtype)
    with tempfile.TemporaryDirectory() as folder:
        models.make_checkpoint(cell.model, dtype, pathlib.Path(folder) / "model")
        models.make_inputs(cell, pathlib.Path(folder))
        Peer(dataclasses.asdict(cell) | dict(checkpoint=f"{folder}/model", folder=folder, threads=2)).run()
