# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""llama.cpp through the bindings of llama-cpp-python: its C interface, one call of llama_decode a step.

Its defaults stand: the cache of keys and values is f16 whatever the weights are.
"""
import ctypes
import importlib.metadata
import pathlib

import llama_cpp
import numpy as np

from gguf_file import write_gguf


class Peer:
    def __init__(self, cell):
        path = pathlib.Path(cell["checkpoint"]) / "model.gguf"
        write_gguf(cell["checkpoint"], path)
        llama_cpp.llama_backend_init()
        options = llama_cpp.llama_model_default_params()
        options.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), options)
        if not self.model:
            raise RuntimeError("llama.cpp does not load the model; its reason is in the log")
        options = llama_cpp.llama_context_default_params()
        options.n_ctx = 512
        options.n_batch = options.n_ubatch = 512
        options.n_threads = options.n_threads_batch = cell["threads"]
        self.context = llama_cpp.llama_init_from_model(self.model, options)
        if not self.context:
            raise RuntimeError("llama.cpp makes no context; its reason is in the log")
        self.memory = llama_cpp.llama_get_memory(self.context)
        with np.load(f"{cell['folder']}/inputs.npz") as arrays:
            self.tokens = arrays["input_ids"].reshape(-1).astype(np.int32)
        self.past = 0
        if cell["kind"] == "decode":
            with np.load(f"{cell['folder']}/prompt.npz") as arrays:
                prompt = arrays["input_ids"].reshape(-1).astype(np.int32)
            self.decode(prompt)
            self.past = len(prompt)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.version = f"llama-cpp-python {importlib.metadata.version('llama-cpp-python')}"

    def decode(self, tokens):
        pointer = tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        batch = llama_cpp.llama_batch_get_one(pointer, len(tokens))  # the last token's logits alone
        if code := llama_cpp.llama_decode(self.context, batch):
            raise RuntimeError(f"llama_decode returns {code}")
        llama_cpp.llama_synchronize(self.context)

    def restore(self):
        if self.past:
            llama_cpp.llama_memory_seq_rm(self.memory, 0, self.past, -1)
        else:
            llama_cpp.llama_memory_clear(self.memory, False)

    def run(self):
        self.decode(self.tokens)
        return llama_cpp.llama_get_logits_ith(self.context, -1)

    def output(self, result):
        return np.ctypeslib.as_array(result, shape=(self.vocabulary,)).copy()[None]
