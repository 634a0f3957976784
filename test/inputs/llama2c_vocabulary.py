# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the vocabulary of a model by llama2.c as the SentencePiece file and the configuration that it came from.

    python llama2c_vocabulary.py tok512.json DIRECTORY
"""
import json
import pathlib
import struct
import sys

UNKNOWN, CONTROL, BYTE, NORMAL = 2, 3, 6, 1


def field(number, content):
    """A field of a protocol buffer, of at most 127 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def main(source, directory):
    vocabulary = json.loads(pathlib.Path(source).read_text())
    model = b""
    for token, (text, score) in enumerate(zip(vocabulary["vocab"], vocabulary["scores"])):
        kind = UNKNOWN if token == 0 else CONTROL if token < 3 else BYTE if token < 259 else NORMAL
        text = text.strip() if kind == CONTROL else text.replace(" ", "\u2581")
        model += field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + bytes([3 << 3, kind]))
    bpe_with_byte_fallback = b"\x18\x02" + b"\x98\x02\x01"
    keep_blanks = b"\x20\x00"
    folder = pathlib.Path(directory)
    (folder / "tokenizer.model").write_bytes(model + field(2, bpe_with_byte_fallback) + field(3, keep_blanks))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizer"}\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
