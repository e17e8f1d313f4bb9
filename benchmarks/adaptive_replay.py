"""Real crowds replayed while a stop rule asks for more: answers used, and accuracy on gold. Prints JSON.

Answers come from the file in a seeded order, while the rule asks; the engine is refitted on what was drawn
so far, after every batch of tasks and every round of asking. All answers are counted: audits, and those to
hidden gold. One rule for all sets but for how sure it wants to be: each threshold is a row, and the row that
comes nearest to the wished cost stands beside what a fixed number of answers brings by majority at that cost.
"""

import argparse
import json
from dataclasses import dataclass

import numpy as np
from _crowds import Crowd, read_crowd

from annotation.algorithms.crowd import Answers, fit_crowd
from annotation.algorithms.hidden_gold import gold_share
from annotation.algorithms.stopping import Rule
from annotation.algorithms.stopping_simulation import likeliest_label, simulate_rule

FIRST_BATCH = 25  # tasks: about as many answers as the platform's first fit waits for
THRESHOLDS = (0.85, 0.9, 0.95, 0.97, 0.98)
HIDDEN_GOLD = 0.1  # share of a set's gold that is given out as hidden gold, where it is


@dataclass(frozen=True)
class Target:
    """The answers a task to spend, and the accuracy to reach with them."""

    name: str
    answers_per_task: float
    accuracy: float | None = None  # None: majority vote's, of as many answers
    majority_of: int | None = None  # or of so many
    hides_gold: bool = False


TARGETS = (
    Target("d_product", 2.2, accuracy=0.934),
    Target("dog", 4.4, majority_of=10),
    Target("s_face", 3.4, majority_of=9),
    Target("bluebird", 10.0, hides_gold=True),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=[target.name for target in TARGETS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--thresholds", type=float, nargs="*", default=THRESHOLDS)
    parser.add_argument("--most", type=int, default=Rule().most, help="the rule's cap")
    arguments = parser.parse_args()
    targets = [target for target in TARGETS if target.name in arguments.names]
    print(json.dumps([measure(target, arguments) for target in targets], indent=1))


def measure(target: Target, arguments: argparse.Namespace) -> dict:
    crowd, n_seeds = read_crowd(target.name), arguments.seeds
    rules = [Rule(certainty=certainty, most=arguments.most) for certainty in arguments.thresholds]
    rows = [row_at(crowd, target, rule, n_seeds) for rule in rules]
    nearest = min(rows, key=lambda row: abs(row["answers_per_task"] - target.answers_per_task))
    of_majority = target.majority_of or nearest["answers_per_task"]
    to_reach = target.accuracy or majority_accuracy(crowd, of_majority, n_seeds, target.hides_gold)
    at_that_cost = majority_accuracy(crowd, nearest["answers_per_task"], n_seeds, target.hides_gold)
    return {
        "data": target.name,
        "wished": {"answers_per_task": target.answers_per_task, "accuracy": round(to_reach, 4)},
        "nearest_to_that_cost": nearest,
        "majority_at_that_cost": round(at_that_cost, 4),
        "by_threshold": rows,
    }


def row_at(crowd: Crowd, target: Target, rule: Rule, n_seeds: int) -> dict:
    """The mean over seeds, and each seed's accuracy."""
    replays = [replay(crowd, rule, seed, target.hides_gold) for seed in range(n_seeds)]
    means = {name: round(float(np.mean([one[name] for one in replays])), 4) for name in replays[0]}
    return {"certainty": rule.certainty, **means, "by_seed": [round(one["accuracy"], 4) for one in replays]}


def replay(crowd: Crowd, rule: Rule, seed: int, hides_gold: bool) -> dict:
    answers, rng = crowd.answers, np.random.default_rng(seed)
    engine = Engine(crowd, hidden_gold(crowd, seed) if hides_gold else nothing_hidden(crowd), rng)
    asked = ~engine.is_hidden[answers.task]
    columns = answers.task[asked], answers.worker[asked]
    result = simulate_rule(
        *columns,
        answers.n_tasks,
        likeliest_label(*columns, answers.label[asked], engine),
        rule,
        rng=rng,
        first_batch=FIRST_BATCH,
    )
    is_task = ~engine.is_hidden
    return {
        "answers_per_task": (result.n_answers.sum() + engine.n_to_gold) / is_task.sum(),
        "accuracy": result.share_right(np.where(is_task, crowd.gold, -1)),
        "to_hidden_gold_per_task": engine.n_to_gold / is_task.sum(),
        "to_reviewer": result.is_reviewed[is_task].mean(),
        "audited": result.is_audited[is_task].mean(),
        "audited_and_held": result.has_held[is_task].mean(),
    }


class Engine:
    """The engine fitted on the answers drawn so far, those to hidden gold in the stream among them."""

    def __init__(self, crowd: Crowd, is_hidden: np.ndarray, rng: np.random.Generator):
        self.crowd, self.is_hidden = crowd, is_hidden
        self.gold = np.where(is_hidden, crowd.gold, -1)
        order = rng.permutation(np.flatnonzero(is_hidden[crowd.answers.task]))
        self.to_gold = order[np.argsort(crowd.answers.worker[order], kind="stable")]  # each worker's together
        workers = crowd.answers.worker[self.to_gold]
        n_each = np.bincount(workers, minlength=crowd.answers.n_workers)
        self.place = np.arange(len(workers)) - (np.cumsum(n_each) - n_each)[workers]
        self.n_to_gold = 0

    def __call__(self, task: np.ndarray, worker: np.ndarray, label: np.ndarray) -> np.ndarray:
        answers = self.crowd.answers
        n_done = np.bincount(worker, minlength=answers.n_workers)
        given = self.to_gold[self.place < gold_due(n_done)[answers.worker[self.to_gold]]]
        self.n_to_gold = len(given)
        drawn = Answers(
            np.concatenate([task, answers.task[given]]),
            np.concatenate([worker, answers.worker[given]]),
            np.concatenate([label, answers.label[given]]),
            answers.n_tasks,
            answers.n_workers,
            answers.n_classes,
        )
        return fit_crowd(drawn, gold=self.gold).posterior


def gold_due(n_done: np.ndarray) -> np.ndarray:
    """How much hidden gold a volunteer has met who has done so many other tasks, by the platform's rate."""
    claims = np.arange(2 * n_done.max(initial=0) + 10)
    n_gold = np.cumsum([gold_share(n) for n in claims])
    return n_gold[np.searchsorted(claims + 1 - n_gold, n_done)].round()


def hidden_gold(crowd: Crowd, seed: int) -> np.ndarray:
    """bool [T]: HIDDEN_GOLD of the tasks with gold, by lot."""
    known = np.random.default_rng(seed).permutation(np.flatnonzero(crowd.gold >= 0))
    is_hidden = nothing_hidden(crowd)
    is_hidden[known[: round(HIDDEN_GOLD * len(known))]] = True
    return is_hidden


def nothing_hidden(crowd: Crowd) -> np.ndarray:
    return np.zeros(crowd.answers.n_tasks, dtype=bool)


def majority_accuracy(crowd: Crowd, answers_per_task: float, n_seeds: int, hides_gold: bool) -> float:
    """Of so many answers a task on the mean, in a random order; a tie counts by its odds of being right."""
    answers, shares = crowd.answers, []
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        order = np.lexsort((rng.random(len(answers)), answers.task))
        task, label = answers.task[order], answers.label[order]
        place = np.arange(len(task)) - (np.cumsum(answers.n_per_task) - answers.n_per_task)[task]
        whole = int(answers_per_task)
        n_each = whole + (rng.random(answers.n_tasks) < answers_per_task - whole)
        taken = place < n_each[task]
        cell = task[taken] * answers.n_classes + label[taken]
        votes = np.bincount(cell, minlength=answers.n_tasks * answers.n_classes).reshape(answers.n_tasks, -1)
        leads = votes == votes.max(axis=1, keepdims=True)
        scored = crowd.gold >= 0
        if hides_gold:
            scored &= ~hidden_gold(crowd, seed)
        right = leads[np.flatnonzero(scored), crowd.gold[scored]] / leads[scored].sum(axis=1)
        shares.append(right.mean())
    return float(np.mean(shares))


if __name__ == "__main__":
    main()
