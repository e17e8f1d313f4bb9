"""What the model's marks do is measured between the arms, and not said before there are enough answers."""

from uuid import uuid4

import pytest

from annotation.models import Answer, Assignment
from annotation.services.preannotation import preannotation_of
from tests.factories import NOW, make_tasks, make_users, make_volunteers
from tests.preannotated import answered, spans_campaign

pytestmark = pytest.mark.django_db


def test_time_saved_and_leaning_come_out_as_they_were_made():
    campaign = spans_campaign()
    answered(campaign, n_tasks=100, n_hidden=60)
    found = preannotation_of(campaign)
    assert (found.n_shown, found.n_hidden, found.n_volunteers) == (540, 60, 6)
    assert found.time.effect.value == pytest.approx(0.8, abs=0.05)
    assert found.time.effect.high < 1
    assert (found.kept.shown.value, found.kept.hidden.value) == (1.0, pytest.approx(0.25, abs=0.08))
    assert found.kept.effect.low > 0.5
    assert found.likeness.shown.value == 1.0
    assert found.with_gold.shown.value == pytest.approx(2 / 3)
    assert found.with_gold == found.with_consensus


def test_of_volunteers_who_mind_what_they_keep_the_agreement_with_gold_says_so():
    campaign = spans_campaign()
    answered(campaign, n_tasks=100, n_hidden=60, swayed=0.0)
    found = preannotation_of(campaign)
    assert found.with_gold.shown.value == 1.0
    assert found.with_gold.effect.low > 0


@pytest.mark.parametrize(("n_hidden", "is_said"), [(29, False), (30, True)])
def test_nothing_is_said_before_the_smaller_arm_has_thirty_answers(n_hidden, is_said):
    campaign = spans_campaign()
    answered(campaign, n_tasks=20, n_hidden=n_hidden)
    found = preannotation_of(campaign)
    assert [found.time is not None, found.kept is not None, found.with_gold is not None] == [is_said] * 3


def test_answers_without_a_lot_and_of_other_campaigns_are_not_in_it():
    campaign, other = spans_campaign(), spans_campaign()
    answered(other, n_tasks=10, n_hidden=30)
    [volunteer] = make_volunteers(campaign, make_users(1))
    for task in make_tasks(campaign, 40):
        place = Assignment.objects.create(
            task=task, volunteer=volunteer, state="answered", claimed_at=NOW, expires_at=NOW, closed_at=NOW
        )
        Answer.objects.create(assignment=place, key=uuid4(), value={"spans": []}, answered_at=NOW, seconds=1)
    found = preannotation_of(campaign)
    assert (found.n_shown, found.n_hidden, found.time, found.kept) == (0, 0, None, None)


def test_a_campaign_that_does_not_preannotate_costs_no_query(django_assert_num_queries):
    campaign = spans_campaign(preannotates=False)
    with django_assert_num_queries(0):
        assert preannotation_of(campaign) is None


def test_the_figures_are_two_queries_however_many_answers_there_are(django_assert_num_queries):
    campaign = spans_campaign()
    answered(campaign, n_tasks=20, n_hidden=40)
    with django_assert_num_queries(2):
        preannotation_of(campaign)
