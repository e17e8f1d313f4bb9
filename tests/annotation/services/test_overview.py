from uuid import uuid4

import pytest

from annotation.models import Campaign, Membership, Role
from annotation.services.answers import submit_answer
from annotation.services.handout import claim_task
from annotation.services.overview import campaign_cards
from tests.factories import NOW, make_campaign, make_tasks, make_volunteer

pytestmark = pytest.mark.django_db


def test_a_person_sees_what_they_may_label_review_or_manage_and_nothing_else(bob):
    make_campaign(name="Somebody else's")
    labelled = make_campaign(name="To label", joining=Campaign.Joining.ANYONE)
    managed = make_campaign(name="To manage")
    reviewed = make_campaign(name="To review")
    Membership.objects.create(user=bob, campaign=managed, role=Role.CAMPAIGN_ADMIN)
    Membership.objects.create(user=bob, campaign=reviewed, role=Role.REVIEWER)
    cards = {card.campaign: card for card in campaign_cards(bob)}
    assert set(cards) == {labelled, managed, reviewed}
    may = {c: (card.may_label, card.may_review, card.may_manage) for c, card in cards.items()}
    assert may == {
        labelled: (True, False, False),
        reviewed: (False, True, False),
        managed: (False, True, True),
    }


def test_a_card_tells_ones_own_answers_from_everybodys(bob, charlie):
    campaign = make_campaign(needed=2)
    make_tasks(campaign, 2)
    for user, n in ((bob, 1), (charlie, 2)):
        make_volunteer(campaign, user)
        for _ in range(n):
            place = claim_task(campaign.pk, user, now=NOW)
            submit_answer(place.assignment_id, user, {"label": "yes"}, key=uuid4(), now=NOW)
    (card,) = campaign_cards(bob)
    assert (card.n_mine, card.share_done, card.percent_done) == (1, 0.75, 75)


def test_the_list_takes_the_same_queries_for_one_campaign_and_for_many(bob, django_assert_num_queries):
    for _ in range(5):
        make_tasks(make_campaign(joining=Campaign.Joining.ANYONE), 1)
    with django_assert_num_queries(6):
        assert len(campaign_cards(bob)) == 5
