"""How much the volunteers of a campaign agree: over its latest settled tasks, by label, by week, by pair.

A worker computes it when enough has changed, and keeps it for the page.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import numpy as np
import orjson
from django.db import connection

from annotation.algorithms.agreement import Sums
from annotation.algorithms.agreement_report import Measure, measured_by_task
from annotation.algorithms.pair_agreement import PairFigures
from annotation.kinds import Compared, Comparison, LabelAgreement, kind_named
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


class WeekAgreement(NamedTuple):
    """Of the tasks that were settled in the week from that Monday on, with the 95 % interval."""

    week: date
    n_tasks: int
    value: float | None
    low: float | None
    high: float | None


class PairCell(NamedTuple):
    """How two agree, with the 95 % interval, and on how many tasks they met; None where too few."""

    value: float | None
    n_shared: int
    low: float | None
    high: float | None


class PairRow(NamedTuple):
    """A volunteer against the others, in the same order."""

    pseudonym: str
    cells: list[PairCell]


@dataclass(frozen=True, slots=True)
class Agreement:
    """`weekly` names the measure that `weeks` have, `paired` the figure of `pairs`; empty without answers."""

    n_tasks: int = 0
    n_answers: int = 0
    measures: dict[str, Measure | None] = field(default_factory=dict)
    labels: list[LabelAgreement] = field(default_factory=list)
    weekly: str = ""
    weeks: list[WeekAgreement] = field(default_factory=list)
    paired: str = ""
    pairs: list[PairRow] = field(default_factory=list)

    def figures(self) -> dict:
        """As it is kept: JSON."""
        return {
            "n_tasks": self.n_tasks,
            "n_answers": self.n_answers,
            "measures": {name: _json(measure) for name, measure in self.measures.items()},
            "labels": [
                {"name": name, "alpha": _json(alpha), "f1": _json(f1)} for name, alpha, f1 in self.labels
            ],
            "weekly": self.weekly,
            "weeks": [week._asdict() | {"week": str(week.week)} for week in self.weeks],
            "paired": self.paired,
            "pairs": [
                {"pseudonym": name, "cells": [cell._asdict() for cell in cells]} for name, cells in self.pairs
            ],
        }


def _json(measure: Measure | None) -> dict | None:
    return measure and measure._asdict()


def agreement_of(campaign: Campaign) -> Agreement:
    """Over the latest settled tasks: bounded work, however large the campaign is."""
    read = _read(campaign)
    if not read.compared.values:
        return Agreement()
    comparison = kind_named(campaign.kind).compare(read.compared)
    rng = np.random.default_rng(SEED)
    return Agreement(
        n_tasks=len(read.weeks),
        n_answers=len(read.compared.values),
        measures=comparison.measures(rng),
        # Of more labels nobody would read the figures one by one.
        labels=comparison.by_label(rng) if len(campaign.labels) <= MOST_LABELS else [],
        weekly=comparison.weekly,
        weeks=_by_week(comparison, read, rng),
        paired=comparison.paired,
        pairs=_pairs(campaign, comparison, read, rng),
    )


def campaigns_to_compare(*, now: datetime) -> list[UUID]:
    """Whose agreement is due."""
    return campaigns_due("agreement_report", "figures", now=now)


def store_agreement(campaign: Campaign, *, now: datetime) -> None:
    """Compute it anew and keep it."""
    with alone_with_answers(campaign, now=now) as state:
        if state is not None:
            figures = agreement_of(campaign).figures()
            AgreementReport.objects.update_or_create(campaign=campaign, defaults=state | {"figures": figures})


class _Read(NamedTuple):
    """Answers, of which settled task's week [T] (the Monday's ordinal) and of which volunteers [W]."""

    compared: Compared
    weeks: np.ndarray
    volunteers: list[UUID]


def _read(campaign: Campaign) -> _Read:
    """The answers that count under the labels of today."""
    kind = kind_named(campaign.kind)
    tasks: dict[UUID, int] = {}
    workers: dict[UUID, int] = {}
    lengths, weeks, places, values = [], [], [], []
    with connection.cursor() as cursor:
        cursor.execute(READ_ANSWERS, [campaign.pk, TASKS])
        for task_id, volunteer_id, raw, settled_on, length in cursor.fetchall():
            value = orjson.loads(raw)
            if not kind.counts(value, campaign.labels):
                continue
            if task_id not in tasks:
                lengths.append(length)
                weeks.append(settled_on.toordinal() - settled_on.weekday())
            task = tasks.setdefault(task_id, len(tasks))
            places.append((task, workers.setdefault(volunteer_id, len(workers))))
            values.append(value)
    task, worker = np.array(places, dtype=np.int64).reshape(-1, 2).T
    compared = Compared(task, worker, values, lengths, campaign.labels)
    return _Read(compared, np.array(weeks, dtype=np.int64), list(workers))


def _by_week(comparison: Comparison, read: _Read, rng: np.random.Generator) -> list[WeekAgreement]:
    """Oldest first."""
    sums, n_answers = comparison.weekly_sums(), read.compared.n_answers
    weeks = []
    for week in np.unique(read.weeks):
        of_week = read.weeks == week
        coefficient = {"of_week": Sums(sums.summands[of_week], sums.coefficient)}
        found = measured_by_task(coefficient, n_answers[of_week], rng)["of_week"]
        ends = (None, None, None) if found is None else (found.value, found.low, found.high)
        weeks.append(WeekAgreement(date.fromordinal(int(week)), int(of_week.sum()), *ends))
    return weeks


def _pairs(
    campaign: Campaign, comparison: Comparison, read: _Read, rng: np.random.Generator
) -> list[PairRow]:
    """Every two of those who gave the most answers."""
    worker, volunteers = read.compared.worker, read.volunteers
    busiest = np.argsort(-np.bincount(worker), kind="stable")[:MOST_VOLUNTEERS]
    place = np.full(len(volunteers), -1)
    place[busiest] = np.arange(len(busiest))
    found = comparison.pairs(place[worker], len(busiest), rng)
    names = dict(campaign.volunteers.filter(pk__in=volunteers).values_list("pk", "pseudonym"))
    return [
        PairRow(names[volunteers[w]], [_cell(found, (place[w], other)) for other in range(len(busiest))])
        for w in busiest
    ]


def _cell(found: PairFigures, pair: tuple[int, int]) -> PairCell:
    n_shared = int(found.n_tasks[pair])
    figures = [float(square[pair]) for square in (found.value, found.low, found.high)]
    if n_shared < FEWEST_SHARED or np.isnan(figures).any():
        return PairCell(None, n_shared, None, None)
    value, low, high = figures
    return PairCell(value, n_shared, low, high)
