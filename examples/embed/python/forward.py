# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""forward X.ashlar ID...: one step of `forward` on one sequence of token ids, through the Python module."""
import sys

import ashlar
import numpy as np


def main() -> int:
    if len(sys.argv) < 3:
        print("usage: forward X.ashlar ID...", file=sys.stderr)
        return 2
    try:
        session = ashlar.Program(sys.argv[1]).session()
        outputs = session.run("forward", {"input_ids": np.array([[int(word) for word in sys.argv[2:]]])})
    except ashlar.AshlarError as error:
        print(f"forward: error: {error.message} [{error.code}]", file=sys.stderr)
        return 1
    for name, tensor in outputs.items():
        first = "".join(f" {value:.6f}" for value in np.asarray(tensor).flat[:4])
        print(f"{name} {list(tensor.shape)}{first}")
    return 0


sys.exit(main())
