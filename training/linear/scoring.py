"""Calibrated probabilities of a linear model that was written down."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from training.algorithms.calibration import apply_temperature
from training.errors import model_damaged, model_missing
from training.linear.learning import WEIGHTS, files_sha256, vector_features, word_features
from training.linear.pairs import Features, side_by_side
from training.linear.regression import Linear
from training.linear.words import Words
from training.model_folders import read_manifest

TEXTS_AT_ONCE = 10_000
VECTORS_AT_ONCE = 100_000  # of 384 numbers: 150 MB as float32


def predict_tfidf(
    model_dir: Path | str, texts: Sequence[str], seconds: Sequence[str] | None = None
) -> np.ndarray:
    """Return calibrated probabilities [N, K] float32, in the order of the texts."""
    folder = Path(model_dir)
    manifest, model, arrays = read_model(folder)
    words = Words.read(folder, arrays["inverse_frequency"])
    texts = list(texts)
    seconds = None if seconds is None else list(seconds)

    def chunk(start: int, end: int) -> np.ndarray:
        return model.scores(
            word_features(words, texts[start:end], None if seconds is None else seconds[start:end])
        )

    return _calibrated(manifest, chunk, len(texts), TEXTS_AT_ONCE)


def predict_embedding(model_dir: Path | str, vectors: np.ndarray) -> np.ndarray:
    """Return calibrated probabilities [N, K] float32 of vectors [N, D], as fit_embedding took them."""
    manifest, model, _ = read_model(model_dir)

    def chunk(start: int, end: int) -> np.ndarray:
        return model.scores(vector_features(vectors[start:end], is_pair=manifest["is_pair"]))

    return _calibrated(manifest, chunk, len(vectors), VECTORS_AT_ONCE)


def predict_combined(
    model_dir: Path | str, texts: Sequence[str], vectors: np.ndarray, seconds: Sequence[str] | None = None
) -> np.ndarray:
    """Return calibrated probabilities [N, K] float32 of texts and their vectors [N, D]."""
    manifest, model, _ = read_model(model_dir)
    told = combined_features(model_dir)

    def chunk(start: int, end: int) -> np.ndarray:
        return model.scores(told(texts[start:end], vectors[start:end], seconds and seconds[start:end]))

    return _calibrated(manifest, chunk, len(texts), TEXTS_AT_ONCE)


def combined_features(
    model_dir: Path | str,
) -> Callable[[Sequence[str], np.ndarray, Sequence[str] | None], Features]:
    """Return what makes of N texts, vectors [N, D] and second texts what fit_combined's model is told."""
    manifest, _, arrays = read_model(model_dir)
    words = Words.read(Path(model_dir), arrays["inverse_frequency"])

    def told(texts: Sequence[str], vectors: np.ndarray, seconds: Sequence[str] | None) -> Features:
        of_vectors = vector_features(vectors, is_pair=manifest["is_pair"])
        return side_by_side([word_features(words, texts, seconds), of_vectors])

    return told


def read_linear(model_dir: Path | str) -> Linear:
    return read_model(model_dir)[1]


def read_model(model_dir: Path | str) -> tuple[dict[str, Any], Linear, dict[str, np.ndarray]]:
    """Return the manifest, the weights, and what else the family keeps beside them; or refuse."""
    folder = Path(model_dir)
    manifest = read_manifest(folder)
    if not (folder / WEIGHTS).is_file():
        raise model_missing()
    if files_sha256(folder) != manifest["sha256"]:
        raise model_damaged()
    arrays = load_file(folder / WEIGHTS)
    return manifest, Linear(arrays["weights"], arrays["intercepts"]), arrays


def _calibrated(
    manifest: dict[str, Any], scores: Callable[[int, int], np.ndarray], n: int, at_once: int
) -> np.ndarray:
    """Score [start, end) after [start, end): features of all texts at once would not fit the memory."""
    probabilities = np.empty((n, len(manifest["class_names"])), dtype=np.float32)
    for start in range(0, n, at_once):
        end = min(start + at_once, n)
        probabilities[start:end] = apply_temperature(
            scores(start, end), manifest["temperature"], multiple=manifest["head"] == "multiple"
        )
    return probabilities
