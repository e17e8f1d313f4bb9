"""Another stop rule tried on the answers there are, and what to expect before there are any."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from annotation.algorithms.power import RuleCost, answers_needed, rule_cost
from annotation.algorithms.stopping import Rule
from annotation.algorithms.stopping_simulation import (
    CurvePoint,
    Judge,
    Verdicts,
    cost_accuracy_curve,
    likeliest_label,
    simulate_rule,
    stored_posterior,
)
from annotation.errors import Invalid
from annotation.kinds import Kind, Table, kind_named
from annotation.models import Campaign, Consensus, Skill
from annotation.services.crowd import read_table
from annotation.services.judging import KNOWN_AFTER, LEAST_PEOPLE

TASKS_TRIED = 500  # on a page, where somebody waits
TEXTS_TRIED = 60  # where the task's text is read again with each answer drawn
LEAST_GOLD = 20  # gold tasks from which the outcomes are held against gold alone
THRESHOLDS = (0.7, 0.8, 0.9, 0.95, 0.97, 0.99)
WISHES = (0.8, 0.9, 0.95, 0.99)

Progress = Callable[[int, int], None]  # hears (verdicts found, at most so many)


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """What a rule would have done with the answers given. `truth` says what outcomes were held against, and
    `measure` what the accuracies are the mean of; a task without a consensus counts 0."""

    rule: str
    n_tasks: int
    n_answers: int
    truth: str  # "gold", or "all answers"
    measure: str
    answers_per_task: float
    accuracy: float | None
    review_share: float
    run_out_share: float
    answers_per_task_now: float
    accuracy_now: float | None
    curve: list[CurvePoint]


@dataclass(frozen=True, slots=True)
class Expectation:
    """For volunteers who are right with this probability: answers a task that a majority needs for each wish,
    the accuracy of 1, 2, 3, … answers, and the cost of a rule where that can be known beforehand."""

    accuracy: float
    needed: list[tuple[float, int | None]]
    by_answers: list[float]
    cost: RuleCost | None


@dataclass(frozen=True)
class _Crowd:
    parameters: dict  # shared by all
    workers: list[dict | None]
    is_known: np.ndarray  # bool [W]: whose skill is known


def n_tasks_on_page(campaign: Campaign) -> int:
    """So many that the answer is there in about a second."""
    return TEXTS_TRIED if kind_named(campaign.kind).needs_text else TASKS_TRIED


def try_rule(
    campaign: Campaign,
    rule: Rule,
    *,
    seed: int = 0,
    n_tasks: int | None = None,
    on_progress: Progress = lambda n_found, n_at_most: None,
) -> RuleTrial:
    """Replay the answers already given, each task's in a random order, only while the rule asks for more.

    On the tasks with the most answers (n_tasks of them, all if None): a rule can only be tried where there
    are answers to leave out. Skill is what the latest fit says, or, before there is one, a fit to these.
    """
    kind = kind_named(campaign.kind)
    table, _, volunteers = read_table(campaign, tasks=_tasks_to_try(campaign, n_tasks))
    if not len(table.task):
        raise Invalid("There are no tasks with two answers or more yet.", code="nothing_to_try")
    crowd = _crowd(campaign, table, volunteers)
    judge, values = _judge(campaign, table, crowd, on_progress)
    answers = (table.task, table.worker, table.n_tasks, judge)
    now = judge(np.arange(len(table.task))).outcome
    by_gold = len(table.gold) >= LEAST_GOLD
    truth = table.gold if by_gold else {task: values[one] for task, one in enumerate(now) if one >= 0}

    def accuracy(outcome: np.ndarray) -> float | None:
        scores = [
            kind.score(values[outcome[task]], true) if outcome[task] >= 0 else 0.0
            for task, true in truth.items()
        ]
        return float(np.mean(scores)) if scores else None

    replay = simulate_rule(*answers, rule, rng=np.random.default_rng(seed), is_known=crowd.is_known)
    return RuleTrial(
        rule=str(rule),
        n_tasks=table.n_tasks,
        n_answers=len(table.task),
        truth="gold" if by_gold else "all answers",
        measure=kind.measure,
        answers_per_task=replay.answers_per_task,
        accuracy=accuracy(replay.outcome),
        review_share=replay.review_share,
        run_out_share=float(replay.has_run_out.mean()),
        answers_per_task_now=len(table.task) / table.n_tasks,
        accuracy_now=accuracy(now),
        curve=cost_accuracy_curve(
            *answers,
            replace(rule, audit_share=0.0),
            thresholds=THRESHOLDS,
            seed=seed,
            accuracy=lambda replay: accuracy(replay.outcome),
            is_known=crowd.is_known,
        ),
    )


def expect(rule: Rule, accuracy: float, kind: Kind, labels: list[dict]) -> Expectation:
    """What to plan for before there are answers, for volunteers of a guessed accuracy."""
    n_choices = kind.n_choices(labels)
    powers = {wish: answers_needed(accuracy, n_choices, wish) for wish in WISHES}
    longest = max((power.accuracies for power in powers.values()), key=len)
    return Expectation(
        accuracy,
        [(wish, power.n_answers) for wish, power in powers.items()],
        list(longest[:9]),
        rule_cost(rule, accuracy, n_choices) if kind.certainty_is_probability else None,
    )


def _tasks_to_try(campaign: Campaign, n_tasks: int | None) -> list[UUID]:
    answered = Consensus.objects.filter(campaign=campaign, n_answers__gt=1)
    return list(answered.order_by("-n_answers", "task").values_list("task_id", flat=True)[:n_tasks])


def _crowd(campaign: Campaign, table: Table, volunteers: list[UUID]) -> _Crowd:
    fit = (
        campaign.crowd_fits.filter(number=campaign.crowd_version).first() if campaign.crowd_version else None
    )
    if fit is None:
        fitted = kind_named(campaign.kind).fit(table, campaign.labels, method="engine")
        n_answers = np.bincount(table.worker, minlength=table.n_workers)
        return _Crowd(fitted.crowd, [row.parameters for row in fitted.skills], n_answers >= KNOWN_AFTER)
    skills = {skill.pk: skill for skill in Skill.objects.filter(volunteer__in=volunteers, version=fit.number)}
    workers = [skills[pk].parameters if pk in skills else None for pk in volunteers]
    is_known = [pk in skills and skills[pk].n_answers >= KNOWN_AFTER for pk in volunteers]
    return _Crowd(fit.parameters, workers, np.array(is_known))


def _judge(
    campaign: Campaign, table: Table, crowd: _Crowd, on_progress: Progress
) -> tuple[Judge, list[dict]]:
    """What the platform would have made of the answers drawn, and the values that outcomes stand for."""
    keys = [label["key"] for label in campaign.labels]
    if not kind_named(campaign.kind).one_label or not _labels_say_all(table, crowd, keys):
        judge = _Decider(campaign, table, crowd, on_progress)
        return judge, judge.values
    # What does not count is in the values still, though in no answer.
    codes = np.array([keys.index(v["label"]) if v["label"] in keys else -1 for v in table.values])
    posterior = stored_posterior(table.n_tasks, crowd.workers, crowd.parameters)
    judge = likeliest_label(table.task, table.worker, codes[table.code], posterior)
    return judge, [{"label": key} for key in keys]


def _labels_say_all(table: Table, crowd: _Crowd, keys: list[str]) -> bool:
    """Whether nothing else moves the posterior, neither doubt nor a model, so that all are judged at once."""
    parameters = crowd.parameters
    hears_doubt = "certain" in parameters.get("unknown_worker", {})
    hears_a_model = bool(table.opinions) and parameters.get("annotator")
    return parameters["keys"] == keys and not hears_doubt and not hears_a_model


class _Decider:
    """Task by task as the kind decides: each set of answers once, however many rules ask about it."""

    def __init__(self, campaign: Campaign, table: Table, crowd: _Crowd, on_progress: Progress):
        self.values: list[dict] = []
        self._kind, self._labels = kind_named(campaign.kind), campaign.labels
        self._table, self._crowd = table, crowd
        self._method = campaign.aggregation if campaign.weighs_volunteers else Campaign.Aggregation.ENGINE
        self._known: dict[bytes, tuple[float, int]] = {}
        self._codes: dict[str, int] = {}
        self._on_progress = on_progress

    def __call__(self, drawn: np.ndarray) -> Verdicts:
        certainty, outcome = np.zeros(self._table.n_tasks), np.full(self._table.n_tasks, -1)
        tasks, first = np.unique(self._table.task[drawn], return_index=True)
        for task, own in zip(tasks, np.split(drawn, first[1:]), strict=True):
            answers = np.sort(own)
            found = self._known.get(answers.tobytes())
            if found is None:
                found = self._known[answers.tobytes()] = self._decide(int(task), answers)
                self._on_progress(len(self._known), len(self._table.task))
            certainty[task], outcome[task] = found
        return Verdicts(certainty, outcome)

    def _decide(self, task: int, answers: np.ndarray) -> tuple[float, int]:
        table, opinion = self._table, self._table.opinions.get(task)
        decision = self._kind.decide(
            table.given(answers, self._crowd.workers),
            self._labels,
            method=self._method,
            crowd=self._crowd.parameters,
            text=table.text_of(task),
            opinion=opinion,
        )
        is_enough = opinion is None or len(answers) >= LEAST_PEOPLE
        certainty = decision.certainty if is_enough else 0.0
        if decision.value is None:
            return certainty, -1
        code = self._codes.setdefault(self._kind.cell(decision.value), len(self.values))
        if code == len(self.values):
            self.values.append(decision.value)
        return certainty, code
