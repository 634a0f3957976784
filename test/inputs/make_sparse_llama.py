# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""make_sparse_llama.py DIR: a LLaMA of 70 billion bf16 parameters whose shards are sparse files, so they take no disk."""
import json
import os
import struct
import sys

hidden, intermediate, layers, heads, kv_heads, vocabulary = 8192, 28672, 80, 64, 8, 128256
width = hidden // heads
tensors = {"model.embed_tokens.weight": [vocabulary, hidden], "model.norm.weight": [hidden],
           "lm_head.weight": [vocabulary, hidden]}
for i in range(layers):
    tensors |= {f"model.layers.{i}.{name}.weight": shape for name, shape in {
        "input_layernorm": [hidden], "post_attention_layernorm": [hidden],
        "self_attn.q_proj": [heads * width, hidden], "self_attn.k_proj": [kv_heads * width, hidden],
        "self_attn.v_proj": [kv_heads * width, hidden], "self_attn.o_proj": [hidden, heads * width],
        "mlp.gate_proj": [intermediate, hidden], "mlp.up_proj": [intermediate, hidden],
        "mlp.down_proj": [hidden, intermediate]}.items()}

directory = sys.argv[1]
os.makedirs(directory, exist_ok=True)
names, shards, weight_map = list(tensors), 30, {}
for shard in range(shards):
    file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
    header, offset = {}, 0
    for name in names[shard::shards]:
        size = 2
        for extent in tensors[name]:
            size *= extent
        header[name] = {"dtype": "BF16", "shape": tensors[name], "data_offsets": [offset, offset + size]}
        offset += size
        weight_map[name] = file
    text = json.dumps(header).encode()
    with open(os.path.join(directory, file), "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        out.truncate(8 + len(text) + offset)
with open(os.path.join(directory, "model.safetensors.index.json"), "w") as out:
    json.dump({"metadata": {}, "weight_map": weight_map}, out)
with open(os.path.join(directory, "config.json"), "w") as out:
    json.dump({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
               "intermediate_size": intermediate, "num_hidden_layers": layers, "num_attention_heads": heads,
               "num_key_value_heads": kv_heads, "vocab_size": vocabulary, "rms_norm_eps": 1e-5,
               "max_position_embeddings": 8192, "rope_theta": 500000.0, "torch_dtype": "bfloat16"}, out)
