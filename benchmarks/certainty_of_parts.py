"""Certainty of answers of several parts, before and after calibration on gold. Prints JSON.

A fifth of the gold, drawn by lot, is given to the fit as a campaign has it; how far certainty and the share
of answers that are wholly right are apart (in 15 bins) is measured on the rest, by the decisions that the
platform would make; beside it what a perfect certainty would show on so few. Marks: simulated volunteers on
bc5cdr_test, by the abstract and by the sentence. Any number of labels: real volunteers, who ticked whether a
sentence states a cause and a treatment (crowdtruth_cause and _treat, the same volunteers; the gold is an
expert's), and simulated ones, with and without labels that are hard for all.
"""

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from _real_texts import ROOT, data_folder, rows_of

sys.path.insert(0, str(ROOT))

from span_consensus import read_lines, simulate

from annotation.algorithms.scores import calibration_error
from annotation.algorithms.simulated_spans import NOISE
from annotation.algorithms.splitting import split_sentences
from annotation.kinds import KINDS, Fit, Table
from annotation.kinds.calibration import CERTAINTY

GOLD_SHARE = 0.2
N_SENTENCES = 2000
N_TASKS, N_VOLUNTEERS, N_A_TASK, N_LABELS = 2000, 60, 4, 6


@dataclass(frozen=True)
class Crowd:
    kind: str
    table: Table
    labels: list[dict]
    gold: dict[int, dict]


def main() -> None:
    crowds: dict[str, Callable[[int], Crowd]] = {
        "cause and treatment, real": lambda seed: real_labels(),
        "labels": lambda seed: simulated_labels(seed, hard=0.0),
        "labels, some hard for all": lambda seed: simulated_labels(seed, hard=0.15),
    }
    for level in NOISE:
        crowds[f"marks by the sentence, {level} noise"] = lambda seed, level=level: sentences(level, seed)
        crowds[f"marks by the abstract, {level} noise"] = lambda seed, level=level: abstracts(level, seed)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(crowds), help="of crowds")
    parser.add_argument("--seeds", type=int, default=3, help="crowds and draws of gold")
    arguments = parser.parse_args()
    figures = {}
    for name in arguments.names:
        rows = [measure(crowds[name](seed), seed) for seed in range(arguments.seeds)]
        figures[name] = {key: round(statistics.fmean(row[key] for row in rows), 3) for key in rows[0]}
        print(name, figures[name], file=sys.stderr, flush=True)
    print(json.dumps(figures, indent=1))


def measure(crowd: Crowd, seed: int) -> dict:
    tasks = np.random.default_rng(seed).permutation(sorted(crowd.gold))
    given, rest = np.split(tasks, [round(GOLD_SHARE * len(tasks))])
    began = time.process_time()
    fit(crowd, [])
    without = time.process_time() - began
    fitted = fit(crowd, given)
    seconds = time.process_time() - began - without
    plain = replace(fitted, crowd={key: value for key, value in fitted.crowd.items() if key != CERTAINTY})
    (before, right), (after, _) = decided(crowd, plain, rest), decided(crowd, fitted, rest)
    by_others = fitted.crowd["calibration"]
    return {
        "gold": len(given),
        "share_right": np.mean(right),
        "certainty_before": np.mean(before),
        "error_before": calibration_error(before, right),
        "error": calibration_error(after, right),
        "error_of_a_perfect_certainty": by_chance_alone(after),
        "error_by_others_gold": by_others["error"],
        "in_force": CERTAINTY in fitted.crowd,
        "refit_seconds_without_gold": without,
        "refit_seconds": seconds,
    }


def by_chance_alone(certainty: list[float]) -> float:
    """What would be measured were each answer right exactly as probably as it says."""
    rng, certainty = np.random.default_rng(0), np.array(certainty)
    return statistics.fmean(
        calibration_error(certainty, rng.random(len(certainty)) < certainty) for _ in range(50)
    )


def fit(crowd: Crowd, given) -> Fit:
    table = replace(crowd.table, gold={int(task): crowd.gold[int(task)] for task in given})
    return KINDS[crowd.kind].fit(table, crowd.labels, method="engine")


def decided(crowd: Crowd, fitted: Fit, tasks) -> tuple[list[float], list[bool]]:
    kind, table = KINDS[crowd.kind], crowd.table
    skills, answers_of = [row.parameters for row in fitted.skills], defaultdict(list)
    for n, task in enumerate(table.task.tolist()):
        answers_of[task].append(n)
    certainty, right = [], []
    for task in tasks.tolist():
        given, text = table.given(answers_of[task], skills), table.text_of(task)
        found = kind.decide(given, crowd.labels, method="engine", crowd=fitted.crowd, text=text)
        certainty.append(found.certainty)
        right.append(found.value is not None and kind.is_right(found.value, crowd.gold[task]))
    return certainty, right


def real_labels() -> Crowd:
    """Workers are numbered anew in either set, in the order in which a task has them: one and the same."""
    names = ("cause", "treat")
    folders = [data_folder(f"crowdtruth_{name}", "crowd") for name in names]
    said = [by_task(rows_of(folder / "labels.csv")) for folder in folders]
    expert = [
        {row["task"]: row["label"] == "1" for row in rows_of(folder / "gold.csv")} for folder in folders
    ]
    tasks = sorted(set(said[0]) & set(said[1]))
    rows = [
        (t, worker, {"labels": [name for name, ticks in zip(names, (a, b), strict=True) if ticks == "1"]})
        for t, task in enumerate(tasks)
        for (worker, a), (_, b) in zip(said[0][task], said[1][task], strict=True)
    ]
    gold = {
        t: {"labels": [name for name, known in zip(names, expert, strict=True) if known[task]]}
        for t, task in enumerate(tasks)
        if all(task in known for known in expert)
    }
    return crowd_of("multiple", rows, names, len(tasks), gold)


def by_task(rows: list[dict]) -> dict[str, list[tuple[str, str]]]:
    said: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        said.setdefault(row["task"], []).append((row["worker"], row["label"]))
    return said


def simulated_labels(seed: int, *, hard: float) -> Crowd:
    """Labels that apply to .1 to .5 of the tasks; a volunteer finds .85 of them and invents .07, in ways of
    their own. Of one that is hard for all each says yes to a third and no to the rest, whatever is true."""
    rng = np.random.default_rng(seed)
    names = [f"label {n}" for n in range(N_LABELS)]
    truth = rng.random((N_TASKS, N_LABELS)) < rng.uniform(0.1, 0.5, N_LABELS)
    finds = np.clip(rng.normal(0.85, 0.1, (N_VOLUNTEERS, N_LABELS)), 0.3, 0.99)
    invents = np.clip(rng.normal(0.07, 0.05, (N_VOLUNTEERS, N_LABELS)), 0.005, 0.5)
    is_hard = rng.random(truth.shape) < hard
    rows = []
    for task in range(N_TASKS):
        for worker in rng.choice(N_VOLUNTEERS, N_A_TASK, replace=False).tolist():
            chance = np.where(truth[task], finds[worker], invents[worker])
            chosen = rng.random(N_LABELS) < np.where(is_hard[task], 1 / 3, chance)
            rows.append((task, worker, {"labels": [names[k] for k in np.flatnonzero(chosen)]}))
    gold = {task: {"labels": [names[k] for k in np.flatnonzero(truth[task])]} for task in range(N_TASKS)}
    return crowd_of("multiple", rows, names, N_TASKS, gold)


def abstracts(level: str, seed: int) -> Crowd:
    documents = read_lines("bc5cdr_test", "spans.jsonl")
    return marked([(one["text"], [tuple(span) for span in one["gold"]]) for one in documents], level, seed)


def sentences(level: str, seed: int) -> Crowd:
    """With the marks that lie within one sentence."""
    texts = []
    for one in read_lines("bc5cdr_test", "spans.jsonl"):
        for cut in split_sentences(one["text"]):
            within = [
                (start - cut.start, end - cut.start, label)
                for start, end, label in one["gold"]
                if cut.start <= start and end <= cut.end
            ]
            texts.append((one["text"][cut.start : cut.end], within))
    return marked(texts[:N_SENTENCES], level, seed)


def marked(texts: list[tuple[str, list[tuple]]], level: str, seed: int) -> Crowd:
    answers = simulate(
        [text for text, _ in texts], [spans for _, spans in texts], level, np.random.default_rng(seed)
    )
    rows = [(t, worker, value(spans)) for t, given in enumerate(answers.answers) for worker, spans in given]
    gold = {t: value(spans) for t, (_, spans) in enumerate(texts)}
    crowd = crowd_of("spans", rows, answers.labels, len(texts), gold)
    return replace(crowd, table=replace(crowd.table, texts=answers.texts))


def value(spans: list[tuple]) -> dict:
    return {"spans": [{"start": start, "end": end, "label": label} for start, end, label in spans]}


def crowd_of(kind: str, rows: list[tuple], names, n_tasks: int, gold: dict[int, dict]) -> Crowd:
    """rows: (task, worker, value) of each answer."""
    workers: dict = {}
    table = Table(
        task=np.array([task for task, _, _ in rows], np.int32),
        worker=np.array([workers.setdefault(worker, len(workers)) for _, worker, _ in rows], np.int32),
        code=np.arange(len(rows), dtype=np.int32),
        certain=np.full(len(rows), -1, np.int8),
        values=[given for _, _, given in rows],
        n_tasks=n_tasks,
        n_workers=len(workers),
    )
    return Crowd(kind, table, [{"key": name, "name": name, "hint": ""} for name in names], gold)


if __name__ == "__main__":
    main()
