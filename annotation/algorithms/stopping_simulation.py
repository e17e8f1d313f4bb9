"""What another stop rule would have cost and decided: answers already given, replayed while the rule asks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from annotation.algorithms.crowd import Answers, stored_parameters
from annotation.algorithms.parameters import log_posterior_of
from annotation.algorithms.posterior_calibration import calibrated
from annotation.algorithms.stopping import Rule, may_stop

KNOWN_AFTER = 20  # answers from which on a volunteer's skill counts as known


class Verdicts(NamedTuple):
    """How sure the answers make of each task, and a number for what they come to (-1: nothing): both [T]."""

    certainty: np.ndarray
    outcome: np.ndarray


# Which answers have been drawn so far, int [n] places in their columns, each task's in the order drawn.
Judge = Callable[[np.ndarray], Verdicts]
# (task, worker, label) of answers, int [n] each -> posterior [T, K] of all tasks.
Posterior = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Replay:
    """What a rule did with the answers: all [T].

    n_answers it took, audits included; outcome, what they came to at the end, and its certainty;
    is_reviewed: at the cap without being sure; has_run_out: not sure, below the cap, and no answer left to
    take; is_audited: stopped and asked once more; has_held: of those, whether the outcome stayed.
    """

    n_answers: np.ndarray
    outcome: np.ndarray
    certainty: np.ndarray
    is_reviewed: np.ndarray
    has_run_out: np.ndarray
    is_audited: np.ndarray
    has_held: np.ndarray

    @property
    def answers_per_task(self) -> float:
        return float(self.n_answers.mean())

    @property
    def review_share(self) -> float:
        return float(self.is_reviewed.mean())

    def share_right(self, truth: np.ndarray) -> float | None:
        """The share of outcomes that are right; truth int [T], -1 where it is unknown. None without any."""
        is_known = truth >= 0
        return float((self.outcome == truth)[is_known].mean()) if is_known.any() else None


def simulate_rule(
    task: np.ndarray,
    worker: np.ndarray,
    n_tasks: int,
    judge: Judge,
    rule: Rule,
    *,
    rng: np.random.Generator,
    is_known: np.ndarray | None = None,
    first_batch: int | None = None,
) -> Replay:
    """Draw each task's answers in a random order, one at a time, while the rule asks for more.

    task, worker: int [N], numbered from 0, of all the answers there are. is_known: bool [W], whose skill
    is known from the start; without it a volunteer becomes known after KNOWN_AFTER drawn answers, and the
    campaign is young until one is. first_batch: so many tasks get their first answers before the others, and
    then as many again as had them before, so that only the first few meet a young campaign; without it all
    start at once. Afterwards come rounds, each with one more answer for all tasks that ask. A task that has
    stopped is asked again where a later verdict is no longer sure of it, as after a refit.
    """
    supply = _Supply(task, worker, n_tasks, rng)
    audited = rng.random(n_tasks) < rule.audit_share
    drawn = np.zeros(n_tasks, dtype=int)
    for batch in _doubling(rng.permutation(n_tasks), first_batch or n_tasks):
        young = not _known(supply, supply.first(drawn), is_known).any()
        first = rule.first_while_young if young else rule.first
        drawn[batch] = np.minimum(first, supply.n_given[batch])
    while True:
        found, stops = _judge(supply, drawn, judge, rule, is_known)
        asks = ~stops & (drawn < np.minimum(supply.n_given, rule.most))
        if not asks.any():
            break
        drawn = drawn + asks
    is_audited = stops & audited & (drawn < supply.n_given)
    final = judge(supply.first(drawn + is_audited))
    return Replay(
        n_answers=drawn + is_audited,
        outcome=final.outcome,
        certainty=final.certainty,
        is_reviewed=~stops & (drawn >= rule.most),
        has_run_out=~stops & (drawn < rule.most),
        is_audited=is_audited,
        has_held=is_audited & (final.outcome == found.outcome),
    )


def _doubling(tasks: np.ndarray, first: int) -> Iterator[np.ndarray]:
    """The tasks in batches, the second as large as the first, each further one as all before it."""
    done = 0
    while done < len(tasks):
        size = max(first, done)
        yield tasks[done : done + size]
        done += size


class _Supply:
    """All answers, each task's together and in the order in which they are drawn."""

    def __init__(self, task: np.ndarray, worker: np.ndarray, n_tasks: int, rng: np.random.Generator):
        self.task, self.worker = np.asarray(task), np.asarray(worker)
        self._order = np.lexsort((rng.random(len(task)), self.task))
        self.n_given = np.bincount(self.task, minlength=n_tasks)
        starts = np.cumsum(self.n_given) - self.n_given
        self._rank = np.arange(len(self._order)) - starts[self.task[self._order]]

    def first(self, n: np.ndarray) -> np.ndarray:
        """The places of the first n [T] answers of each task."""
        return self._order[self._rank < n[self.task[self._order]]]


def _judge(
    supply: _Supply, n: np.ndarray, judge: Judge, rule: Rule, is_known: np.ndarray | None
) -> tuple[Verdicts, np.ndarray]:
    """What the first n [T] answers come to, and which tasks stop with them, bool [T]."""
    drawn = supply.first(n)
    known = _known(supply, drawn, is_known)
    knows_skill = np.zeros(len(n), dtype=bool)
    knows_skill[supply.task[drawn[known[supply.worker[drawn]]]]] = True
    found = judge(drawn)
    return found, may_stop(found.certainty, n, rule, knows_skill=knows_skill, young=not known.any())


def _known(supply: _Supply, drawn: np.ndarray, is_known: np.ndarray | None) -> np.ndarray:
    """bool, by worker: whose skill is known once these answers have been drawn."""
    return np.bincount(supply.worker[drawn]) >= KNOWN_AFTER if is_known is None else is_known


def likeliest_label(task: np.ndarray, worker: np.ndarray, label: np.ndarray, posterior: Posterior) -> Judge:
    """The judge of answers of one label each, int [N], by the posterior: the outcome is the label."""

    def judge(drawn: np.ndarray) -> Verdicts:
        probability = posterior(task[drawn], worker[drawn], label[drawn])
        return Verdicts(probability.max(axis=1, initial=0.0), probability.argmax(axis=1))

    return judge


def stored_posterior(n_tasks: int, workers: Sequence[dict | None], crowd: dict) -> Posterior:
    """The posterior by a fit as it is stored: what the platform itself would have computed, of all tasks at
    once. workers, crowd: the JSON of a CrowdFit.
    """
    temperature, log_lead = crowd["temperature"], crowd.get("log_lead")
    parameters = None if crowd["method"] == "majority" else stored_parameters(workers, crowd)

    def posterior(task: np.ndarray, worker: np.ndarray, label: np.ndarray) -> np.ndarray:
        answers = Answers(task, worker, label, n_tasks, len(workers), crowd["n_classes"])
        if parameters is not None:
            return calibrated(log_posterior_of(answers, parameters), temperature, log_lead)
        shares = answers.vote_shares ** (1.0 / temperature)
        return shares / shares.sum(axis=1, keepdims=True)

    return posterior


@dataclass(frozen=True)
class CurvePoint:
    """What a rule that stops at `certainty` would cost, and how often it would be right."""

    certainty: float
    answers_per_task: float
    accuracy: float | None
    review_share: float


def cost_accuracy_curve(
    task: np.ndarray,
    worker: np.ndarray,
    n_tasks: int,
    judge: Judge,
    rule: Rule,
    *,
    thresholds: Sequence[float],
    seed: int,
    accuracy: Callable[[Replay], float | None],
    is_known: np.ndarray | None = None,
) -> list[CurvePoint]:
    """The rule at other thresholds, as points of a chart of cost against accuracy.

    Every point draws the answers in the same order, so that they differ by the threshold alone.
    """
    points = []
    for certainty in thresholds:
        replay = simulate_rule(
            task,
            worker,
            n_tasks,
            judge,
            replace(rule, certainty=certainty),
            rng=np.random.default_rng(seed),
            is_known=is_known,
        )
        points.append(CurvePoint(certainty, replay.answers_per_task, accuracy(replay), replay.review_share))
    return points
