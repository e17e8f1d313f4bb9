"""Another stop rule tried on the answers there are, and what to expect before there are any."""

from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from annotation.algorithms.power import RuleCost, answers_needed, rule_cost
from annotation.algorithms.stopping import Rule
from annotation.algorithms.stopping_simulation import (
    CurvePoint,
    Replay,
    cost_accuracy_curve,
    simulate_rule,
    stored_posterior,
)
from annotation.errors import Invalid
from annotation.kinds import kind_named
from annotation.models import Campaign, Consensus, Gold, Skill
from annotation.services.crowd import read_table
from annotation.services.judging import KNOWN_AFTER

TASKS_TRIED = 500  # on a page, where somebody waits
LEAST_GOLD = 20  # gold tasks from which the labels are held against gold alone
THRESHOLDS = (0.7, 0.8, 0.9, 0.95, 0.97, 0.99)
WISHES = (0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """What a rule would have done with the answers given. `truth` says what labels were held against."""

    rule: str
    n_tasks: int
    n_answers: int
    truth: str  # "gold", or "all answers"
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
    the accuracy of 1, 2, 3, … answers, and the cost of a rule."""

    accuracy: float
    needed: list[tuple[float, int | None]]
    by_answers: list[float]
    cost: RuleCost


def try_rule(
    campaign: Campaign, rule: Rule, *, seed: int = 0, n_tasks: int | None = TASKS_TRIED
) -> RuleTrial:
    """Replay the answers already given, each task's in a random order, only while the rule asks for more.

    On the tasks with the most answers (n_tasks of them, all if None): a rule can only be tried where there
    are answers to leave out. Skill is what the latest fit says, or, before there is one, a fit to these.
    """
    kind = kind_named(campaign.kind)
    if not kind.one_label:
        raise Invalid("A rule can be tried where an answer is one label.", code="rule_not_for_this_kind")
    table, task_ids, volunteers = read_table(campaign, tasks=_tasks_to_try(campaign, n_tasks))
    if not len(table.task):
        raise Invalid("There are no tasks with two answers or more yet.", code="nothing_to_try")
    keys = [label["key"] for label in campaign.labels]
    crowd, workers, is_known = _crowd(campaign, table, volunteers)
    # What does not count is in the values still, though in no answer.
    codes = np.array([keys.index(v["label"]) if v["label"] in keys else -1 for v in table.values])
    answers = (table.task, table.worker, codes[table.code], table.n_tasks)
    posterior = stored_posterior(table.n_tasks, workers, crowd)
    now = posterior(*answers[:3]).argmax(axis=1)
    gold = _gold(campaign, task_ids, keys)
    by_gold = (gold >= 0).sum() >= LEAST_GOLD
    truth = gold if by_gold else now
    replay: Replay = simulate_rule(
        *answers, posterior, rule, rng=np.random.default_rng(seed), is_known=is_known
    )
    return RuleTrial(
        rule=str(rule),
        n_tasks=table.n_tasks,
        n_answers=len(table.task),
        truth="gold" if by_gold else "all answers",
        answers_per_task=replay.answers_per_task,
        accuracy=replay.accuracy(truth),
        review_share=replay.review_share,
        run_out_share=float(replay.has_run_out.mean()),
        answers_per_task_now=len(table.task) / table.n_tasks,
        accuracy_now=float((now == truth)[truth >= 0].mean()),
        curve=cost_accuracy_curve(
            *answers,
            posterior,
            replace(rule, audit_share=0.0),
            thresholds=THRESHOLDS,
            seed=seed,
            gold=truth,
            is_known=is_known,
        ),
    )


def expect(rule: Rule, accuracy: float, n_classes: int) -> Expectation:
    """What to plan for before there are answers, for volunteers of a guessed accuracy."""
    powers = {wish: answers_needed(accuracy, n_classes, wish) for wish in WISHES}
    longest = max((power.accuracies for power in powers.values()), key=len)
    return Expectation(
        accuracy,
        [(wish, power.n_answers) for wish, power in powers.items()],
        list(longest[:9]),
        rule_cost(rule, accuracy, n_classes),
    )


def _tasks_to_try(campaign: Campaign, n_tasks: int | None) -> list[UUID]:
    answered = Consensus.objects.filter(campaign=campaign, n_answers__gt=1)
    return list(answered.order_by("-n_answers", "task").values_list("task_id", flat=True)[:n_tasks])


def _crowd(campaign: Campaign, table, volunteers: list[UUID]) -> tuple[dict, list[dict | None], np.ndarray]:
    """The shared parameters, each worker's, and whose skill is known."""
    fit = (
        campaign.crowd_fits.filter(number=campaign.crowd_version).first() if campaign.crowd_version else None
    )
    if fit is None:
        fitted = kind_named(campaign.kind).fit(table, campaign.labels, method="engine")
        n_answers = np.bincount(table.worker, minlength=table.n_workers)
        return fitted.crowd, [row.parameters for row in fitted.skills], n_answers >= KNOWN_AFTER
    skills = {skill.pk: skill for skill in Skill.objects.filter(volunteer__in=volunteers, version=fit.number)}
    workers = [skills[pk].parameters if pk in skills else None for pk in volunteers]
    is_known = [pk in skills and skills[pk].n_answers >= KNOWN_AFTER for pk in volunteers]
    return fit.parameters, workers, np.array(is_known)


def _gold(campaign: Campaign, task_ids: list[UUID], keys: list[str]) -> np.ndarray:
    known = dict(Gold.objects.filter(campaign=campaign, task__in=task_ids).values_list("task", "label"))
    return np.array([keys.index(known[pk]) if known.get(pk) in keys else -1 for pk in task_ids])
