"""One task's posterior from that task's answers alone: what runs while an answer is being submitted.

`workers` and `crowd` are the JSON of a CrowdFit; a worker who is None is not known yet and counts as the
crowd's typical one. The same formulas as in parameters.py, for one task.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotation.algorithms.answer_matrix import NOT_SAID, SURE
from annotation.algorithms.model_annotator import model_evidence
from annotation.algorithms.parameters import softmax


def task_posterior(
    labels: Sequence[int],
    workers: Sequence[dict | None],
    crowd: dict,
    certain: Sequence[int] | None = None,
    *,
    model: Sequence[float] | None = None,
) -> np.ndarray:
    """[K]: P(truth | answers). No answers give the prior.

    certain: for each answer 1 sure, 0 not sure, -1 not said. model: [K], the prediction of a model that never
    saw the task; heard only where crowd["annotator"] says what it is worth (see model_annotator).

    >>> task_posterior([0], [None], {"method": "majority", "n_classes": 2, "temperature": 1.0})
    array([1., 0.])
    """
    if crowd["method"] == "majority":
        return _vote_shares(labels, crowd)
    log_posterior = np.log(crowd["prior"])
    for evidence in _evidence(labels, workers, crowd, certain):
        log_posterior = log_posterior + evidence
    if model is not None and crowd.get("annotator"):
        log_posterior = log_posterior + model_evidence(np.array(model), crowd["annotator"])
    return softmax(log_posterior / crowd["temperature"])


def answer_weights(
    labels: Sequence[int], workers: Sequence[dict | None], crowd: dict, certain: Sequence[int] | None = None
) -> list[float]:
    """Each answer's weight: the log odds by which it moved the winner against its closest rival.

    Positive for, negative against; two answers of weight w are as good as one of 2 w. A majority vote
    weighs each answer alike: 1 for the winner, -1 for the rival, 0 for the rest.
    """
    posterior = task_posterior(labels, workers, crowd, certain)
    rival, winner = np.argsort(posterior, kind="stable")[-2:]
    if crowd["method"] == "majority":
        return [float(label == winner) - float(label == rival) for label in labels]
    evidence = _evidence(labels, workers, crowd, certain)
    return [float(e[winner] - e[rival]) / crowd["temperature"] for e in evidence]


def _evidence(labels, workers, crowd, certain) -> list[np.ndarray]:
    """[K] an answer: log P(answer | truth), up to a constant."""
    certain = [NOT_SAID] * len(labels) if certain is None else certain
    known = [crowd["unknown_worker"] if worker is None else worker for worker in workers]
    return [
        _log_likelihood(label, worker, crowd) + _certainty(label, said, worker, crowd)
        for label, worker, said in zip(labels, known, certain, strict=True)
    ]


def _log_likelihood(label: int, worker: dict, crowd: dict) -> np.ndarray:
    if "rows" in worker:
        return np.log([row[label] for row in worker["rows"]])
    guess = np.array(crowd["guess"])
    likelihood = (1.0 - worker["accuracy"]) * guess[label] / (1.0 - guess)
    likelihood[label] = worker["accuracy"]
    return np.log(likelihood)


def _certainty(label: int, said: int, worker: dict, crowd: dict) -> np.ndarray:
    evidence = np.zeros(crowd["n_classes"])
    if said != NOT_SAID and "sure" in worker:
        right, wrong = np.array(worker["sure"]) if said == SURE else 1.0 - np.array(worker["sure"])
        evidence[label] = np.log(right / wrong)
    return evidence


def _vote_shares(labels: Sequence[int], crowd: dict) -> np.ndarray:
    n_classes = crowd["n_classes"]
    if not labels:
        return np.full(n_classes, 1.0 / n_classes)
    shares = np.bincount(labels, minlength=n_classes) / len(labels)
    tempered = shares ** (1.0 / crowd["temperature"])
    return tempered / tempered.sum()
