"""What another stop rule would have cost and decided: answers already given, replayed while the rule asks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from annotation.algorithms.crowd import Answers, stored_parameters
from annotation.algorithms.parameters import log_posterior_of
from annotation.algorithms.posterior_calibration import calibrated
from annotation.algorithms.stopping import Rule, may_stop

KNOWN_AFTER = 20  # answers from which on a volunteer's skill counts as known

# (task, worker, label), the answers drawn so far, int [n] each -> posterior [T, K] of all tasks.
Posterior = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Replay:
    """What a rule did with the answers: all [T].

    n_answers it took, audits included; label, the leading one at the end, and its posterior, `certainty`;
    is_reviewed: at the cap without being sure; has_run_out: not sure, below the cap, and no answer left to
    take; is_audited: stopped and asked once more; has_held: of those, whether the label stayed.
    """

    n_answers: np.ndarray
    label: np.ndarray
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

    def accuracy(self, truth: np.ndarray) -> float | None:
        """The share of labels that are right; truth int [T], -1 where it is unknown. None without any."""
        is_known = truth >= 0
        return float((self.label == truth)[is_known].mean()) if is_known.any() else None


def simulate_rule(
    task: np.ndarray,
    worker: np.ndarray,
    label: np.ndarray,
    n_tasks: int,
    posterior: Posterior,
    rule: Rule,
    *,
    rng: np.random.Generator,
    is_known: np.ndarray | None = None,
    first_batch: int | None = None,
) -> Replay:
    """Draw each task's answers in a random order, one at a time, while the rule asks for more.

    task, worker, label: int [N], numbered from 0, all the answers there are. is_known: bool [W], whose skill
    is known from the start; without it a volunteer becomes known after KNOWN_AFTER drawn answers, and the
    campaign is young until one is. first_batch: so many tasks get their first answers before the others, and
    then as many again as had them before, so that only the first few meet a young campaign; without it all
    start at once. Afterwards come rounds, each with one more answer for all tasks that ask. A task that has
    stopped is asked again where a later posterior is no longer sure of it, as after a refit.
    """
    supply = _Supply(task, worker, label, n_tasks, rng)
    audited = rng.random(n_tasks) < rule.audit_share
    drawn = np.zeros(n_tasks, dtype=int)
    for batch in _doubling(rng.permutation(n_tasks), first_batch or n_tasks):
        young = _judge(supply, drawn, posterior, rule, is_known).young
        drawn[batch] = np.minimum(rule.first_while_young if young else rule.first, supply.n_given[batch])
    while True:
        state = _judge(supply, drawn, posterior, rule, is_known)
        asks = ~state.stops & (drawn < np.minimum(supply.n_given, rule.most))
        if not asks.any():
            break
        drawn = drawn + asks
    is_audited = state.stops & audited & (drawn < supply.n_given)
    probability = posterior(*supply.first(drawn + is_audited))
    final = probability.argmax(axis=1)
    return Replay(
        n_answers=drawn + is_audited,
        label=final,
        certainty=probability.max(axis=1, initial=0.0),
        is_reviewed=~state.stops & (drawn >= rule.most),
        has_run_out=~state.stops & (drawn < rule.most),
        is_audited=is_audited,
        has_held=is_audited & (final == state.leading),
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

    def __init__(self, task, worker, label, n_tasks: int, rng: np.random.Generator):
        order = np.lexsort((rng.random(len(task)), task))
        self.task, self._worker, self._label = (np.asarray(column)[order] for column in (task, worker, label))
        self.n_given = np.bincount(self.task, minlength=n_tasks)
        starts = np.cumsum(self.n_given) - self.n_given
        self._place = np.arange(len(order)) - starts[self.task]

    def first(self, n: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Task, worker and label of the first n [T] answers of each task."""
        is_drawn = self._place < n[self.task]
        return self.task[is_drawn], self._worker[is_drawn], self._label[is_drawn]


@dataclass(frozen=True, eq=False)
class _State:
    stops: np.ndarray  # bool [T]
    leading: np.ndarray  # int [T]
    young: bool


def _judge(
    supply: _Supply, drawn: np.ndarray, posterior: Posterior, rule: Rule, is_known: np.ndarray | None
) -> _State:
    task, worker, label = supply.first(drawn)
    if is_known is None:
        is_known = np.bincount(worker) >= KNOWN_AFTER
    young = not is_known.any()
    probability = posterior(task, worker, label)
    knows_skill = np.zeros(len(drawn), dtype=bool)
    knows_skill[task[is_known[worker]]] = True
    certainty = probability.max(axis=1, initial=0.0)
    stops = may_stop(certainty, drawn, rule, knows_skill=knows_skill, young=young)
    return _State(stops, probability.argmax(axis=1), young)


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
    label: np.ndarray,
    n_tasks: int,
    posterior: Posterior,
    rule: Rule,
    *,
    thresholds: Sequence[float],
    seed: int,
    gold: np.ndarray | None = None,
    is_known: np.ndarray | None = None,
) -> list[CurvePoint]:
    """The rule at other thresholds, as points of a chart of cost against accuracy.

    gold: int [T], -1 where unknown; without it the labels are held against what all answers together say.
    Every point draws the answers in the same order, so that they differ by the threshold alone.
    """
    if gold is None:
        gold = posterior(task, worker, label).argmax(axis=1)
    points = []
    for certainty in thresholds:
        replay = simulate_rule(
            task,
            worker,
            label,
            n_tasks,
            posterior,
            replace(rule, certainty=certainty),
            rng=np.random.default_rng(seed),
            is_known=is_known,
        )
        points.append(
            CurvePoint(certainty, replay.answers_per_task, replay.accuracy(gold), replay.review_share)
        )
    return points
