# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""compare_embeddings.py X.ashlar REFERENCE.json DIR: embeds the reference's texts, together and each alone, and compares.

REFERENCE.json is a list of {text, embedding}; minilm.json was made with transformers 5.23.0 in f64 (mean over the tokens
of last_hidden_state, normalised). Fails when a cosine is below 0.99999 or a vector's length is not 1 within 1e-5.
"""
import ast
import json
import math
import struct
import subprocess
import sys

artifact, reference, directory = sys.argv[1:]


def embed(texts):
    words = [word for text in texts for word in ("--text", text)]
    subprocess.run(["ashlar", "run", artifact, "--output-dir", directory, *words], check=True)
    with open(directory + "/sentence_embedding.npy", "rb") as file:
        data = file.read()
    end = 10 + struct.unpack("<H", data[8:10])[0]
    rows, width = ast.literal_eval(data[10:end].decode())["shape"]
    values = struct.unpack(f"<{rows * width}f", data[end:])
    return [values[i * width:(i + 1) * width] for i in range(rows)]


def dot(a, b):
    assert len(a) == len(b), (len(a), len(b))
    return sum(x * y for x, y in zip(a, b))


with open(reference, encoding="utf-8") as file:
    samples = json.load(file)
together = embed([sample["text"] for sample in samples])
failed = len(together) != len(samples)
for sample, in_batch in zip(samples, together):
    for vector in (in_batch, embed([sample["text"]])[0]):
        length = math.sqrt(dot(vector, vector))
        cosine = dot(vector, sample["embedding"]) / length / math.sqrt(dot(sample["embedding"], sample["embedding"]))
        print(f"cosine {cosine:.8f}, length {length:.7f}: {ascii(sample['text'])}")
        failed |= not (cosine >= 0.99999 and abs(length - 1) < 1e-5)
sys.exit(failed)
