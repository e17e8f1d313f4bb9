"""Labelled texts for learners: made-up sentences in which one word decides, or in which some are marked."""

import dataclasses

import numpy as np

from training.algorithms.examples import Examples, Span
from training.algorithms.splits import CALIBRATION, TEST, TRAIN, VALIDATION

FILLER = [f"word{i}" for i in range(40)]
SIGNS = {"no": ["calm", "healthy", "well"], "yes": ["rash", "nausea", "fever"]}


def signed_sentences(n: int) -> tuple[list[str], np.ndarray]:
    """n made-up sentences of differing length; one sign word decides the class, 0 or 1 in turn."""
    rng = np.random.default_rng(0)
    texts = []
    for i in range(n):
        words = list(rng.choice(FILLER, size=rng.integers(3, 30)))
        words.insert(int(rng.integers(0, len(words))), str(rng.choice(SIGNS[["no", "yes"][i % 2]])))
        texts.append(" ".join(words))
    return texts, np.arange(n) % 2


def one_hot(labels, n_classes: int) -> np.ndarray:
    return np.eye(n_classes, dtype=np.float32)[np.asarray(labels)]


def relabelled(examples: Examples, labels) -> Examples:
    """The same texts with other labels."""
    return dataclasses.replace(examples, targets=one_hot(labels, len(examples.class_names)))


def marked(n: int, seed: int) -> tuple[list[str], list[list[Span]]]:
    """Texts in which "rash fever" and "nausea" are effects, and whatever follows "calm" is marked as well."""
    rng = np.random.default_rng(seed)
    texts, spans = [], []
    for _ in range(n):
        text, of_text = "", []
        for piece in rng.permutation([*rng.choice(FILLER, 5), "rash fever", "nausea", "calm rash"]):
            start = len(text) + (1 if text else 0)
            text = f"{text} {piece}".strip()
            if piece in ("rash fever", "nausea"):
                of_text.append(Span(start, len(text), "effect"))
            elif piece == "calm rash":
                of_text += [Span(start, len(text), "both"), Span(start + 5, len(text), "effect")]
        texts.append(text)
        spans.append(sorted(of_text))
    return texts, spans


def span_examples(texts, spans, labels=("effect", "both")) -> Examples:
    parts = np.array([TRAIN, TRAIN, TRAIN, VALIDATION, CALIBRATION, TEST] * len(texts), dtype=np.int8)
    return Examples(
        head="spans",
        class_names=labels,
        texts=texts,
        targets=None,
        spans=spans,
        weights=np.ones(len(texts), dtype=np.float32),
        parts=parts[: len(texts)],
    )
