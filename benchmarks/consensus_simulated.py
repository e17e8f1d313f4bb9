"""The engine on made-up crowds of many shapes, none of which it was designed on. Prints JSON.

Each shape is drawn --seeds times; accuracy of every method against the truth that was drawn, and the share of
draws in which the engine stays within 0.01 of the best of the others.
"""

import argparse
import json
import sys
from collections.abc import Callable

import numpy as np
from _real_texts import ROOT

sys.path.insert(0, str(ROOT))

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.crowd import METHODS, fit_crowd

N_TASKS = 600
Crowd = tuple[Answers, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    figures = {name: measure(draw, arguments.seeds) for name, draw in SHAPES.items()}
    means = {m: round(float(np.mean([f[m] for f in figures.values()])), 4) for m in METHODS}
    print(json.dumps({"benchmark": "consensus_simulated", "shapes": figures, "mean": means}, indent=1))


def measure(draw: Callable[[np.random.Generator], Crowd], n_seeds: int) -> dict[str, float]:
    accuracy = np.zeros((n_seeds, len(METHODS)))
    for seed in range(n_seeds):
        answers, truth = draw(np.random.default_rng(seed))
        for m, method in enumerate(METHODS):
            accuracy[seed, m] = share_right(fit_crowd(answers, method=method).posterior, truth)
    engine = METHODS.index("engine")
    others = np.delete(accuracy, engine, axis=1).max(axis=1)
    figures = {method: round(float(accuracy[:, m].mean()), 4) for m, method in enumerate(METHODS)}
    return figures | {"within_0.01_of_best": float((accuracy[:, engine] >= others - 0.01).mean())}


def share_right(posterior: np.ndarray, truth: np.ndarray) -> float:
    winners = posterior >= posterior.max(axis=1, keepdims=True) - 1e-9
    return float((winners[np.arange(len(truth)), truth] / winners.sum(axis=1)).mean())


def answer(
    rng, rows: np.ndarray, truth: np.ndarray, per_task: int, hard: np.ndarray | None = None
) -> Answers:
    """rows [W, K, K]; on hard tasks (bool [T]) every label is alike to everybody."""
    n_workers, n_classes, _ = rows.shape
    task = np.repeat(np.arange(len(truth)), per_task)
    worker = np.concatenate([rng.permutation(n_workers)[:per_task] for _ in truth])
    chances = rows[worker, truth[task]]
    if hard is not None:
        chances[hard[task]] = 1.0 / n_classes
    label = (rng.random(len(task))[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    return Answers(task, worker, np.minimum(label, n_classes - 1), len(truth), n_workers, n_classes)


def coins(accuracy: np.ndarray, n_classes: int) -> np.ndarray:
    accuracy = np.asarray(accuracy)[:, None, None]
    eye = np.eye(n_classes)
    return accuracy * eye + (1.0 - accuracy) * (1.0 - eye) / (n_classes - 1)


def good_crowd(rng) -> Crowd:
    truth = rng.integers(0, 4, N_TASKS)
    return answer(rng, coins(rng.uniform(0.6, 0.95, 30), 4), truth, 5), truth


def mostly_spammers(rng) -> Crowd:
    truth = rng.integers(0, 3, N_TASKS)
    rows = coins(rng.uniform(0.75, 0.95, 30), 3)
    for w in range(18):
        rows[w] = rng.dirichlet(np.ones(3))  # the same habit whatever the truth
    return answer(rng, rows, truth, 7), truth


def biased_and_binary(rng) -> Crowd:
    truth = rng.integers(0, 2, N_TASKS)
    sensitivity, specificity = rng.beta(4, 4, 40), rng.beta(12, 2, 40)
    rows = np.array([[[q, 1 - q], [1 - p, p]] for p, q in zip(sensitivity, specificity, strict=True)])
    return answer(rng, rows, truth, 7), truth


def colluders(rng) -> Crowd:
    """Five of twenty copy one careless worker."""
    truth = rng.integers(0, 3, N_TASKS)
    answers = answer(rng, coins(np.append(np.full(5, 0.5), rng.uniform(0.7, 0.9, 15)), 3), truth, 9)
    label, first = answers.label.copy(), {}
    for n in np.flatnonzero(answers.worker < 5):
        label[n] = first.setdefault(answers.task[n], label[n])
    return Answers(answers.task, answers.worker, label, N_TASKS, 20, 3), truth


def rare_label(rng) -> Crowd:
    truth = (rng.random(N_TASKS) < 0.08).astype(int)
    return answer(rng, coins(rng.uniform(0.65, 0.95, 30), 2), truth, 5), truth


def hard_tasks(rng) -> Crowd:
    truth = rng.integers(0, 4, N_TASKS)
    return answer(rng, coins(rng.uniform(0.7, 0.95, 30), 4), truth, 5, rng.random(N_TASKS) < 0.3), truth


def two_answers_a_task(rng) -> Crowd:
    truth = rng.integers(0, 3, N_TASKS)
    return answer(rng, coins(rng.uniform(0.5, 0.98, 30), 3), truth, 2), truth


def many_passers_by(rng) -> Crowd:
    """Four answers a worker."""
    truth = rng.integers(0, 5, 300)
    return answer(rng, coins(rng.uniform(0.4, 0.95, 450), 5), truth, 6), truth


def a_scale_of_five(rng) -> Crowd:
    truth, at = rng.integers(0, 5, N_TASKS), np.arange(5)
    spread = rng.uniform(0.4, 1.6, 30)[:, None, None]
    rows = np.exp(-((at[:, None] - at + rng.normal(0, 0.4, 30)[:, None, None]) ** 2) / spread)
    return answer(rng, rows / rows.sum(axis=2, keepdims=True), truth, 5), truth


def some_adversaries(rng) -> Crowd:
    truth = rng.integers(0, 2, N_TASKS)
    accuracy = np.append(rng.uniform(0.05, 0.3, 6), rng.uniform(0.65, 0.9, 18))
    return answer(rng, coins(accuracy, 2), truth, 6), truth


def nine_classes_mixed_up(rng) -> Crowd:
    """Each class has a neighbour that half of the crowd takes it for."""
    truth = rng.integers(0, 9, N_TASKS)
    rows = coins(rng.uniform(0.7, 0.95, 24), 9)
    for w in range(12):
        rows[w] = 0.6 * rows[w] + 0.4 * np.roll(np.eye(9), 1, axis=1)
    return answer(rng, rows, truth, 6), truth


SHAPES = {
    draw.__name__: draw
    for draw in (
        good_crowd,
        mostly_spammers,
        biased_and_binary,
        colluders,
        rare_label,
        hard_tasks,
        two_answers_a_task,
        many_passers_by,
        a_scale_of_five,
        some_adversaries,
        nine_classes_mixed_up,
    )
}


if __name__ == "__main__":
    main()
