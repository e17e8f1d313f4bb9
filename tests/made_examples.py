"""Labelled texts for learners: made-up sentences in which one word decides."""

import dataclasses

import numpy as np

from training.algorithms.examples import Examples

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
