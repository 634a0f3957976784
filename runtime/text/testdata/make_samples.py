#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes vocab.txt and samples.json beside it: random Unicode texts with the ids that transformers' BertTokenizer gives.

    python runtime/text/testdata/make_samples.py

Needs transformers (stored: made with 5.23.0 and tokenizers 0.23.3).
"""
import json
import pathlib
import random
import tempfile

import transformers

HERE = pathlib.Path(__file__).parent
WORDS = "the a of and play sing walk run Berlin London café naïve élan straße İstanbul 世 界 日本 한국 का ελλάς σας мир ﬁ ß".split()
ENDINGS = "ing ed s er ly est ness in on um an é ö ß し 국 о и ς σ".split()
# Characters that the rules treat each in their own way, and neighbours of theirs.
EDGES = [0, 1, 9, 10, 13, 0x1C, 0x7F, 0x85, 0xA0, 0xAD, 0x130, 0x131, 0x1C5, 0x3A3, 0x3C2, 0x300, 0x301, 0x345, 0x600,
         0x93C, 0xAC00, 0x1E9E, 0x166D, 0x1734, 0x1885, 0x2003, 0x200B, 0x200D, 0x2028, 0x202E, 0x2126, 0x212B, 0x2E5D,
         0x3000, 0x3099, 0x4E00, 0x9FFF, 0xA000, 0xA9BD, 0xE000, 0xF900, 0xFB01, 0xFEFF, 0xFFFD, 0xFFFE, 0xFF21, 0x10400,
         0x111C9, 0x11938, 0x1D15E, 0x1F600, 0x20000, 0x2A6DF, 0x2B81F, 0x2B820, 0x2B920, 0x2FA1F, 0xE0001, 0x10FFFF]


def vocabulary():
    ascii_symbols = [chr(c) for c in range(33, 127)]
    letters = ["##" + chr(c) for c in range(97, 123)]
    lower = [w.lower() for w in WORDS]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + ascii_symbols + letters + WORDS + lower
    return list(dict.fromkeys(tokens + ["##" + e for e in ENDINGS] + ["cafe", "naive", "elan", "¿", "。", "—", "…", "€"]))


def piece(rng, tokens):
    kind = rng.randrange(10)
    if kind < 4:
        word = rng.choice(WORDS) + rng.choice(["", ""] + ENDINGS)
        return rng.choice([word, word.upper(), word.capitalize()])
    if kind == 4:
        return "".join(chr(rng.randrange(32, 127)) for _ in range(rng.randrange(1, 6)))
    if kind == 5:
        return "".join(chr(rng.choice(EDGES)) for _ in range(rng.randrange(1, 4)))
    if kind == 6:
        return rng.choice("aeinoucAEIOU") + "".join(chr(rng.randrange(0x300, 0x370)) for _ in range(rng.randrange(1, 3)))
    if kind == 7:
        return rng.choice(tokens[:5] + ["[sep]", "[SEP", "##ing", "run" * rng.randrange(32, 36)])
    return "".join(chr(c) for c in (rng.randrange(0xA0, rng.choice([0x500, 0x3000, 0xD800])) for _ in range(3)))


def text(rng, tokens):
    return "".join(piece(rng, tokens) + rng.choice(["", " ", " ", "\t"]) for _ in range(rng.randrange(1, 8)))


def main():
    rng = random.Random(20)
    tokens = vocabulary()
    (HERE / "vocab.txt").write_text("".join(t + "\n" for t in tokens), encoding="utf-8")
    samples = []
    kinds = {}
    with tempfile.TemporaryDirectory() as directory:
        for lowercase in (True, False):
            (pathlib.Path(directory) / "vocab.txt").write_text((HERE / "vocab.txt").read_text(encoding="utf-8"),
                                                               encoding="utf-8")
            kinds[lowercase] = transformers.BertTokenizer.from_pretrained(directory, do_lower_case=lowercase)
        for i in range(160):
            sample = dict(text=text(rng, tokens), lowercase=i % 2 == 0)
            if i % 3 == 0:
                sample["pair"] = text(rng, tokens)
            if i % 5 == 0:
                sample["max_length"] = rng.randrange(3, 20)
            answer = kinds[sample["lowercase"]](sample["text"], sample.get("pair"), truncation="max_length" in sample,
                                                max_length=sample.get("max_length"), return_token_type_ids=True)
            samples.append(sample | dict(ids=answer["input_ids"], type_ids=answer["token_type_ids"]))
    lines = ",\n".join(json.dumps(s) for s in samples)
    (HERE / "samples.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
