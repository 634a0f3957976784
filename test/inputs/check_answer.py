# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""DIR QUESTION TEXT ANSWER: ANSWER holds the words of TEXT between the start and the end whose logits in DIR have the largest
sum, and the share of that span among all, where each word is a token."""
import math
import sys

import numpy as np

directory, question, text, answer = sys.argv[1:]
start, end = (np.load(f"{directory}/{name}_logits.npy")[0] for name in ("start", "end"))
words, first = text.split(), len(question.split()) + 2
spans = {(i, j): float(start[first + i]) + float(end[first + j]) for i in range(len(words)) for j in range(i, len(words))}
(i, j), most = max(spans.items(), key=lambda span: span[1])
share = 1 / sum(math.exp(score - most) for score in spans.values())
found = open(answer).read().rstrip("\n").split("\t")
assert found[0] == " ".join(words[i : j + 1]) and abs(float(found[1]) - share) < 0.006, (found, words[i : j + 1], share)
