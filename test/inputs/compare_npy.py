"""compare_npy.py A.npy B.npy TOLERANCE: float32 arrays that differ by at most TOLERANCE of B's largest element."""
import array
import sys


def read(path):
    data = open(path, "rb").read()
    return array.array("f", data[10 + int.from_bytes(data[8:10], "little"):])


a, b = read(sys.argv[1]), read(sys.argv[2])
assert len(a) == len(b) > 0, (len(a), len(b))
worst = max(abs(x - y) for x, y in zip(a, b))
assert worst <= float(sys.argv[3]) * max(map(abs, b)), worst
