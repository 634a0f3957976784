# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a checkpoint as llama.cpp reads it (GGUF): matrices in the checkpoint's type, vectors in f32, no vocabulary.

Names and layouts are those of llama.cpp's own converter; for LLaMA the rows of query and key go from the two halves of
rotary embedding to its pairs.
"""
import json
import pathlib

import numpy as np

LLAMA_LAYER = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
               "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
               "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
GPT2_LAYER = {"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
              "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
OTHERS = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "transformer.wte": "token_embd",
          "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm", "lm_head": "output"}


def gguf_name(name):
    """Returns the tensor's name in GGUF; None for what has no place there."""
    stem, _, suffix = name.rpartition(".")
    if stem in OTHERS:
        return f"{OTHERS[stem]}.{suffix}"
    for prefix, table in (("model.layers.", LLAMA_LAYER), ("transformer.h.", GPT2_LAYER)):
        if stem.startswith(prefix):
            layer, _, part = stem[len(prefix):].partition(".")
            return f"blk.{layer}.{table[part]}.{suffix}" if part in table else None
    return None


def interleave_halves(matrix, heads):
    rows, columns = matrix.shape
    return matrix.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def add_fields(writer, config):
    if config["model_type"] == "gpt2":
        heads = kv_heads = config["n_head"]
        writer.add_context_length(config["n_positions"])
        writer.add_embedding_length(config["n_embd"])
        writer.add_feed_forward_length(4 * config["n_embd"])
        writer.add_block_count(config["n_layer"])
        writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    else:
        heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        writer.add_context_length(config["max_position_embeddings"])
        writer.add_embedding_length(config["hidden_size"])
        writer.add_feed_forward_length(config["intermediate_size"])
        writer.add_block_count(config["num_hidden_layers"])
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
        writer.add_rope_dimension_count(config["head_dim"])
        writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")


def converted(name, tensor, config):
    """Returns the tensor as GGUF holds it: a NumPy array and its GGML type (None: the array's own)."""
    import gguf
    import torch
    if config["model_type"] == "gpt2" and tensor.ndim == 2 and "wte" not in name and "wpe" not in name:
        tensor = tensor.T.contiguous()  # GPT-2's linear layers are stored transposed
    if tensor.ndim == 1 or name.endswith("wpe.weight"):
        return tensor.float().numpy(), None
    narrow = tensor.dtype == torch.bfloat16
    array = tensor.view(torch.int16).numpy() if narrow else tensor.numpy()
    if config["model_type"] == "llama" and "q_proj" in name:
        array = interleave_halves(array, config["num_attention_heads"])
    if config["model_type"] == "llama" and "k_proj" in name:
        array = interleave_halves(array, config["num_key_value_heads"])
    array = np.ascontiguousarray(array)
    return (array.view(np.uint8), gguf.GGMLQuantizationType.BF16) if narrow else (array, None)


def write_gguf(checkpoint, path):
    """Writes `path` unless it is there."""
    import gguf
    from safetensors import safe_open
    path, checkpoint = pathlib.Path(path), pathlib.Path(checkpoint)
    if path.exists():
        return
    config = json.loads((checkpoint / "config.json").read_text())
    partial = path.with_suffix(".partial")
    writer = gguf.GGUFWriter(str(partial), config["model_type"], use_temp_file=False)
    add_fields(writer, config)
    with safe_open(checkpoint / "model.safetensors", framework="pt") as file:
        for name in file.keys():
            if target := gguf_name(name):
                array, kind = converted(name, file.get_tensor(name), config)
                writer.add_tensor(target, array, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    partial.rename(path)
