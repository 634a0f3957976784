# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""conversations.json: chat templates are rendered as transformers renders them."""
import json
import pathlib
import re
import sys
import tempfile

from ashlar import ChatTemplate

with open(sys.argv[1], encoding="utf-8") as file:
    stored = json.load(file)
special = stored["special_tokens"]
for case in stored["cases"]:
    template = ChatTemplate(template=stored["templates"][case["name"]], special_tokens=special)
    found = template.render(case["messages"], add_generation_prompt=case["add_generation_prompt"], tools=case["tools"])
    assert found == case["rendered"], (case["name"], found, case["rendered"])
assert len(stored["cases"]) == 20


def error(expected, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except Exception as problem:  # noqa: B902: of several kinds
        assert expected in str(problem), problem
        return
    assert False, "no error: " + expected


user = {"role": "user", "content": "?"}
error("roles must alternate", ChatTemplate(template=stored["templates"]["llama2"], special_tokens=special).render, [user, user])
# A template is a program of whoever made the model; it gets at nothing.
error("unsafe", ChatTemplate(template="{{ messages.__class__.__mro__ }}").render, [user])
assert re.fullmatch(r"\d{4}", ChatTemplate(template="{{ strftime_now('%Y') }}").render([user]))

# From a model's directory.
with tempfile.TemporaryDirectory() as directory:
    folder = pathlib.Path(directory)
    error("no chat_template.jinja", ChatTemplate, folder)
    config = {"bos_token": {"content": "<s>"}, "chat_template": "{{ bos_token }}one"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert ChatTemplate(folder).render([user]) == "<s>one"
    config["chat_template"] = [{"name": "default", "template": "two"}, {"name": "tools", "template": "three"}]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert ChatTemplate(folder).render([user]) == "two" and ChatTemplate(folder, name="tools").render([user]) == "three"
    error("only ['default', 'tools']", ChatTemplate, folder, name="rag")
    (folder / "chat_template.jinja").write_text("four\n")
    assert ChatTemplate(folder).render([user]) == "four"

# Without the package, an error that says what to do.
sys.modules["jinja2"] = None
error("pip install jinja2", ChatTemplate, template="x")
