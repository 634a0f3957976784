# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Continues a text, word by word, as a model of language would.

    ashlar compile Llama-3.2-1B --context 4096 -o llama.ashlar
    python3 continue.py llama.ashlar Llama-3.2-1B "Once upon a time" --temperature 0.8
    python3 continue.py llama.ashlar Llama-3.2-1B-Instruct "Who are you?" --chat

With --chat the text is a message, laid out by the model's own template, and what is read from standard input goes on with
the conversation, line by line.
"""
import argparse
import sys

import ashlar


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact")
    parser.add_argument("vocabulary")
    parser.add_argument("text")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chat", action="store_true")
    arguments = parser.parse_args()
    generator = ashlar.Generator(ashlar.Program(arguments.artifact), arguments.vocabulary)

    def tell(prompt):
        (result,) = generator.generate(
            prompt, arguments.max_tokens, temperature=arguments.temperature, top_p=0.95, seed=arguments.seed,
            on_token=lambda piece: print(piece.text, end="", flush=True))
        print()
        return result.text

    if not arguments.chat:
        tell(arguments.text)
        return
    template, messages = ashlar.ChatTemplate(arguments.vocabulary), []
    for message in [arguments.text, *sys.stdin]:
        messages.append({"role": "user", "content": message.strip()})
        laid_out = template.render(messages)
        # The template has written the special tokens. What earlier turns have in the cache is not computed again.
        tokens = generator.tokenizer.encode(laid_out, special_tokens=False).tokens()
        messages.append({"role": "assistant", "content": tell(tokens)})


main()
