"""Fit a linear challenger and write it down: seconds, and equal models from equal examples and seeds."""

import hashlib
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from safetensors.numpy import save

from training.algorithms.calibration import fit_temperature
from training.algorithms.examples import Examples
from training.algorithms.splits import CALIBRATION, TRAIN, VALIDATION
from training.linear.pairs import Features, pair_features
from training.linear.regression import Linear, best_c, fit
from training.linear.words import VOCABULARY, Words
from training.model_folders import appearing_folder

FORMAT = 1  # of manifest.json
WEIGHTS = "model.safetensors"
HEADS = ("single", "ordinal", "multiple", "relations")
C_OF_WORDS = (3.0, 30.0, 300.0)
C_OF_VECTORS = (1.0, 10.0, 100.0)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model's folder, the SHA-256 of what it learned, and its manifest."""

    path: Path
    sha256: str
    manifest: dict[str, Any]


def fit_tfidf(examples: Examples, *, output_dir: Path, seed: int) -> Fitted:
    """Learn from words counted in the examples' texts; the folder output_dir appears when all is done."""
    rows = _learned(examples)
    words = Words.learned_from(
        [texts[row] for texts in (examples.texts, examples.seconds) if texts is not None for row in rows]
    )
    features = word_features(words, examples.texts, examples.seconds)
    model, config, derived, temperature = _learn(examples, features, C_OF_WORDS, seed)
    arrays = {"inverse_frequency": words.inverse_frequency.astype(np.float64)}
    manifest = _manifest("tfidf", examples, {**config, "counted": words.unit}, derived, temperature, seed)
    return _write(output_dir, model, manifest, arrays, words)


def fit_embedding(
    examples: Examples, vectors: np.ndarray, *, output_dir: Path, seed: int, base_model_sha256: str = ""
) -> Fitted:
    """Learn from vectors [N, D] that a frozen encoder gave the texts; of a pair, both texts' end to end.

    base_model_sha256 names the encoder in the manifest.
    """
    if len(vectors) != len(examples):
        raise ValueError("vectors and examples differ in length")
    features = vector_features(vectors, is_pair=examples.seconds is not None)
    model, config, derived, temperature = _learn(examples, features, C_OF_VECTORS, seed)
    manifest = _manifest("embedding", examples, config, derived, temperature, seed)
    manifest |= {"base_model_sha256": base_model_sha256, "is_pair": examples.seconds is not None}
    return _write(output_dir, model, manifest, {}, None)


def word_features(words: Words, texts, seconds) -> Features:
    first = words.features(texts)
    return first if seconds is None else pair_features(first, words.features(seconds))


def vector_features(vectors: np.ndarray, *, is_pair: bool) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=np.float32)
    return pair_features(*np.hsplit(vectors, 2)) if is_pair else vectors


def _learned(examples: Examples) -> np.ndarray:
    """Return the places learned from: what stops an encoder has nothing to stop here, and teaches too."""
    if examples.head not in HEADS:
        raise ValueError(f"a linear model has no head for {examples.head}")
    rows = np.flatnonzero(np.isin(examples.parts, (TRAIN, VALIDATION)) & (examples.weights > 0))
    if not len(rows):
        raise ValueError("there is no example to learn from")
    return rows


def _learn(
    examples: Examples, features: Features, candidates: tuple[float, ...], seed: int
) -> tuple[Linear, dict[str, Any], dict[str, Any], float]:
    rows, multiple = _learned(examples), examples.head == "multiple"
    assert examples.targets is not None
    targets, weights = examples.targets[rows], examples.weights[rows]
    texts = [" ".join(examples.texts[row].split()) for row in rows]
    groups = np.unique(np.array(texts, dtype=object), return_inverse=True)[1]
    held_out = examples.parts[rows] == VALIDATION
    c = best_c(candidates, features[rows], targets, weights, groups, held_out, multiple=multiple, seed=seed)
    model = fit(features[rows], targets, weights, c=c, multiple=multiple)
    calibrating = examples.rows(CALIBRATION)
    temperature = fit_temperature(
        examples.targets[calibrating], model.scores(features[calibrating]), multiple=multiple
    )
    derived = {"c": c, "n_train": len(rows), "n_calibration": len(calibrating)}
    derived["n_features"] = features.shape[1]
    return model, {"c": list(candidates)}, derived, temperature


def _manifest(
    family: str, examples: Examples, config, derived, temperature: float, seed: int
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "family": family,
        "head": examples.head,
        "class_names": list(examples.class_names),
        "temperature": temperature,
        "config": config,
        "derived": derived,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "base_model_sha256": "",
        "seed": seed,
    }


def _write(
    target: Path, model: Linear, manifest: dict[str, Any], arrays: dict[str, np.ndarray], words: Words | None
) -> Fitted:
    # As bytes, so that a full disk is the system's own error.
    weights = save({"weights": model.weights, "intercepts": model.intercepts, **arrays})
    with appearing_folder(Path(target)) as folder:
        (folder / WEIGHTS).write_bytes(weights)
        digest = hashlib.sha256(weights)
        if words is not None:
            words.write(folder)
            digest.update((folder / VOCABULARY).read_bytes())
        manifest["sha256"] = digest.hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return Fitted(Path(target), manifest["sha256"], manifest)
