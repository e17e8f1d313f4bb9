"""Cases that the guideline does not decide."""

from datetime import timedelta

import pytest

from annotation.errors import NotFound
from annotation.models import Consensus, GuidelineDoubt, Skill, TrailEntry
from annotation.services.consensus import recompute_consensus
from annotation.services.doubts import doubt_guideline, mark_unclear_cases, read_cases, resolve_doubts
from annotation.services.review import decide_task, tasks_to_review
from tests.answered import answer, answered
from tests.factories import NOW, make_campaign, make_tasks, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def campaign():
    return make_campaign(needed=6)


@pytest.fixture
def volunteers(campaign):
    """Four skilled volunteers and four who are not."""
    volunteers = make_volunteers(campaign, make_users(8))
    Skill.objects.bulk_create(
        Skill(volunteer=v, version=1, parameters={}, accuracy=0.9, low=low, high=1, n_answers=50)
        for v, low in zip(volunteers, [0.8] * 4 + [0.3] * 4, strict=True)
    )
    return volunteers


def test_a_task_on_which_skilled_volunteers_disagree_is_marked_and_goes_to_the_reviewer(campaign, volunteers):
    split = answered(campaign, volunteers, "yes", "yes", "no", "no")
    answered(campaign, volunteers, "yes", "yes", "yes", "no")
    answered(campaign, volunteers[4:], "yes", "yes", "no", "no")
    assert mark_unclear_cases(campaign, now=NOW) == 1
    assert set(Consensus.objects.values_list("pk", flat=True).filter(review="unclear")) == {split.pk}
    doubt = GuidelineDoubt.objects.get()
    assert (doubt.task, doubt.by, doubt.campaign, doubt.at) == (split, None, campaign, NOW)
    assert tasks_to_review(campaign)[0] == split.pk
    assert mark_unclear_cases(campaign, now=LATER) == 0


def test_the_mark_outlives_a_further_answer_and_a_computation_of_everything(campaign, volunteers):
    split = answered(campaign, volunteers, "yes", "yes", "no", "no")
    mark_unclear_cases(campaign, now=NOW)
    answer(split, volunteers[5], "no")
    sum(n for _, n in recompute_consensus(campaign, now=NOW))
    assert Consensus.objects.get().review == "unclear"
    assert_everything_adds_up(campaign)


def test_the_mark_goes_when_they_agree_again(campaign, volunteers):
    split = answered(campaign, volunteers, "yes", "no", "unclear")
    mark_unclear_cases(campaign, now=NOW)
    Skill.objects.filter(pk=volunteers[2].pk).update(low=0.1)
    assert mark_unclear_cases(campaign, now=LATER) == 0
    assert (Consensus.objects.get(pk=split.pk).review, GuidelineDoubt.objects.count()) == ("", 0)


def test_without_any_skill_known_nothing_is_marked(campaign):
    volunteers = make_volunteers(campaign, make_users(4))
    answered(campaign, volunteers, "yes", "yes", "no", "no")
    assert mark_unclear_cases(campaign, now=NOW) == 0


def test_what_an_admin_has_resolved_is_not_marked_again(campaign, volunteers, alice):
    split = answered(campaign, volunteers, "yes", "yes", "no", "no")
    mark_unclear_cases(campaign, now=NOW)
    assert resolve_doubts(campaign, split.pk, by=alice, now=LATER) == 1
    assert Consensus.objects.get().review == ""
    assert mark_unclear_cases(campaign, now=LATER) == 0
    assert read_cases(campaign, by=alice) == []
    assert resolve_doubts(campaign, split.pk, by=alice, now=LATER) == 0
    assert TrailEntry.objects.filter(verb="resolve_doubts").count() == 1


def test_a_decided_case_stays_on_the_admins_list_and_off_the_desk(campaign, volunteers, alice):
    split = answered(campaign, volunteers, "yes", "yes", "no", "no")
    mark_unclear_cases(campaign, now=NOW)
    decide_task(campaign, split.pk, {"label": "no"}, by=alice, now=NOW)
    mark_unclear_cases(campaign, now=LATER)
    assert [case.task_id for case in read_cases(campaign, by=alice)] == [split.pk]
    assert tasks_to_review(campaign) == []


def test_reviewers_marks_are_collected_by_case_with_their_notes_and_the_reading_is_noted(
    campaign, volunteers, alice, bob
):
    task = answered(campaign, volunteers, "yes", "no")
    doubt_guideline(campaign, task.pk, "Is a family history a rash?", by=alice, now=NOW)
    doubt_guideline(campaign, task.pk, "first words", by=bob, now=NOW)
    doubt_guideline(campaign, task.pk, "Whose rash?", by=bob, now=LATER)
    [case] = read_cases(campaign, by=alice)
    assert case.marks == [(True, "Whose rash?", LATER), (True, "Is a family history a rash?", NOW)]
    assert (case.text, case.name) == (task.record.text, task.record.external_id)
    noted = TrailEntry.objects.get(verb="read_unclear_cases")
    assert noted.detail == {"tasks": [str(task.pk)]}


def test_a_task_of_another_campaign_cannot_be_marked(campaign, alice):
    [task] = make_tasks(make_campaign(), 1)
    with pytest.raises(NotFound):
        doubt_guideline(campaign, task.pk, "", by=alice, now=NOW)
