# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""raw_to_npy.py RAW DTYPE SHAPE NPY (shape as 1x255x512), or REF.json KEY COUNT NPY: the first ids of a list, [1, COUNT]."""
import json
import struct
import sys

source, kind, shape, target = sys.argv[1:]
if source.endswith(".json"):
    with open(source) as file:
        ids = json.load(file)[kind][:int(shape)]
    data, kind, shape = struct.pack(f"<{len(ids)}q", *ids), "<i8", f"1x{len(ids)}"
else:
    with open(source, "rb") as file:
        data = file.read()
header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({', '.join(shape.split('x'))},), }}"
header += " " * (63 - (len(header) + 10) % 64) + "\n"
with open(target, "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)
