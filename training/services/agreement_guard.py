"""A model that volunteers agree with less than when it took charge goes back to the one before, by itself.

Measured on the random stream alone: what acquisition chose is what models are unsure of, so agreement on that
is low by design.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import NamedTuple

import orjson
from django.db import connection

from annotation.errors import Conflict
from annotation.models import Campaign
from training.algorithms.judged import CHOSEN_FROM
from training.algorithms.outcomes import outcomes_of_marks
from training.algorithms.targets import marks_of
from training.models import ModelVersion, Promotion
from training.services.promotions import in_charge, put_in_charge, returnable, took_charge

FEWEST = 30  # tasks settled since, below which nothing is said
MOST = 2000  # the newest ones tell how it is now
MOST_MARKED = 300  # the same of marks, which take longer to compare: this is asked every few seconds
SIGMAS = 3.0

SETTLED_SINCE = """
SELECT p.probabilities::text, p.answer::text, s.value::text
FROM training_prediction p
JOIN annotation_consensus s ON s.task_id = p.task_id
WHERE p.model_version_id = %s AND p.explored
  AND s.campaign_id = %s AND s.settled_at > %s AND s.value IS NOT NULL
ORDER BY s.settled_at DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far volunteers and the model agree on tasks of the random stream, from 0 to 1, on the mean.

    On one of them: 1 or 0 where an answer is labels; of marks their F1. deviation is that of one task then.
    """

    then: float
    deviation: float
    n_then: int
    now: float
    n_now: int

    @property
    def floor(self) -> float:
        """Three standard errors of the difference below what it was.

        One task more that agreed wholly then and one that did not at all: of a few tasks that were all alike
        nothing is certain.

        >>> round(Agreement(then=0.9, deviation=0.3, n_then=98, now=0.8, n_now=100).floor, 4)
        0.7676
        """
        n = self.n_then + 2
        mean = (self.then * self.n_then + 1) / n
        square = ((self.then**2 + self.deviation**2) * self.n_then + 1) / n
        error = math.sqrt((square - mean**2) * (1 / self.n_then + 1 / self.n_now))
        return self.then - SIGMAS * error

    @property
    def has_fallen(self) -> bool:
        return self.now < self.floor


def return_where_agreement_fell(*, now: datetime) -> list[ModelVersion]:
    """Look at every campaign's model in charge; returns the models that were taken out of charge."""
    fallen = []
    for campaign in Campaign.objects.filter(state=Campaign.State.OPEN, model_versions__in_charge=True):
        version = in_charge(campaign.pk)
        last = version and took_charge(version)
        # A model that the guard chose stays until a run brings another: two models must not take turns.
        previous = returnable(campaign.pk)
        if last is None or last.cause == Promotion.Cause.GUARD or previous is None:
            continue
        agreement = agreement_of(version, since=last.at)
        if agreement is not None and agreement.has_fallen:
            with suppress(Conflict):  # somebody put another in charge just now
                put_in_charge(previous, cause=Promotion.Cause.GUARD, now=now)
                fallen.append(version)
    return fallen


def agreement_of(version: ModelVersion, *, since: datetime) -> Agreement | None:
    """None while too few tasks of the stream are settled that the model had read before."""
    level = version.metrics.get("volunteers")
    if level is None:
        return None
    marks = "task_f1" in level
    rows = _settled_since(version, since, MOST_MARKED if marks else MOST)
    if len(rows) < FEWEST:
        return None
    if marks:
        then, deviation = level["task_f1"], level["task_f1_deviation"]
        agrees = _f1_of_tasks(rows)
    elif rows[0].answer is not None:  # marks that an earlier version of the software judged
        return None
    else:
        then = level["accuracy"]
        deviation = math.sqrt(then * (1 - then))
        agrees = [_says(version.label_keys, row) for row in rows]
    return Agreement(then, deviation, level["n_examples"], sum(agrees) / len(agrees), len(agrees))


class Settled(NamedTuple):
    """A task: what the model had said of it, in the one form or the other, and the consensus since."""

    probabilities: list[float] | None
    answer: dict | None
    value: dict


def _settled_since(version: ModelVersion, since: datetime, most: int) -> list[Settled]:
    with connection.cursor() as cursor:
        cursor.execute(SETTLED_SINCE, [version.pk, version.campaign_id, since, most])
        return [Settled(*(one and orjson.loads(one) for one in row)) for row in cursor.fetchall()]


def _says(label_keys: list[str], row: Settled) -> bool:
    """Whether the model says of a task what people said."""
    if "labels" in row.value:
        chosen = {key for key, p in zip(label_keys, row.probabilities, strict=True) if p >= CHOSEN_FROM}
        return chosen == set(row.value["labels"])
    return label_keys[row.probabilities.index(max(row.probabilities))] == row.value.get("label")


def _f1_of_tasks(rows: list[Settled]) -> list[float]:
    found, right = [marks_of(row.answer) for row in rows], [marks_of(row.value) for row in rows]
    labels = sorted({mark.label for marks in chain(found, right) for mark in marks})
    return outcomes_of_marks(found, right, labels).f1_of_items.tolist()
