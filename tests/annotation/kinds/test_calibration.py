"""Certainty of whole answers held against gold: which gold, judged by which fit, and what comes of it."""

from dataclasses import replace

import numpy as np
import pytest

from annotation.kinds import KINDS, Fit, SkillRow, Table
from annotation.kinds.calibration import CERTAINTY, fit_calibrated

N_TASKS = 60
LABELS = [{"key": "fever", "name": "Fever", "hint": ""}]
FEVER, NOTHING = {"labels": ["fever"]}, {"labels": []}
# Everybody is taken to be right nine times of ten, so that two who agree are 81 / 82 sure.
CROWD = {"n_labels": 1, "prior": [0.5], "rates": [[0.9, 0.9]], "keys": ["fever"]}


def table(n_right: int, *, n_gold: int = N_TASKS, reviewed=frozenset()) -> Table:
    """Two say fever of each task; on the first n_right it is so."""
    return Table(
        task=np.repeat(np.arange(N_TASKS, dtype=np.int32), 2),
        worker=np.tile(np.arange(2, dtype=np.int32), N_TASKS),
        code=np.zeros(2 * N_TASKS, dtype=np.int32),
        certain=np.full(2 * N_TASKS, -1, dtype=np.int8),
        values=[FEVER],
        n_tasks=N_TASKS,
        n_workers=2,
        gold={task: FEVER if task < n_right else NOTHING for task in range(n_gold)},
        reviewed=frozenset(reviewed),
    )


def calibrated(given: Table, *, method: str = "engine", left_out_on: int | None = 10**6):
    """The fit, and the gold tasks that each fit on the way to it was taught by."""
    taught: list[set[int]] = []

    def fit(given: Table, labels: list[dict], method: str) -> Fit:
        taught.append(set(given.gold))
        return Fit(CROWD, [SkillRow({"rates": [[0.9, 0.9]]}, 0.9, 0.8, 1.0)] * 2)

    kind = KINDS["multiple"]
    return fit_calibrated(kind, fit, given, LABELS, method=method, left_out_on=left_out_on), taught


def test_what_is_right_half_of_the_time_is_half_as_sure_in_the_figures_and_in_force():
    fitted, _ = calibrated(table(30))
    figures = fitted.crowd["calibration"]
    assert (figures["n_gold"], figures["share_right"]) == (60, 0.5)
    assert figures["error_before"] == pytest.approx(81 / 82 - 0.5)
    assert figures["certainty"] == pytest.approx(0.5, abs=0.1)
    assert figures["error"] < 0.2
    kind = KINDS["multiple"]
    answers = table(0).given([0, 1], [row.parameters for row in fitted.skills])
    options = {"method": "engine", "text": ""}
    assert kind.decide(answers, LABELS, crowd=CROWD, **options).certainty == pytest.approx(81 / 82)
    assert kind.decide(answers, LABELS, crowd=fitted.crowd, **options).certainty == pytest.approx(
        0.5, abs=0.1
    )
    by_votes = kind.decide(answers, LABELS, crowd=fitted.crowd, method="majority", text="")
    assert by_votes.certainty == 1.0, "a majority is not calibrated"


def test_what_is_as_often_right_as_it_says_is_left_as_it_is_and_the_figures_say_so():
    fitted, _ = calibrated(table(59))
    assert CERTAINTY not in fitted.crowd
    assert fitted.crowd["calibration"]["error"] == fitted.crowd["calibration"]["error_before"] < 0.03


def test_each_gold_task_is_judged_by_a_fit_without_its_own_gold_and_with_most_of_the_others():
    _, taught = calibrated(table(30))
    everything, *parts = taught
    assert everything == set(range(60))
    left_out = [everything - part for part in parts]
    assert [len(part) for part in left_out] == [12] * 5
    assert set().union(*left_out) == everything


def test_a_large_campaigns_gold_is_left_out_at_once():
    _, taught = calibrated(table(30), left_out_on=120)
    assert taught == [set(range(60)), set()]


def test_where_a_fit_learns_nothing_of_gold_one_is_enough():
    _, taught = calibrated(table(30), left_out_on=None)
    assert taught == [set(range(60))]


def test_what_reviewers_decided_teaches_every_fit_and_calibrates_none():
    fitted, taught = calibrated(table(30, reviewed=range(30, 60)))
    assert fitted.crowd["calibration"]["n_gold"] == 30
    assert fitted.crowd["calibration"]["share_right"] == 1.0
    assert all(set(range(30, 60)) <= gold for gold in taught)


@pytest.mark.parametrize(("n_gold", "method"), [(19, "engine"), (60, "majority")])
def test_without_twenty_gold_tasks_or_a_fit_nothing_is_calibrated(n_gold, method):
    fitted, taught = calibrated(table(10, n_gold=n_gold), method=method)
    assert fitted.crowd == CROWD
    assert len(taught) == 1


def test_gold_of_tasks_that_nobody_answered_calibrates_nothing():
    given = table(30)
    of_ten = {name: getattr(given, name)[:20] for name in ("task", "worker", "code", "certain")}
    assert calibrated(replace(given, **of_ten))[0].crowd == CROWD
