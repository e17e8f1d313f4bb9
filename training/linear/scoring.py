"""Calibrated probabilities of a linear model that was written down."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from training.algorithms.calibration import apply_temperature
from training.errors import model_damaged, model_missing
from training.linear.learning import WEIGHTS, files_sha256, vector_features, word_features
from training.linear.pairs import Features
from training.linear.regression import Linear
from training.linear.words import Words
from training.model_folders import read_manifest

AT_ONCE = 10_000  # texts: the features of all would not fit the memory


@dataclass(frozen=True, slots=True)
class StoredModel:
    """What a linear model is told of texts, and what it makes of that."""

    manifest: dict[str, Any]
    linear: Linear
    words: Words | None

    def features(
        self,
        texts: Sequence[str] | None = None,
        seconds: Sequence[str] | None = None,
        vectors: np.ndarray | None = None,
    ) -> list[Features]:
        """Return them in parts, [N, F] each; of texts only if it counts words, of vectors [N, D] if given."""
        parts: list[Features] = []
        if self.words is not None:
            parts.append(word_features(self.words, texts, seconds))
        if vectors is not None:
            parts.append(vector_features(vectors, is_pair=self.manifest["is_pair"]))
        return parts

    def probabilities(self, features: Sequence[Features]) -> np.ndarray:
        """Return calibrated probabilities [N, K] float32."""
        scores, multiple = self.linear.scores(*features), self.manifest["head"] == "multiple"
        return apply_temperature(scores, self.manifest["temperature"], multiple=multiple)


def read_model(model_dir: Path | str) -> StoredModel:
    """Return what lies in a folder, or refuse what is not as it was written."""
    folder = Path(model_dir)
    manifest = read_manifest(folder)
    if not (folder / WEIGHTS).is_file():
        raise model_missing()
    if files_sha256(folder) != manifest["sha256"]:
        raise model_damaged()
    arrays = load_file(folder / WEIGHTS)
    counts_words = "inverse_frequency" in arrays
    words = Words.read(folder, arrays["inverse_frequency"]) if counts_words else None
    return StoredModel(manifest, Linear(arrays["weights"], arrays["intercepts"]), words)


def predict_tfidf(
    model_dir: Path | str, texts: Sequence[str], seconds: Sequence[str] | None = None
) -> np.ndarray:
    """Return calibrated probabilities [N, K] float32, in the order of the texts."""
    return _predicted(model_dir, len(texts), texts, seconds, None)


def predict_embedding(model_dir: Path | str, vectors: np.ndarray) -> np.ndarray:
    """Return calibrated probabilities [N, K] float32 of vectors [N, D], as fit_embedding took them."""
    return _predicted(model_dir, len(vectors), None, None, vectors)


def predict_combined(
    model_dir: Path | str, texts: Sequence[str], vectors: np.ndarray, seconds: Sequence[str] | None = None
) -> np.ndarray:
    """Return calibrated probabilities [N, K] float32 of texts and their vectors [N, D]."""
    return _predicted(model_dir, len(texts), texts, seconds, vectors)


def _predicted(model_dir: Path | str, n: int, *columns: Sequence[Any] | None) -> np.ndarray:
    model = read_model(model_dir)
    probabilities = np.empty((n, len(model.manifest["class_names"])), dtype=np.float32)
    for start in range(0, n, AT_ONCE):
        few = slice(start, start + AT_ONCE)
        of_few = [None if column is None else column[few] for column in columns]
        probabilities[few] = model.probabilities(model.features(*of_few))
    return probabilities
