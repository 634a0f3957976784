# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sorts texts into classes that a few examples define, without training: a text belongs to the class whose examples it is most
like, by a model of sentence embeddings.

    ashlar compile all-MiniLM-L6-v2 --head sentence-embedding --batch 1..8 --seq 1..128 -o minilm.ashlar
    python3 classify.py minilm.ashlar all-MiniLM-L6-v2 examples.txt "My flight was cancelled."

Lines of examples.txt are "class<tab>text". Prints the class and how much nearer it is than the next.
"""
import argparse

import ashlar
import numpy as np


def embed(session, tokenizer, texts):
    """A vector of length 1 for each text."""
    rows = []
    for text in texts:
        outputs = session.run("forward", tokenizer.encode(text, max_length=128).inputs())
        rows.append(np.array(outputs["sentence_embedding"])[0])
    return np.stack(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact")
    parser.add_argument("vocabulary")
    parser.add_argument("examples")
    parser.add_argument("text", nargs="+")
    arguments = parser.parse_args()
    session, tokenizer = ashlar.Program(arguments.artifact).session(), ashlar.Tokenizer(arguments.vocabulary)
    with open(arguments.examples, encoding="utf-8") as file:
        labels, texts = zip(*(line.rstrip("\n").split("\t", 1) for line in file if line.strip()))
    known = embed(session, tokenizer, texts)
    classes = sorted(set(labels))
    centres = np.stack([known[[label == name for label in labels]].mean(axis=0) for name in classes])
    for text, scores in zip(arguments.text, embed(session, tokenizer, arguments.text) @ centres.T):
        best, next_one = np.argsort(-scores)[:2]
        print(f"{classes[best]}\t+{scores[best] - scores[next_one]:.2f}\t{text}")


main()
