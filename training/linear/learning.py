"""Fit a linear challenger and write it down: seconds, and equal models from equal examples and seeds."""

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from safetensors.numpy import save

from training.algorithms.calibration import apply_temperature
from training.algorithms.examples import WHOLE_TEXT_HEADS, Examples
from training.algorithms.splits import TRAIN, groups_of
from training.linear.pairs import Features, pair_features
from training.linear.regression import Linear, fit, rehearse
from training.linear.words import VOCABULARY, Words
from training.model_folders import appearing_folder

FORMAT = 1  # of manifest.json
WEIGHTS = "model.safetensors"
C_OF_WORDS = (3.0, 30.0, 300.0)
C_OF_VECTORS = (1.0, 5.0, 25.0, 125.0)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model's folder, the SHA-256 of what it learned, and its manifest.

    out_of_fold: (rows int [M] of the examples, float32 [M, K]), what models like it that had not learned
    from them thought of them.
    """

    path: Path
    sha256: str
    manifest: dict[str, Any]
    out_of_fold: tuple[np.ndarray, np.ndarray]


def fit_tfidf(
    examples: Examples, *, output_dir: Path, seed: int, held_out: Sequence[np.ndarray] | None = None
) -> Fitted:
    """Learn from words counted in the examples' texts; the folder output_dir appears when all is done.

    held_out: the rows that are held out in turn for out_of_fold; None: what chose C and temperature.
    """
    rows = _learned(examples)
    words = Words.learned_from(
        [texts[row] for texts in (examples.texts, examples.seconds) if texts is not None for row in rows]
    )
    features = word_features(words, examples.texts, examples.seconds)
    lesson = _learn(examples, features, C_OF_WORDS, seed, held_out)
    arrays = {"inverse_frequency": words.inverse_frequency.astype(np.float64)}
    manifest = _manifest("tfidf", examples, lesson, seed)
    manifest["config"]["counted"] = words.unit
    return _write(output_dir, lesson, manifest, arrays, words)


def fit_embedding(
    examples: Examples,
    vectors: np.ndarray,
    *,
    output_dir: Path,
    seed: int,
    base_model_sha256: str = "",
    held_out: Sequence[np.ndarray] | None = None,
) -> Fitted:
    """Learn from vectors [N, D] that a frozen encoder gave the texts; of a pair, both texts' end to end.

    base_model_sha256 names the encoder in the manifest; held_out as in fit_tfidf.
    """
    if len(vectors) != len(examples):
        raise ValueError("vectors and examples differ in length")
    features = vector_features(vectors, is_pair=examples.seconds is not None)
    lesson = _learn(examples, features, C_OF_VECTORS, seed, held_out)
    manifest = _manifest("embedding", examples, lesson, seed)
    manifest |= {"base_model_sha256": base_model_sha256, "is_pair": examples.seconds is not None}
    return _write(output_dir, lesson, manifest, {}, None)


def word_features(words: Words, texts, seconds) -> Features:
    first = words.features(texts)
    return first if seconds is None else pair_features(first, words.features(seconds))


def vector_features(vectors: np.ndarray, *, is_pair: bool) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=np.float32)
    return pair_features(*np.hsplit(vectors, 2)) if is_pair else vectors


def _learned(examples: Examples) -> np.ndarray:
    """Return the places of what counts and does not judge."""
    if examples.head not in WHOLE_TEXT_HEADS:
        raise ValueError(f"a linear model has no head for {examples.head}")
    rows = examples.learned
    if not len(rows):
        raise ValueError("there is no example to learn from")
    return rows


@dataclass(frozen=True, slots=True)
class Lesson:
    model: Linear
    temperature: float
    out_of_fold: tuple[np.ndarray, np.ndarray]  # as in Fitted
    candidates: tuple[float, ...]
    derived: dict[str, Any]


def _learn(
    examples: Examples,
    features: Features,
    candidates: tuple[float, ...],
    seed: int,
    held_out: Sequence[np.ndarray] | None,
) -> Lesson:
    """Rehearse on what is left out in turn, then learn from all that does not judge.

    What stops and calibrates an encoder teaches here too. The temperature is that of models that learned
    from a fifth less at most (or, of many examples, from TRAIN alone); of the one that learned from all it
    holds a little more than it must.
    """
    rows, multiple = _learned(examples), examples.head == "multiple"
    assert examples.targets is not None
    targets, weights = examples.targets[rows], examples.weights[rows]
    records = range(len(examples)) if examples.records is None else examples.records
    rehearsal = rehearse(
        candidates,
        features[rows],
        targets,
        weights,
        groups=groups_of([records[row] for row in rows], [examples.texts[row] for row in rows]),
        held_out=examples.parts[rows] != TRAIN,
        multiple=multiple,
        seed=seed,
    )
    asked, scores = rows[rehearsal.unseen], rehearsal.scores
    if held_out is not None:
        asked, scores = _held_to(held_out, examples, features, rehearsal.c)
    return Lesson(
        fit(features[rows], targets, weights, c=rehearsal.c, multiple=multiple),
        rehearsal.temperature,
        (asked, apply_temperature(scores, rehearsal.temperature, multiple=multiple)),
        candidates,
        {
            "c": rehearsal.c,
            "n_train": len(rows),
            "n_calibration": len(rehearsal.unseen),
            "n_features": features.shape[1],
        },
    )


def _held_to(
    held_out: Sequence[np.ndarray], examples: Examples, features: Features, c: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows [M], scores float32 [M, K] of models that learned from all others)."""
    assert examples.targets is not None
    scores = [np.empty((0, examples.targets.shape[1]), dtype=np.float32)]
    for rows in held_out:
        others = np.setdiff1d(examples.learned, rows)
        targets, weights = examples.targets[others], examples.weights[others]
        model = fit(features[others], targets, weights, c=c, multiple=examples.head == "multiple")
        scores.append(model.scores(features[rows]))
    return np.concatenate([np.empty(0, dtype=np.int64), *held_out]), np.concatenate(scores)


def _manifest(family: str, examples: Examples, lesson: Lesson, seed: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "family": family,
        "head": examples.head,
        "class_names": list(examples.class_names),
        "temperature": lesson.temperature,
        "config": {"c": list(lesson.candidates)},
        "derived": lesson.derived,
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
    target: Path,
    lesson: Lesson,
    manifest: dict[str, Any],
    arrays: dict[str, np.ndarray],
    words: Words | None,
) -> Fitted:
    # As bytes, so that a full disk is the system's own error.
    model = lesson.model
    weights = save({"weights": model.weights, "intercepts": model.intercepts, **arrays})
    with appearing_folder(Path(target)) as folder:
        (folder / WEIGHTS).write_bytes(weights)
        if words is not None:
            words.write(folder)
        manifest["sha256"] = files_sha256(folder)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return Fitted(Path(target), manifest["sha256"], manifest, lesson.out_of_fold)


def files_sha256(folder: Path) -> str:
    """SHA-256 of the weights and, where words are counted, of their list: of both, one after the other."""
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes())
    if (folder / VOCABULARY).is_file():
        digest.update((folder / VOCABULARY).read_bytes())
    return digest.hexdigest()
