"""A large campaign's refit by the engine, the online update, Dawid-Skene beside crowd-kit's. Prints JSON.

The crowd is simulated: workers of accuracy 0.45 to 0.95 whose mistakes lean to the next label, some with few
answers. The peak of memory is the process's, the made-up answers included; on a machine that others use too,
the processor's seconds are the fair ones. Dawid-Skene is held against crowd-kit's on the same answers with
as many rounds, both from the vote shares.
"""

import argparse
import json
import os
import resource
import time

import numpy as np
from _crowds import read_crowd

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.crowd import fit_crowd
from annotation.algorithms.dawid_skene import fit_dawid_skene
from annotation.algorithms.online import answer_weights, task_posterior
from annotation.algorithms.parameters import posterior_of

ONLINE_TASKS = 500
DAWID_SKENE_ROUNDS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--per-task", type=int, default=3)
    parser.add_argument(
        "--beside", default="d_product", help="the real crowd for Dawid-Skene; none to leave out"
    )
    arguments = parser.parse_args()
    answers, truth = simulate(arguments.tasks, arguments.workers, arguments.classes, arguments.per_task)
    began, cpu_began = time.perf_counter(), time.process_time()
    fit = fit_crowd(answers)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    figures = {
        "benchmark": "consensus_refit",
        "answers": len(answers),
        "tasks": answers.n_tasks,
        "workers": answers.n_workers,
        "classes": answers.n_classes,
        "refit_seconds": round(seconds, 1),
        "refit_processor_seconds": round(cpu_seconds, 1),
        "load_average": os.getloadavg()[0],
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "accuracy": round(share_right(fit.posterior, truth), 4),
        "accuracy_of_majority": round(share_right(answers.vote_shares, truth), 4),
        "chosen": fit.crowd["chosen"],
        "online_milliseconds": online_milliseconds(fit, arguments.workers),
    }
    if arguments.beside != "none":
        figures["dawid_skene"] = beside_crowdkit(arguments.beside)
    print(json.dumps(figures, indent=1))


def simulate(n_tasks: int, n_workers: int, n_classes: int, per_task: int) -> tuple[Answers, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.choice(n_classes, n_tasks, p=np.arange(1, n_classes + 1) / sum(range(1, n_classes + 1)))
    task = np.repeat(np.arange(n_tasks, dtype=np.int32), per_task)
    activity = rng.exponential(size=n_workers)
    worker = rng.choice(n_workers, len(task), p=activity / activity.sum()).astype(np.int32)
    right = rng.random(len(task)) < rng.uniform(0.45, 0.95, n_workers)[worker]
    steps = np.where(rng.random(len(task)) < 0.6, 1, rng.integers(1, n_classes, len(task)))
    label = np.where(right, truth[task], (truth[task] + steps) % n_classes).astype(np.int32)
    return Answers(task, worker, label, n_tasks, n_workers, n_classes), truth


def online_milliseconds(fit, n_workers: int) -> dict[str, float]:
    """The median of one task's posterior and weights, by its number of answers."""
    rng, medians = np.random.default_rng(1), {}
    for n_answers in (2, 7, 15):
        times = []
        for _ in range(ONLINE_TASKS):
            workers = [fit.workers[w] for w in rng.integers(0, n_workers, n_answers)]
            labels = rng.integers(0, fit.crowd["n_classes"], n_answers).tolist()
            began = time.perf_counter()
            task_posterior(labels, workers, fit.crowd)
            answer_weights(labels, workers, fit.crowd)
            times.append(time.perf_counter() - began)
        medians[f"{n_answers} answers"] = round(float(np.median(times)) * 1e3, 3)
    return medians


def beside_crowdkit(name: str) -> dict:
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    answers = read_crowd(name).answers
    frame = pd.DataFrame({"task": answers.task, "worker": answers.worker, "label": answers.label})
    began = time.perf_counter()
    theirs = DawidSkene(n_iter=DAWID_SKENE_ROUNDS, tol=-np.inf).fit_predict_proba(frame)
    their_seconds = time.perf_counter() - began
    theirs = theirs.loc[range(answers.n_tasks), range(answers.n_classes)].to_numpy()
    began = time.perf_counter()
    parameters = fit_dawid_skene(answers, n_rounds=DAWID_SKENE_ROUNDS - 1, tolerance=0.0)
    ours = posterior_of(answers, parameters)
    seconds = time.perf_counter() - began
    return {
        "data": name,
        "rounds": DAWID_SKENE_ROUNDS,
        "largest_difference_of_a_posterior": float(np.abs(ours - theirs).max()),
        "crowdkit_seconds": round(their_seconds, 2),
        "seconds": round(seconds, 3),
        "times_as_fast": round(their_seconds / seconds, 1),
    }


def share_right(posterior: np.ndarray, truth: np.ndarray) -> float:
    return float((posterior.argmax(axis=1) == truth).mean())


if __name__ == "__main__":
    main()
