"""Simulated crowds whose answers are of any kind, given through the services."""

from collections.abc import Sequence
from itertools import combinations
from uuid import uuid4

import numpy as np

from annotation.models import Campaign, Gold, MicroTask
from annotation.services.answers import submit_answer
from annotation.services.handout import take_place
from tests.factories import NOW, make_campaign, make_users, make_volunteers
from tests.labelled import add_open

TEXT = "Aspirin caused a rash."
DRUG = {"start": 0, "end": 7, "label": "drug"}
RASH = {"start": 17, "end": 21, "label": "event"}
CAUSES = {"from": 0, "to": 1, "label": "causes"}
EVENTS = [{"key": "drug", "name": "Drug", "hint": ""}, {"key": "event", "name": "Event", "hint": ""}]
RELATED = [one | {"role": "span"} for one in EVENTS]
RELATED += [{"key": "causes", "name": "causes", "hint": "", "role": "relation"}]
SIGNS = [{"key": key, "name": key, "hint": ""} for key in ("fever", "rash", "cough")]
# Of each kind whose answers have several parts: a campaign's labels, and what may be true of a task.
SEVERAL_PARTS = {
    "multiple": (
        SIGNS,
        [{"labels": list(keys)} for n in range(4) for keys in combinations(("fever", "rash", "cough"), n)],
    ),
    "spans": (EVENTS, [{"spans": spans} for spans in ([], [DRUG], [RASH], [DRUG, RASH])]),
    "relations": (
        RELATED,
        [
            {"spans": [DRUG, RASH], "relations": [CAUSES]},
            {"spans": [DRUG, RASH], "relations": []},
            {"spans": [DRUG], "relations": []},
        ],
    ),
    "text": ([], [{"text": text} for text in ("a rash", "high fever since Monday", "no complaint", "cough")]),
}


def answered_by_crowd(
    kind: str, accuracies: Sequence[float], n_tasks: int, *, misled_each: int = 0, seed: int = 1, **fields
) -> tuple[Campaign, list[MicroTask], list[dict]]:
    """A campaign in which volunteers of these accuracies have answered every task; its tasks, and the truth.

    Who is wrong says any of the other things. On one task of `misled_each`, from the first one on, everybody
    says the same wrong thing.
    """
    labels, possible = SEVERAL_PARTS[kind]
    defaults = {"aggregation": "engine", "needed": len(accuracies)}
    campaign = make_campaign(kind=kind, labels=labels, **(defaults | fields))
    volunteers = make_volunteers(campaign, make_users(len(accuracies)))
    tasks, rng = add_open(campaign, [TEXT] * n_tasks), np.random.default_rng(seed)
    truths = rng.integers(0, len(possible), n_tasks)
    for n, (task, true) in enumerate(zip(tasks, truths, strict=True)):
        is_misled = misled_each and n % misled_each == 0
        for volunteer, accuracy in zip(volunteers, accuracies, strict=True):
            is_right = not is_misled and rng.random() < accuracy
            away = 1 if is_misled else rng.integers(1, len(possible))
            value = possible[true if is_right else (true + away) % len(possible)]
            place = take_place(task.pk, volunteer.pk, now=NOW)
            submit_answer(place, volunteer.user, value, key=uuid4(), now=NOW)
    return campaign, tasks, [possible[true] for true in truths]


def know(tasks: Sequence[MicroTask], truths: Sequence[dict], *, origin: str = "file") -> None:
    Gold.objects.bulk_create(
        Gold(task=task, campaign_id=task.campaign_id, value=value, origin=origin)
        for task, value in zip(tasks, truths, strict=False)
    )
