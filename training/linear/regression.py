"""Logistic regression on soft targets, whatever the features are."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from training.algorithms.calibration import cross_entropies, fit_temperature
from training.linear.pairs import Features

LEAST_TARGET = 0.01  # a class less likely than this is not worth a row of its own
MAX_ITERATIONS = 300
TOLERANCE = 1e-3
UNSEEN = -10.0  # intercept of a class without an example, beside the others' of about 0
FEWEST_GROUPS = 6
N_FOLDS = 5
MANY_FOLDS = 10
FEW_LABELS = 200  # to learn from, below which there are many folds
ENOUGH_TO_HOLD_OUT = 200  # examples that choose and calibrate as well as cross-validation does


class Linear:
    """scores[N, K] = features[N, F] @ weights[K, F].T + intercepts[K].

    Features may come in parts, as [N, F1], [N, F2], ...: counted words are sparse and vectors are not.
    """

    def __init__(self, weights: np.ndarray, intercepts: np.ndarray) -> None:
        self.weights = np.asarray(weights, dtype=np.float32)
        self.intercepts = np.asarray(intercepts, dtype=np.float32)

    def scores(self, *parts: Features) -> np.ndarray:
        """Return float32 [N, K]: logits, of a softmax or (for multiple) of K sigmoids."""
        ends = np.cumsum([part.shape[1] for part in parts])
        weights = np.hsplit(self.weights, ends[:-1])
        of_each = [
            np.asarray(part @ own.T, dtype=np.float32) for part, own in zip(parts, weights, strict=True)
        ]
        return sum(of_each[1:], of_each[0]) + self.intercepts

    @classmethod
    def pooled(cls, models: Sequence["Linear"], counts: Sequence[float]) -> "Linear":
        """Return one model of their features, part by part: its scores are the sum of what theirs count."""
        members = list(zip(models, counts, strict=True))
        weights = np.hstack([count * model.weights for model, count in members])
        return cls(weights, np.sum([count * model.intercepts for model, count in members], axis=0))


def fit(features: Features, targets: np.ndarray, weights: np.ndarray, *, c: float, multiple: bool) -> Linear:
    """Fit L2-regularised logistic regression to targets [N, K], probabilities, and weights [N].

    Cross-entropy with a soft target is the same as one row a class whose weight is that class's probability:
    -sum_k t_k log p_k. C is the inverse strength of the regularisation. For multiple the K labels are K
    regressions between yes and no.
    """
    if multiple:
        both = [
            _fit(features, np.stack([1 - yes, yes], axis=1), weights, c) for yes in targets.T.astype(float)
        ]
        differences = [
            (one.weights[1] - one.weights[0], one.intercepts[1] - one.intercepts[0]) for one in both
        ]
        return Linear(np.stack([w for w, _ in differences]), np.array([b for _, b in differences]))
    return _fit(features, targets, weights, c)


def _fit(features: Features, targets: np.ndarray, weights: np.ndarray, c: float) -> Linear:
    n_classes = targets.shape[1]
    rows, classes = np.nonzero((targets >= LEAST_TARGET) & (weights[:, None] > 0))
    seen = np.unique(classes)
    coefficients = np.zeros((n_classes, features.shape[1]))
    intercepts = np.full(n_classes, UNSEEN)
    row_weights = targets[rows, classes] * weights[rows]
    if len(seen) < 2 or not features.shape[1]:
        masses = np.bincount(classes, weights=row_weights, minlength=n_classes)
        intercepts[seen] = np.log(masses[seen] / masses.sum())
        return Linear(coefficients, intercepts)
    # The weights' scale would be a strength of regularisation in disguise: they average 1 here.
    row_weights *= len(np.unique(rows)) / row_weights.sum()
    model = LogisticRegression(C=c, max_iter=MAX_ITERATIONS, tol=TOLERANCE)
    with warnings.catch_warnings():  # that many classes for so few rows look like numbers: they are not
        warnings.filterwarnings("ignore", message="The number of unique classes")
        model.fit(features[rows], classes, row_weights)
    if len(seen) == 2:  # one row of coefficients, for the second class against the first
        coefficients[seen] = np.vstack([-model.coef_ / 2, model.coef_ / 2])
        intercepts[seen] = [-model.intercept_[0] / 2, model.intercept_[0] / 2]
    else:
        coefficients[seen], intercepts[seen] = model.coef_, model.intercept_
    return Linear(coefficients, intercepts)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was learned from examples that were left out in turn.

    unseen: int [M], their places among the N; scores: float32 [M, K], by models that had not seen them and
    were regularised by c; temperature: that of these scores.
    """

    c: float
    unseen: np.ndarray
    scores: np.ndarray
    temperature: float


def rehearse(
    candidates: Sequence[float],
    features: Features,
    targets: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray,
    held_out: np.ndarray,
    *,
    multiple: bool,
    seed: int,
) -> Rehearsal:
    """Find the candidate with the lowest cross-entropy, at its own best temperature, on unseen examples.

    Unseen are the held_out [N] bool where they are many; else each of a number of folds in turn, and a group
    [N] is never divided: of a hundred labels, a tenth says neither how sure a model may be nor whether
    another is better, and all of them say it well. Of too few groups the middle candidate is taken unseen.
    """
    folds = list(_folds(targets, groups, held_out, seed))
    unseen = np.concatenate([test for _, test in folds]) if folds else np.empty(0, dtype=np.int64)
    if not len(unseen):
        return Rehearsal(
            candidates[len(candidates) // 2], unseen, np.empty((0, targets.shape[1]), np.float32), 1.0
        )

    def rehearsed(c: float) -> tuple[float, Rehearsal]:
        parts = [
            fit(features[learn], targets[learn], weights[learn], c=c, multiple=multiple).scores(
                features[test]
            )
            for learn, test in folds
        ]
        scores = np.concatenate(parts)
        temperature = fit_temperature(targets[unseen], scores, multiple=multiple)
        each = cross_entropies(targets[unseen], scores, temperature=temperature, multiple=multiple)
        loss = float(np.average(each, weights=weights[unseen] + 1e-9))
        return loss, Rehearsal(c, unseen, scores, temperature)

    return min((rehearsed(c) for c in candidates), key=lambda found: found[0])[1]


def _folds(
    targets: np.ndarray, groups: np.ndarray, held_out: np.ndarray, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (places to learn from, places to be asked about)."""
    n_groups = len(np.unique(groups))
    if held_out.sum() >= ENOUGH_TO_HOLD_OUT and not held_out.all():
        yield np.flatnonzero(~held_out), np.flatnonzero(held_out)
    elif n_groups >= FEWEST_GROUPS:
        # Of few labels, each that is left out is missed: the more folds, the fewer.
        n_folds = min(n_groups, MANY_FOLDS if len(targets) < FEW_LABELS else N_FOLDS)
        classes = targets.argmax(axis=1)
        if np.bincount(classes).max() < n_folds:  # no class can be in every fold
            classes = np.zeros_like(classes)
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():  # a class of fewer examples than folds is in as many as it can be
            warnings.filterwarnings("ignore", message="The least populated class")
            yield from splitter.split(targets, classes, groups)
