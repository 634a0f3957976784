# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A cell's step as a PyTorch module without state, for PyTorch itself and for all that take models from it.

An encoder's step maps (input_ids, attention_mask) to (last hidden state, pooled). A decoder's maps (input_ids, then
keys and values of each layer) to (the last token's logits, then keys and values with the step's own at their end).
"""
import numpy as np
import torch
import transformers


class EncoderStep(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        output = self.model(input_ids=input_ids, attention_mask=attention_mask)
        return output.last_hidden_state, output.pooler_output


class DecoderStep(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, *past):
        pairs = list(zip(past[0::2], past[1::2]))
        cache = transformers.DynamicCache(pairs) if pairs else transformers.DynamicCache()
        output = self.model(input_ids=input_ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        present = []
        for layer in output.past_key_values.layers:
            present += [layer.keys, layer.values]
        return (output.logits[:, -1], *present)


def load_step(cell, dtype=None, attention="sdpa"):
    """Returns the module in evaluation mode, in `dtype` (default: the cell's); `attention` as transformers names it."""
    torch.set_num_threads(cell["threads"])
    torch.manual_seed(0)
    dtype = dtype or {"f32": torch.float32, "bf16": torch.bfloat16}[cell["dtype"]]
    maker = transformers.AutoModel if cell["kind"] == "encode" else transformers.AutoModelForCausalLM
    model = maker.from_pretrained(cell["checkpoint"], dtype=dtype, attn_implementation=attention).eval()
    return (EncoderStep if cell["kind"] == "encode" else DecoderStep)(model).eval()


def load_arrays(cell, name="inputs.npz"):
    with np.load(f"{cell['folder']}/{name}") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files}


def step_inputs(cell, step):
    """Returns the step's arguments; for decoding, runs the prompt for its keys and values."""
    inputs = load_arrays(cell)
    if cell["kind"] == "encode":
        return inputs["input_ids"], inputs["attention_mask"]
    past = ()
    if cell["kind"] == "decode":
        with torch.no_grad():
            past = step(load_arrays(cell, "prompt.npz")["input_ids"])[1:]
    return inputs["input_ids"], *[part.contiguous() for part in past]


def input_names(cell, arguments):
    if cell["kind"] == "encode":
        return ["input_ids", "attention_mask"]
    return ["input_ids", *[f"past_{i}" for i in range(len(arguments) - 1)]]


def output_names(cell, step):
    if cell["kind"] == "encode":
        return ["last_hidden_state", "pooler_output"]
    return ["logits", *[f"present_{i}" for i in range(2 * step.model.config.num_hidden_layers)]]
