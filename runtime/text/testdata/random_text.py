# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random Unicode texts that visit what tokenizers treat each in its own way.

Characters are of Unicode 15 at most: later ones have no properties in every ICU that is in use.
"""
import unicodedata

WORDS = ("the a of and play sing walk run license software program copyright Berlin London café naïve élan straße İstanbul "
         "世 界 日本 한국 का ελλάς σας мир ﬁ ß don't I'll we've IT'S they're 1984 3.14 2²").split()
ENDINGS = "ing ed s er ly est ness in on um an é ö ß し 국 о и ς σ".split()
# Characters that rules treat each in their own way, and neighbours of theirs.
EDGES = [0, 1, 8, 9, 10, 11, 12, 13, 0x1C, 0x20, 0x7F, 0x85, 0x8F, 0x9F, 0xA0, 0xAD, 0xB2, 0xBC, 0x130, 0x131, 0x17F, 0x1C5,
         0x3A3, 0x3C2, 0x300, 0x301, 0x345, 0x600, 0x660, 0x903, 0x93C, 0x0E33, 0x1100, 0x1161, 0x11A8, 0x1680, 0xAC00, 0xAC01,
         0x1E9E, 0x166D, 0x1734, 0x1885, 0x2003, 0x200B, 0x200C, 0x200D, 0x2028, 0x2029, 0x202E, 0x2126, 0x212B, 0x2160,
         0x2460, 0x2581, 0x3000, 0x3099, 0x30FC, 0x4E00, 0x9FFF, 0xA000, 0xA9BD, 0xE000, 0xF900, 0xFB01, 0xFDFA, 0xFE0F, 0xFEFF,
         0xFF01, 0xFF21, 0xFF9E, 0xFFFD, 0xFFFE, 0x10400, 0x111C9, 0x11938, 0x1D15E, 0x1D400, 0x1F1E9, 0x1F600, 0x1F468, 0x20000,
         0x2A6DF, 0x2B81F, 0x2B820, 0x2B920, 0x2FA1F, 0xE0001, 0x10FFFF]
BLANKS = ["", " ", " ", " ", "  ", "   ", "\t", "\n", "\n\n", " \n", "\r\n", "\u3000", "\u2581"]


def assigned(rng, first, last):
    """A character of the range that Python's Unicode knows, which is 14 or 15 where this is run."""
    while True:
        c = chr(rng.randrange(first, last))
        if unicodedata.category(c) not in ("Cn", "Cs"):
            return c


def piece(rng, tokens):
    kind = rng.randrange(12)
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
        return rng.choice(tokens) + rng.choice(["", rng.choice(WORDS)])
    if kind == 8:
        return str(rng.randrange(10 ** rng.randrange(1, 9)))
    if kind == 9:
        return rng.choice(["run" * rng.randrange(1, 40), "()[]{};", "....", "def f(x):\n    return x\n", "a" * rng.randrange(1, 90)])
    if kind == 10:
        return rng.choice(tokens)[: rng.randrange(1, 6)]
    return "".join(assigned(rng, 0xA0, rng.choice([0x500, 0x3000, 0xD800, 0x20000])) for _ in range(3))


def text(rng, tokens):
    """A text of up to eight pieces, some of them out of `tokens`."""
    return rng.choice(BLANKS) + "".join(piece(rng, tokens) + rng.choice(BLANKS) for _ in range(rng.randrange(0, 8)))
