# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""CHECKPOINT [-o DIR]: what Hugging Face's transformers makes of logits and of a small trained decoder.

Writes filters.json (distributions after its logits processors, in the order in which its generate() puts them) and
decoder.json (greedy, penalised and beam-search continuations of the checkpoint). Needs PyTorch and transformers.
"""
import argparse
import itertools
import json
import pathlib

import torch
import transformers
from transformers import GenerationConfig, LlamaForCausalLM

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("checkpoint")
parser.add_argument("-o", "--output", default=pathlib.Path(__file__).parent, type=pathlib.Path)
arguments = parser.parse_args()
model = LlamaForCausalLM.from_pretrained(arguments.checkpoint, dtype=torch.float32).eval()
torch.manual_seed(1)
VERSION = f"transformers {transformers.__version__}, PyTorch {torch.__version__}"


def filtered(logits, history, options):
    """Probabilities after the processors that generate() would make of these options."""
    config = GenerationConfig(do_sample=True, **options)
    config._eos_token_tensor = None
    ids = torch.tensor([history])
    processors = model._get_logits_processor(config, input_ids_seq_length=len(history), device="cpu")
    scores = processors(ids, torch.tensor([logits], dtype=torch.float32).clone())
    return torch.softmax(scores.double(), -1)[0].tolist()


cases = []
values = {"temperature": [0.3, 1.0, 1.7], "top_k": [0, 1, 3, 8], "top_p": [0.35, 0.9, 1.0], "min_p": [0.0, 0.08, 0.5],
          "repetition_penalty": [0.8, 1.0, 1.5]}
for place, combination in enumerate(itertools.product(*values.values())):
    options = dict(zip(values, combination))
    # Multiples of 1/64, so that both sides read the same numbers.
    logits = (torch.randn(12) * 2 * 64).round().div(64).tolist()
    history = [place % 12, (place * 5 + 1) % 12, place % 12]
    given = {key: value for key, value in options.items() if not (key == "min_p" and value == 0)}
    cases.append({**options, "logits": logits, "history": history, "probabilities": filtered(logits, history, given)})
lines = ",\n".join(json.dumps(case) for case in cases)
(arguments.output / "filters.json").write_text(f'{{"made_by": "{VERSION}", "cases": [\n{lines}\n]}}\n')

runs = []
for prompt, options in [
        ([1, 403, 407, 261, 378], {}),
        ([1, 403, 407, 261, 378], {"repetition_penalty": 2.5}),
        ([1, 410], {"num_beams": 3, "length_penalty": 1.0}),
        ([1, 403, 407], {"num_beams": 4, "length_penalty": 0.0}),
        ([1, 403, 407, 261], {"num_beams": 2, "length_penalty": 2.0, "repetition_penalty": 1.2}),
        # A common token as the end, so that beams are complete at several lengths.
        ([1, 403, 407, 261], {"num_beams": 4, "length_penalty": 1.0, "eos_token_id": 426}),
        ([1, 403], {"num_beams": 3, "length_penalty": -1.0, "eos_token_id": 426}),
]:
    beams = options.get("num_beams", 1)
    output = model.generate(
        torch.tensor([prompt]), do_sample=False, max_new_tokens=24, return_dict_in_generate=True, output_scores=True,
        num_return_sequences=beams, early_stopping="never" if beams > 1 else None, pad_token_id=0,
        **{"eos_token_id": 2, **options})
    end = options.get("eos_token_id", 2)
    results = []
    for row, sequence in enumerate(output.sequences[:, len(prompt):].tolist()):
        if end in sequence:
            sequence = sequence[:sequence.index(end) + 1]
        logits = model(torch.tensor([prompt + sequence])).logits[0].double().log_softmax(-1)
        own = [logits[len(prompt) - 1 + i, token].item() for i, token in enumerate(sequence)]
        score = output.sequences_scores[row].item() if beams > 1 else 0.0
        results.append({"tokens": sequence, "score": score, "log_probabilities": own})
    runs.append({"prompt": prompt, "eos_token_id": end, "num_beams": beams,
                 "length_penalty": options.get("length_penalty", 1.0),
                 "repetition_penalty": options.get("repetition_penalty", 1.0), "results": results})
lines = ",\n".join(json.dumps(run) for run in runs)
(arguments.output / "decoder.json").write_text(
    f'{{"made_by": "{VERSION}", "checkpoint": "stories260k_hf", "max_tokens": 24, "runs": [\n{lines}\n]}}\n')
