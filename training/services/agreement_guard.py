"""A model that volunteers agree with less than when it took charge goes back to the one before, by itself.

Measured on the random stream alone: what acquisition chose is what models are unsure of, so agreement on that
is low by design.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import orjson
from django.db import connection

from annotation.errors import Conflict
from annotation.models import Campaign
from training.algorithms.judged import CHOSEN_FROM
from training.models import ModelVersion, Promotion
from training.services.promotions import in_charge, put_in_charge, returnable, took_charge

FEWEST = 30  # tasks settled since, below which nothing is said
MOST = 2000  # the newest ones tell how it is now
SIGMAS = 3.0

SETTLED_SINCE = """
SELECT p.probabilities::text, s.value::text
FROM training_prediction p
JOIN annotation_consensus s ON s.task_id = p.task_id
WHERE p.model_version_id = %s AND p.explored
  AND s.campaign_id = %s AND s.settled_at > %s AND s.value IS NOT NULL
ORDER BY s.settled_at DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares of tasks of the random stream on which volunteers and the model agree."""

    then: float
    n_then: int
    now: float
    n_now: int

    @property
    def floor(self) -> float:
        """Three standard errors of the difference below what it was; never certain of a share of 0 or 1."""
        share = (self.then * self.n_then + 1) / (self.n_then + 2)
        error = math.sqrt(share * (1 - share) * (1 / self.n_then + 1 / self.n_now))
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
    hits = [_agrees(version.label_keys, *row) for row in _settled_since(version, since)]
    if len(hits) < FEWEST:
        return None
    return Agreement(level["accuracy"], level["n_examples"], sum(hits) / len(hits), len(hits))


def _settled_since(version: ModelVersion, since: datetime) -> list[tuple[list[float], dict]]:
    with connection.cursor() as cursor:
        cursor.execute(SETTLED_SINCE, [version.pk, version.campaign_id, since, MOST])
        return [(orjson.loads(said), orjson.loads(value)) for said, value in cursor.fetchall()]


def _agrees(label_keys: list[str], probabilities: list[float], value: dict) -> bool:
    if "labels" in value:
        chosen = {key for key, p in zip(label_keys, probabilities, strict=True) if p >= CHOSEN_FROM}
        return chosen == set(value["labels"])
    return label_keys[probabilities.index(max(probabilities))] == value.get("label")
