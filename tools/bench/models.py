# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured: models of well-known shapes with random weights, and cells, a step of one of them each.

A cell's operations and bytes are counted from the shape alone, so that they are the same for everyone: operations are
the products' (a multiply-add is two), bytes are what a step must read at least (each weight once, the cache once).
"""
import dataclasses
import json
import pathlib
import shutil

ENCODER, PREFILL, DECODE = "encode", "prefill", "decode"
BYTES = {"f32": 4, "bf16": 2}

BERT = dict(model_type="bert", architectures=["BertModel"], vocab_size=30522, max_position_embeddings=512,
            type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-12, pad_token_id=0)
CONFIGS = {
    "bert-base": BERT | dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072),
    "minilm-l6": BERT | dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536),
    "gpt2": dict(model_type="gpt2", architectures=["GPT2LMHeadModel"], vocab_size=50257, n_positions=1024, n_embd=768,
                 n_layer=12, n_head=12, n_inner=None, activation_function="gelu_new", layer_norm_epsilon=1e-5,
                 bos_token_id=50256, eos_token_id=50256, tie_word_embeddings=True),
    "llama-1b": dict(model_type="llama", architectures=["LlamaForCausalLM"], vocab_size=128256, hidden_size=2048,
                     intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32, num_key_value_heads=8,
                     head_dim=64, hidden_act="silu", max_position_embeddings=4096, rms_norm_eps=1e-5,
                     tie_word_embeddings=True, attention_bias=False, mlp_bias=False, bos_token_id=128000,
                     eos_token_id=128001, rope_parameters=dict(rope_type="default", rope_theta=500000.0)),
    # Not a known model; for trying the programs out.
    "tiny-bert": BERT | dict(vocab_size=1000, hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
                             intermediate_size=128),
    "tiny-llama": dict(model_type="llama", architectures=["LlamaForCausalLM"], vocab_size=1000, hidden_size=64,
                       intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                       head_dim=16, hidden_act="silu", max_position_embeddings=512, rms_norm_eps=1e-5,
                       tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
                       rope_parameters=dict(rope_type="default", rope_theta=10000.0)),
}


@dataclasses.dataclass(frozen=True)
class Cell:
    model: str
    kind: str
    batch: int
    seq: int  # tokens of the step, for each sequence
    context: int = 0  # tokens in the cache before it
    dtype: str = "f32"

    @property
    def name(self):
        if self.kind == ENCODER:
            return f"{self.model} {self.dtype} {self.batch}x{self.seq}"
        return f"{self.model} {self.dtype} {self.kind} {self.context if self.kind == DECODE else self.seq}"

    @property
    def file_name(self):
        return self.name.replace(" ", "-")


def shape_of(model):
    """Returns (width, layers, heads, heads of keys, width of a head, inner width, vocabulary, matrices between)."""
    config = CONFIGS[model]
    if config["model_type"] == "gpt2":
        width, heads = config["n_embd"], config["n_head"]
        return width, config["n_layer"], heads, heads, width // heads, 4 * width, config["vocab_size"], 2
    width, heads = config["hidden_size"], config["num_attention_heads"]
    matrices = 3 if config["model_type"] == "llama" else 2
    return (width, config["num_hidden_layers"], heads, config.get("num_key_value_heads", heads), width // heads,
            config["intermediate_size"], config["vocab_size"], matrices)


def layer_weights(model):
    """Elements of the matrices that every token meets, in all layers."""
    width, layers, heads, kv_heads, head, inner, _, matrices = shape_of(model)
    return layers * (width * head * (2 * heads + 2 * kv_heads) + matrices * width * inner)


def operations(cell):
    """Operations of one step: the layers' products, attention's two, and the head's.

    A decoder's head counts for the last token alone. Attention counts every pair of query and key for encoders, those
    that the causal mask leaves for decoders.
    """
    width, layers, heads, _, head, _, vocabulary, _ = shape_of(cell.model)
    products = cell.batch * cell.seq * layer_weights(cell.model)
    if cell.kind == ENCODER:
        pairs, last = cell.seq * cell.seq, width * width  # the pooler, on one token
    else:
        pairs = cell.seq * cell.context + cell.seq * (cell.seq + 1) // 2
        last = width * vocabulary
    return 2 * (products + cell.batch * (2 * layers * heads * head * pairs + last))


def bytes_read(cell):
    """Bytes that one step reads at least: every matrix once, the cache of keys and values (as wide as weights) once."""
    width, layers, _, kv_heads, head, _, vocabulary, _ = shape_of(cell.model)
    last = width * (width if cell.kind == ENCODER else vocabulary)
    cache = cell.batch * 2 * layers * kv_heads * head * cell.context
    return BYTES[cell.dtype] * (layer_weights(cell.model) + last + cache)


def encoder_cells(model, dtype="f32", shapes=((1, 128), (8, 128), (3, 97), (1, 7), (1, 512))):
    return [Cell(model, ENCODER, batch, seq, dtype=dtype) for batch, seq in shapes]


def decoder_cells(model, dtype):
    return [Cell(model, PREFILL, 1, 128, dtype=dtype), Cell(model, DECODE, 1, 1, 128, dtype=dtype)]


def all_cells(has_bf16):
    """The cells of a whole run. bf16 encoders only where the CPU computes in bf16."""
    cells = encoder_cells("bert-base") + encoder_cells("minilm-l6")
    if has_bf16:
        for model in ("bert-base", "minilm-l6"):
            cells += encoder_cells(model, "bf16", ((1, 128), (8, 128)))
    for model in ("gpt2", "llama-1b"):
        for dtype in ("f32", "bf16"):
            cells += decoder_cells(model, dtype)
    return cells


def quick_cells():
    return encoder_cells("minilm-l6", shapes=((1, 128), (3, 97), (1, 7))) + decoder_cells("gpt2", "f32")


def choose_cells(patterns, has_bf16, quick):
    """Returns the cells whose name contains one of the patterns; raises ValueError for a pattern that fits none.

    Patterns reach the cells of a whole run and those of the tiny models.
    """
    if not patterns:
        return quick_cells() if quick else all_cells(has_bf16)
    known = all_cells(True)
    for dtype in ("f32", "bf16"):
        known += encoder_cells("tiny-bert", dtype, ((1, 16), (2, 7))) + decoder_cells("tiny-llama", dtype)
    for pattern in patterns:
        if not any(pattern in cell.name for cell in known):
            raise ValueError(f"no cell's name contains '{pattern}'; there are: " + ", ".join(c.name for c in known))
    return [cell for cell in known if any(pattern in cell.name for pattern in patterns)]


# ---- Files (these need the environment's packages) -----------------------------------------------------------------
def holds(folder, what):
    """True when `complete` was written with the same words last; else the folder is made anew, empty."""
    folder = pathlib.Path(folder)
    if (folder / "complete").exists() and (folder / "complete").read_text() == what:
        return True
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return False


def make_checkpoint(model, dtype, folder):
    """Writes config.json and model.safetensors with random weights from a fixed seed, unless they are there."""
    import torch
    import transformers
    folder, what = pathlib.Path(folder), json.dumps([CONFIGS[model], dtype])
    if holds(folder, what):
        return
    config = transformers.AutoConfig.for_model(**CONFIGS[model])
    torch.manual_seed(0)
    made = getattr(transformers, CONFIGS[model]["architectures"][0])(config)
    made.to({"f32": torch.float32, "bf16": torch.bfloat16}[dtype]).save_pretrained(folder)
    (folder / "complete").write_text(what)


def make_inputs(cell, folder):
    """Writes inputs.npz, for decoding also prompt.npz, with ids from a fixed seed."""
    import numpy as np
    folder = pathlib.Path(folder)
    rng = np.random.default_rng(1)
    vocabulary = CONFIGS[cell.model]["vocab_size"]
    inputs = {"input_ids": rng.integers(0, vocabulary, (cell.batch, cell.seq))}
    if cell.kind == ENCODER:
        inputs["attention_mask"] = np.ones((cell.batch, cell.seq), np.int64)
    np.savez(folder / "inputs.npz", **inputs)
    if cell.kind == DECODE:
        np.savez(folder / "prompt.npz", input_ids=rng.integers(0, vocabulary, (cell.batch, cell.context)))


def describe(cell, checkpoint, folder, threads):
    """Writes and returns the path of cell.json, which tells a peer's process everything."""
    path = pathlib.Path(folder) / "cell.json"
    path.write_text(json.dumps(dataclasses.asdict(cell) | dict(
        checkpoint=str(checkpoint), folder=str(folder), threads=threads), indent=1))
    return path
