"""The model as one more annotator where an answer is more than one label."""

from uuid import uuid4

import numpy as np
import pytest

from annotation.exchange import set_opinions
from annotation.models import Campaign, Consensus, Gold, MicroTask
from annotation.services.answers import submit_answer
from annotation.services.crowd import refit
from annotation.services.handout import take_place
from annotation.services.why import explain_task
from tests.factories import NOW, make_campaign, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up
from tests.labelled import add_open

pytestmark = pytest.mark.django_db(transaction=True)  # hundreds of savepoints in one are slow
TEXT = "A rash was seen."
LABELS = [{"key": key, "name": key, "hint": ""} for key in "ab"]
ROLES = [label | {"role": role} for label, role in zip(LABELS, ("span", "relation"), strict=True)]
MARKS = [[{"start": 2, "end": 6, "label": "a"}], [{"start": 11, "end": 15, "label": "a"}]]
# For each kind its labels, two answers, and what a model says that is for the one or for the other.
VALUES = {
    "multiple": [{"labels": ["a"]}, {"labels": ["b"]}],
    "spans": [{"spans": spans} for spans in MARKS],
    "relations": [{"spans": spans, "relations": []} for spans in MARKS],
}
MARKED = [{"spans": [span | {"probability": 0.9} for span in spans]} for spans in MARKS]
OPINIONS = {
    "multiple": [{"a": 0.9, "b": 0.1}, {"a": 0.1, "b": 0.9}],
    "spans": MARKED,
    "relations": MARKED,
}
N_TASKS, N_GOLD = 150, 100

every_kind = pytest.mark.parametrize("kind", VALUES)


def answered(kind: str, accuracy: float = 0.75) -> tuple[Campaign, list[MicroTask]]:
    """Two volunteers have answered every task; right is one value or the other in turn."""
    labels = ROLES if kind == "relations" else LABELS
    campaign = make_campaign(kind=kind, labels=labels, aggregation="engine", needed=2)
    volunteers, tasks = make_volunteers(campaign, make_users(2)), add_open(campaign, [TEXT] * N_TASKS)
    rng = np.random.default_rng(8)
    for n, task in enumerate(tasks):
        for volunteer in volunteers:
            give(task, volunteer, VALUES[kind][n % 2 ^ (rng.random() > accuracy)])
        if n < N_GOLD:
            Gold.objects.create(task=task, campaign=campaign, value=VALUES[kind][n % 2], created_at=NOW)
    return campaign, tasks


def give(task, volunteer, value) -> None:
    place = take_place(task.pk, volunteer.pk, now=NOW)
    submit_answer(place, volunteer.user, value, key=uuid4(), now=NOW)


def think(campaign: Campaign, tasks: list[MicroTask], accuracy: float) -> None:
    rng = np.random.default_rng(11)
    said = [OPINIONS[campaign.kind][n % 2 ^ (rng.random() > accuracy)] for n in range(len(tasks))]
    set_opinions(campaign.pk, [(task.pk, one) for task, one in zip(tasks, said, strict=True)], version=1)


def n_right(campaign: Campaign, tasks: list[MicroTask]) -> int:
    found = dict(Consensus.objects.values_list("task", "value"))
    return sum(found[task.pk] == VALUES[campaign.kind][n % 2] for n, task in enumerate(tasks) if n >= N_GOLD)


@every_kind
def test_a_model_that_is_right_on_gold_is_heard_and_what_it_moved_is_shown(kind, alice):
    campaign, tasks = answered(kind)
    refit(campaign, now=NOW)
    before = n_right(campaign, tasks)
    assert explain_task(campaign, tasks[-1].pk, by=alice, with_names=True).model_weight is None
    think(campaign, tasks, accuracy=0.95)
    fit = refit(campaign, now=NOW)
    assert fit.parameters["model"]["earned"] is True
    assert n_right(campaign, tasks) > before + 5
    why = explain_task(campaign, tasks[-1].pk, by=alice, with_names=True)
    assert why.model_weight != 0
    assert len(why.answers) == 2, "the model is nobody"
    assert_everything_adds_up(campaign)


@every_kind
def test_a_model_that_guesses_or_that_no_gold_speaks_for_is_not_heard(kind):
    campaign, tasks = answered(kind)
    refit(campaign, now=NOW)
    think(campaign, tasks, accuracy=0.5)
    fit = refit(campaign, now=NOW)
    assert ("annotator" not in fit.parameters, fit.n_changed) == (True, 0)
    Gold.objects.all().delete()
    think(campaign, tasks, accuracy=0.95)
    assert "annotator" not in refit(campaign, now=NOW).parameters


@every_kind
def test_no_task_is_settled_by_the_model_and_one_person(kind):
    campaign, tasks = answered(kind, accuracy=0.9)
    Campaign.objects.update(stopping="adaptive", needed=1, stop_certainty=0.6, audit_share=0)
    campaign.refresh_from_db()
    think(campaign, tasks, accuracy=0.95)
    assert "annotator" in refit(campaign, now=NOW).parameters
    campaign.refresh_from_db()
    (fresh,) = add_open(campaign, [TEXT])
    set_opinions(campaign.pk, [(fresh.pk, OPINIONS[kind][0])], version=1)
    for n, volunteer in enumerate(campaign.volunteers.all()[:2]):
        give(fresh, volunteer, VALUES[kind][0])
        row = Consensus.objects.get(pk=fresh.pk)
        assert row.certainty > 0.6
        assert (row.settled_at is not None) == (n == 1)
