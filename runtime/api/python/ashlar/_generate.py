# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Continuing texts."""
from __future__ import annotations

import os
from ctypes import byref, c_double, c_int64
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import _library as c
from ._library import check, lib
from ._session import Cancellation, MemoryPool, Program, ThreadPool, microseconds, session_options
from ._text import Tokenizer, strings, text_at

Prompt = Union[str, Sequence[int]]


class Generation(NamedTuple):
    """One continuation. `log_probabilities` are the tokens' in the model's own distribution, where asked for; `score` is a
    beam's; `finish` says why it ended: "length", "stop_token", "stop_string", "context" or "caller"."""

    prompt: int
    tokens: List[int]
    text: str
    log_probabilities: List[float]
    score: float
    finish: str


class GeneratedToken(NamedTuple):
    """One more token of a prompt's continuation, and the text that is certain now; with `token` None the last of it."""

    prompt: int
    token: Optional[int]
    text: str


class Generator:
    """A session of a decoder that continues prompts. It keeps what its last sequence has in the cache: a single prompt that
    begins with the same tokens, as the next turn of a conversation does, computes only what is new. Used by one thread at
    a time."""

    def __init__(
        self,
        program: Program,
        tokenizer: Union[Tokenizer, str, "os.PathLike[str]", None] = None,
        *,
        threads: int = 0,
        thread_pool: Optional[ThreadPool] = None,
        memory_pool: Optional[MemoryPool] = None,
    ) -> None:
        """Without a tokenizer prompts are ids."""
        if tokenizer is not None and not isinstance(tokenizer, Tokenizer):
            tokenizer = Tokenizer(tokenizer)
        self.tokenizer = tokenizer
        options = session_options(threads, thread_pool, memory_pool)
        self._handle = c.Handle(lib.ashlar_generator_release)
        check(
            lib.ashlar_generator_create(
                program._handle.value, byref(options), tokenizer._handle.value if tokenizer else None,
                byref(self._handle.value)))

    @property
    def context(self) -> int:
        """The tokens that a sequence may have."""
        return int(lib.ashlar_generator_context(self._handle.value))

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Writes the cache to a file."""
        check(lib.ashlar_generator_save(self._handle.value, os.fsencode(path)))

    def load(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Restores the cache from a file that a generator of the same program wrote."""
        check(lib.ashlar_generator_load(self._handle.value, os.fsencode(path)))

    def generate(
        self,
        prompts: Union[Prompt, Sequence[Prompt]],
        max_tokens: int = 64,
        *,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        seed: int = 0,
        stop: Union[str, Sequence[str]] = (),
        stop_tokens: Sequence[int] = (),
        ignore_eos: bool = False,
        beams: int = 1,
        results: int = 1,
        length_penalty: float = 1.0,
        log_probabilities: bool = False,
        on_token: Optional[Callable[[GeneratedToken], Any]] = None,
        cancellation: Optional[Cancellation] = None,
        timeout: Optional[float] = None,
    ) -> List[Generation]:
        """Continues one prompt or several, of any lengths, each a text or ids; `results` of each, in their order.

        The filters act in this order, which is that of Hugging Face's transformers: repetition_penalty, temperature (0:
        the likeliest token each time), top_k, top_p, min_p. The same seed gives the same tokens. `stop` ends a
        continuation before one of these texts. `on_token` is called as tokens are made; returning False ends that
        continuation."""
        given, kept = _prompts(prompts)
        stops = [stop] if isinstance(stop, str) else list(stop)
        for name, value in (("top_p", top_p), ("repetition_penalty", repetition_penalty), ("beams", beams)):
            if value == 0:  # which means the default in C
                raise ValueError(f"{name} is 0, expected more")
        options = c.GenerateOptions(
            max_tokens=max_tokens, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
            repetition_penalty=repetition_penalty, seed=seed, beams=beams, results=results, ignore_eos=int(ignore_eos),
            log_probabilities=int(log_probabilities), stop_token_count=len(stop_tokens), stop_string_count=len(stops))
        penalty, tokens = c_double(length_penalty), (c_int64 * len(stop_tokens))(*stop_tokens)
        options.length_penalty = c.POINTER(c_double)(penalty)
        options.stop_tokens, options.stop_strings = tokens, strings(stops)
        failures: List[BaseException] = []
        if on_token is not None:
            options.on_token = c.TokenFunction(_caller(on_token, failures))
        if cancellation is not None:
            options.cancellation = cancellation._handle.value
        if timeout is not None:
            options.timeout_us = microseconds(timeout)
        handle = c.Handle(lib.ashlar_generations_release)
        if max_tokens == 0:
            raise ValueError("max_tokens is 0, expected more")
        check(lib.ashlar_generator_run(self._handle.value, given, len(given), byref(options), byref(handle.value)))
        del kept
        if failures:
            raise failures[0]
        return [_generation(handle, i) for i in range(lib.ashlar_generations_count(handle.value))]


def _prompts(prompts: Union[Prompt, Sequence[Prompt]]) -> Tuple[Any, List[Any]]:
    """As C takes them, and what they point to."""
    if isinstance(prompts, str) or (len(prompts) > 0 and not hasattr(prompts[0], "__len__")):
        prompts = [prompts]  # type: ignore[list-item]
    given, kept = (c.Prompt * len(prompts))(), []
    for target, prompt in zip(given, prompts):
        target.__init__()
        if isinstance(prompt, str):
            kept.append(strings([prompt]))
            target.text = kept[-1][0]
        else:
            kept.append((c_int64 * len(prompt))(*[int(token) for token in prompt]))
            target.tokens, target.token_count = kept[-1], len(prompt)
    return given, kept


def _caller(on_token: Callable[[GeneratedToken], Any], failures: List[BaseException]) -> Callable[..., int]:
    """What C calls; an exception ends the continuation and is raised when the call is over."""

    def call(_: Any, prompt: int, token: int, text: Optional[int], size: int) -> int:
        if failures:
            return 1
        try:
            goes_on = on_token(GeneratedToken(prompt, token if token >= 0 else None, text_at(text, size)))
        except BaseException as failure:  # noqa: B902: raised again by generate
            failures.append(failure)
            return 1
        return 1 if goes_on is False else 0

    return call


def _generation(handle: c.Handle, index: int) -> Generation:
    view = c.Generation()
    check(lib.ashlar_generations_get(handle.value, index, byref(view)))
    count = view.token_count
    return Generation(
        view.prompt, list(view.tokens[:count]) if count else [], text_at(view.text, view.text_size),
        list(view.log_probabilities[:count]) if view.log_probabilities else [], view.score, view.finish.decode())
