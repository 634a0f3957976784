# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C interface (runtime/api/ashlar.h) in ctypes: structs, prototypes, errors."""
from __future__ import annotations

import ctypes
import os
import pathlib
from ctypes import POINTER, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint64, c_void_p
from typing import Any, Optional

LogFunction = ctypes.CFUNCTYPE(None, c_void_p, c_int32, c_char_p)


class Struct(ctypes.Structure):
    """A struct that begins with its size."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(struct_size=ctypes.sizeof(type(self)), **fields)


class ProgramOptions(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("weights_directory", c_char_p),
        ("cache_directory", c_char_p),
        ("threads", c_void_p),
        ("log", LogFunction),
        ("log_context", c_void_p),
        ("device", c_char_p),
        ("sha256", c_char_p),
        ("public_key", c_char_p),
    ]


class Dimension(Struct):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("minimum", c_int64), ("maximum", c_int64)]


class Value(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("dtype", c_int32),
        ("rank", c_int32),
        ("bound", POINTER(c_int64)),
        ("dimensions", POINTER(c_int32)),
        ("bytes", c_uint64),
        ("required", c_int32),
        ("description", c_char_p),
    ]


class Memory(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("arena", c_uint64),
        ("scratch", c_uint64),
        ("state", c_uint64),
        ("weights", c_uint64),
    ]


class SessionOptions(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("threads", c_int32),
        ("thread_pool", c_void_p),
        ("memory_pool", c_void_p),
        ("buffer", c_void_p),
        ("buffer_bytes", c_uint64),
    ]


class Tensor(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("dtype", c_int32),
        ("rank", c_int32),
        ("shape", POINTER(c_int64)),
        ("data", c_void_p),
        ("bytes", c_uint64),
    ]


class RunOptions(Struct):
    _fields_ = [("struct_size", c_size_t), ("cancellation", c_void_p), ("timeout_us", c_int64)]


class EncodeOptions(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("max_length", c_int64),
        ("min_length", c_int64),
        ("no_special_tokens", c_int32),
    ]


class Encoded(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("rows", c_int64),
        ("length", c_int64),
        ("ids", c_void_p),
        ("attention_mask", c_void_p),
        ("type_ids", c_void_p),
        ("offsets", c_void_p),
        ("sequences", c_void_p),
    ]


class Prompt(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("text", c_char_p),
        ("tokens", POINTER(c_int64)),
        ("token_count", c_size_t),
    ]


TokenFunction = ctypes.CFUNCTYPE(c_int32, c_void_p, c_size_t, c_int64, c_void_p, c_size_t)


class GenerateOptions(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("max_tokens", c_int64),
        ("temperature", c_double),
        ("top_k", c_int64),
        ("top_p", c_double),
        ("min_p", c_double),
        ("repetition_penalty", c_double),
        ("seed", c_uint64),
        ("beams", c_int64),
        ("results", c_int64),
        ("length_penalty", POINTER(c_double)),
        ("ignore_eos", c_int32),
        ("log_probabilities", c_int32),
        ("stop_tokens", POINTER(c_int64)),
        ("stop_token_count", c_size_t),
        ("stop_strings", POINTER(c_char_p)),
        ("stop_string_count", c_size_t),
        ("on_token", TokenFunction),
        ("on_token_context", c_void_p),
        ("cancellation", c_void_p),
        ("timeout_us", c_int64),
    ]


class Generation(Struct):
    _fields_ = [
        ("struct_size", c_size_t),
        ("prompt", c_size_t),
        ("tokens", POINTER(c_int64)),
        ("token_count", c_size_t),
        ("text", c_void_p),
        ("text_size", c_size_t),
        ("log_probabilities", POINTER(c_float)),
        ("score", c_double),
        ("finish", c_char_p),
    ]


class AshlarError(RuntimeError):
    """An error of the runtime; `code` is stable, such as "E0507", and `explain(code)` has its page."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def _prototype(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> None:
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments


def _load() -> ctypes.CDLL:
    beside = pathlib.Path(__file__).with_name("libashlar_runtime.so")
    path = os.environ.get("ASHLAR_LIBRARY") or (str(beside) if beside.exists() else "libashlar_runtime.so.0")
    library = ctypes.CDLL(path)
    error, out = c_void_p, POINTER(c_void_p)
    prototypes = {
        "version": (c_char_p,),
        "error_name": (c_char_p, c_void_p),
        "error_message": (c_char_p, c_void_p),
        "error_release": (None, c_void_p),
        "explain": (c_char_p, c_int32),
        "guard_mapped_files": (None,),
        "memory_pool_create": (error, c_uint64, c_void_p, out),
        "memory_pool_in_use": (c_uint64, c_void_p),
        "memory_pool_release": (None, c_void_p),
        "thread_pool_create": (error, c_int32, out),
        "thread_pool_size": (c_int32, c_void_p),
        "thread_pool_release": (None, c_void_p),
        "program_load": (error, c_char_p, POINTER(ProgramOptions), out),
        "program_release": (None, c_void_p),
        "program_property": (c_char_p, c_void_p, c_char_p),
        "program_dimensions": (c_size_t, c_void_p),
        "program_dimension": (error, c_void_p, c_size_t, POINTER(Dimension)),
        "program_entries": (c_size_t, c_void_p),
        "program_entry": (c_char_p, c_void_p, c_size_t),
        "program_values": (error, c_void_p, c_char_p, POINTER(c_size_t), POINTER(c_size_t)),
        "program_input": (error, c_void_p, c_char_p, c_size_t, POINTER(Value)),
        "program_output": (error, c_void_p, c_char_p, c_size_t, POINTER(Value)),
        "program_memory": (error, c_void_p, c_int32, POINTER(Memory)),
        "session_create": (error, c_void_p, POINTER(SessionOptions), out),
        "session_release": (None, c_void_p),
        "session_memory": (error, c_void_p, POINTER(Memory)),
        "cancellation_create": (error, out),
        "cancellation_cancel": (None, c_void_p),
        "cancellation_reset": (None, c_void_p),
        "cancellation_release": (None, c_void_p),
        "session_run": (
            error, c_void_p, c_char_p, POINTER(Tensor), c_size_t, POINTER(Tensor), c_size_t, POINTER(RunOptions)),
        "tokenizer_load": (error, c_char_p, out),
        "tokenizer_release": (None, c_void_p),
        "tokenizer_find": (c_int64, c_void_p, c_char_p),
        "tokenizer_encode": (
            error, c_void_p, POINTER(c_char_p), POINTER(c_char_p), c_size_t, POINTER(EncodeOptions), out),
        "encoding_view": (error, c_void_p, POINTER(Encoded)),
        "encoding_release": (None, c_void_p),
        "tokenizer_decode": (
            error, c_void_p, POINTER(c_int64), c_size_t, c_int32, POINTER(c_void_p), POINTER(c_size_t)),
        "text_release": (None, c_void_p),
        "decoder_create": (error, c_void_p, c_int32, out),
        "decoder_push": (error, c_void_p, c_int64, POINTER(c_void_p), POINTER(c_size_t)),
        "decoder_finish": (error, c_void_p, POINTER(c_void_p), POINTER(c_size_t)),
        "decoder_release": (None, c_void_p),
        "generator_create": (error, c_void_p, POINTER(SessionOptions), c_void_p, out),
        "generator_release": (None, c_void_p),
        "generator_context": (c_int64, c_void_p),
        "generator_save": (error, c_void_p, c_char_p),
        "generator_load": (error, c_void_p, c_char_p),
        "generator_run": (error, c_void_p, POINTER(Prompt), c_size_t, POINTER(GenerateOptions), out),
        "generations_count": (c_size_t, c_void_p),
        "generations_get": (error, c_void_p, c_size_t, POINTER(Generation)),
        "generations_release": (None, c_void_p),
        "session_save": (error, c_void_p, c_char_p),
        "session_load": (error, c_void_p, c_char_p),
        "session_reset": (error, c_void_p),
        "session_set_counter": (error, c_void_p, c_char_p, c_int64),
    }
    for name, (result, *arguments) in prototypes.items():
        _prototype(library, "ashlar_" + name, result, *arguments)
    return library


lib = _load()


def check(error: Optional[int]) -> None:
    """Raises what a function of the library returned, unless that is nothing."""
    if not error:
        return
    code, message = lib.ashlar_error_name(error).decode(), lib.ashlar_error_message(error).decode(errors="replace")
    lib.ashlar_error_release(error)
    raise AshlarError(code, message)


class Handle:
    """Owns what a function of the library made."""

    def __init__(self, release: Any) -> None:
        self._release = release
        self.value = c_void_p()

    def __del__(self) -> None:
        if self.value:
            self._release(self.value)


def guard_mapped_files() -> None:
    """Makes the cutting of a mapped file an error of the step (E0106) in place of the end of the process, from now on: the
    library handles the signal SIGBUS."""
    lib.ashlar_guard_mapped_files()


def explain(code: str) -> str:
    """The page of a code, such as "E0507": what it means and what to do."""
    digits = code.upper().lstrip("E")
    page = lib.ashlar_explain(int(digits)) if digits.isdecimal() and len(digits) <= 4 else None
    if page is None:
        raise ValueError(f"{code!r} is no error code; they look like E0507")
    return page.decode()
