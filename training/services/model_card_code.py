"""Python that a model card shows: how to get from an exported folder to calibrated probabilities.

Tests run these examples as they stand. FOLDER is the exported folder.
"""

START = """
import json
from pathlib import Path

import torch
from transformers import {auto_class}, AutoTokenizer

FOLDER = Path(".")
manifest = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = {auto_class}.from_pretrained(FOLDER).eval()
length = min(manifest["config"]["max_tokens"], tokenizer.model_max_length)
overlap = min(manifest["config"]["window_overlap"], length // 4)
"""

ONE_TEXT = '''
def logits_of(text):
    """A text longer than a window is read in windows that overlap; their logits are averaged."""
    windows = tokenizer(
        text, truncation=True, max_length=length, stride=overlap, return_overflowing_tokens=True,
        padding=True, return_tensors="pt",
    )
    windows.pop("overflow_to_sample_mapping")
    with torch.no_grad():
        return model(**windows).logits.mean(dim=0)
'''

PAIR = '''
def logits_of(text, second):
    """Of two texts the longer one is cut until both fit."""
    pair = tokenizer(text, second, truncation=True, max_length=length, return_tensors="pt")
    with torch.no_grad():
        return model(**pair).logits[0]
'''

PROBABILITIES = {
    "single": """
def probabilities(*texts):
    p = (logits_of(*texts) / manifest["temperature"]).softmax(dim=0)
    return dict(zip(manifest["label_names"], p.tolist()))
""",
    "multiple": '''
def probabilities(*texts):
    """Each label is a question of its own; it holds from 0.5 on."""
    p = (logits_of(*texts) / manifest["temperature"]).sigmoid()
    return dict(zip(manifest["label_names"], p.tolist()))
''',
    "ordinal": '''
def probabilities(*texts):
    """The outputs are the log-odds of "beyond label k": differences of neighbours give the labels."""
    beyond = logits_of(*texts).double().sigmoid()
    p = torch.cat([beyond.new_ones(1), beyond]) - torch.cat([beyond, beyond.new_zeros(1)])
    p = (p.clamp_min(1e-12).log() / manifest["temperature"]).softmax(dim=0)
    return dict(zip(manifest["label_names"], p.tolist()))
''',
}

SPANS = '''
def spans(text):
    """The spans of a text that fits one window: (start, end, label), in code points.

    Three outputs a label: O outside, B at a span's first token, I at a further one.
    """
    encoded = tokenizer(
        text, truncation=True, max_length=length, return_offsets_mapping=True,
        return_special_tokens_mask=True, return_tensors="pt",
    )
    offsets, special = encoded.pop("offset_mapping")[0], encoded.pop("special_tokens_mask")[0].bool()
    with torch.no_grad():
        logits = model(**encoded).logits[0][~special]
    offsets, found = offsets[~special].tolist(), []
    tags = (logits.unflatten(1, (-1, 3)) / manifest["temperature"]).softmax(dim=2).argmax(dim=2)
    for layer, label in enumerate(manifest["label_names"]):
        last = 0
        for (start, end), tag in zip(offsets, tags[:, layer].tolist()):
            if tag == 1:
                found.append([start, end, label])
            elif tag == 2 and last:
                found[-1][1] = end
            last = tag
    return sorted(map(tuple, found))
'''

RELATIONS = '''
import json
from pathlib import Path

from training.algorithms.examples import Span  # of the platform's checkout; needs no database
from training.encoder import read_relations

FOLDER = Path(".")
LABELS = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))["label_names"]


def relations(text, spans=None):
    """(head, tail, label, probability) of a text; spans, if they are known, are (start, end, label key)."""
    given = None if spans is None else [[Span(*span) for span in spans]]
    [reading] = read_relations(FOLDER, [text], given)
    return [(one.head, one.tail, one.label, p) for one, p in reading.relations(LABELS)]
'''

TFIDF = '''
from training.linear import predict_tfidf  # of the platform's checkout; needs no database and no torch

FOLDER = "."


def probabilities(texts, seconds=None):
    """A row for each text, a column for each of the manifest's label_names."""
    return predict_tfidf(FOLDER, texts, seconds)
'''

OF_VECTORS = '''
import numpy as np

from training.encoder import embed  # of the platform's checkout
from training.linear import {predict}

FOLDER, BASE = ".", "the folder of the base model"


def probabilities(texts, seconds=None):
    """A row for each text, a column for each of the manifest's label_names."""
    vectors = embed(BASE, texts)
    if seconds is not None:
        vectors = np.hstack([vectors, embed(BASE, seconds)])
    return {predict}(FOLDER, {of})
'''


def loading_example(family: str, head: str, *, pairs: bool) -> str:
    if family == "tfidf":
        return TFIDF.strip()
    if family == "embedding":
        return OF_VECTORS.format(predict="predict_embedding", of="vectors").strip()
    if family == "combined":
        return OF_VECTORS.format(predict="predict_combined", of="texts, vectors, seconds").strip()
    if head == "relations":
        return RELATIONS.strip()
    if head == "spans":
        return (START.format(auto_class="AutoModelForTokenClassification") + "\n" + SPANS).strip()
    parts = [
        START.format(auto_class="AutoModelForSequenceClassification"),
        PAIR if pairs else ONE_TEXT,
        PROBABILITIES[head],
    ]
    return "\n".join(parts).strip()
