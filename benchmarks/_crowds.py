"""Real crowds for benchmarks: a folder of labels.csv and gold.csv as numbered answers."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _real_texts import ROOT, data_folder, rows_of

sys.path.insert(0, str(ROOT))

from annotation.algorithms.answer_matrix import Answers

SETS = [
    "bluebird",
    "crowdtruth_cause",
    "crowdtruth_treat",
    "d_possent",
    "d_product",
    "dog",
    "euadr_untrusted",
    "fact_eval",
    "rte",
    "s_adult",
    "s_face",
    "s_rel",
    "sentiment_polarity",
    "weather_amt",
    "weather_cf",
    "web",
]


@dataclass(frozen=True, eq=False)
class Crowd:
    """gold: int [T], -1 where unknown."""

    name: str
    answers: Answers
    gold: np.ndarray


def read_crowd(name: str) -> Crowd:
    """Labels are numbered in sorted order, tasks and workers in order of appearance."""
    folder: Path = data_folder(name, "crowd")
    rows, gold_rows = rows_of(folder / "labels.csv"), rows_of(folder / "gold.csv")
    labels = sorted({row["label"] for row in rows} | {row["label"] for row in gold_rows})
    number_of = {label: k for k, label in enumerate(labels)}
    task_of: dict[str, int] = {}
    worker_of: dict[str, int] = {}
    answers = Answers(
        np.array([task_of.setdefault(row["task"], len(task_of)) for row in rows], np.int32),
        np.array([worker_of.setdefault(row["worker"], len(worker_of)) for row in rows], np.int32),
        np.array([number_of[row["label"]] for row in rows], np.int32),
        len(task_of),
        len(worker_of),
        len(labels),
    )
    gold = np.full(len(task_of), -1)
    for row in gold_rows:
        if row["task"] in task_of:
            gold[task_of[row["task"]]] = number_of[row["label"]]
    return Crowd(name, answers, gold)
