"""Confusion matrices that borrow strength: each worker's rows are drawn to what the crowd does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.dawid_skene import as_rows
from annotation.algorithms.expectation_maximisation import class_share, maximise
from annotation.algorithms.one_coin import shrunk_accuracy
from annotation.algorithms.parameters import Matrices, Parameters

# On a scale: a near miss is so many times as likely as a miss by one step more.
BAND = 3.0
# How many times as common as its votes a label may be.
MOST_TIMES = 5.0
# Rows of hard tasks begin half right, at so many answers a row.
HARD_STRENGTH, HARD_RIGHT = 5.0, 0.5
# Before anything is known a task is taken for hard by as much as its answers differ, within these.
HARD_LEAST, HARD_MOST = 0.02, 0.9


@dataclass(frozen=True, slots=True)
class Design:
    """What a model assumes.

    row_strength: a worker's own row weighs as much as the expected one after so many answers to tasks of that
    truth. share_exponent: how far the labels' shares are believed, 0 (all labels alike) to 1 (as learned).
    hard_tasks: whether some tasks are hard.
    """

    row_strength: float
    share_exponent: float
    hard_tasks: bool


def fit_design(
    answers: Answers, design: Design, gold: np.ndarray | None = None, *, ordinal: bool = False, **loop
) -> tuple[Parameters, np.ndarray]:
    """MAP Dawid-Skene: row k of worker w has a Dirichlet prior around the row expected of w.

    The expected row has the worker's own accuracy (drawn to the crowd's) on the diagonal, and makes the
    crowd's mistakes with the rest. So a worker with few answers is a one-coin worker with the crowd's habits,
    and one with many is whoever the answers show: Paun et al., "Comparing Bayesian models of annotation",
    TACL 2018 (hierarchical Dawid-Skene), with given strengths instead of sampled ones. A hard task is one to
    which everybody answers from the same rows: it says little of the workers, and they little of it.
    """
    n_classes = answers.n_classes
    likely = likely_mistakes(n_classes, ordinal)
    votes = (answers.votes.sum(axis=0) + 1.0) / (len(answers) + n_classes)

    def estimate(states: np.ndarray) -> Matrices:
        counts = answers.confusion_counts(states[:, :n_classes])  # of the easy states: [W, K, K]
        accuracy, crowd_accuracy = shrunk_accuracy(np.einsum("wkk->w", counts), counts.sum(axis=(1, 2)))
        mistakes = crowd_mistakes(counts.sum(axis=0), likely)
        expected = moved_to_accuracy(mistakes, accuracy)
        share = class_share(answers, states, strength=1.0)
        return Matrices(
            prior=believed_shares(share, design.share_exponent, votes),
            rows=as_rows(counts + design.row_strength * expected),
            crowd_rows=moved_to_accuracy(mistakes, np.array([crowd_accuracy]))[0],
            **(_hard(answers, states) if design.hard_tasks else {}),
        )

    start = _start_with_hard(answers) if design.hard_tasks else None
    return maximise(answers, estimate, gold=gold, start=start, **loop)


def believed_shares(learned: np.ndarray, exponent: float, votes: np.ndarray) -> np.ndarray:
    """[K]: learned ** exponent, but no label more than MOST_TIMES as common as people call it (votes [K]).

    A label that next to nobody gives would otherwise be free to stand for whatever else the answers hide.

    >>> believed_shares(np.array([0.5, 0.4, 0.1]), 0.0, np.array([0.6, 0.399, 0.001])).round(3).tolist()
    [0.496, 0.496, 0.007]
    """
    shares = learned**exponent
    shares = np.minimum(shares / shares.sum(), MOST_TIMES * votes)
    return shares / shares.sum()


def likely_mistakes(n_classes: int, ordinal: bool) -> np.ndarray:
    """[K, K]: pseudo-counts of the crowd's wrong answers before any is seen; zero diagonal.

    All wrong labels alike, one answer a row; on a scale a label is BAND times as likely as the next one
    further from the truth, with as many answers a row as there are labels.
    """
    if ordinal:
        at = np.arange(n_classes)
        weights = BAND ** -np.abs(at[:, None] - at).astype(float)
    else:
        weights = np.ones((n_classes, n_classes))
    np.fill_diagonal(weights, 0.0)
    return weights / weights.sum(axis=1, keepdims=True) * (n_classes if ordinal else 1.0)


def crowd_mistakes(counts: np.ndarray, likely: np.ndarray) -> np.ndarray:
    """[K, K] the crowd's counts -> where its wrong answers fall: zero diagonal, rows add up to 1."""
    wrong = counts * (1.0 - np.eye(len(counts))) + likely
    return wrong / wrong.sum(axis=1, keepdims=True)


def moved_to_accuracy(mistakes: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """[K, K] and [W] -> [W, K, K]: the crowd's mistakes, made as often as each worker errs."""
    accuracy = accuracy[:, None, None]
    return accuracy * np.eye(len(mistakes)) + (1.0 - accuracy) * mistakes


def _hard(answers: Answers, states: np.ndarray) -> dict:
    hard = states[:, answers.n_classes :]
    eye = np.eye(answers.n_classes)
    expected = HARD_RIGHT * eye + (1.0 - HARD_RIGHT) * (1.0 - eye) / (answers.n_classes - 1)
    return {
        "hard_share": (hard.sum() + 1.0) / (answers.n_tasks + 2.0),
        "hard_rows": as_rows(hard.T @ answers.votes + HARD_STRENGTH * expected),
    }


def _start_with_hard(answers: Answers) -> np.ndarray:
    """[T, 2 K]"""
    shares = answers.vote_shares
    hard = np.clip(1.0 - shares.max(axis=1, keepdims=True), HARD_LEAST, HARD_MOST)
    return np.concatenate([shares * (1.0 - hard), shares * hard], axis=1)
