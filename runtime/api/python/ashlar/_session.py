# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs, sessions and what they share."""
from __future__ import annotations

import ctypes
import os
from ctypes import byref, c_int64, c_size_t
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

from . import _library as c
from ._library import check, lib
from ._tensors import Tensor, dtype_name, fill, of_output, view_of


class Value(NamedTuple):
    """An input or output of an entry: its extents at the bound, and by name where a step chooses them."""

    name: str
    dtype: str
    bound: Tuple[int, ...]
    dimensions: Tuple[Optional[str], ...]
    required: bool
    description: str


class Dimension(NamedTuple):
    name: str
    minimum: int
    maximum: int


class Memory(NamedTuple):
    """Bytes: arena, scratch and state are a session's own, weights are shared."""

    arena: int
    scratch: int
    state: int
    weights: int


def _memory(function: Any, *arguments: Any) -> Memory:
    memory = c.Memory()
    check(function(*arguments, byref(memory)))
    return Memory(memory.arena, memory.scratch, memory.state, memory.weights)


def microseconds(timeout: float) -> int:
    """Seconds as the library takes them, where 0 is no limit."""
    return max(1, min(int(min(timeout, 1e12) * 1e6), 2**63 - 1))


class ThreadPool:
    """Threads that sessions share, the caller's among them (0: one per core)."""

    def __init__(self, threads: int = 0) -> None:
        self._handle = c.Handle(lib.ashlar_thread_pool_release)
        check(lib.ashlar_thread_pool_create(threads, byref(self._handle.value)))

    def __len__(self) -> int:
        return int(lib.ashlar_thread_pool_size(self._handle.value))


class MemoryPool:
    """Memory that sessions of any programs draw from, `limit` bytes at most (0: no limit)."""

    def __init__(self, limit: int = 0) -> None:
        self._handle = c.Handle(lib.ashlar_memory_pool_release)
        check(lib.ashlar_memory_pool_create(limit, None, byref(self._handle.value)))

    @property
    def in_use(self) -> int:
        return int(lib.ashlar_memory_pool_in_use(self._handle.value))


class Cancellation:
    """Stops steps from another thread."""

    def __init__(self) -> None:
        self._handle = c.Handle(lib.ashlar_cancellation_release)
        check(lib.ashlar_cancellation_create(byref(self._handle.value)))

    def cancel(self) -> None:
        lib.ashlar_cancellation_cancel(self._handle.value)

    def reset(self) -> None:
        lib.ashlar_cancellation_reset(self._handle.value)


class Program:
    """An artifact, mapped and verified, its weights bound: what sessions share. Usable from any thread."""

    def __init__(
        self,
        path: Union[str, "os.PathLike[str]"],
        *,
        weights: Union[str, "os.PathLike[str]", None] = None,
        cache: Union[str, "os.PathLike[str]", None] = None,
        threads: Optional[ThreadPool] = None,
        log: Optional[Callable[[int, str], None]] = None,
        device: str = "cpu",
        sha256: Optional[str] = None,
        public_key: Optional[str] = None,
    ) -> None:
        """`weights` is the checkpoint's directory where it is not where it was; `cache` is where packed weights are
        kept; `log(level, message)` is told what is no error (0 informs, 1 warns); `device` is what runs the kernels:
        "cpu", "cuda" or "cuda-emulator". `sha256` is the hash that the file must have, `public_key` minisign's key
        that it must be signed with, in PATH.minisig: its machine code runs in this process."""
        options = c.ProgramOptions(device=device.encode())
        if sha256 is not None:
            options.sha256 = sha256.encode()
        if public_key is not None:
            options.public_key = public_key.encode()
        if weights is not None:
            options.weights_directory = os.fsencode(weights)
        if cache is not None:
            options.cache_directory = os.fsencode(cache)
        if threads is not None:
            options.threads = threads._handle.value
        if log is not None:
            sink = log
            options.log = c.LogFunction(lambda _, level, message: sink(level, message.decode(errors="replace")))
        self._handle = c.Handle(lib.ashlar_program_release)
        check(lib.ashlar_program_load(os.fsencode(path), byref(options), byref(self._handle.value)))

    @property
    def entries(self) -> List[str]:
        count = lib.ashlar_program_entries(self._handle.value)
        return [lib.ashlar_program_entry(self._handle.value, i).decode() for i in range(count)]

    @property
    def dimensions(self) -> List[Dimension]:
        found = []
        for i in range(lib.ashlar_program_dimensions(self._handle.value)):
            dimension = c.Dimension()
            check(lib.ashlar_program_dimension(self._handle.value, i, byref(dimension)))
            found.append(Dimension(dimension.name.decode(), dimension.minimum, dimension.maximum))
        return found

    def inputs(self, entry: str) -> List[Value]:
        return self._values(entry, 0, lib.ashlar_program_input)

    def outputs(self, entry: str) -> List[Value]:
        return self._values(entry, 1, lib.ashlar_program_output)

    def property(self, key: str) -> Optional[str]:
        """What the compiler noted, such as "eos_token_id"."""
        value = lib.ashlar_program_property(self._handle.value, key.encode())
        return None if value is None else value.decode()

    def memory(self, threads: int = 0) -> Memory:
        """What a session with so many threads will take."""
        return _memory(lib.ashlar_program_memory, self._handle.value, threads)

    def session(
        self,
        threads: int = 0,
        *,
        thread_pool: Optional[ThreadPool] = None,
        memory_pool: Optional[MemoryPool] = None,
        buffer: Any = None,
    ) -> "Session":
        """`threads` are the session's own (0: one per core, 1: the caller's alone); `buffer` is a writable array of
        bytes at a multiple of 64 that the session computes in."""
        return Session(self, threads, thread_pool, memory_pool, buffer)

    def _values(self, entry: str, kind: int, function: Any) -> List[Value]:
        counts = (c_size_t(), c_size_t())
        check(lib.ashlar_program_values(self._handle.value, entry.encode(), byref(counts[0]), byref(counts[1])))
        names = [dimension.name for dimension in self.dimensions]
        values = []
        for i in range(counts[kind].value):
            value = c.Value()
            check(function(self._handle.value, entry.encode(), i, byref(value)))
            used = tuple(names[d] if d >= 0 else None for d in value.dimensions[: value.rank])
            bound = tuple(value.bound[: value.rank])
            name, text = value.name.decode(), value.description.decode()
            values.append(Value(name, dtype_name(value.dtype), bound, used, bool(value.required), text))
        return values


def session_options(
    threads: int, thread_pool: Optional[ThreadPool], memory_pool: Optional[MemoryPool]
) -> c.SessionOptions:
    options = c.SessionOptions(threads=threads)
    if thread_pool is not None:
        options.thread_pool = thread_pool._handle.value
    if memory_pool is not None:
        options.memory_pool = memory_pool._handle.value
    return options


class Session:
    """One user of a program: its arena, its state. Used by one thread at a time; made by Program.session."""

    def __init__(
        self,
        program: Program,
        threads: int,
        thread_pool: Optional[ThreadPool],
        memory_pool: Optional[MemoryPool],
        buffer: Any,
    ) -> None:
        options = session_options(threads, thread_pool, memory_pool)
        if buffer is not None:
            self._buffer = view_of(buffer, writable=True)
            options.buffer, options.buffer_bytes = self._buffer.data, self._buffer.bytes
        self._outputs = {entry: [value.name for value in program.outputs(entry)] for entry in program.entries}
        self._handle = c.Handle(lib.ashlar_session_release)
        check(lib.ashlar_session_create(program._handle.value, byref(options), byref(self._handle.value)))

    @property
    def memory(self) -> Memory:
        return _memory(lib.ashlar_session_memory, self._handle.value)

    def run(
        self,
        entry: str,
        inputs: Mapping[str, Any],
        outputs: Optional[Mapping[str, Any]] = None,
        *,
        cancellation: Optional[Cancellation] = None,
        timeout: Optional[float] = None,
    ) -> Dict[str, Tensor]:
        """Runs one step and returns all outputs, in the session's memory until its next step; those named in `outputs`
        are written to these arrays too. `timeout` is in seconds."""
        given = [(name, view_of(value)) for name, value in inputs.items()]
        shapes = [(c_int64 * len(view.shape))(*view.shape) for _, view in given]
        tensors = (c.Tensor * len(given))()
        for tensor, (name, view), shape in zip(tensors, given, shapes):
            fill(tensor, name.encode(), view, shape)
        names = self._outputs.get(entry, [])
        written = [(name, view_of(array, writable=True)) for name, array in (outputs or {}).items()]
        results = (c.Tensor * (len(names) + len(written)))()
        for result in results:
            result.struct_size = ctypes.sizeof(c.Tensor)
        for result, (name, view) in zip(results[len(names) :], written):
            result.name, result.data, result.bytes = name.encode(), view.data, view.bytes
        options = c.RunOptions()
        if cancellation is not None:
            options.cancellation = cancellation._handle.value
        if timeout is not None:
            options.timeout_us = microseconds(timeout)
        check(
            lib.ashlar_session_run(
                self._handle.value, entry.encode(), tensors, len(tensors), results, len(results), byref(options)))
        return {name: of_output(result, self) for name, result in zip(names, results)}

    def reset(self) -> None:
        """Makes all state zero."""
        check(lib.ashlar_session_reset(self._handle.value))

    def set_counter(self, state: str, value: int) -> None:
        """Sets a counter, such as the number of tokens in a cache."""
        check(lib.ashlar_session_set_counter(self._handle.value, state.encode(), value))

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Writes the state to a file."""
        check(lib.ashlar_session_save(self._handle.value, os.fsencode(path)))

    def load(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Restores the state from a file that a session of the same program wrote."""
        check(lib.ashlar_session_load(self._handle.value, os.fsencode(path)))
