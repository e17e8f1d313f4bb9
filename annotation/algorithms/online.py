"""One task's posterior from that task's answers alone: what runs while an answer is being submitted.

`workers` and `crowd` are the JSON of a CrowdFit; a worker who is None is not known yet and counts as the
crowd's typical one. The same formulas as in parameters.py, for one task.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotation.algorithms.answer_matrix import NOT_SAID
from annotation.algorithms.model_annotator import model_evidence
from annotation.algorithms.posterior_calibration import calibrated


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
    evidence = _Evidence(labels, workers, crowd, certain)
    log_posterior = evidence.log_posterior(evidence.totals())
    if model is not None and crowd.get("annotator"):
        log_posterior = log_posterior + model_evidence(np.array(model), crowd["annotator"])
    return calibrated(log_posterior, crowd["temperature"], crowd.get("log_lead"))


def answer_weights(
    labels: Sequence[int],
    workers: Sequence[dict | None],
    crowd: dict,
    certain: Sequence[int] | None = None,
    *,
    model: Sequence[float] | None = None,
) -> list[float]:
    """Each answer's weight: by how much the log odds of the winner against its closest rival would fall
    without it, before the winner's lead is calibrated.

    Positive for, negative against; two answers of weight w are about as good as one of 2 w. A majority vote
    weighs each answer alike: 1 for the winner, -1 for the rival, 0 for the rest.
    """
    rival, winner = _closest(task_posterior(labels, workers, crowd, certain, model=model))
    if crowd["method"] == "majority":
        return [float(label == winner) - float(label == rival) for label in labels]
    if not labels:
        return []
    evidence = _Evidence(labels, workers, crowd, certain)
    together = evidence.log_posterior(evidence.totals())  # [K]
    without = evidence.log_posterior(evidence.totals_without_each())  # [N, K]
    fall = (together[winner] - together[rival]) - (without[:, winner] - without[:, rival])
    return (fall / crowd["temperature"]).tolist()


def model_weight(posterior: np.ndarray, model: Sequence[float] | None, crowd: dict) -> float | None:
    """The weight of a model's prediction [K] in a posterior [K], as an answer's; None where it is unheard."""
    if model is None or not crowd.get("annotator"):
        return None
    (rival, winner), said = _closest(posterior), model_evidence(np.array(model), crowd["annotator"])
    return float(said[winner] - said[rival]) / crowd["temperature"]


def _closest(posterior: np.ndarray) -> tuple[int, int]:
    """The rival that is closest to the winner, and the winner."""
    rival, winner = np.argsort(posterior, kind="stable")[-2:].tolist()
    return rival, winner


class _Evidence:
    """log P(answer | truth) of each answer, for each of the crowd's models: the formulas of parameters.py.

    by_answer: [N, models, 2, K], the 2 being tasks that are easy and hard (not used by models that know no
    hard tasks); certainty: [N, K].
    """

    def __init__(self, labels, workers, crowd, certain):
        self.models = crowd["models"]
        self.n_classes = crowd["n_classes"]
        known = [crowd["unknown_worker"] if worker is None else worker for worker in workers]
        certain = [NOT_SAID] * len(labels) if certain is None else certain
        likelihood = np.ones((len(labels), len(self.models), 2, self.n_classes))
        self.certainty = np.zeros((len(labels), self.n_classes))
        for n, (label, worker, said) in enumerate(zip(labels, known, certain, strict=True)):
            self.certainty[n, label] = _certainty(said, worker)
            for m, model in enumerate(self.models):
                likelihood[n, m, 0] = _likelihood(label, worker, model, m)
                if "hard_rows" in model:
                    likelihood[n, m, 1] = [row[label] for row in model["hard_rows"]]
        self.by_answer = np.log(likelihood)

    def totals(self) -> tuple[np.ndarray, np.ndarray]:
        return self.by_answer.sum(axis=0), self.certainty.sum(axis=0)

    def totals_without_each(self) -> tuple[np.ndarray, np.ndarray]:
        by_answer, certainty = self.totals()
        return by_answer - self.by_answer, certainty - self.certainty

    def log_posterior(self, totals: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """[..., models, 2, K] and [..., K] -> [..., K], up to a constant."""
        by_model, log_posterior = totals
        for m, model in enumerate(self.models):
            of_labels = by_model[..., m, 0, :]
            if "hard_rows" in model:
                share = model["hard_share"]
                hard = by_model[..., m, 1, :] + np.log(share)
                of_labels = np.logaddexp(of_labels + np.log1p(-share), hard)
            log_posterior = log_posterior + model["weight"] * (of_labels + np.log(model["prior"]))
        return log_posterior


def _likelihood(label: int, worker: dict, model: dict, m: int) -> np.ndarray | list[float]:
    """[K]: P(this worker answers the label | truth) under model m."""
    if "rows" in worker:
        return [row[label] for row in worker["rows"][m]]
    guess = np.array(model["guess"])
    likelihood = (1.0 - worker["accuracy"]) * guess[label] / (1.0 - guess)
    likelihood[label] = worker["accuracy"]
    return likelihood


def _certainty(said: int, worker: dict) -> float:
    """How far "not sure", "sure" or silence moves the log odds that the answer is right."""
    if "certain" not in worker:
        return 0.0
    right, wrong = worker["certain"][said]
    return float(np.log(right / wrong))


def _vote_shares(labels: Sequence[int], crowd: dict) -> np.ndarray:
    n_classes = crowd["n_classes"]
    if not labels:
        return np.full(n_classes, 1.0 / n_classes)
    shares = np.bincount(labels, minlength=n_classes) / len(labels)
    tempered = shares ** (1.0 / crowd["temperature"])
    return tempered / tempered.sum()
