"""A campaign in which the model marks spans beforehand, and who is shown what by the rule."""

from hashlib import sha256
from uuid import UUID

from annotation.exchange import set_suggestions
from annotation.models import Campaign
from tests.factories import make_campaign

SIGN = [{"key": "sign", "name": "Sign", "hint": ""}, {"key": "drug", "name": "Drug", "hint": ""}]


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
