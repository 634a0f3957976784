# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs programs that `ashlar compile` made.

    program = ashlar.Program("bert.ashlar")
    outputs = program.session().run("forward", {"input_ids": ids})
"""
from ._chat import ChatTemplate
from ._generate import GeneratedToken, Generation, Generator
from ._library import AshlarError, explain, guard_mapped_files, lib
from ._session import Cancellation, Dimension, Memory, MemoryPool, Program, Session, ThreadPool, Value
from ._tensors import Tensor
from ._text import Decoder, Encoding, Tokenizer

__version__: str = lib.ashlar_version().decode()
__all__ = [
    "AshlarError", "Cancellation", "ChatTemplate", "Decoder", "Dimension", "Encoding", "GeneratedToken", "Generation",
    "Generator", "Memory", "MemoryPool", "Program", "Session", "Tensor", "ThreadPool", "Tokenizer", "Value", "explain",
    "guard_mapped_files",
]
