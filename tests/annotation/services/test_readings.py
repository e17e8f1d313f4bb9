from uuid import uuid4

import pytest

from annotation.models import Consensus, TrailEntry
from annotation.services.answers import submit_answer
from annotation.services.handout import claim_task
from annotation.services.readings import export_consensus, read_tied_tasks
from tests.factories import NOW, make_campaign, make_tasks, make_volunteer

pytestmark = pytest.mark.django_db


def answer(campaign, user, label):
    place = claim_task(campaign.pk, user, now=NOW)
    submit_answer(place.assignment_id, user, {"label": label}, key=uuid4(), now=NOW)


@pytest.fixture
def campaign(bob, charlie):
    """Three texts, two answers each: one tied, one agreed on, one not settled."""
    campaign = make_campaign(needed=2)
    for user in (bob, charlie):
        make_volunteer(campaign, user)
    make_tasks(campaign, 3)
    for label_of_bob, label_of_charlie in (("yes", "no"), ("no", "no")):
        answer(campaign, bob, label_of_bob)
        answer(campaign, charlie, label_of_charlie)
    answer(campaign, bob, "yes")
    return campaign


def test_tied_tasks_are_settled_ones_with_an_even_vote_and_their_reading_is_noted(campaign, alice):
    (tie,) = read_tied_tasks(campaign, by=alice)
    assert tie.votes == {"yes": 1, "no": 1}
    assert tie.text == campaign.records.get(external_id=tie.record).text
    noted = TrailEntry.objects.get(verb="read_tied_tasks")
    assert (noted.user, noted.campaign, noted.detail) == (alice, campaign, {"tasks": [str(tie.task_id)]})


def test_a_tied_text_that_is_held_stays_out_of_sight(campaign, alice):
    campaign.records.update(held=True)
    assert read_tied_tasks(campaign, by=alice) == []
    assert not TrailEntry.objects.exists()


def test_a_long_text_is_cut(campaign, alice, monkeypatch):
    monkeypatch.setattr("annotation.services.readings.TEXT_LENGTH", 6)
    (tie,) = read_tied_tasks(campaign, by=alice)
    assert tie.text == "Record"


def test_an_export_is_noted_before_its_first_line_leaves(campaign, alice):
    lines = export_consensus(campaign, "csv", by=alice)
    noted = TrailEntry.objects.get(verb="export_consensus")
    assert (noted.user, noted.detail) == (alice, {"format": "csv"})
    assert len(list(lines)) == 1 + Consensus.objects.count() == 4
