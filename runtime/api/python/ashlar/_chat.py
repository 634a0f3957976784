# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chat templates: the Jinja programs beside a model that lay a conversation out as its prompt."""
from __future__ import annotations

import datetime
import json
import os
import pathlib
from typing import Any, List, Mapping, NoReturn, Optional, Sequence, Union


class ChatTemplate:
    """The template of a model's directory, rendered by Jinja2 in its sandbox, with what Hugging Face's transformers gives
    templates: `messages`, `tools`, `documents`, `add_generation_prompt`, special tokens, `raise_exception`,
    `strftime_now` and a `tojson` that escapes nothing.

        template = ashlar.ChatTemplate("Llama-3.2-1B-Instruct")
        prompt = template.render([{"role": "user", "content": "Hello"}])
        tokens = tokenizer.encode(prompt, special_tokens=False).tokens()   # the template has written them

    Needs the package jinja2. Without it, lay the conversation out yourself: any text is a prompt."""

    def __init__(
        self,
        directory: Union[str, "os.PathLike[str]", None] = None,
        *,
        template: Optional[str] = None,
        name: Optional[str] = None,
        special_tokens: Optional[Mapping[str, str]] = None,
    ) -> None:
        """From a directory: chat_template.jinja, or chat_template in tokenizer_config.json (`name` chooses one where there
        are several). Or from the text of a template, with its special tokens, such as {"bos_token": "<s>"}."""
        self.special_tokens = dict(special_tokens or {})
        if directory is not None:
            found = _find(pathlib.Path(directory), name, self.special_tokens)
            template = template or found
        if template is None:
            raise ValueError("a chat template is wanted: a directory, or template=")
        self.source = template
        self._template = _environment().from_string(template)

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        add_generation_prompt: bool = True,
        tools: Optional[List[Any]] = None,
        documents: Optional[List[Any]] = None,
        **more: Any,
    ) -> str:
        """The prompt; `add_generation_prompt` ends it with the beginning of the answer."""
        return self._template.render(
            messages=messages, tools=tools, documents=documents, add_generation_prompt=add_generation_prompt,
            **{**self.special_tokens, **more})


def _find(directory: pathlib.Path, name: Optional[str], special_tokens: dict) -> str:
    config: Mapping[str, Any] = {}
    path = directory / "tokenizer_config.json"
    if path.exists():
        config = json.loads(path.read_text(encoding="utf-8"))
    for key, value in config.items():
        if key.endswith("_token") and isinstance(value, (str, dict)):
            special_tokens.setdefault(key, value if isinstance(value, str) else value["content"])
    file = directory / "chat_template.jinja"
    if file.exists() and name is None:
        return file.read_text(encoding="utf-8")
    found = config.get("chat_template")
    if isinstance(found, list):
        named = {entry["name"]: entry["template"] for entry in found}
        found = named.get(name or "default")
        if found is None:
            raise ValueError(f"{path}: there is no chat template {name or 'default'!r}, only {sorted(named)}")
    if not isinstance(found, str):
        raise FileNotFoundError(
            f"{directory}: no chat_template.jinja, and no chat_template in tokenizer_config.json; the model may have none: "
            "lay the prompt out as its documentation says")
    return found


def _environment() -> Any:
    try:
        from jinja2 import ext
        from jinja2.exceptions import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as missing:
        raise ImportError(
            "chat templates are Jinja programs and want the package jinja2 (pip install jinja2); without it, lay the "
            "conversation out as the model's documentation says and give that as the prompt") from missing

    def raise_exception(message: str) -> NoReturn:
        raise TemplateError(message)

    def tojson(
        value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def strftime_now(format: str) -> str:
        return datetime.datetime.now().strftime(format)

    class Generation(ext.Extension):
        """{% generation %}...{% endgeneration %} marks answers for training; here it is only what is in it."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[ext.loopcontrols, Generation])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = strftime_now
    return environment
