#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains the small tokenizers under families/, one for each make of tokenizer that models come with.

    python runtime/text/testdata/make_tokenizers.py

Trained on licence texts of Debian's base-files and on the lines below. Needs tokenizers and sentencepiece (stored: made
with tokenizers 0.23.3 and sentencepiece 0.2.3).
"""
import base64
import json
import pathlib
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as sp_proto
from tokenizers import (AddedToken, Regex, Tokenizer, decoders as D, models, normalizers as N, pre_tokenizers as P,
                        processors, trainers)

HERE = pathlib.Path(__file__).parent
OUT = HERE / "families"
LICENSES = ["Apache-2.0", "BSD", "MPL-2.0"]
LINES = """Das Leben ist kurz, und die Kunst ist lang. Größe, Straße, Übermut, naïve Élan, İstanbul.
Ο κόσμος είναι μεγάλος και η ζωή μικρή. Ελλάς, σας, ΣΟΦΙΑ.
Мир велик, а жизнь коротка. Привет, мир! Ещё раз.
世界很大，生命很短。你好，世界！日本語のテキストです。カタカナとひらがな。
세상은 넓고 인생은 짧다. 안녕하세요.
जीवन छोटा है। नमस्ते दुनिया।
I'll say we've seen it: they're done, don't you think? IT'S 1984, or 3.14 or 2024.
def f(x):\n    return x + 1\n\n\tfor i in range(10): print(i)
The quick brown fox jumps over the lazy dog.  Two  blanks.   Three   blanks.
ﬁne ﬂuff ½ ² Å ａｂｃ １２３ 😀 👨‍👩‍👧 🇩🇪 """.split("\n")
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def corpus():
    lines = list(LINES) * 4
    for name in LICENSES:
        lines += pathlib.Path("/usr/share/common-licenses", name).read_text(encoding="utf-8").splitlines()
    return lines


def save(name, tokenizer):
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    text = json.loads(tokenizer.to_str())
    (folder / "tokenizer.json").write_text(json.dumps(text, ensure_ascii=False, separators=(",", ":")) + "\n",
                                           encoding="utf-8")
    return folder


def template(tokenizer, single, pair, names):
    return processors.TemplateProcessing(single=single, pair=pair,
                                         special_tokens=[(n, tokenizer.token_to_id(n)) for n in names])


def bert(name, **normalizer):
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = N.BertNormalizer(**normalizer)
    t.pre_tokenizer = P.BertPreTokenizer()
    t.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=600, special_tokens=specials, show_progress=False))
    t.post_processor = template(t, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ["[CLS]", "[SEP]"])
    t.decoder = D.WordPiece()
    save(name, t)


def byte_level(name, normalizer, pre_tokenizer, specials, finish, size=700, **model):
    t = Tokenizer(models.BPE(**model))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre_tokenizer
    t.decoder = D.ByteLevel()
    t.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=size, special_tokens=specials, show_progress=False,
                                                        initial_alphabet=P.ByteLevel.alphabet()))
    finish(t)
    return save(name, t)


def gpt2(t):
    t.post_processor = processors.ByteLevel(trim_offsets=False)


def roberta(t):
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    t.post_processor = processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")),
                                                    trim_offsets=True, add_prefix_space=False)


def llama3(t):
    t.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False, add_prefix_space=True, use_regex=True),
        template(t, "<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", ["<|begin_of_text|>"])])
    # A word of the vocabulary that merges never make.
    text = json.loads(t.to_str())
    text["model"]["ignore_merges"] = True
    text["model"]["vocab"]["Ġlicenseplate"] = max(text["model"]["vocab"].values()) + 1
    text["added_tokens"] = text["added_tokens"][:2]
    return Tokenizer.from_str(json.dumps(text))


def phi(t):
    t.add_tokens([AddedToken(" " * n, normalized=False) for n in range(9, 1, -1)])
    t.add_tokens([AddedToken("\t" * n, normalized=False) for n in range(4, 1, -1)])
    t.post_processor = processors.ByteLevel(trim_offsets=True)


def neox(t):
    t.add_tokens([AddedToken(" " * n, normalized=True) for n in range(6, 1, -1)])
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True, add_prefix_space=False)])


def gpt4o(t):
    t.post_processor = processors.ByteLevel(trim_offsets=False)


def clip():
    specials = ["<|startoftext|>", "<|endoftext|>"]
    t = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>", continuing_subword_prefix=""))
    t.normalizer = N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()])
    t.pre_tokenizer = P.Sequence([P.Split(Regex(CLIP), behavior="removed", invert=True), P.ByteLevel(add_prefix_space=False)])
    t.decoder = D.BPEDecoder("</w>")
    t.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=600, special_tokens=specials, show_progress=False,
                                                        initial_alphabet=P.ByteLevel.alphabet(), end_of_word_suffix="</w>"))
    t.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), trim_offsets=False,
                                                    add_prefix_space=False)
    save("clip", t)


def train_sentencepiece(kind, size, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "corpus.txt")
        path.write_text("\n".join(corpus()), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(input=str(path), model_prefix=f"{folder}/m", model_type=kind, vocab_size=size,
                                                 minloglevel=2, num_threads=1, **options)
        return pathlib.Path(folder, "m.model").read_bytes()


def parse(model):
    proto = sp_proto.ModelProto()
    proto.ParseFromString(model)
    return proto


def merges_of(proto):
    """The merges that SentencePiece's scores stand for, as transformers makes them."""
    score = {p.piece: p.score for p in proto.pieces if p.type == 1}
    merges = []
    for piece in score:
        found = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in score and piece[i:] in score]
        merges += [(score[piece], a, b) for a, b in found]
    return [(a, b) for _, a, b in sorted(merges, key=lambda m: -m[0])]


def llama2(model):
    proto = parse(model)
    vocab = {p.piece: i for i, p in enumerate(proto.pieces)}
    specials = [AddedToken(n, special=True, normalized=False) for n in ("<unk>", "<s>", "</s>")]

    def make(name, tokens, **parts):
        t = Tokenizer(models.BPE(vocab, merges_of(proto), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        t.add_special_tokens(specials)
        t.add_tokens(tokens)
        for part, value in parts.items():
            setattr(t, part, value)
        t.post_processor = template(t, "<s> $A", "<s> $A <s>:1 $B:1", ["<s>"])
        save(name, t)

    legacy = N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")])
    spelled = [D.Replace("▁", " "), D.ByteFallback(), D.Fuse()]
    make("llama2-legacy", [], normalizer=legacy, decoder=D.Sequence(spelled + [D.Strip(" ", 1, 0)]))
    make("llama2-metaspace", [], pre_tokenizer=P.Metaspace(prepend_scheme="first", split=False),
         decoder=D.Sequence(spelled + [D.Strip(" ", 1, 0)]))
    make("gemma", [AddedToken("\n" * n, normalized=False) for n in range(1, 4)], normalizer=N.Replace(" ", "▁"),
         pre_tokenizer=P.Split(" ", "merged_with_previous"), decoder=D.Sequence(spelled))
    flags = [AddedToken("▁<PRE>", special=True, normalized=False), AddedToken("<SUF>", rstrip=True, normalized=False),
             AddedToken("<MID>", lstrip=True, normalized=False), AddedToken("<EOT>", lstrip=True, rstrip=True),
             AddedToken("word", single_word=True, normalized=True), AddedToken("The", single_word=True, normalized=False),
             AddedToken(" and ", normalized=True), AddedToken("<mask>", lstrip=True, normalized=True, special=True)]
    make("codellama", flags, normalizer=legacy, decoder=D.Sequence(spelled + [D.Strip(" ", 1, 0)]))


def unigram(name, model, normalizers, pre_tokenizer, single, pair, names, extra=(), shift=None):
    proto = parse(model)
    pieces = [(p.piece, p.score) for p in proto.pieces]
    charsmap = proto.normalizer_spec.precompiled_charsmap
    t = Tokenizer(models.Unigram(pieces, unk_id=next(i for i, p in enumerate(proto.pieces) if p.type == 2)))
    # The map is put in as text: not every version of the package takes it as bytes.
    precompiled = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()}
    t.pre_tokenizer = pre_tokenizer
    t.decoder = D.Metaspace()
    t.add_special_tokens([n if isinstance(n, AddedToken) else AddedToken(n, special=True, normalized=False) for n in names])
    t.add_tokens(list(extra))
    t.post_processor = template(t, single, pair, [n for n in names if isinstance(n, str) and n in single + pair])
    text = json.loads(t.to_str())
    parts = [precompiled if n is None else json.loads(n.__getstate__()) for n in normalizers]
    text["normalizer"] = {"type": "Sequence", "normalizers": parts} if len(parts) > 1 else parts[0]
    save(name, Tokenizer.from_str(json.dumps(text)))


def rules():
    """A character map that is small: some ligatures, wide letters, a grapheme of two characters, a removal."""
    table = {"ﬁ": "fi", "ﬂ": "fl", "½": "1/2", "²": "2", "\u212b": "\u00c5", "\u3000": " ", "\t": " ", "\n": " ", "\u00ad": "", "e\u0301": "\u00e9",
             "…": "...", "ß": "ss", "\r\n": " ", "\u200d": ""}
    table.update({chr(0xFF21 + i): chr(0x41 + i) for i in range(26)})
    return "".join("%s\t%s\n" % (" ".join("%X" % ord(c) for c in k), " ".join("%X" % ord(c) for c in v))
                   for k, v in table.items())


def sentencepiece_families():
    (OUT / "sp-bpe").mkdir(parents=True, exist_ok=True)
    (OUT / "sp-unigram").mkdir(parents=True, exist_ok=True)
    model = train_sentencepiece("bpe", 900, byte_fallback=True, normalization_rule_name="identity", split_digits=True,
                                remove_extra_whitespaces=False, allow_whitespace_only_pieces=True,
                                character_coverage=0.995)
    (OUT / "sp-bpe" / "tokenizer.model").write_bytes(model)
    llama2(model)
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as file:
        file.write(rules())
        file.flush()
        small = train_sentencepiece("unigram", 700, normalization_rule_tsv=file.name, character_coverage=0.998,
                                    user_defined_symbols=["<sym>", "license", "▁of▁the"])
        (OUT / "sp-unigram" / "spiece.model").write_bytes(small)
        small = train_sentencepiece("unigram", 600, normalization_rule_tsv=file.name, character_coverage=0.998, pad_id=0, unk_id=1,
                                    bos_id=2, eos_id=3, pad_piece="<pad>", bos_piece="[CLS]", eos_piece="[SEP]",
                                    user_defined_symbols=["[MASK]"])
        user = train_sentencepiece("bpe", 600, normalization_rule_tsv=file.name, user_defined_symbols=["<sym>", "license", "▁▁"])
        (OUT / "sp-bpe-symbols").mkdir(parents=True, exist_ok=True)
        (OUT / "sp-bpe-symbols" / "tokenizer.model").write_bytes(user)
    unigram("albert", small, [N.Replace("``", '"'), N.Replace("''", '"'), N.NFKD(), N.StripAccents(), N.Lowercase(), None,
                              N.Replace(Regex(" {2,}"), " ")],
            P.Metaspace(), "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1",
            ["<pad>", "<unk>", "[CLS]", "[SEP]", AddedToken("[MASK]", lstrip=True, special=True, normalized=False)])
    unigram("xlm-r", small, [None, N.Replace(Regex(" {2,}"), " ")], P.Sequence([P.WhitespaceSplit(), P.Metaspace()]),
            "[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B [SEP]", ["[CLS]", "<pad>", "[SEP]", "<unk>"])
    full = train_sentencepiece("unigram", 700, normalization_rule_name="nmt_nfkc", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    unigram("t5", full, [None, N.Strip(left=False, right=True), N.Replace(Regex(" {2,}"), "▁")], P.Metaspace(), "$A </s>",
            "$A </s> $B </s>", ["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_1>"])


def mixed():
    """Parts that few models use, in combinations that none does."""
    words = sorted({w for line in corpus() for w in line.lower().split()})[:400]
    vocab = {w: i for i, w in enumerate(["<unk>", "<pad>"] + words + list("abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()-/"))}
    cases = {
        "wordlevel-whitespace": (N.Sequence([N.NFD(), N.StripAccents(), N.Lowercase()]), P.Whitespace()),
        "wordlevel-digits": (N.Sequence([N.Nmt(), N.NFKC(), N.Strip()]),
                             P.Sequence([P.WhitespaceSplit(), P.Punctuation("contiguous"), P.Digits(individual_digits=True)])),
        "wordlevel-split": (N.NFKD(), P.Sequence([P.CharDelimiterSplit(" "), P.Digits(), P.Punctuation("merged_with_next"),
                                                  P.Split("e", "merged_with_previous"), P.Split(Regex("[aeiou]+|(?<=t)h"), "contiguous"),
                                                  P.FixedLength(length=3)])),
    }
    for name, (normalizer, pre_tokenizer) in cases.items():
        t = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
        t.normalizer = normalizer
        t.pre_tokenizer = pre_tokenizer
        t.add_special_tokens(["<unk>", "<pad>"])
        t.enable_truncation(24, strategy="only_first")
        t.enable_padding(pad_id=1, pad_token="<pad>", pad_to_multiple_of=8)
        save(name, t)


def main():
    bert("bert-uncased", lowercase=True)
    bert("bert-cased", lowercase=False, strip_accents=False)
    bert("bert-multilingual", lowercase=False, handle_chinese_chars=True, strip_accents=None)
    bert("bert-accents", lowercase=False, handle_chinese_chars=False, strip_accents=True, clean_text=False)
    end = "<|endoftext|>"
    byte_level("gpt2", None, P.ByteLevel(add_prefix_space=False), [end], gpt2)
    byte_level("roberta", None, P.ByteLevel(add_prefix_space=False), ["<s>", "<pad>", "</s>", "<unk>"], roberta)
    byte_level("roberta-prefix", None, P.ByteLevel(add_prefix_space=True), ["<s>", "<pad>", "</s>", "<unk>"],
               lambda t: setattr(t, "post_processor", processors.RobertaProcessing(("</s>", 2), ("<s>", 0))))
    regex = lambda pattern: P.Sequence([P.Split(Regex(pattern), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)])
    byte_level("qwen2", N.NFC(), regex(QWEN2), [end, "<|im_start|>", "<|im_end|>"], gpt2)
    byte_level("gpt4o", None, regex(GPT4O), [end], gpt4o)
    byte_level("phi", None, P.ByteLevel(add_prefix_space=False), [end], phi)
    byte_level("gpt-neox", N.NFC(), P.ByteLevel(add_prefix_space=False), [end, "<|padding|>"], neox)
    folder = byte_level("llama3", None, regex(LLAMA3), ["<|begin_of_text|>", "<|eot_id|>"], llama3)
    save("llama3", llama3(Tokenizer.from_file(str(folder / "tokenizer.json"))))
    clip()
    sentencepiece_families()
    mixed()


if __name__ == "__main__":
    main()
