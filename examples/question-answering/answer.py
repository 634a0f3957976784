# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Answers a question with the words of a text that answer it.

    ashlar compile MODEL -o qa.ashlar             # a BERT with a head for question answering
    python3 answer.py qa.ashlar MODEL "Where does Anna live?" "Ben works for Acme. Anna lives in Paris."

Prints the answer and its probability among all spans of the text.
"""
import argparse

import ashlar
import numpy as np


def answer(question, text, session, tokenizer, longest=20):
    """The likeliest span of at most `longest` tokens, by the sum of its ends' logits, and its probability."""
    encoding = tokenizer.encode(question, text)
    inputs = encoding.inputs(("input_ids", "attention_mask", "token_type_ids"))
    outputs = session.run("forward", inputs)
    in_text = np.array(encoding.sequences(0)) == 1
    begin = np.where(in_text, np.asarray(outputs["start_logits"])[0], -np.inf)
    end = np.where(in_text, np.asarray(outputs["end_logits"])[0], -np.inf)
    scores = begin[:, None] + end[None, :]
    size = len(begin)
    scores[np.tril_indices(size, -1)] = -np.inf  # an end before its beginning
    scores[np.triu_indices(size, longest)] = -np.inf
    first, last = np.unravel_index(scores.argmax(), scores.shape)
    offsets = encoding.offsets(0)
    span = text.encode()[offsets[first][0] : offsets[last][1]].decode()
    return span, float(1 / np.exp(scores - scores.max()).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact")
    parser.add_argument("vocabulary")
    parser.add_argument("question")
    parser.add_argument("text")
    arguments = parser.parse_args()
    session, tokenizer = ashlar.Program(arguments.artifact).session(), ashlar.Tokenizer(arguments.vocabulary)
    span, probability = answer(arguments.question, arguments.text, session, tokenizer)
    print(f"{span}\t{probability:.2f}")


main()
