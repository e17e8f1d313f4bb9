"""Fit a crowd: what is true of each task, and how good each worker is. The door to the consensus methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.dawid_skene import fit_dawid_skene
from annotation.algorithms.engine import fit_engine
from annotation.algorithms.expectation_maximisation import UNKNOWN, class_share, fix_gold
from annotation.algorithms.intervals import credible_interval
from annotation.algorithms.one_coin import STRENGTH, fit_one_coin, shrunk_accuracy
from annotation.algorithms.parameters import MAX_DENSE_CLASSES, Coins, Matrices, Parameters, posterior_of

__all__ = [
    "METHODS",
    "Answers",
    "CrowdFit",
    "fit_crowd",
    "gold_parts",
    "posterior_without_own_gold",
    "stored_parameters",
]

# Gold is left out in so many parts, a fit each; in fewer where the fits together would see more answers than
# this, so that they take no longer than a large campaign's one fit.
MOST_PARTS, ANSWERS_TO_LEAVE_OUT_ON = 5, 200_000


@dataclass(frozen=True, eq=False)
class CrowdFit:
    """What was learned of a crowd.

    posterior [T, K], gold tasks at their label; unanchored [T, K], what the answers alone say of every task,
    gold ones too. crowd and workers: JSON, all that `online.task_posterior` needs. accuracy [W] with its
    90 % credible interval [W, 2]; counts [W, K, K], the answers each worker is expected to have given for
    each truth, or None beyond MAX_DENSE_CLASSES classes.
    """

    posterior: np.ndarray
    unanchored: np.ndarray
    crowd: dict
    workers: list[dict]
    accuracy: np.ndarray
    accuracy_interval: np.ndarray
    counts: np.ndarray | None


METHODS = ("majority", "one_coin", "dawid_skene", "engine")


def fit_crowd(
    answers: Answers,
    *,
    method: str = "engine",
    gold: np.ndarray | None = None,
    ordinal: bool = False,
    rng: np.random.Generator | None = None,
) -> CrowdFit:
    """Fit one of METHODS; "engine" is the engine's own choice of model.

    gold: int [T], -1 where unknown; it fixes those tasks and anchors their workers. ordinal: the labels are
    a scale in this order, on which near misses are likelier than far ones (used by the engine). rng: draws
    the answers by which the engine compares models; left out, the same ones each time.

    The posterior is computed from the parameters as they are stored (rounded), so that any row of it can be
    computed again, by `online.task_posterior`, from the task's answers alone.

    >>> two_to_one = Answers(np.array([0, 0, 0]), np.arange(3), np.array([1, 1, 0]), 1, 3, 2)
    >>> fit_crowd(two_to_one, method="majority").posterior.round(3).tolist()
    [[0.333, 0.667]]
    """
    if method not in METHODS:
        raise ValueError(f"there is no method called {method!r}")
    if gold is not None and (gold.shape != (answers.n_tasks,) or gold.max(initial=-1) >= answers.n_classes):
        raise ValueError("gold must have one label for each task, -1 where it is unknown")
    crowd = {"method": method, "n_classes": answers.n_classes, "temperature": 1.0}
    if method == "majority":
        workers: list[dict] = [{} for _ in range(answers.n_workers)]
        return _described(answers, answers.vote_shares, gold, crowd, workers)
    rng = np.random.default_rng(0) if rng is None else rng
    parameters, chosen = _fit(answers, method, gold, ordinal, rng)
    parameters = parameters.rounded()
    crowd |= _crowd_json(parameters) | {"chosen": chosen}
    return _described(answers, posterior_of(answers, parameters), gold, crowd, _workers_json(parameters))


def posterior_without_own_gold(
    answers: Answers, gold: np.ndarray, left_out: np.ndarray, *, method: str = "engine", ordinal: bool = False
) -> np.ndarray:
    """[T, K]: what a fit to all gold but a part that holds its own finds of each task left_out (bool [T]).

    So a task with gold is judged as one without is in a fit to all gold, which is what a calibration needs;
    all other rows are even. The parts are drawn by lot, the same ones each time; a large campaign has one.
    """
    posterior = np.full((answers.n_tasks, answers.n_classes), 1.0 / answers.n_classes)
    for part in gold_parts(np.flatnonzero(left_out), len(answers), ANSWERS_TO_LEAVE_OUT_ON):
        others = gold.copy()
        others[part] = UNKNOWN
        posterior[part] = fit_crowd(answers, method=method, gold=others, ordinal=ordinal).posterior[part]
    return posterior


def gold_parts(tasks: np.ndarray, n_answers: int, seen_at_most: int) -> list[np.ndarray]:
    """The tasks, drawn by lot, the same way each time, into parts whose gold is left out of a fit each: at
    most MOST_PARTS, and as many as keep the answers that all the fits see below seen_at_most, at least one.

    >>> [len(part) for part in gold_parts(np.arange(20), 100, 350)]
    [7, 7, 6]
    """
    n_parts = int(np.clip(seen_at_most // max(n_answers, 1), 1, MOST_PARTS))
    return np.array_split(np.random.default_rng(0).permutation(tasks), n_parts)


def _fit(answers: Answers, method: str, gold, ordinal: bool, rng) -> tuple[Parameters, dict]:
    if method == "one_coin":
        return fit_one_coin(answers, gold), {}
    if method == "engine":
        return fit_engine(answers, gold, ordinal=ordinal, rng=rng)
    if answers.n_classes > MAX_DENSE_CLASSES:
        raise ValueError(f"Dawid-Skene has a matrix a worker: at most {MAX_DENSE_CLASSES} classes")
    return fit_dawid_skene(answers, gold), {}


def _described(answers: Answers, unanchored: np.ndarray, gold, crowd: dict, workers: list[dict]) -> CrowdFit:
    posterior = fix_gold(unanchored, gold, answers.n_classes)
    accuracy, crowd_accuracy = shrunk_accuracy(answers.n_right(posterior), answers.n_per_worker)
    dense = answers.n_classes <= MAX_DENSE_CLASSES
    crowd |= {"typical_accuracy": crowd_accuracy, "class_share": class_share(answers, posterior).tolist()}
    return CrowdFit(
        posterior=posterior,
        unanchored=unanchored,
        crowd=crowd,
        workers=workers,
        accuracy=accuracy,
        accuracy_interval=credible_interval(accuracy, answers.n_per_worker + STRENGTH),
        counts=answers.confusion_counts(posterior) if dense else None,
    )


def _crowd_json(parameters: Parameters) -> dict:
    """Each model's part that all workers share, and an unknown worker's parameters: the typical ones."""
    models, unknown = [], {}
    for weight, model in zip(parameters.weights, parameters.models, strict=True):
        shared = {"weight": weight, "prior": model.prior.tolist()}
        if isinstance(model, Coins):
            shared["guess"] = model.guess.tolist()
            unknown["accuracy"] = float(model.crowd_accuracy)
        else:
            unknown.setdefault("rows", []).append(model.crowd_rows.tolist())
            if model.hard_rows is not None:
                shared |= {"hard_share": float(model.hard_share), "hard_rows": model.hard_rows.tolist()}
        models.append(shared)
    if parameters.certain is not None:
        unknown["certain"] = parameters.crowd_certain.tolist()
    return {"models": models, "unknown_worker": unknown}


def _workers_json(parameters: Parameters) -> list[dict]:
    """A worker's confusion rows in each model, or the one accuracy; and what certainty is worth from them."""
    first = parameters.models[0]
    if isinstance(first, Coins):
        workers = [{"accuracy": accuracy} for accuracy in first.accuracy.tolist()]
    else:
        tables = np.stack([model.rows for model in parameters.models], axis=1)  # [W, models, K, K]
        workers = [{"rows": rows} for rows in tables.tolist()]
    if parameters.certain is not None:
        for worker, rates in zip(workers, parameters.certain.tolist(), strict=True):
            worker["certain"] = rates
    return workers


def stored_parameters(workers: Sequence[dict | None], crowd: dict) -> Parameters:
    """What a fit learned, from its JSON, but for what certainty is worth; None is an unknown worker."""
    unknown = crowd["unknown_worker"]
    known = [unknown if worker is None else worker for worker in workers]
    models: list[Coins | Matrices] = []
    for m, model in enumerate(crowd["models"]):
        prior = np.array(model["prior"])
        if "guess" in model:
            accuracy = np.array([worker["accuracy"] for worker in known], dtype=float)
            models.append(Coins(prior, accuracy, unknown["accuracy"], np.array(model["guess"])))
        else:
            rows = np.array([worker["rows"][m] for worker in known], dtype=float)
            hard = {}
            if "hard_rows" in model:
                hard = {"hard_share": model["hard_share"], "hard_rows": np.array(model["hard_rows"])}
            rows = rows.reshape(-1, len(prior), len(prior))
            models.append(Matrices(prior, rows, np.array(unknown["rows"][m]), **hard))
    return Parameters(tuple(models), tuple(model["weight"] for model in crowd["models"]))
