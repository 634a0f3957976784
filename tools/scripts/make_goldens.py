#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes test/goldens: tiny random models of every supported type and head, with inputs and PyTorch's answers.

    python tools/scripts/make_goldens.py [--out test/goldens] [CASE ...]

Needs torch, transformers, numpy and safetensors; test/goldens/README.md says with which versions the stored ones were
made. Each case is a Hugging Face directory plus inputs/NAME.npy, expected/NAME.npy and case.json. Answers are computed
in f64 from the weights as stored (F16 where a case does not say otherwise). Weights are scaled up, so that a wrong sign, mask or position is not lost in noise.
"""
import argparse
import copy
import json
import pathlib
import shutil
import types
import zlib

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

CASES = {}


def case(name, model, config, **how):
    CASES[name] = dict(model=model, config=config, **how)


# ---- BERT's family: head width 13, odd vocabulary ------------------------------------------------------------------
BERT = dict(vocab_size=61, hidden_size=26, num_hidden_layers=2, num_attention_heads=2, intermediate_size=19,
            max_position_embeddings=17, type_vocab_size=3, pad_token_id=0)
PADDED = dict(padding="right", token_types=3)
case("bert-base", "BertModel", BERT, dtype="float32", **PADDED)
case("bert-defaults", "BertModel", BERT)
case("bert-positions", "BertModel", BERT, positions=True)
case("bert-no-pooler", "BertModel", BERT, drop=["pooler.dense.weight", "pooler.dense.bias"], skip=["pooler_output"])
case("bert-wide", "BertForTokenClassification", BERT | dict(vocab_size=47, hidden_size=65, num_attention_heads=5, num_hidden_layers=1,
                                                           hidden_act="gelu_new", layer_norm_eps=1e-5), **PADDED)
case("bert-gamma-beta", "BertForMaskedLM", BERT, rename={"LayerNorm.weight": "LayerNorm.gamma",
                                                         "LayerNorm.bias": "LayerNorm.beta"}, **PADDED)
case("bert-masked-lm-untied", "BertForMaskedLM", BERT | dict(tie_word_embeddings=False, hidden_act="relu"), **PADDED)
case("bert-sequence-classification", "BertForSequenceClassification", BERT | dict(num_labels=3), old=True, **PADDED)
case("bert-token-classification", "BertForTokenClassification", BERT | dict(num_labels=5, hidden_act="silu"), **PADDED)
case("bert-question-answering", "BertForQuestionAnswering", BERT, dtype="bfloat16", **PADDED)
case("bert-sentence-embedding", "BertModel", BERT, head="sentence-embedding", **PADDED)
case("bert-base-of-masked-lm", "BertForMaskedLM", BERT, head="base", base=True, **PADDED)

ROBERTA = BERT | dict(type_vocab_size=1, pad_token_id=1, max_position_embeddings=19, layer_norm_eps=1e-5)
case("roberta-base", "RobertaModel", ROBERTA, dtype="float32", padding="right")
case("roberta-left-padding", "RobertaModel", ROBERTA | dict(pad_token_id=3, max_position_embeddings=21), padding="left")
case("roberta-masked-lm", "RobertaForMaskedLM", ROBERTA, old=True, padding="right")
case("roberta-masked-lm-untied", "RobertaForMaskedLM", ROBERTA | dict(tie_word_embeddings=False), padding="right")
case("roberta-sequence-classification", "RobertaForSequenceClassification", ROBERTA | dict(num_labels=4),
     padding="right")
case("roberta-token-classification", "RobertaForTokenClassification", ROBERTA | dict(num_labels=1), padding="right")
case("roberta-question-answering", "RobertaForQuestionAnswering", ROBERTA | dict(hidden_act="quick_gelu"),
     padding="right")

DISTIL = dict(vocab_size=61, dim=26, n_layers=2, n_heads=2, hidden_dim=19, max_position_embeddings=17)
case("distilbert-base", "DistilBertModel", DISTIL, dtype="float32", padding="right")
case("distilbert-masked-lm", "DistilBertForMaskedLM", DISTIL | dict(sinusoidal_pos_embds=True), old=True,
     padding="right")
case("distilbert-masked-lm-untied", "DistilBertForMaskedLM", DISTIL | dict(tie_word_embeddings=False))
case("distilbert-sequence-classification", "DistilBertForSequenceClassification", DISTIL | dict(num_labels=3),
     padding="right")
case("distilbert-token-classification", "DistilBertForTokenClassification", DISTIL | dict(activation="relu"),
     padding="right")
case("distilbert-question-answering", "DistilBertForQuestionAnswering", DISTIL, padding="right")

# ---- GPT-2 ---------------------------------------------------------------------------------------------------------
GPT2 = dict(vocab_size=57, n_positions=16, n_embd=26, n_layer=2, n_head=2, n_inner=31, bos_token_id=0, eos_token_id=0)
case("gpt2", "GPT2LMHeadModel", GPT2 | dict(n_inner=None))
case("gpt2-no-prefix", "GPT2LMHeadModel", GPT2, rename={"transformer.": ""}, old=True)
case("gpt2-scales", "GPT2LMHeadModel", GPT2 | dict(scale_attn_by_inverse_layer_idx=True, n_inner=29, n_embd=39,
                                                  n_head=3, n_layer=2, activation_function="gelu"))
case("gpt2-unscaled-untied", "GPT2LMHeadModel", GPT2 | dict(scale_attn_weights=False, tie_word_embeddings=False,
                                                           activation_function="relu"), padding="right")
case("gpt2-left-padding", "GPT2LMHeadModel", GPT2, padding="left", positions=True)
case("gpt2-base", "GPT2Model", GPT2)

# ---- LLaMA's family ------------------------------------------------------------------------------------------------
LLAMA = dict(vocab_size=53, hidden_size=24, intermediate_size=17, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2)


def rope(kind, theta=10000.0, **more):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=theta, **more))


case("llama", "LlamaForCausalLM", LLAMA, dtype="float32")
case("llama-old-spelling", "LlamaForCausalLM", LLAMA | rope("default", 500.0), old=True)
case("llama-one-kv-head", "LlamaForCausalLM", LLAMA | dict(num_key_value_heads=1, head_dim=10, hidden_size=25,
                                                          num_attention_heads=5, tie_word_embeddings=True))
case("llama-biases", "LlamaForCausalLM", LLAMA | dict(attention_bias=True, mlp_bias=True, num_key_value_heads=4,
                                                     hidden_act="gelu"))
case("llama-padding", "LlamaForCausalLM", LLAMA, padding="right")
case("llama-left-padding", "LlamaForCausalLM", LLAMA, padding="left", positions=True)
case("llama-linear", "LlamaForCausalLM", LLAMA | rope("linear", factor=4.0))
case("llama-linear-old", "LlamaForCausalLM", LLAMA | rope("linear", factor=2.5), old=True)
case("llama-dynamic-short", "LlamaForCausalLM", LLAMA | rope("dynamic", factor=4.0))
case("llama-dynamic-long", "LlamaForCausalLM", LLAMA | rope("dynamic", factor=4.0) | dict(max_position_embeddings=6),
     cached=False, old=True)
case("llama-llama3", "LlamaForCausalLM",
     LLAMA | dict(head_dim=16) | rope("llama3", 100.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                      original_max_position_embeddings=32))
case("llama-llama3-old", "LlamaForCausalLM",
     LLAMA | rope("llama3", 50.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=2.0,
                  original_max_position_embeddings=16), old=True)
case("llama-yarn", "LlamaForCausalLM",
     LLAMA | dict(head_dim=16) | rope("yarn", factor=4.0, original_max_position_embeddings=16))
case("llama-yarn-options", "LlamaForCausalLM",
     LLAMA | dict(head_dim=16) | rope("yarn", 300.0, factor=3.0, original_max_position_embeddings=20, beta_fast=8.0,
                                      beta_slow=0.5, attention_factor=0.7, truncate=False), old=True)
case("llama-yarn-mscale", "LlamaForCausalLM",
     LLAMA | rope("yarn", factor=8.0, original_max_position_embeddings=8, mscale=0.8, mscale_all_dim=0.3))
case("llama-bf16", "LlamaForCausalLM", LLAMA | dict(tie_word_embeddings=True), dtype="bfloat16")
case("llama-sharded", "LlamaForCausalLM", LLAMA, shard="12KB")
case("llama-base", "LlamaModel", LLAMA)
case("mistral", "MistralForCausalLM", LLAMA | dict(sliding_window=None, head_dim=8))
case("mistral-window", "MistralForCausalLM", LLAMA | dict(sliding_window=4), old=True)
case("mistral-window-padding", "MistralForCausalLM", LLAMA | dict(sliding_window=3), padding="right")
case("qwen2", "Qwen2ForCausalLM", LLAMA | dict(tie_word_embeddings=True))
case("qwen2-window", "Qwen2ForCausalLM", LLAMA | dict(use_sliding_window=True, sliding_window=3, max_window_layers=1))
case("qwen2-window-old", "Qwen2ForCausalLM",
     LLAMA | dict(use_sliding_window=True, sliding_window=4, max_window_layers=0), old=True)
case("qwen2-yarn", "Qwen2ForCausalLM", LLAMA | rope("yarn", 1000.0, factor=4.0, original_max_position_embeddings=16))
case("qwen3", "Qwen3ForCausalLM", LLAMA | dict(head_dim=10))
case("qwen3-bias-window", "Qwen3ForCausalLM",
     LLAMA | dict(head_dim=6, attention_bias=True, use_sliding_window=True, sliding_window=2, max_window_layers=1,
                  tie_word_embeddings=True), old=True)


# ---- Random cases --------------------------------------------------------------------------------------------------
HEADS = {"Bert": ["Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification",
                  "ForQuestionAnswering"], "GPT2": ["LMHeadModel", "Model"], "Llama": ["ForCausalLM", "Model"]}
HEADS |= {"Roberta": HEADS["Bert"], "DistilBert": HEADS["Bert"], "Mistral": HEADS["Llama"], "Qwen2": HEADS["Llama"],
          "Qwen3": HEADS["Llama"]}


def random_rope(pick):
    kind = pick(["default", "linear", "dynamic", "yarn", "llama3"])
    more = {"default": {}, "linear": dict(factor=pick([1.5, 4.0])), "dynamic": dict(factor=pick([2.0, 3.0])),
            "llama3": dict(factor=pick([4.0, 8.0]), low_freq_factor=1.0, high_freq_factor=pick([2.0, 4.0]),
                           original_max_position_embeddings=pick([16, 24])),
            "yarn": dict(factor=pick([2.0, 8.0]), original_max_position_embeddings=pick([8, 16]),
                         **pick([{}, dict(beta_fast=12.0, beta_slow=2.0), dict(attention_factor=0.9),
                                 dict(truncate=False), dict(mscale=1.1, mscale_all_dim=0.5)]))}[kind]
    return rope(kind, pick([10.0, 1000.0, 1e6]), **more)


def random_case(rng):
    """A configuration that nobody chose: family, head, sizes, options, spelling and inputs by chance."""
    pick = lambda options: options[int(rng.integers(len(options)))]
    flag = lambda: bool(rng.integers(2))
    family = pick(sorted(HEADS))
    how = dict(model=family + pick(HEADS[family]), old=flag(), dtype=pick(["float32", "float16", "bfloat16"]),
               padding=pick([None, "right"]), seq=pick([9, 11, 12]), batch=2)
    heads, width, layers = pick([1, 2, 3, 5]), pick([1, 3, 8, 13]), pick([1, 2, 3])
    act, vocab = pick(["gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh", "tanh"]), pick([31, 50, 67])
    shared = dict(vocab_size=vocab, tie_word_embeddings=flag())
    if family == "GPT2":
        config = dict(n_positions=pick([14, 20]), n_embd=heads * width, n_layer=layers, n_head=heads,
                      n_inner=pick([None, 7, 30]), activation_function=act, scale_attn_weights=flag(),
                      scale_attn_by_inverse_layer_idx=flag(), layer_norm_epsilon=pick([1e-5, 1e-3]))
        how["positions"] = how["padding"] is None and flag()
    elif family == "DistilBert":
        config = dict(dim=heads * width, n_layers=layers, n_heads=heads, hidden_dim=pick([5, 33]), activation=act,
                      max_position_embeddings=pick([12, 19]), num_labels=2)
    elif family in ("Bert", "Roberta"):
        config = dict(hidden_size=heads * width, num_hidden_layers=layers, num_attention_heads=heads,
                      intermediate_size=pick([4, 21]), hidden_act=act, max_position_embeddings=pick([15, 22]),
                      type_vocab_size=pick([1, 2, 4]), layer_norm_eps=pick([1e-12, 1e-3]), num_labels=2)
        how["token_types"] = config["type_vocab_size"] if family == "Bert" else None
    else:
        kv_heads, group, width = pick([1, 2, 3]), pick([1, 2, 4]), pick([2, 6, 10]) * 2
        config = dict(hidden_size=kv_heads * group * pick([3, 5, 7]), num_attention_heads=kv_heads * group,
                      num_key_value_heads=kv_heads, head_dim=width, intermediate_size=pick([3, 20]),
                      num_hidden_layers=layers, max_position_embeddings=pick([7, 40]), hidden_act=act,
                      rms_norm_eps=pick([1e-6, 1e-3]), **random_rope(pick))
        grows = config["rope_parameters"]["rope_type"] == "dynamic" and how["seq"] > config["max_position_embeddings"]
        how["cached"] = not grows
        window = pick([None, 1, 3, 5])
        config |= {"Llama": dict(attention_bias=flag(), mlp_bias=flag()), "Mistral": dict(sliding_window=window),
                   "Qwen2": {}, "Qwen3": dict(attention_bias=flag())}[family]
        if family.startswith("Qwen"):
            config |= dict(use_sliding_window=window is not None, sliding_window=window,
                           max_window_layers=pick([0, 1, 2]))
    return how | dict(config=shared | config)


# ---- Models --------------------------------------------------------------------------------------------------------
def scale_weights(model, dtype, generator):
    """Draws every parameter at a size at which each of them matters, rounded to the type it is stored in."""
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator, dtype=torch.float64)
        if p.dim() == 1:
            is_scale = "norm" in name.lower() and name.endswith("weight") or ".ln_" in name and name.endswith("weight")
            p.data = (1.0 + 0.3 * noise if is_scale else 0.3 * noise).to(dtype).to(p.dtype)
        elif "embed" in name or ".wte" in name or ".wpe" in name:
            p.data = noise.to(dtype).to(p.dtype)
        else:
            p.data = (1.5 * noise / p.shape[-1] ** 0.5).to(dtype).to(p.dtype)


def exact_rms_norm(self, x):
    """RMSNorm without the rounding to f32 that transformers has for half-precision models."""
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def to_double(model):
    model = model.double().eval()
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = types.MethodType(exact_rms_norm, module)
    return model


def make_inputs(how, config, rng):
    batch, seq = how.get("batch", 2), how.get("seq", 9)
    ids = rng.integers(4, config.vocab_size, (batch, seq))
    inputs = {"input_ids": ids}
    if padding := how.get("padding"):
        mask = np.ones((batch, seq), np.int64)
        mask[1, seq - 3:] = 0
        if padding == "left":
            mask = mask[:, ::-1].copy()
        pad = config.pad_token_id if config.pad_token_id is not None else 0
        inputs |= {"input_ids": np.where(mask, ids, pad), "attention_mask": mask}
    if kinds := how.get("token_types"):
        inputs["token_type_ids"] = rng.integers(0, kinds, (batch, seq))
    if how.get("positions"):
        mask = inputs.get("attention_mask", np.ones((batch, seq), np.int64))
        inputs["position_ids"] = np.maximum(mask.cumsum(1) - 1, 0) if "attention_mask" in inputs else np.stack(
            [rng.permutation(12)[:seq] for _ in range(batch)])
    return inputs


def sentence_embedding(hidden, mask):
    mask = mask[..., None].to(hidden.dtype)
    mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
    return torch.nn.functional.normalize(mean, dim=-1)


def expected_outputs(model, how, inputs):
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    if how.get("base"):
        model = model.base_model
    with torch.no_grad():
        out = model(**tensors)
    names = [n for n in ("last_hidden_state", "pooler_output", "logits", "start_logits", "end_logits")
             if out.get(n) is not None and n not in how.get("skip", [])]
    outputs = {name: out[name].numpy() for name in names}
    if how.get("head") == "sentence-embedding":
        outputs = {"sentence_embedding": sentence_embedding(out.last_hidden_state, tensors["attention_mask"]).numpy()}
    if how.get("padding") == "left" and model.config.model_type in ("gpt2", "llama"):
        # A padded query in front sees no key at all; what a framework answers there means nothing.
        for name in outputs:
            outputs[name] = np.where(inputs["attention_mask"][..., None] != 0, outputs[name], np.nan)
    return outputs


# ---- Files ---------------------------------------------------------------------------------------------------------
def older_spelling(config):
    """config.json as transformers 4 wrote it."""
    if "dtype" in config:
        config["torch_dtype"] = config.pop("dtype")
    if rope_parameters := config.pop("rope_parameters", None):
        config["rope_theta"] = rope_parameters.pop("rope_theta")
        config["rope_scaling"] = None if rope_parameters["rope_type"] == "default" else rope_parameters
        if config["rope_scaling"] and rope_parameters["rope_type"] in ("linear", "dynamic"):
            rope_parameters["type"] = rope_parameters.pop("rope_type")
    config.pop("layer_types", None)
    config["transformers_version"] = "4.40.0"
    return config


def rewrite(directory, how):
    """Applies what a case changes in the saved files: names and tensors left out, the older spelling."""
    file = directory / "model.safetensors"
    if how.get("rename") or how.get("drop"):
        tensors = load_file(file)
        for old, new in how.get("rename", {}).items():
            tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
        save_file({n: t for n, t in tensors.items() if n not in how.get("drop", [])}, file, metadata={"format": "pt"})
    config = json.loads((directory / "config.json").read_text())
    if how.get("old"):
        config = older_spelling(config)
    (directory / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


def make(name, how, out):
    seed = zlib.crc32(name.encode())
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    torch.manual_seed(seed)
    cls = getattr(transformers, how["model"])
    config = cls.config_class(**how["config"])
    model = cls(config)
    dtype = getattr(torch, how.get("dtype", "float16"))
    scale_weights(model, dtype, generator)
    directory = out / name
    shutil.rmtree(directory, ignore_errors=True)
    # A copy is saved: converting rounds the rotary frequencies too, which loading a model does not.
    copy.deepcopy(model).to(dtype).save_pretrained(directory, max_shard_size=how.get("shard", "1GB"))
    (directory / "generation_config.json").unlink(missing_ok=True)
    rewrite(directory, how)
    model = to_double(model)
    model.config._attn_implementation = "sdpa"
    inputs = make_inputs(how, config, rng)
    outputs = expected_outputs(model, how, inputs)
    for kind, arrays in (("inputs", inputs), ("expected", outputs)):
        (directory / kind).mkdir()
        for key, array in arrays.items():
            np.save(directory / kind / f"{key}.npy", array.astype(np.int64 if kind == "inputs" else np.float32))
    decodes = how["model"].endswith(("ForCausalLM", "LMHeadModel"))
    about = {"head": how.get("head", ""), "cached": decodes and how.get("cached", True)}
    (directory / "case.json").write_text(json.dumps(about) + "\n")
    size = sum(f.stat().st_size for f in directory.rglob("*") if f.is_file())
    print(f"{name:40} {size:7} bytes")
    return size


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("test/goldens"))
    parser.add_argument("--random", type=int, metavar="N", help="N random cases instead (not for keeping)")
    parser.add_argument("--seed", type=int, default=0, help="of --random")
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    if arguments.random:
        rng = np.random.default_rng(arguments.seed)
        CASES.clear()
        CASES.update({f"random-{arguments.seed}-{i}": random_case(rng) for i in range(arguments.random)})
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    total = sum(make(name, how, arguments.out) for name, how in CASES.items()
                if not arguments.cases or name in arguments.cases)
    print(f"{'total':40} {total:7} bytes; torch {torch.__version__}, transformers {transformers.__version__}")


if __name__ == "__main__":
    main()
