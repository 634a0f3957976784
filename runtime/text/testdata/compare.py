#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares every tokenizer under families/ with the packages that define it, on random Unicode strings.

    python runtime/text/testdata/compare.py build/bin/tokenize_lines [--strings 10000] [--only gpt2] [--write]
    python runtime/text/testdata/compare.py build/bin/tokenize_lines --characters [--only NFC]

ids, types, special-token masks, offsets (in characters), decoded text, and the text that the incremental decoder gives.
--write keeps a sample in samples/ for the unit tests. --characters puts every character that Python's Unicode knows
through each normalizer and pre-tokenizer that depends on what characters are. Needs tokenizers and sentencepiece.
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unicodedata
import zlib

import make_tokenizers
import sentencepiece
import tokenizers
from random_text import text
from tokenizers import models, normalizers as N, pre_tokenizers as P

HERE = pathlib.Path(__file__).parent


class Package:
    """A tokenizer.json in the `tokenizers` package."""

    def __init__(self, folder):
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.size = self.tokenizer.get_vocab_size()
        self.tokens = sorted(self.tokenizer.get_vocab())

    def encode(self, request):
        e = self.tokenizer.encode(request["text"], request.get("pair"), add_special_tokens=request["special"])
        return dict(ids=e.ids, type_ids=e.type_ids, special_tokens_mask=e.special_tokens_mask, offsets=[list(o) for o in e.offsets])

    def decode(self, request):
        return dict(text=self.tokenizer.decode(request["decode"], skip_special_tokens=request["skip"]))


class SentencePiece:
    """A model file in the `sentencepiece` package, which knows no pairs and no special tokens in texts."""

    def __init__(self, path):
        self.model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        self.size = self.model.get_piece_size()
        self.tokens = [self.model.id_to_piece(i) for i in range(self.size)]
        self.hidden = {i for i in range(self.size) if self.model.is_control(i) or self.model.is_unknown(i)}

    def encode(self, request):
        return dict(ids=self.model.encode(request["text"]))

    def decode(self, request):
        return dict(text=self.model.decode([i for i in request["decode"] if i not in self.hidden]))


def requests_of(package, rng, count):
    for i in range(count):
        request = dict(text=text(rng, package.tokens), special=i % 4 != 0)
        if i % 3 == 0 and isinstance(package, Package):
            request["pair"] = text(rng, package.tokens)
        yield request


def ask(binary, path, requests):
    lines = "".join(json.dumps(r) + "\n" for r in requests)
    out = subprocess.run([binary, str(path)], input=lines, capture_output=True, text=True, check=True, encoding="utf-8").stdout
    return [json.loads(line) for line in out.split("\n") if line]


def runs_of_bytes_are_utf8(package, ids):
    """Whether streaming may be held to the decoded text (see incremental_decoder.h)."""
    names = [package.tokens_by_id(i) for i in ids]
    run = bytearray()
    for name in names + [""]:
        byte = re.fullmatch(r"<0x([0-9A-F]{2})>", name or "")
        if byte:
            run.append(int(byte[1], 16))
            continue
        try:
            run.decode()
        except UnicodeDecodeError:
            return False
        run.clear()
    return True


def compare(name, package, path, binary, count, write):
    rng = random.Random(zlib.crc32(name.encode()))
    if isinstance(package, Package):
        package.tokens_by_id = package.tokenizer.id_to_token
    else:
        package.tokens_by_id = package.model.id_to_piece
    requests = list(requests_of(package, rng, count))
    wanted = [package.encode(r) for r in requests]
    decodes = [dict(decode=w["ids"], skip=i % 2 == 0) for i, w in enumerate(wanted)]
    if isinstance(package, SentencePiece):  # it has no way to show control tokens
        decodes = [r | dict(skip=True) for r in decodes]
    decodes += [dict(decode=[rng.randrange(package.size) for _ in range(rng.randrange(12))], skip=i % 2 == 0 or isinstance(package, SentencePiece))
                for i in range(count // 4)]
    texts = [package.decode(r) for r in decodes]
    got = ask(binary, path, requests + decodes)
    failures = {}
    for request, want, have in zip(requests + decodes, wanted + texts, got):
        for key in want:
            if have.get(key) != want[key]:
                failures.setdefault(key, []).append((request, want, have))
        if "pieces" in have and have.get("text") == want.get("text"):
            if any("\ufffd" in p for p in have["pieces"]) and not runs_of_bytes_are_utf8(package, request["decode"]):
                continue
            if "".join(have["pieces"]) != have["text"]:
                failures.setdefault("stream", []).append((request, want, have))
    print(f"{name}: {len(requests)} strings, {len(decodes)} decoded;",
          ", ".join(f"{key} differ in {len(f)}" for key, f in failures.items()) or "all equal", flush=True)
    for key, list_ in failures.items():
        request, want, have = min(list_, key=lambda f: len(json.dumps(f[0])))
        print(f"  {key}: {request!r}\n    expected {want.get(key, want)!r}\n    got      {have.get(key, have)!r}")
    if write:
        keep(name, list(zip(requests, wanted))[:200], list(zip(decodes[-40:], texts[-40:])))
    return bool(failures)


def parts():
    """Tokenizers of one part each: normalized text shows as bytes, words as offsets."""
    spell = models.BPE({f"<0x{b:02X}>": b for b in range(256)}, [], byte_fallback=True)
    words = models.WordLevel({"?": 0}, "?")
    bert = [N.BertNormalizer(*flags) for flags in [(True, True, True, True), (False, True, False, False), (True, False, None, True)]]
    for normalizer in [N.NFC(), N.NFD(), N.NFKC(), N.NFKD(), N.Lowercase(), N.StripAccents(), N.Nmt(), N.Strip(), *bert]:
        t = tokenizers.Tokenizer(spell)
        t.normalizer = normalizer
        yield type(normalizer).__name__, t
    patterns = [make_tokenizers.LLAMA3, make_tokenizers.GPT4O, r"\w+", r"\s+", r"[\p{P}\p{S}]", r"(?i:s|k|é)", r"\p{Han}|\p{Greek}"]
    for pre in [P.Whitespace(), P.WhitespaceSplit(), P.Punctuation(), P.Digits(), P.BertPreTokenizer(),
                P.ByteLevel(add_prefix_space=False), *[P.Split(tokenizers.Regex(p), "isolated") for p in patterns]]:
        t = tokenizers.Tokenizer(words)
        t.pre_tokenizer = pre
        yield type(pre).__name__, t


def compare_characters(binary, only):
    characters = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
    characters += [chr(c) for c in (0xE000, 0xF8FF, 0x10FFFD)]
    texts = [f"a{c}b {c} 1{c}" for c in characters]
    failed = False
    for name, t in parts():
        if only and only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            t.save(f"{folder}/tokenizer.json")
            got = ask(binary, folder, [dict(text=x) for x in texts])
        wanted = t.encode_batch(texts)
        bad = [c for c, w, g in zip(characters, wanted, got)
               if w.ids != g.get("ids") or [list(o) for o in w.offsets] != g["offsets"]]
        print(f"{name}: {len(texts)} characters, {len(bad)} differ", [hex(ord(c)) for c in bad[:12]], flush=True)
        failed |= bool(bad)
    return failed


def keep(name, encoded, decoded):
    """Writes samples, one a line; of every fourth the offsets too, and types where there are any."""
    samples = []
    for i, (request, want) in enumerate(encoded):
        sample = {k: v for k, v in request.items() if k != "special" or not v} | dict(ids=want["ids"])
        if any(want.get("type_ids", [])):
            sample["type_ids"] = want["type_ids"]
        if i % 4 == 0 and "offsets" in want:
            sample["offsets"] = [place for pair in want["offsets"] for place in pair]
            sample["special_tokens_mask"] = want["special_tokens_mask"]
        samples.append(sample)
    samples += [{k: v for k, v in request.items() if k != "skip" or not v} | want for request, want in decoded]
    lines = ",\n".join(json.dumps(s, separators=(",", ":"), ensure_ascii=False) for s in samples)
    (HERE / "samples").mkdir(exist_ok=True)
    (HERE / "samples" / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8", newline="")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("binary")
    options.add_argument("--strings", type=int, default=10000)
    options.add_argument("--only")
    options.add_argument("--write", action="store_true")
    options.add_argument("--characters", action="store_true")
    args = options.parse_args()
    print("tokenizers", tokenizers.__version__, "sentencepiece", sentencepiece.__version__)
    if args.characters:
        sys.exit(compare_characters(args.binary, args.only))
    failed = False
    for folder in sorted((HERE / "families").iterdir()):
        if args.only and args.only not in folder.name:
            continue
        models = list(folder.glob("*.model"))
        package = SentencePiece(models[0]) if models else Package(folder)
        failed |= compare(folder.name, package, folder, args.binary, args.strings, args.write)
    sys.exit(failed)


if __name__ == "__main__":
    main()
