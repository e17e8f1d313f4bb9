"""The card of a campaign whose model marks beforehand, and the switch on its form."""

import re

import pytest
from django.urls import reverse

from annotation.models import Campaign, Membership, Role
from annotation.services.preannotation import preannotation_of
from tests.annotation.test_pages import campaign_form
from tests.preannotated import answered, spans_campaign

pytestmark = pytest.mark.django_db


@pytest.fixture
def dashboard(client, alice):
    """`dashboard(campaign)`: alice's page of it, as she reads it."""

    def read(campaign: Campaign) -> str:
        Membership.objects.get_or_create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
        client.force_login(alice)
        html = client.get(reverse("campaign_dashboard", args=[campaign.pk])).content.decode()
        return html.replace("\N{NARROW NO-BREAK SPACE}", " ")

    return read


def test_the_card_says_what_is_saved_and_how_far_volunteers_lean(dashboard):
    campaign = spans_campaign()
    answered(campaign, n_tasks=60, n_hidden=40)
    html = dashboard(campaign)
    assert "What the model's marks do" in html
    assert re.search(
        r"An answer takes [78]\.\d s with the model&#x27;s marks and (9\.\d|10) s without: 2\d % less", html
    )
    assert "Of the marks suggested, 100 % stand in answers of those who saw them" in html
    assert "volunteers lean towards them, by" in html
    assert html.count('class="interval"') == 9, "the time, and four shares in two arms"


def test_of_a_few_volunteers_the_ranges_are_said_to_be_theirs_alone(dashboard):
    campaign = spans_campaign()
    answered(campaign, n_tasks=200, n_hidden=40, n_volunteers=2)
    time = preannotation_of(campaign).time.effect
    assert 0.7 < time.low < time.value < time.high < 0.9
    assert "the ranges are of these 2 volunteers alone" in dashboard(campaign)


def test_the_card_says_when_there_are_too_few_answers(dashboard):
    campaign = spans_campaign()
    answered(campaign, n_tasks=20, n_hidden=3)
    html = dashboard(campaign)
    assert "Too few answers yet to say: 117 with suggestions and 3 without" in html


def test_a_campaign_that_does_not_preannotate_has_no_such_card(dashboard):
    assert "marks do" not in dashboard(spans_campaign(preannotates=False))


def test_the_switch_holds_for_marked_spans_and_is_left_out_for_other_kinds(client, alice):
    client.force_login(alice)
    for kind in ("spans", "choice"):
        sent = campaign_form(name=kind, kind=kind, preannotates="on")
        client.post(reverse("campaign_create"), sent)
    assert dict(Campaign.objects.values_list("name", "preannotates")) == {"spans": True, "choice": False}
