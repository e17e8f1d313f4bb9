"""A model that volunteers agree with less than when it took charge goes back to the one before, by itself.

Measured on the random stream alone: what acquisition chose is what models are unsure of, so agreement on that
is low by design.
"""

import math
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import numpy as np
import orjson
from django.db import connection

from annotation.errors import Conflict
from annotation.models import Campaign
from training.algorithms.clusters import effective_size
from training.algorithms.judged import CHOSEN_FROM
from training.algorithms.outcomes import f1_of_sets
from training.algorithms.targets import chosen_labels, marks_of, sureness
from training.config import CERTAINTY_FLOOR
from training.models import ModelVersion, Promotion
from training.services.promotions import in_charge, put_in_charge, returnable, took_charge

FEWEST = 30  # tasks settled since, below which nothing is said
MOST = 2000  # the newest ones tell how it is now
SIGMAS = 3.0

# Of what volunteers agreed on, as in the labels that judged the model: not what a reviewer or a file decided.
SETTLED_SINCE = """
SELECT t.record_id, p.probabilities::text, p.answer::text, s.value::text, s.votes::text, s.posterior::text,
       coalesce(s.certainty, s.share), s.n_answers
FROM training_prediction p
JOIN annotation_consensus s ON s.task_id = p.task_id
JOIN annotation_microtask t ON t.id = p.task_id
WHERE p.model_version_id = %s AND p.explored
  AND s.campaign_id = %s AND s.settled_at > %s AND s.value IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM annotation_gold g WHERE g.task_id = p.task_id)
ORDER BY s.settled_at DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far volunteers and the model agree on texts of the random stream, from 0 to 1, on the mean.

    On one of them: F1 of the labels or of the marks, which is 1 or 0 where one label is right. deviation is
    that of one text then; n_then and n_now are how many independent texts they are worth.
    """

    then: float
    deviation: float
    n_then: float
    now: float
    n_now: float

    @property
    def floor(self) -> float:
        """Three standard errors of the difference below what it was.

        One text more that agreed wholly then and one that did not at all: of a few texts that were all alike
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
    level = version.metrics.get("agreement")
    if level is None:  # too few judged it, or an earlier version of the software did
        return None
    rows = _settled_since(version, since)
    if len(rows) < FEWEST:
        return None
    agrees = np.array([f1_of_sets(_said(version.label_keys, row), _stated(row.value)) for row in rows])
    n_now = effective_size(agrees, [row.record_id for row in rows])
    return Agreement(level["mean"], level["deviation"], level["n_texts"], float(agrees.mean()), n_now)


class Settled(NamedTuple):
    """A task: what the model had said of it, in the one form or the other, and the consensus since."""

    record_id: UUID
    probabilities: list[float] | None
    answer: dict | None
    value: dict
    votes: dict[str, int]
    posterior: dict[str, float] | None
    certainty: float
    n_answers: int


def _settled_since(version: ModelVersion, since: datetime) -> list[Settled]:
    """Those that people were sure enough of to be learned from."""
    floor = version.run.config.get("certainty_floor", CERTAINTY_FLOOR)
    with connection.cursor() as cursor:
        cursor.execute(SETTLED_SINCE, [version.pk, version.campaign_id, since, MOST])
        read = [
            Settled(record_id, *(one and orjson.loads(one) for one in written), *figures)
            for record_id, *written, figures in ((*row[:6], row[6:]) for row in cursor.fetchall())
        ]
    return [row for row in read if sureness(*row[3:]) >= floor]


def _said(label_keys: list[str], row: Settled) -> Set:
    """The labels that the model gives a task, or what it marks there."""
    if row.answer is not None:
        return set(marks_of(row.answer))
    if "labels" in row.value:
        return {key for key, p in zip(label_keys, row.probabilities, strict=True) if p >= CHOSEN_FROM}
    return {label_keys[row.probabilities.index(max(row.probabilities))]}


def _stated(value: dict) -> Set:
    return set(chosen_labels(value)) if "spans" not in value else set(marks_of(value))
