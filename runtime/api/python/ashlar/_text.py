# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Texts to ids and back."""
from __future__ import annotations

import ctypes
import os
from ctypes import byref, c_char_p, c_int64, c_size_t, c_void_p
from typing import List, Optional, Sequence, Tuple, Union

from . import _library as c
from ._library import check, lib
from ._tensors import I64, Tensor, View


def strings(texts: Sequence[str]) -> "ctypes.Array[c_char_p]":
    for text in texts:
        if "\0" in text:
            raise ValueError("a text has a zero character, which the C interface cannot carry")
    return (c_char_p * len(texts))(*[text.encode("utf-8", "surrogatepass") for text in texts])


def text_at(address: Optional[int], size: int) -> str:
    return ctypes.string_at(address or 0, size).decode("utf-8", "replace") if size else ""


class Encoding:
    """Texts as ids, [rows, length], short ones padded. `ids`, `attention_mask` and `type_ids` are tensors (see Tensor)
    that a session takes as they are."""

    def __init__(self, handle: c.Handle) -> None:
        self._handle = handle
        view = c.Encoded()
        check(lib.ashlar_encoding_view(handle.value, byref(view)))
        self.shape: Tuple[int, int] = (view.rows, view.length)
        self.ids = self._tensor("ids", view.ids, self.shape)
        self.attention_mask = self._tensor("attention_mask", view.attention_mask, self.shape)
        self.type_ids = self._tensor("type_ids", view.type_ids, self.shape)
        self._byte_offsets = self._list(view.offsets, 2 * view.rows * view.length)
        self._sequences = self._list(view.sequences, view.rows * view.length)

    def _tensor(self, name: str, address: Optional[int], shape: Tuple[int, int]) -> Tensor:
        return Tensor(name, View(I64, shape, address or 0, self._handle))

    @staticmethod
    def _list(address: Optional[int], count: int) -> List[int]:
        return list((c_int64 * count).from_address(address)) if address and count else []

    def inputs(self, names: Sequence[str] = ("input_ids", "attention_mask")) -> dict:
        """What Session.run takes, of those that are named: "input_ids", "attention_mask", "token_type_ids"."""
        there = {"input_ids": self.ids, "attention_mask": self.attention_mask, "token_type_ids": self.type_ids}
        return {name: there[name] for name in names if name in there}

    def tokens(self, row: int = 0) -> List[int]:
        """The ids of a text, without padding: a prompt for a Generator."""
        count, length = self.shape
        ids = self._list(self.ids._view.data, count * length)[row * length : (row + 1) * length]
        mask = self._list(self.attention_mask._view.data, count * length)[row * length : (row + 1) * length]
        return [token for token, there in zip(ids, mask) if there]

    def offsets(self, row: int) -> List[Tuple[int, int]]:
        """For each id the bytes [begin, end) of its text in UTF-8; (0, 0) for what stands for no text."""
        length = self.shape[1]
        flat = self._byte_offsets[2 * row * length : 2 * (row + 1) * length]
        return list(zip(flat[::2], flat[1::2]))

    def sequences(self, row: int) -> List[int]:
        """For each id: 0 of the text, 1 of its pair, -1 of none."""
        length = self.shape[1]
        return self._sequences[row * length : (row + 1) * length]


class Tokenizer:
    """A vocabulary and its rules, from a directory with tokenizer.json, vocab.txt, ... or one of these files. Usable from
    any thread."""

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self._handle = c.Handle(lib.ashlar_tokenizer_release)
        check(lib.ashlar_tokenizer_load(os.fsencode(path), byref(self._handle.value)))

    def find(self, token: str) -> Optional[int]:
        """The id of a token such as "[MASK]"."""
        found = int(lib.ashlar_tokenizer_find(self._handle.value, token.encode()))
        return None if found < 0 else found

    def encode(
        self,
        texts: Union[str, Sequence[str]],
        pairs: Union[str, Sequence[str], None] = None,
        *,
        max_length: int = 0,
        min_length: int = 0,
        special_tokens: bool = True,
    ) -> Encoding:
        """A batch of texts, or of pairs of texts. Longer ones than `max_length` ids (0: no limit) are cut."""
        first = [texts] if isinstance(texts, str) else list(texts)
        second = [pairs] if isinstance(pairs, str) else pairs
        if second is not None and len(second) != len(first):
            raise ValueError(f"{len(first)} texts, but {len(second)} to pair them with")
        options = c.EncodeOptions(
            max_length=max_length, min_length=min_length, no_special_tokens=0 if special_tokens else 1)
        handle = c.Handle(lib.ashlar_encoding_release)
        check(
            lib.ashlar_tokenizer_encode(
                self._handle.value, strings(first), None if second is None else strings(second), len(first),
                byref(options), byref(handle.value)))
        return Encoding(handle)

    def decode(self, ids: Sequence[int], *, special_tokens: bool = False) -> str:
        """The text of ids, without the special tokens among them."""
        text, size = c_void_p(), c_size_t()
        array = (c_int64 * len(ids))(*[int(i) for i in ids])
        check(
            lib.ashlar_tokenizer_decode(
                self._handle.value, array, len(ids), int(special_tokens), byref(text), byref(size)))
        try:
            return text_at(text.value, size.value)
        finally:
            lib.ashlar_text_release(text)

    def decoder(self, *, special_tokens: bool = False) -> "Decoder":
        """For ids that come one by one."""
        return Decoder(self, special_tokens)


class Decoder:
    """The text of ids that come one by one: whole characters at every step. Used by one thread; made by
    Tokenizer.decoder."""

    def __init__(self, tokenizer: Tokenizer, special_tokens: bool) -> None:
        self._handle = c.Handle(lib.ashlar_decoder_release)
        check(lib.ashlar_decoder_create(tokenizer._handle.value, int(special_tokens), byref(self._handle.value)))

    def push(self, token: int) -> str:
        """The text that the token completes, which may be none."""
        text, size = c_void_p(), c_size_t()
        check(lib.ashlar_decoder_push(self._handle.value, token, byref(text), byref(size)))
        return text_at(text.value, size.value)

    def finish(self) -> str:
        """What was held back. No more tokens may follow."""
        text, size = c_void_p(), c_size_t()
        check(lib.ashlar_decoder_finish(self._handle.value, byref(text), byref(size)))
        return text_at(text.value, size.value)
