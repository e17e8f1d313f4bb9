"""Small real models of every head, and rows that put one in charge of a campaign."""

import json
from pathlib import Path

import numpy as np

from annotation.models import Campaign
from tests.factories import NOW, SIDES, make_campaign
from tests.made_examples import FILLER, SIGNS, one_hot
from tests.tiny_bert import tiny_config_of
from training.algorithms.examples import Examples, Relation, Span
from training.algorithms.splits import CALIBRATION, TEST, TRAIN, VALIDATION
from training.models import ModelVersion, TrainingRun

PARTS = (TRAIN, TRAIN, TRAIN, VALIDATION, CALIBRATION, TEST)
WORDS = [*FILLER, *SIGNS["no"], *SIGNS["yes"], *"@*#^", "drug", "effect"]  # a pair is marked by the last ones
# By what a campaign asks: the head and its label keys.
CLASSES = {
    "choice": ("single", ("no", "yes")),
    "ordinal": ("ordinal", ("none", "mild", "severe")),
    "multiple": ("multiple", ("calm", "rash", "fever")),
    "pairs": ("single", ("first", "second", "tie")),
    "spans": ("spans", ("drug", "effect")),
    "relations": ("relations", ("causes",)),
}


def examples_of(kind: str, n: int = 120) -> Examples:
    """n texts of some words, of which one of calm, rash and fever, in turn, decides."""
    head, names = CLASSES[kind]
    rng = np.random.default_rng(0)
    signs = [("calm", "rash", "fever")[i % 3] for i in range(n)]
    texts = [" ".join([*rng.choice(FILLER, rng.integers(2, 20)), sign, f"word{i % 40}"])
             for i, sign in enumerate(signs)]  # fmt: skip
    targets, spans, seconds = one_hot(np.arange(n) % 3 % len(names), len(names)), None, None
    relations = None
    if kind == "pairs":
        seconds = [" ".join(rng.choice(FILLER, 5)) for _ in texts]
    if kind == "multiple":
        targets[::5] = 1.0
    if kind == "spans":
        targets = None
        spans = [[Span(text.index(sign), text.index(sign) + len(sign), names[sign != "calm"])]
                 for text, sign in zip(texts, signs, strict=True)]  # fmt: skip
    if kind == "relations":
        targets = None
        texts = [
            f"{('calm', 'rash')[i // 6 % 2]} {rng.choice(FILLER)} fever {text}"
            for i, text in enumerate(texts)
        ]
        spans = [[Span(0, 4, "drug"), Span(text.index("fever"), text.index("fever") + 5, "effect")]
                 for text in texts]  # fmt: skip
        relations = [{Relation(*one, "causes"): 1.0} if i // 6 % 2 else {} for i, one in enumerate(spans)]
    parts = np.array([PARTS[i % len(PARTS)] for i in range(n)], dtype=np.int8)
    weights = np.ones(n, dtype=np.float32)
    return Examples(head, names, texts, targets, weights, parts, seconds, spans, relations)


def fine_tuned(kind: str, base: Path, folder: Path) -> Path:
    """A model that has learned for a moment: what it says differs from text to text."""
    from training.encoder import fine_tune, fine_tune_relations

    config = tiny_config_of(base, max_epochs=20, patience=20, max_tokens=20, window_overlap=4)
    tune = fine_tune_relations if kind == "relations" else fine_tune
    return tune(examples_of(kind), config, output_dir=folder).path


def campaign_of(kind: str, **fields) -> Campaign:
    keys = CLASSES[kind][1]
    labels = [{"key": key, "name": key.title(), "hint": ""} for key in keys]
    if kind == "relations":
        ends = [{"key": key, "name": key.title(), "hint": "", "role": "span"} for key in CLASSES["spans"][1]]
        labels = [*ends, *(label | {"role": "relation"} for label in labels)]
    return make_campaign(kind=kind, labels=SIDES if kind == "pairs" else labels, **fields)


def put_in_charge(campaign: Campaign, folder: Path, **fields) -> ModelVersion:
    """A row as a run makes it for a model's folder."""
    manifest = json.loads((folder / "manifest.json").read_text())
    number = ModelVersion.objects.filter(campaign=campaign).count() + 1
    run = TrainingRun.objects.create(
        campaign=campaign, number=number, opened_at=NOW, state="succeeded", n_examples=120
    )
    ModelVersion.objects.filter(campaign=campaign).update(in_charge=False)
    made = {
        "family": manifest["family"], "number": number, "path": str(folder), "sha256": manifest["sha256"],
        "label_keys": manifest["class_names"], "in_charge": True,
    }  # fmt: skip
    return ModelVersion.objects.create(campaign=campaign, run=run, **made | fields)
