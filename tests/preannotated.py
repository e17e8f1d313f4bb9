"""A campaign in which the model marks spans beforehand, and who is shown what by the rule."""

from datetime import timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import numpy as np

from annotation.exchange import set_suggestions
from annotation.models import Answer, Assignment, Campaign, Consensus, Gold
from tests.factories import NOW, make_campaign, make_tasks, make_users, make_volunteers

SIGN = [{"key": "sign", "name": "Sign", "hint": ""}, {"key": "drug", "name": "Drug", "hint": ""}]
RIGHT = {"start": 0, "end": 6, "label": "sign"}
WRONG = {"start": 7, "end": 8, "label": "sign"}


def spans_campaign(**fields) -> Campaign:
    return make_campaign(**{"kind": "spans", "labels": SIGN, "preannotates": True, "needed": 5} | fields)


def sure(*spans: dict) -> list[dict]:
    """As a model says them."""
    return [span | {"probability": 0.9} for span in spans]


def suggest_everywhere(campaign: Campaign, *spans: dict, version: int = 1) -> None:
    tasks = campaign.tasks.values_list("pk", flat=True)
    set_suggestions(campaign.pk, [(pk, sure(*spans)) for pk in tasks], version=version)


def is_shown(task_id: UUID, volunteer_id: UUID) -> bool:
    """The lot of the pair: two bytes of a hash, of which nine in ten say yes."""
    return int.from_bytes(sha256(task_id.bytes + volunteer_id.bytes).digest()[:2]) / 2**16 < 0.9


def answered(campaign, *, n_tasks: int, n_hidden: int, swayed: float = 1.0, n_volunteers: int = 6) -> None:
    """Everybody answers every task, in 8 seconds with suggestions and in 10 without.

    A right and a wrong mark are suggested. Who does not see them finds the right one half of the time; who
    does keeps it, and the wrong one with probability `swayed`.
    """
    rng = np.random.default_rng(5)
    tasks, volunteers = make_tasks(campaign, n_tasks), make_volunteers(campaign, make_users(n_volunteers))
    pairs = [(task, volunteer) for task in tasks for volunteer in volunteers]
    hidden = set(rng.choice(len(pairs), n_hidden, replace=False).tolist())
    places = [
        Assignment(
            task=task, volunteer=volunteer, state="answered", claimed_at=NOW, expires_at=NOW,
            closed_at=NOW + timedelta(seconds=n), suggested=n not in hidden, suggestion=sure(RIGHT, WRONG),
            suggestion_version=1,
        )
        for n, (task, volunteer) in enumerate(pairs)
    ]  # fmt: skip
    Assignment.objects.bulk_create(places)
    Answer.objects.bulk_create(
        Answer(assignment=place, key=uuid4(), value={"spans": _given(place.suggested, swayed, rng)},
               answered_at=NOW, seconds=rng.normal(8 if place.suggested else 10, 1))
        for place in places
    )  # fmt: skip
    right = {"spans": [RIGHT]}
    Gold.objects.bulk_create(Gold(task=task, campaign=campaign, value=right) for task in tasks)
    Consensus.objects.bulk_create(
        Consensus(task=task, campaign=campaign, method="majority", value=right, share=1, votes={},
                  n_answers=6, settled_at=NOW)
        for task in tasks
    )  # fmt: skip


def _given(shown: bool, swayed: float, rng) -> list[dict]:
    if not shown:
        return [RIGHT] if rng.random() < 0.5 else []
    return [RIGHT, WRONG] if rng.random() < swayed else [RIGHT]
