"""Certainty held against gold: how often is right what is said to be so sure?"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from annotation.algorithms.certainty_calibration import (
    CertaintyCalibration,
    calibrate_certainty,
    calibrated_by_others,
    calibrated_certainty,
    is_better,
)
from annotation.algorithms.crowd import gold_parts
from annotation.algorithms.scores import calibration_error, n_bins_for
from annotation.kinds.decision import MAJORITY, Decision, Fit, Given, Table

LEAST_GOLD = 20  # tasks with gold and answers from which certainty is calibrated on them
MOST_GOLD = 1000  # so many are enough for two numbers; each is decided again
CERTAINTY = "certainty"  # the calibration's place among a fit's parameters


class Decides(Protocol):
    """Of a kind, what it takes to hold its certainty against gold."""

    def is_right(self, value: dict, true: dict) -> bool: ...

    def decide(
        self,
        given: list[Given],
        labels: list[dict],
        *,
        method: str,
        crowd: dict | None,
        text: str,
        opinion: dict | None = None,
    ) -> Decision: ...


def is_calibrated(crowd: dict | None) -> bool:
    """Whether a calibration of the whole answer's certainty is in force."""
    return crowd is not None and CERTAINTY in crowd


def as_calibrated(decision: Decision, crowd: dict | None) -> Decision:
    """With the certainty that the fit's calibration makes of the decision's own."""
    if decision.method == MAJORITY or not is_calibrated(crowd):
        return decision
    calibration = CertaintyCalibration(**crowd[CERTAINTY])
    return replace(decision, certainty=float(calibrated_certainty(decision.certainty, calibration)))


def fit_calibrated(
    kind: Decides,
    fit: Callable[[Table, list[dict], str], Fit],
    table: Table,
    labels: list[dict],
    *,
    method: str,
    left_out_on: int | None,
) -> Fit:
    """The fit to the table and, from LEAST_GOLD gold tasks of a file on, how far its certainty holds.

    A calibration is in force only where, by other tasks' gold, certainty foretells better with it than
    without what is right. left_out_on: answers up to which gold is left out in several parts, a fit each (see
    crowd.gold_parts); None where a fit learns nothing of gold.
    """
    fitted, n_answers = fit(table, labels, method), table.n_answers
    fair = np.array([task for task in sorted(table.fair_gold) if n_answers[task]], dtype=np.int64)
    if method == MAJORITY or len(fair) < LEAST_GOLD:
        return fitted
    fair = np.random.default_rng(0).permutation(fair)[:MOST_GOLD]
    if left_out_on is None:
        decided = _decide(kind, fitted, table, labels, fair, method)
    else:
        decided = []
        for part in gold_parts(fair, len(table.task), left_out_on):
            others = {task: value for task, value in table.gold.items() if task not in part}
            refitted = fit(replace(table, gold=others, opinions={}), labels, method)
            heard = refitted.crowd | {"annotator": fitted.crowd.get("annotator")}  # as it will be heard
            decided += _decide(kind, replace(refitted, crowd=heard), table, labels, part, method)
    certainty, right = (np.array(column) for column in zip(*decided, strict=True))
    unseen = calibrated_by_others(certainty, right)
    if not is_better(unseen, certainty, right):
        return replace(fitted, crowd=fitted.crowd | {"calibration": figures(certainty, certainty, right)})
    scale, shift = (round(number, 6) for number in calibrate_certainty(certainty, right))
    said = {CERTAINTY: {"scale": scale, "shift": shift}, "calibration": figures(certainty, unseen, right)}
    return replace(fitted, crowd=fitted.crowd | said)


def figures(before: np.ndarray, certainty: np.ndarray, right: np.ndarray) -> dict:
    """Of gold tasks, all [G]: how sure on the mean, how often right, and how far the two are apart, before
    and with a calibration."""
    n_bins = n_bins_for(len(right))
    return {
        "n_gold": len(right),
        "certainty": float(certainty.mean()),
        "share_right": float(right.mean()),
        "error_before": calibration_error(before, right, n_bins),
        "error": calibration_error(certainty, right, n_bins),
    }


def _decide(
    kind: Decides, fitted: Fit, table: Table, labels: list[dict], tasks: np.ndarray, method: str
) -> list[tuple[float, bool]]:
    """(certainty, whether it is right) of each task's consensus by this fit."""
    answers_of = np.split(np.argsort(table.task, kind="stable"), np.cumsum(table.n_answers)[:-1])
    skills, found = [row.parameters for row in fitted.skills], []
    for task in tasks.tolist():
        decision = kind.decide(
            table.given(answers_of[task], skills),
            labels,
            method=method,
            crowd=fitted.crowd,
            text=table.text_of(task),
            opinion=table.opinions.get(task),
        )
        is_right = decision.value is not None and kind.is_right(decision.value, table.gold[task])
        found.append((decision.certainty, is_right))
    return found
