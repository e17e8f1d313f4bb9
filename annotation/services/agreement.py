"""How much the volunteers of a campaign agree: over its latest settled tasks, by label, by week, by pair.

A worker computes it when enough has changed, and keeps it for the page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import numpy as np
import orjson
from django.db import connection

from annotation.algorithms.agreement import krippendorff_alpha, krippendorff_alpha_ordinal
from annotation.algorithms.agreement_report import (
    Measure,
    agreement_by_label,
    agreement_report,
    facts_report,
    label_counts,
    set_report,
    sets_by_label,
    span_report,
    text_report,
)
from annotation.algorithms.pair_agreement import pair_agreement
from annotation.algorithms.span_scores import pairwise_f1
from annotation.kinds import kind_named
from annotation.kinds.relations import facts_of
from annotation.kinds.spans import as_tuples
from annotation.models import AgreementReport, Campaign
from annotation.services.due import alone_with_answers, campaigns_due

TASKS = 5000  # the latest settled ones with two answers or more
MOST_VOLUNTEERS = 15  # in the table of pairs: those with the most of these answers
MOST_LABELS = 50  # looked at one by one
FEWEST_SHARED = 5  # tasks that two volunteers share before a kappa of theirs is shown
SEED = 7  # of the resampling: the same answers give the same intervals

READ_ANSWERS = """
SELECT latest.task_id, a.volunteer_id, an.value::text, latest.settled_at::date, t."end" - t.start
FROM (
    SELECT task_id, settled_at FROM annotation_consensus
    WHERE campaign_id = %s AND settled_at IS NOT NULL AND n_answers > 1
    ORDER BY settled_at DESC LIMIT %s
) latest
JOIN annotation_microtask t ON t.id = latest.task_id
JOIN annotation_assignment a ON a.task_id = latest.task_id
JOIN annotation_answer an ON an.assignment_id = a.id AND an.weighs
ORDER BY latest.task_id, a.volunteer_id
"""


class GivenAnswer(NamedTuple):
    task: int
    worker: int
    value: dict
    week: date  # the Monday of the week in which its task was settled


class LabelAgreement(NamedTuple):
    name: str
    alpha: Measure | None


class WeekAgreement(NamedTuple):
    week: date
    n_tasks: int
    alpha: float | None


class PairRow(NamedTuple):
    """A volunteer against the others, in the same order: (kappa, tasks shared); None for too few.

    Of marks and relations it is F1 instead of kappa.
    """

    pseudonym: str
    cells: list[tuple[float | None, int]]


@dataclass(frozen=True, slots=True)
class Agreement:
    n_tasks: int
    n_answers: int
    measures: dict[str, Measure | None]
    labels: list[LabelAgreement]
    weeks: list[WeekAgreement]
    pairs: list[PairRow]

    def figures(self) -> dict:
        """As it is kept: JSON."""
        return {
            "n_tasks": self.n_tasks,
            "n_answers": self.n_answers,
            "measures": {name: measure and measure._asdict() for name, measure in self.measures.items()},
            "labels": [{"name": name, "alpha": alpha and alpha._asdict()} for name, alpha in self.labels],
            "weeks": [week._asdict() | {"week": str(week.week)} for week in self.weeks],
            "pairs": [row._asdict() for row in self.pairs],
        }


def agreement_of(campaign: Campaign) -> Agreement:
    """Over the latest settled tasks: bounded work, however large the campaign is."""
    given, volunteers, lengths = _read(campaign)
    rng = np.random.default_rng(SEED)
    kind = kind_named(campaign.kind)
    measures: dict[str, Measure | None] = {}
    labels: list[LabelAgreement] = []
    weeks: list[WeekAgreement] = []
    pairs: list[PairRow] = []
    if kind.one_label:
        coded = _Coded.of(campaign, given)
        measures = agreement_report(
            coded.task, coded.worker, coded.label, coded.n_labels, scale=coded.scale, rng=rng
        )
        labels, weeks = _by_label(campaign, coded, rng), _by_week(coded)
        pairs = _pairs(campaign, coded, volunteers)
    elif given and "spans" in given[0].value:
        measures, labels, pairs = _of_facts(campaign, given, volunteers, lengths, rng)
    elif given:
        measures, labels = _of_sets_or_texts(campaign, given, lengths, rng)
    return Agreement(len(lengths), len(given), measures, labels, weeks, pairs)


def campaigns_to_compare(*, now: datetime) -> list[UUID]:
    """Whose agreement is due."""
    return campaigns_due("agreement_report", "figures", now=now)


def store_agreement(campaign: Campaign, *, now: datetime) -> None:
    """Compute it anew and keep it."""
    with alone_with_answers(campaign, now=now) as state:
        if state is not None:
            figures = agreement_of(campaign).figures()
            AgreementReport.objects.update_or_create(campaign=campaign, defaults=state | {"figures": figures})


def _read(campaign: Campaign) -> tuple[list[GivenAnswer], list[UUID], list[int]]:
    """The answers that count under the labels of today, who gave them, and the texts' lengths by task."""
    kind = kind_named(campaign.kind)
    tasks: dict[UUID, int] = {}
    workers: dict[UUID, int] = {}
    lengths: list[int] = []
    given = []
    with connection.cursor() as cursor:
        cursor.execute(READ_ANSWERS, [campaign.pk, TASKS])
        for task_id, volunteer_id, raw, settled_on, length in cursor.fetchall():
            value = orjson.loads(raw)
            if not kind.counts(value, campaign.labels):
                continue
            if task_id not in tasks:
                lengths.append(length)
            task = tasks.setdefault(task_id, len(tasks))
            worker = workers.setdefault(volunteer_id, len(workers))
            week = settled_on - timedelta(days=settled_on.weekday())
            given.append(GivenAnswer(task, worker, value, week))
    return given, list(workers), lengths


@dataclass(frozen=True, slots=True)
class _Coded:
    """Answers of one label each: task, worker, label int [N]; week [N], the Monday's ordinal."""

    task: np.ndarray
    worker: np.ndarray
    label: np.ndarray
    week: np.ndarray
    n_labels: int
    scale: str

    @classmethod
    def of(cls, campaign: Campaign, given: list[GivenAnswer]) -> "_Coded":
        keys = {key: k for k, key in enumerate(campaign.label_names)}
        rows = [(g.task, g.worker, keys[g.value["label"]], g.week.toordinal()) for g in given]
        task, worker, label, week = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        scale = "ordinal" if campaign.kind == "ordinal" else "nominal"
        return cls(task, worker, label, week, len(keys), scale)


def _by_label(campaign: Campaign, coded: _Coded, rng: np.random.Generator) -> list[LabelAgreement]:
    if not len(coded.task):
        return []
    return _named(campaign, lambda: agreement_by_label(coded.task, coded.label, coded.n_labels, rng=rng))


def _named(campaign: Campaign, reports: Callable[[], list[dict]]) -> list[LabelAgreement]:
    """Each label's alpha; not of so many labels that nobody would read them."""
    names = list(campaign.label_names.values())
    if len(names) > MOST_LABELS:
        return []
    return [LabelAgreement(name, report["alpha"]) for name, report in zip(names, reports(), strict=True)]


def _by_week(coded: _Coded) -> list[WeekAgreement]:
    """Oldest first."""
    alpha = krippendorff_alpha_ordinal if coded.scale == "ordinal" else krippendorff_alpha
    weeks = []
    for week in np.unique(coded.week):
        of_week = coded.week == week
        counts = label_counts(coded.task[of_week], coded.label[of_week], coded.n_labels)
        weeks.append(WeekAgreement(date.fromordinal(int(week)), len(counts), alpha(counts).value()))
    return weeks


def _pairs(campaign: Campaign, coded: _Coded, volunteers: list[UUID]) -> list[PairRow]:
    """Kappa of each two of those who gave the most answers."""
    busiest, of_them = _busiest(coded.worker, len(volunteers))
    if not of_them.any():
        return []
    found = pair_agreement(
        coded.task[of_them], coded.worker[of_them], coded.label[of_them], coded.n_labels, scale=coded.scale
    )
    kappa = found.matrix(found.kappa, len(volunteers))
    shared = np.nan_to_num(found.matrix(found.n_tasks, len(volunteers))).astype(int)
    return _pair_rows(campaign, volunteers, busiest, kappa, shared)


def _busiest(worker: np.ndarray, n_workers: int) -> tuple[np.ndarray, np.ndarray]:
    """(the MOST_VOLUNTEERS with the most answers, int; which of the answers are theirs, bool [N])."""
    busiest = np.argsort(-np.bincount(worker, minlength=n_workers), kind="stable")[:MOST_VOLUNTEERS]
    return busiest, np.isin(worker, busiest)


def _pair_rows(
    campaign: Campaign, volunteers: list[UUID], busiest: np.ndarray, figure: np.ndarray, shared: np.ndarray
) -> list[PairRow]:
    """figure, shared: [W, W] of every two volunteers, how they agree and on how many tasks they met."""
    names = dict(campaign.volunteers.filter(pk__in=volunteers).values_list("pk", "pseudonym"))
    return [
        PairRow(names[volunteers[w]], [_cell(figure[w, other], shared[w, other]) for other in busiest])
        for w in busiest
    ]


def _cell(figure: float, n_shared: int) -> tuple[float | None, int]:
    is_shown = n_shared >= FEWEST_SHARED and not np.isnan(figure)
    return (float(figure) if is_shown else None, int(n_shared))


def _of_sets_or_texts(
    campaign: Campaign, given: list[GivenAnswer], lengths: list[int], rng: np.random.Generator
) -> tuple[dict[str, Measure | None], list[LabelAgreement]]:
    """Sets of labels, and texts: each by the measure that is made for it."""
    if "labels" in given[0].value:
        keys = list(campaign.label_names)
        chosen = np.array([[key in g.value["labels"] for key in keys] for g in given])
        task = np.array([g.task for g in given])
        measures = set_report(task, chosen, rng=rng)
        return measures, _named(campaign, lambda: sets_by_label(task, chosen, rng=rng))
    texts = _by_task(given, [g.value["text"] for g in given], len(lengths))
    return {"similarity": text_report(texts, rng=rng)}, []


def _of_facts(
    campaign: Campaign,
    given: list[GivenAnswer],
    volunteers: list[UUID],
    lengths: list[int],
    rng: np.random.Generator,
) -> tuple[dict[str, Measure | None], list[LabelAgreement], list[PairRow]]:
    """Marks by alpha of their stretches; and F1 of what is stated, which is marks or, where these are
    related, relations."""
    marked = [as_tuples(g.value["spans"]) for g in given]
    names = {label["key"]: label["name"] for label in campaign.labels if label.get("role", "span") == "span"}
    spans = _by_task(given, marked, len(lengths))
    alpha, of_each = span_report(lengths, spans, list(names), rng=rng)
    labels = [LabelAgreement(names[key], measure) for key, measure in of_each.items()]
    related = "relations" in given[0].value
    stated = [facts_of(g.value) for g in given] if related else [set(spans) for spans in marked]
    f1 = facts_report(_by_task(given, stated, len(lengths)), rng=rng)
    pairs = _fact_pairs(campaign, given, stated, volunteers)
    return {"alpha": alpha, "relation_f1" if related else "span_f1": f1}, labels, pairs


def _fact_pairs(
    campaign: Campaign, given: list[GivenAnswer], stated: list[set], volunteers: list[UUID]
) -> list[PairRow]:
    """F1 of each two of those who gave the most answers."""
    task, worker = np.array([(g.task, g.worker) for g in given]).T
    busiest, of_them = _busiest(worker, len(volunteers))
    theirs = [one for one, is_theirs in zip(stated, of_them, strict=True) if is_theirs]
    f1, shared = pairwise_f1(task[of_them], worker[of_them], theirs, len(volunteers))
    return _pair_rows(campaign, volunteers, busiest, f1, shared)


def _by_task(given: list[GivenAnswer], said: list, n_tasks: int) -> list[list]:
    """What the answers say, parted by task."""
    of_tasks: list[list] = [[] for _ in range(n_tasks)]
    for answer, one in zip(given, said, strict=True):
        of_tasks[answer.task].append(one)
    return of_tasks
