"""The engine on real crowds: it holds where Dawid-Skene collapses, and where one number a volunteer does."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from annotation.algorithms.crowd import Answers, fit_crowd

DATA = Path(os.environ.get("HC_DATA_DIR") or Path(__file__).parents[4] / "shared" / "data")


def real_crowd(name: str) -> tuple[Answers, np.ndarray]:
    """Answers, and gold [T] (-1 where it is unknown)."""
    folder = DATA / "crowd" / name
    if not folder.is_dir():
        pytest.skip(f"the data set {name} is not at {folder}; set HC_DATA_DIR to where it is")
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "gold.csv").open(newline="") as file:
        gold_of = {row["task"]: row["label"] for row in csv.DictReader(file)}
    number: dict[str, dict[str, int]] = {"task": {}, "worker": {}, "label": {}}
    for label in sorted({row["label"] for row in rows} | set(gold_of.values())):
        number["label"][label] = len(number["label"])
    columns = {
        name: np.array([known.setdefault(row[name], len(known)) for row in rows])
        for name, known in number.items()
    }
    sizes = (len(number["task"]), len(number["worker"]), len(number["label"]))
    gold = np.array([number["label"].get(gold_of.get(task), -1) for task in number["task"]])
    return Answers(columns["task"], columns["worker"], columns["label"], *sizes), gold


def accuracy(answers: Answers, gold: np.ndarray, method: str) -> float:
    known = gold >= 0
    return float((fit_crowd(answers, method=method).posterior.argmax(axis=1) == gold)[known].mean())


@pytest.mark.data
def test_a_biased_crowd_is_seen_through_where_one_number_a_volunteer_is_not_enough():
    answers, gold = real_crowd("bluebird")
    assert accuracy(answers, gold, "one_coin") < 0.75
    assert accuracy(answers, gold, "engine") > 0.88


@pytest.mark.data
def test_volunteers_with_few_answers_do_not_make_the_engine_collapse_as_dawid_skene_does():
    answers, gold = real_crowd("weather_cf")
    assert accuracy(answers, gold, "dawid_skene") < 0.83
    assert accuracy(answers, gold, "engine") > 0.875
