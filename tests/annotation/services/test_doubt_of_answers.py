"""Sure or not sure: what it is worth is learned with each fit and weighs in every answer after it."""

from uuid import uuid4

import numpy as np
import pytest

from annotation.models import Campaign, Consensus, MicroTask, Skill, Volunteer
from annotation.services.answers import submit_answer
from annotation.services.crowd import refit
from annotation.services.handout import take_place
from annotation.services.why import explain_task
from tests.factories import NOW, make_campaign, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up
from tests.labelled import add_open

pytestmark = pytest.mark.django_db(transaction=True)  # hundreds of savepoints in one are slow
TEXT = "A rash was seen."
RASH, SEEN = {"start": 2, "end": 6, "label": "a"}, {"start": 11, "end": 15, "label": "a"}
LABELS = [{"key": key, "name": key, "hint": ""} for key in "ab"]
ROLES = [label | {"role": role} for label, role in zip(LABELS, ("span", "relation"), strict=True)]
# For each kind its labels, and an answer with its contrary.
KINDS = {
    "choice": (LABELS, {"label": "a"}, {"label": "b"}),
    "multiple": (LABELS, {"labels": ["a"]}, {"labels": ["b"]}),
    "spans": (LABELS, {"spans": [RASH]}, {"spans": []}),
    "relations": (
        ROLES,
        {"spans": [RASH, SEEN], "relations": [{"from": 0, "to": 1, "label": "b"}]},
        {"spans": [RASH, SEEN], "relations": []},
    ),
}


def give(task: MicroTask, volunteer: Volunteer, value: dict, certain: bool | None = None) -> None:
    place = take_place(task.pk, volunteer.pk, now=NOW)
    submit_answer(place, volunteer.user, value, key=uuid4(), now=NOW, certain=certain)


def answered(kind: str, *, asks: bool = True) -> tuple[Campaign, list[Volunteer]]:
    """Of three volunteers one is wrong in half of what they doubt, and never else."""
    labels, *values = KINDS[kind]
    campaign = make_campaign(kind=kind, labels=labels, aggregation="engine", needed=3, asks_certainty=asks)
    volunteers = make_volunteers(campaign, make_users(3))
    rng = np.random.default_rng(1)
    for task in add_open(campaign, [TEXT] * 40):
        right, doubts = int(rng.random() < 0.5), bool(rng.random() < 0.5)
        give(task, volunteers[0], values[right])
        give(task, volunteers[1], values[right])
        says = right ^ (doubts and rng.random() < 0.5)
        give(task, volunteers[2], values[says], False if doubts and asks else None)
    return campaign, volunteers


@pytest.mark.parametrize("kind", KINDS)
def test_what_doubt_is_worth_is_learned_weighs_in_the_next_answer_and_stands_on_the_why_page(kind, alice):
    campaign, volunteers = answered(kind)
    refit(campaign, now=NOW)
    campaign.refresh_from_db()
    value, shown = KINDS[kind][1], {}
    for certain in (None, False):
        (task,) = add_open(campaign, [TEXT])
        give(task, volunteers[0], value)
        give(task, volunteers[2], value, certain)
        why = explain_task(campaign, task.pk, by=alice, with_names=True)
        (shown[certain],) = (one for one in why.answers if one.who == volunteers[2].pseudonym)
        assert Consensus.objects.get(pk=task.pk).method == "engine"
    assert [one.certain for one in shown.values()] == [None, False]
    assert shown[None].weight > shown[False].weight + 0.2
    assert_everything_adds_up(campaign)


@pytest.mark.parametrize("kind", KINDS)
def test_where_nobody_is_asked_nothing_is_learned_of_certainty(kind):
    campaign, _ = answered(kind, asks=False)
    refit(campaign, now=NOW)
    assert "certain" not in str(list(Skill.objects.values_list("parameters", flat=True)))
