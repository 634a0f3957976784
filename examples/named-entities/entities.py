# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Finds names in texts: people, places, organisations, whatever the model was trained for.

    ashlar compile MODEL -o ner.ashlar            # a BERT with a head for token classification
    python3 entities.py ner.ashlar MODEL "Anna Berg works for Acme in Paris."

Prints each name with its kind and the model's confidence in its first word.
"""
import argparse
import json
import pathlib
import string

import ashlar
import numpy as np


def entities(text, session, tokenizer, labels):
    """(kind, first byte, last byte, probability) of each name: a B- tag and the I- tags of its kind that follow."""
    encoding = tokenizer.encode(text)
    logits = np.asarray(session.run("forward", encoding.inputs())["logits"])[0]
    probabilities = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    found, last_end, data = [], -1, text.encode()
    for (begin, end), scores in zip(encoding.offsets(0), probabilities):
        if begin == end:
            continue  # stands for no text
        tag = labels[int(scores.argmax())]
        is_rest = begin == last_end and chr(data[begin]) not in string.punctuation  # of a word in pieces
        last_end = end
        if found and found[-1][3] and (is_rest or tag == "I-" + found[-1][0]):
            found[-1][2] = end
            continue
        if found:
            found[-1][3] = False
        if tag != "O" and not is_rest:
            found.append([tag[2:], begin, end, True, float(scores.max())])
    return [(kind, begin, end, probability) for kind, begin, end, _, probability in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact")
    parser.add_argument("model", help="the model's directory: its vocabulary, and config.json with the labels")
    parser.add_argument("text", nargs="+")
    arguments = parser.parse_args()
    session, tokenizer = ashlar.Program(arguments.artifact).session(), ashlar.Tokenizer(arguments.model)
    config = json.loads(pathlib.Path(arguments.model, "config.json").read_text(encoding="utf-8"))
    labels = {int(number): label for number, label in config["id2label"].items()}
    for text in arguments.text:
        for kind, begin, end, probability in entities(text, session, tokenizer, labels):
            print(f"{kind}\t{text.encode()[begin:end].decode()}\t{probability:.2f}")


main()
