# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""X.ashlar VOCABULARY DRAWN.json: text and generating with the Python module, on a small decoder of batch 1..3 and context 24
with a vocabulary of words; the last is what `ashlar generate --json` made of "w7 w8" with temperature 0.9 and seed 3."""
import json
import os
import sys
import tempfile

import ashlar
import numpy as np

program, tokenizer = ashlar.Program(sys.argv[1]), ashlar.Tokenizer(sys.argv[2])

# Ids and back.
assert tokenizer.find("[SEP]") == 3 and tokenizer.find("[NONE]") is None
encoding = tokenizer.encode(["w7 w8", "w9"], ["w10", "w11 w12"])
ids = np.asarray(encoding.ids)
assert ids.tolist() == [[2, 7, 8, 3, 10, 3], [2, 9, 3, 11, 12, 3]], ids
assert np.asarray(encoding.attention_mask).sum() == 12 and np.asarray(encoding.type_ids).tolist()[0] == [0, 0, 0, 0, 1, 1]
assert encoding.offsets(0)[1:3] == [(0, 2), (3, 5)] and encoding.sequences(1) == [-1, 0, -1, 1, 1, -1]
short = tokenizer.encode("w7", special_tokens=False, min_length=3)
assert np.asarray(short.ids).tolist() == [[7, 0, 0]] and short.tokens() == [7]
assert tokenizer.decode([2, 7, 8, 3]) == "w7 w8" and tokenizer.decode([2, 7], special_tokens=True) == "[CLS] w7"
decoder = tokenizer.decoder()
assert "".join([decoder.push(7), decoder.push(8), decoder.finish()]) == "w7 w8"


def code_of(function, *arguments, **named):
    try:
        function(*arguments, **named)
    except ashlar.AshlarError as error:
        return error.code
    return None


assert code_of(ashlar.Tokenizer, sys.argv[2] + "/none") is not None
assert code_of(decoder.push, 7) == "E0801"

# What a session takes.
outputs = program.session(1).run("forward", tokenizer.encode(["w7 w8", "w9"]).inputs())
assert np.asarray(outputs["logits"]).shape[:2] == (2, 4)

# Greedy, from text and from ids, alone and together.
generator = ashlar.Generator(program, tokenizer, threads=1)
assert generator.context == 24
(one,) = generator.generate("w7 w8", 6, ignore_eos=True, log_probabilities=True)
assert len(one.tokens) == 6 == len(one.log_probabilities) and one.finish == "length"
assert one.text == tokenizer.decode(one.tokens) and max(one.log_probabilities) < 0
both = generator.generate([[2, 7, 8, 3], [5]], 6, ignore_eos=True, log_probabilities=True)
assert [result.prompt for result in both] == [0, 1] and both[0] == one
assert generator.generate([2, 7, 8, 3], 6, ignore_eos=True)[0].tokens == one.tokens

# The same seed, the same tokens: here and in the driver.
drawn = [generator.generate("w7 w8", 8, temperature=0.9, seed=seed, ignore_eos=True)[0].tokens for seed in (3, 3, 4)]
with open(sys.argv[3]) as file:
    assert drawn[0] == drawn[1] == json.load(file)["tokens"] and drawn[0] != drawn[2], drawn

# Streaming, and the ways to stop.
pieces = []
(told,) = generator.generate("w7 w8", 6, ignore_eos=True, on_token=pieces.append)
assert "".join(piece.text for piece in pieces) == told.text and [p.token for p in pieces if p.token is not None] == told.tokens
assert generator.generate("w7 w8", 6, ignore_eos=True, on_token=lambda _: False)[0].finish == "caller"
stop = one.text.split()[2]
(stopped,) = generator.generate("w7 w8", 6, ignore_eos=True, stop=stop)
assert stopped.finish == "stop_string" and stop not in stopped.text and one.text.startswith(stopped.text)
assert generator.generate("w7 w8", 6, ignore_eos=True, stop_tokens=[one.tokens[1]])[0].finish == "stop_token"


def fails(_):
    raise KeyError("mine")


try:
    generator.generate("w7 w8", 6, on_token=fails)
    assert False, "an exception of on_token is the caller's"
except KeyError:
    pass

beams = generator.generate("w7 w8", 5, beams=3, results=2, ignore_eos=True, log_probabilities=True)
assert len(beams) == 2 and beams[0].score >= beams[1].score
assert abs(sum(beams[0].log_probabilities) / 5 - beams[0].score) < 1e-5
assert beams[0].score >= sum(one.log_probabilities[:5]) / 5 - 1e-6

assert code_of(generator.generate, [[1] * 25], 4) == "E0507"
assert code_of(generator.generate, "w7", beams=4) == "E0001"
assert code_of(ashlar.Generator(program).generate, "w7") == "E0801"
assert code_of(generator.generate, "w7", top_p=2.0) == "E0001"
cancellation = ashlar.Cancellation()
cancellation.cancel()
assert code_of(generator.generate, "w7", cancellation=cancellation) == "E0508"

# A session that is saved goes on elsewhere.
with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "session")
    first = generator.generate("w7 w8", 4, ignore_eos=True)[0].tokens
    generator.save(path)
    other = ashlar.Generator(program, threads=1)
    other.load(path)
    assert first + other.generate([2, 7, 8, 3] + first, 2, ignore_eos=True)[0].tokens == one.tokens
    assert code_of(other.load, sys.argv[1]) == "E0513"
    steps = program.session(1)
    steps.run("prefill", {"input_ids": np.array([[2, 7, 8]])})
    steps.save(path)
    expected = np.array(steps.run("decode", {"input_ids": np.array([[3]])})["logits"])
    steps.reset()
    steps.load(path)
    assert (np.asarray(steps.run("decode", {"input_ids": np.array([[3]])})["logits"]) == expected).all()
