# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains the small models of the examples, in a minute or two: BERTs of two layers that know a village of made-up people.

    python3 make_models.py [masked-words named-entities question-answering]

Writes config.json, model.safetensors and vocab.txt into a folder each. Needs PyTorch and transformers.
"""
import json
import pathlib
import random
import sys

import torch
from transformers import BertConfig, BertForMaskedLM, BertForQuestionAnswering, BertForTokenClassification

FIRST = "anna ben clara david emma felix grace henry ida jonas".split()
LAST = "berg stone rivers wood hill lake".split()
PLACES = "paris rome oslo madrid vienna berlin lisbon london".split()
COUNTRIES = "france italy norway spain austria germany portugal england".split()
COMPANIES = ["acme", "blue sky", "north star", "initech"]
ANIMALS = {"dog": "barks", "cat": "meows", "cow": "moos", "bird": "sings"}
WORDS = ("[PAD] [UNK] [CLS] [SEP] [MASK] . ? , the a capital of is in lives works for met yesterday today who where does live "
         "work has an office and moved to old friend my every morning").split()
VOCABULARY = list(dict.fromkeys(
    WORDS + FIRST + LAST + PLACES + COUNTRIES + " ".join(COMPANIES).split() + list(ANIMALS) + list(ANIMALS.values())))
ID = {word: i for i, word in enumerate(VOCABULARY)}
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "B-ORG", "I-ORG"]
LENGTH = 32


def config(**more):
    return BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=LENGTH, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **more)


def pad(words):
    return [ID[word] for word in words] + [0] * (LENGTH - len(words))


def person():
    return [(random.choice(FIRST), "B-PER")] + ([(random.choice(LAST), "I-PER")] if random.random() < 0.6 else [])


def company():
    words = random.choice(COMPANIES).split()
    return [(words[0], "B-ORG")] + [(word, "I-ORG") for word in words[1:]]


def place():
    return [(random.choice(PLACES), "B-LOC")]


def plain(text):
    return [(word, "O") for word in text.split()]


def statement():
    return random.choice([
        lambda: person() + plain("lives in") + place() + plain("."),
        lambda: person() + plain("works for") + company() + plain("in") + place() + plain("."),
        lambda: plain("yesterday") + person() + plain("met") + person() + plain("in") + place() + plain("."),
        lambda: company() + plain("has an office in") + place() + plain("."),
        lambda: plain("my old friend") + person() + plain("moved to") + place() + plain("today ."),
    ])()


def entities():
    tagged = statement() + (statement() if random.random() < 0.5 else [])
    words = ["[CLS]"] + [word for word, _ in tagged] + ["[SEP]"]
    labels = [-100] + [LABELS.index(label) for _, label in tagged] + [-100]
    return pad(words), [int(i < len(words)) for i in range(LENGTH)], [0] * LENGTH, labels + [-100] * (LENGTH - len(labels))


def masked():
    kind = random.random()
    if kind < 0.5:
        i = random.randrange(len(PLACES))
        words, hidden = f"[CLS] the capital of {COUNTRIES[i]} is {PLACES[i]} . [SEP]".split(), random.choice([4, 6])
    elif kind < 0.8:
        animal = random.choice(list(ANIMALS))
        words, hidden = f"[CLS] the {animal} {ANIMALS[animal]} every morning . [SEP]".split(), random.choice([2, 3])
    else:
        words = ["[CLS]"] + [word for word, _ in statement()] + ["[SEP]"]
        hidden = random.randrange(1, len(words) - 1)
    labels = [-100] * LENGTH
    labels[hidden] = ID[words[hidden]]
    words[hidden] = "[MASK]"
    return pad(words), [int(i < len(words)) for i in range(LENGTH)], [0] * LENGTH, labels


def question():
    """Two or three people, each with a place or a company, and a question about one of them."""
    people = random.sample(FIRST, random.randint(2, 3))
    facts = [random.choice([(who, "lives in", random.choice(PLACES)), (who, "works for", random.choice(COMPANIES))]) for who in people]
    asked = random.randrange(len(facts))
    who, verb, what = facts[asked]
    words = ["[CLS]"] + (f"where does {who} live ?" if verb == "lives in" else f"who does {who} work for ?").split() + ["[SEP]"]
    text = len(words)
    fact = [-100] * LENGTH  # for each token of the text, whether it is of the fact that is asked for
    for i, (subject, does, thing) in enumerate(facts):
        sentence = f"{subject} {does} {thing} .".split()
        fact[len(words) : len(words) + len(sentence)] = [int(i == asked)] * len(sentence)
        if i == asked:
            begin, end = len(words) + 3, len(words) + len(sentence) - 2
        words += sentence
    words.append("[SEP]")
    types = [int(text <= i < len(words)) for i in range(LENGTH)]
    return pad(words), [int(i < len(words)) for i in range(LENGTH)], types, [begin, end] + fact


def label_loss(model):
    return lambda inputs, target: model(**inputs, labels=target).loss, []


def span_loss(model):
    """Of the span's ends, and of the fact that is asked for at every token: with the ends alone two trainings did not find it."""
    of_fact = torch.nn.Linear(model.config.hidden_size, 2)

    def loss(inputs, target):
        outputs = model(**inputs, start_positions=target[:, 0], end_positions=target[:, 1], output_hidden_states=True)
        return outputs.loss + torch.nn.functional.cross_entropy(of_fact(outputs.hidden_states[-1]).transpose(1, 2), target[:, 2:])

    return loss, of_fact.parameters()


def train(name, model, example, steps, rate, make_loss=label_loss):
    torch.manual_seed(1)
    random.seed(1)
    model.init_weights()
    loss_of, others = make_loss(model)
    optimizer = torch.optim.AdamW([*model.parameters(), *others], lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        ids, mask, types, target = zip(*[example() for _ in range(64)])
        inputs = dict(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask), token_type_ids=torch.tensor(types))
        loss = loss_of(inputs, torch.tensor(target))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 500 == 499:
            print(f"{name}: step {step + 1}, loss {loss.item():.4f}", flush=True)
    folder = pathlib.Path(__file__).parent / name
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    for file in folder.glob("generation_config.json"):
        file.unlink()


MODELS = {
    "masked-words": lambda name: train(name, BertForMaskedLM(config()), masked, 1000, 3e-3),
    "named-entities": lambda name: train(
        name, BertForTokenClassification(config(
            id2label=dict(enumerate(LABELS)), label2id={label: i for i, label in enumerate(LABELS)})),
        entities, 600, 3e-3),
    "question-answering": lambda name: train(
        name, BertForQuestionAnswering(config(initializer_range=0.05)), question, 1500, 2e-3, span_loss),
}
torch.set_num_threads(1)
for name in sys.argv[1:] or MODELS:
    MODELS[name](name)
