"""A mark that was rejected just below half is doubt: the task is asked once more, or a reviewer sees it."""

from collections.abc import Sequence
from uuid import uuid4

import pytest

from annotation.models import Consensus, MicroTask, Volunteer
from annotation.services.answers import submit_answer
from annotation.services.consensus import recompute_consensus
from annotation.services.crowd import refit
from annotation.services.handout import take_place
from annotation.services.review import tasks_to_review
from annotation.services.why import explain_task
from tests.factories import NOW, make_campaign, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up
from tests.labelled import add_open

pytestmark = pytest.mark.django_db
TEXT = "A rash was seen."
LABELS = [{"key": "sign", "name": "Sign", "hint": ""}]


def marked(task: MicroTask, volunteers: Sequence[Volunteer], *words_of_each: str) -> Consensus:
    """The task's consensus once the first volunteers have marked these words, in their order."""
    for volunteer, words in zip(volunteers, words_of_each, strict=False):
        starts = [(TEXT.index(word), len(word)) for word in words.split()]
        spans = [{"start": start, "end": start + length, "label": "sign"} for start, length in starts]
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"spans": spans}, key=uuid4(), now=NOW)
    return Consensus.objects.get(pk=task.pk)


def test_by_majority_a_mark_of_one_of_two_goes_to_the_reviewers_desk_and_agreement_does_not(alice):
    campaign = make_campaign(kind="spans", labels=LABELS, needed=2)
    volunteers = make_volunteers(campaign, make_users(2))
    disputed, agreed, blank = add_open(campaign, [TEXT] * 3)
    row = marked(disputed, volunteers, "rash", "rash seen")
    assert (row.certainty, row.entropy, row.settled_at) == (0.5, 1.0, NOW)
    assert marked(agreed, volunteers, "rash", "rash").certainty == 1.0
    assert marked(blank, volunteers, "", "").certainty == 1.0
    assert tasks_to_review(campaign) == [disputed.pk]
    verdict = explain_task(campaign, disputed.pk, by=alice, with_names=True).verdict
    assert [(one.words, one.probability) for one in verdict.standing] == [("Sign: “rash”", 1.0)]
    assert [(one.words, one.probability) for one in verdict.rejected] == [("Sign: “seen”", 0.5)]
    assert_everything_adds_up(campaign)


def test_by_the_engine_a_mark_rejected_below_half_has_the_task_asked_once_more():
    campaign = make_campaign(
        kind="spans", labels=LABELS, aggregation="engine", needed=3, most_answers=5, audit_share=0.0
    )
    volunteers = make_volunteers(campaign, make_users(3))
    for n, task in enumerate(add_open(campaign, [TEXT] * 24)):
        # Seen is right every other time; of these one of three misses it each third time, and one of three
        # marks it each sixth time where it is wrong.
        says_seen = [n % 2 == 0] * 3
        if n % 6 == 0 or n % 12 == 1:
            says_seen[n // (12 if n % 2 else 6) % 3] ^= True
        marked(task, volunteers, *("rash seen" if says else "rash" for says in says_seen))
    type(campaign).objects.update(stopping="adaptive")
    campaign.refresh_from_db()
    refit(campaign, now=NOW)
    disputed, agreed = add_open(campaign, [TEXT] * 2)
    row = marked(disputed, volunteers, "rash", "rash seen", "rash")
    assert row.value == {"spans": [{"start": 2, "end": 6, "label": "sign"}]}
    assert row.settled_at is None and 0.5 < row.certainty < campaign.stop_certainty
    assert marked(agreed, volunteers, "rash", "rash", "rash").settled_at == NOW
    assert [MicroTask.objects.get(pk=task.pk).needed for task in (disputed, agreed)] == [4, 3]
    assert len(row.weights) == 3
    assert [n for _, n in recompute_consensus(campaign, now=NOW, check=True)] == [0]
    assert_everything_adds_up(campaign)
