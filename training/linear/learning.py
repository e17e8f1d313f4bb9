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

from training.algorithms.calibration import apply_temperature, fit_pool, log_shares_of
from training.algorithms.examples import WHOLE_TEXT_HEADS, Examples
from training.algorithms.splits import TRAIN, groups_of
from training.linear.pairs import Features, pair_features
from training.linear.regression import Linear, Rehearsal, fit, rehearse
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
    words, counted = _counted(examples)
    lesson = _learn(examples, [counted], seed, held_out)
    return _write(output_dir, lesson, _manifest("tfidf", examples, lesson, seed), words)


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
    lesson = _learn(examples, [_vectors(examples, vectors)], seed, held_out)
    manifest = _manifest("embedding", examples, lesson, seed)
    return _write(output_dir, lesson, manifest | _encoder(examples, base_model_sha256), None)


def fit_combined(
    examples: Examples,
    vectors: np.ndarray,
    *,
    output_dir: Path,
    seed: int,
    base_model_sha256: str = "",
    held_out: Sequence[np.ndarray] | None = None,
) -> Fitted:
    """Learn from words and from vectors, each by itself, and then how much either counts; see fit_pool.

    Arguments as in fit_embedding. Words tell apart what an encoder takes for alike, once there are labels
    enough to know them; where they say nothing, they come to count nothing.
    """
    words, counted = _counted(examples)
    lesson = _learn(examples, [counted, _vectors(examples, vectors)], seed, held_out)
    manifest = _manifest("combined", examples, lesson, seed)
    return _write(output_dir, lesson, manifest | _encoder(examples, base_model_sha256), words)


@dataclass(frozen=True, slots=True)
class Part:
    """Features of all examples, and which strengths of regularisation are tried on them."""

    features: Features
    candidates: tuple[float, ...]


def _counted(examples: Examples) -> tuple[Words, Part]:
    texts_of = [texts for texts in (examples.texts, examples.seconds) if texts is not None]
    words = Words.learned_from([texts[row] for texts in texts_of for row in _learned(examples)])
    return words, Part(word_features(words, examples.texts, examples.seconds), C_OF_WORDS)


def _vectors(examples: Examples, vectors: np.ndarray) -> Part:
    if len(vectors) != len(examples):
        raise ValueError("vectors and examples differ in length")
    return Part(vector_features(vectors, is_pair=examples.seconds is not None), C_OF_VECTORS)


def _encoder(examples: Examples, sha256: str) -> dict[str, Any]:
    return {"base_model_sha256": sha256, "is_pair": examples.seconds is not None}


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
    parts: Sequence[Part]
    derived: dict[str, Any]


def _learn(
    examples: Examples, parts: Sequence[Part], seed: int, held_out: Sequence[np.ndarray] | None
) -> Lesson:
    """Rehearse on what is left out in turn, then learn from all that does not judge.

    What stops and calibrates an encoder teaches here too. The temperature is that of models that learned
    from a fifth less at most (or, of many examples, from TRAIN alone); of the one that learned from all it
    holds a little more than it must.
    """
    rows, multiple = _learned(examples), examples.head == "multiple"
    assert examples.targets is not None
    targets, weights = examples.targets, examples.weights
    records = range(len(examples)) if examples.records is None else examples.records
    groups = groups_of([records[row] for row in rows], [examples.texts[row] for row in rows])
    rehearsals = [
        rehearse(
            part.candidates,
            part.features[rows],
            targets[rows],
            weights[rows],
            groups=groups,
            held_out=examples.parts[rows] != TRAIN,
            multiple=multiple,
            seed=seed,
        )
        for part in parts
    ]
    asked = rows[rehearsals[0].unseen]  # the same for each part
    log_shares = log_shares_of(targets[rows], weights[rows], multiple=multiple)
    pool = _pool(rehearsals, targets[asked], log_shares, multiple=multiple)

    def taught(by: np.ndarray) -> Linear:
        """Learn from these rows."""
        models = [
            fit(part.features[by], targets[by], weights[by], c=rehearsal.c, multiple=multiple)
            for part, rehearsal in zip(parts, rehearsals, strict=True)
        ]
        return pool.of(models)

    if held_out is None:
        scores = pool.scores([one.scores for one in rehearsals])
    else:
        none = np.empty((0, targets.shape[1]), dtype=np.float32)
        of_each = [
            taught(np.setdiff1d(rows, out)).scores(*(part.features[out] for part in parts))
            for out in held_out
        ]
        asked, scores = np.concatenate([asked[:0], *held_out]), np.concatenate([none, *of_each])
    return Lesson(
        taught(rows),
        pool.temperature,
        (asked, apply_temperature(scores, pool.temperature, multiple=multiple)),
        parts,
        {
            "c": _one_or_all([one.c for one in rehearsals]),
            "n_train": len(rows),
            "n_calibration": len(rehearsals[0].unseen),
            "n_features": _one_or_all([part.features.shape[1] for part in parts]),
        }
        | ({"counts": pool.counts} if len(parts) > 1 else {}),
    )


@dataclass(frozen=True, slots=True)
class Pool:
    """What the scores of each part's model count in their sum and, behind them, what log_shares [K] do."""

    counts: list[float]
    log_shares: np.ndarray
    temperature: float  # of the sum

    def of(self, models: Sequence[Linear]) -> Linear:
        shares = Linear(np.empty((len(self.log_shares), 0)), self.log_shares)
        return Linear.pooled([*models, shares], self.counts)

    def scores(self, of_parts: Sequence[np.ndarray]) -> np.ndarray:
        members = zip([*of_parts, self.log_shares], self.counts, strict=True)
        return sum(count * scores for scores, count in members).astype(np.float32)


def _pool(
    rehearsals: Sequence[Rehearsal], targets: np.ndarray, log_shares: np.ndarray, *, multiple: bool
) -> Pool:
    if len(rehearsals) == 1:
        return Pool([1.0, 0.0], log_shares, rehearsals[0].temperature)
    tempered = [one.scores / one.temperature for one in rehearsals]
    counts, of_shares = fit_pool(targets, tempered, log_shares, multiple=multiple)
    of_parts = [float(n / one.temperature) for n, one in zip(counts, rehearsals, strict=True)]
    return Pool([*of_parts, of_shares], log_shares, 1.0)


def _one_or_all(of_parts: list) -> Any:
    return of_parts[0] if len(of_parts) == 1 else of_parts


def _manifest(family: str, examples: Examples, lesson: Lesson, seed: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "family": family,
        "head": examples.head,
        "class_names": list(examples.class_names),
        "temperature": lesson.temperature,
        "config": {"c": _one_or_all([list(part.candidates) for part in lesson.parts])},
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


def _write(target: Path, lesson: Lesson, manifest: dict[str, Any], words: Words | None) -> Fitted:
    model = lesson.model
    arrays = {"weights": model.weights, "intercepts": model.intercepts}
    if words is not None:
        arrays["inverse_frequency"] = words.inverse_frequency.astype(np.float64)
        manifest["config"]["counted"] = words.unit
    weights = save(arrays)  # as bytes, so that a full disk is the system's own error
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
