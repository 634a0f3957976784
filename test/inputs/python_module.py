# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""X.ashlar EMBEDDED.ashlar: what the Python module promises, on a small encoder of input_ids [batch <= 2, seq <= 9]; the second
has its weights in it."""
import gc
import os
import shutil
import sys
import tempfile
import threading

import ashlar
import numpy as np
from ashlar import _tensors

messages = []
program = ashlar.Program(sys.argv[1], log=lambda level, text: messages.append((level, text)))
assert program.entries == ["forward"], program.entries
ids_value = {value.name: value for value in program.inputs("forward")}["input_ids"]
assert ids_value.dimensions == ("batch", "seq") and ids_value.bound == (2, 9) and ids_value.required, ids_value
assert {d.name: d.maximum for d in program.dimensions} == {"batch": 2, "seq": 9}
assert program.property("model_type") == "bert", program.property("model_type")
session = program.session(threads=2)
assert session.memory == program.memory(2)

# In and out without a copy: views of the arrays' and of the session's own memory.
ids = np.array([[1, 2, 3], [4, 5, 6]])
assert _tensors.view_of(ids).data == ids.ctypes.data
tensor = session.run("forward", {"input_ids": ids})["last_hidden_state"]
hidden = np.asarray(tensor)
assert hidden.base is not None and hidden.shape == tensor.shape and hidden.dtype == np.float32
assert hidden.ctypes.data == np.asarray(tensor).ctypes.data and not hidden.flags.writeable
first = hidden.copy()

# DLPack, both ways; a capsule that nobody takes frees what it shows, and one that is taken does later.
through = np.from_dlpack(tensor)
assert through.ctypes.data == hidden.ctypes.data and (through == first).all()
try:
    kept = np.from_dlpack(tensor, copy=True)
except TypeError:  # an older NumPy
    kept = None
assert kept is None or kept.ctypes.data != hidden.ctypes.data and (kept == first).all()
del kept
try:
    tensor.__dlpack__(dl_device=(2, 0))
    assert False, "a tensor cannot go to another device"
except BufferError:
    pass
capsule = tensor.__dlpack__(copy=True)
[(_, (_, copied))] = [held for held in _tensors._exported.values() if held[1][1].data != hidden.ctypes.data]
assert (np.frombuffer(copied.owner, np.float32).reshape(first.shape) == first).all()
del capsule, copied
capsule = tensor.__dlpack__()
assert len(_tensors._exported) == 2
del capsule, through
gc.collect()
assert not _tensors._exported


class OnlyDlpack:
    """A tensor as of a library without NumPy's interface."""

    def __init__(self, array):
        self.array = array
        self.__dlpack__, self.__dlpack_device__ = array.__dlpack__, array.__dlpack_device__


assert _tensors.view_of(OnlyDlpack(ids)).data == ids.ctypes.data
for given in (OnlyDlpack(ids), ids.astype(np.int32), ids.tolist(), np.asfortranarray(ids)):
    again = session.run("forward", {"input_ids": given})["last_hidden_state"]
    assert (np.asarray(again) == first).all()

# The caller's outputs, and the caller's memory.
mine = np.empty_like(first)
session.run("forward", {"input_ids": ids}, outputs={"last_hidden_state": mine})
assert (mine == first).all()
memory = program.memory(1)
raw = np.zeros(memory.arena + memory.scratch + memory.state + 64, np.uint8)
aligned = raw[-raw.ctypes.data % 64 :][: memory.arena + memory.scratch + memory.state]
inside = program.session(1, buffer=aligned)
view = np.asarray(inside.run("forward", {"input_ids": ids})["last_hidden_state"])
assert (view == first).all() and raw.ctypes.data <= view.ctypes.data < raw.ctypes.data + raw.nbytes


def code_of(function, *arguments, **named):
    try:
        function(*arguments, **named)
    except ashlar.AshlarError as error:
        assert error.code in str(error) and error.message
        return error.code
    return None


assert code_of(session.run, "forward", {}) == "E0502"
assert code_of(session.run, "forward", {"input_ids": np.ones((1, 10), np.int64)}) == "E0505"
assert code_of(session.run, "forward", {"input_ids": np.ones((1, 2), np.float32)}) == "E0504"
assert code_of(session.run, "backward", {}) == "E0501"
assert code_of(program.session, buffer=aligned[64:]) == "E0403"
assert "bounds" in ashlar.explain("E0505")
for name in ("E4294967801", "E9999", "\u00b2", ""):  # the first is 505 in 32 bits
    try:
        ashlar.explain(name)
        assert False, name
    except ValueError:
        pass
scalar = _tensors.view_of(np.float32(1.5))
assert scalar.shape == () and scalar.owner.ctypes.data == scalar.data
assert code_of(ashlar.Program, sys.argv[1], device="abacus") == "E0001"
pool = ashlar.MemoryPool(limit=memory.arena // 2)
assert code_of(program.session, memory_pool=pool) == "E0402" and pool.in_use == 0
cancellation = ashlar.Cancellation()
cancellation.cancel()
assert code_of(session.run, "forward", {"input_ids": ids}, cancellation=cancellation) == "E0508"
cancellation.reset()
for seconds in (3600, 1e15, float("inf")):
    session.run("forward", {"input_ids": ids}, cancellation=cancellation, timeout=seconds)

# A file that is cut under the program is an error, not the end.
ashlar.guard_mapped_files()
with tempfile.TemporaryDirectory() as directory:
    cut = shutil.copy(sys.argv[2], directory + "/cut.ashlar")
    doomed = ashlar.Program(cut).session(1)
    doomed.run("forward", {"input_ids": ids})
    os.truncate(cut, 0)
    assert code_of(doomed.run, "forward", {"input_ids": ids}) == "E0106"

# Sessions on several threads, over one pool of threads and one of memory.
shared = dict(thread_pool=ashlar.ThreadPool(2), memory_pool=ashlar.MemoryPool())
good = []


def work():
    own = program.session(**shared)
    for _ in range(20):
        good.append((np.asarray(own.run("forward", {"input_ids": ids})["last_hidden_state"]) == first).all())


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert good == [True] * 60
