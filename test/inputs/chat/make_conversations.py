# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""[-o FILE]: conversations.json: templates in the manners of common models, and the prompts that transformers renders of
them. Needs transformers and jinja2."""
import argparse
import json
import pathlib

import transformers
from transformers.utils.chat_template_utils import render_jinja_template

# Written for this test: each lays text out as a family of models does, and uses what its templates use.
TEMPLATES = {
    "chatml": "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
              "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "llama2": "{% if messages[0].role == 'system' %}{% set first = '<<SYS>>\n' ~ messages[0].content ~ '\n<</SYS>>\n\n' %}"
              "{% set rest = messages[1:] %}{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
              "{% for m in rest %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
              "{{ raise_exception('roles must alternate') }}{% endif %}"
              "{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + (first if loop.first else '') + m['content'].strip() + ' [/INST]' }}"
              "{% else %}{{ ' ' + m['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}",
    "llama3": "{{- bos_token }}\n{%- for m in messages %}\n    {{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' }}\n"
              "    {{- m['content'] | trim + '<|eot_id|>' }}\n{%- endfor %}\n{%- if tools is not none %}\n"
              "    {{- tools | tojson(indent=4) }}\n{%- endif %}\n{%- if add_generation_prompt %}\n"
              "    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n",
    "gemma": "{{ bos_token }}{% set ns = namespace(turns=0) %}{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}"
             "{% set ns.turns = ns.turns + 1 %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
             "{{ m.content | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
    "marked": "{%- for m in messages -%}\n{%- if m.role == 'assistant' -%}{%- generation -%}{{ m.content }}{%- endgeneration -%}\n"
              "{%- else -%}<{{ m.role | upper }}>{{ m.content | tojson }}{%- endif -%}\n{%- endfor -%}",
}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
CONVERSATIONS = [
    [{"role": "user", "content": "Hello"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "  What is \"x < y\"?\n"},
     {"role": "assistant", "content": "A comparison — größer & kleiner."}, {"role": "user", "content": "日本語で?"}],
]
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "of a place", "parameters": {}}}]

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("-o", "--output", default=pathlib.Path(__file__).parent / "conversations.json", type=pathlib.Path)
arguments = parser.parse_args()
cases = []
for name, template in TEMPLATES.items():
    for messages in CONVERSATIONS:
        for prompt in (True, False):
            tools = TOOLS if name == "llama3" and prompt else None
            rendered, _ = render_jinja_template(
                [messages], tools=tools, chat_template=template, add_generation_prompt=prompt, **SPECIAL)
            cases.append({"name": name, "messages": messages, "add_generation_prompt": prompt, "tools": tools,
                          "rendered": rendered[0]})
arguments.output.write_text(json.dumps(
    {"made_by": f"transformers {transformers.__version__}", "templates": TEMPLATES, "special_tokens": SPECIAL,
     "cases": cases}, indent=1, ensure_ascii=False) + "\n")
