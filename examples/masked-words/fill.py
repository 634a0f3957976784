# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Says which words may stand where a text has [MASK].

    ashlar compile bert-base-uncased -o bert.ashlar      # with its head for masked words
    python3 fill.py bert.ashlar bert-base-uncased "The capital of France is [MASK]."

Prints the five likeliest words for each place, with their probabilities.
"""
import argparse

import ashlar
import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact")
    parser.add_argument("vocabulary")
    parser.add_argument("text")
    parser.add_argument("--top", type=int, default=5)
    arguments = parser.parse_args()
    session, tokenizer = ashlar.Program(arguments.artifact).session(), ashlar.Tokenizer(arguments.vocabulary)
    encoding = tokenizer.encode(arguments.text)
    logits = np.asarray(session.run("forward", encoding.inputs())["logits"])[0]
    mask = tokenizer.find("[MASK]") or tokenizer.find("<mask>")
    for place in np.flatnonzero(np.asarray(encoding.ids)[0] == mask):
        scores = np.exp(logits[place] - logits[place].max())
        scores /= scores.sum()
        best = np.argsort(-scores)[: arguments.top]
        print("\t".join(f"{tokenizer.decode([token])} {scores[token]:.2f}" for token in best))


main()
