"""The page of what compared items are worth."""

import pytest
from django.urls import reverse

from annotation.models import ItemRanking, Membership, Role, VolunteerDay
from tests.factories import NOW, SIDES, make_campaign, make_volunteer

pytestmark = pytest.mark.django_db


def test_the_page_shows_what_a_worker_stored_and_when_and_computes_nothing(client, alice):
    campaign = make_campaign(kind="pairs", labels=SIDES)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    client.force_login(alice)
    address = reverse("campaign_ranking", args=[campaign.pk])
    assert "Nothing has been compared yet" in client.get(address).content.decode()
    VolunteerDay.objects.create(volunteer=make_volunteer(campaign), day=NOW.date(), n_answers=9)
    assert "on its way" in client.get(address).content.decode()
    ItemRanking.objects.create(
        campaign=campaign, items=[["<severe>", 1.5, 0.25, 7], ["mild", 0, 0.5, 1200]], n_items=3, lowest=-1.5,
        n_given=1234, computed_at=NOW,
    )  # fmt: skip
    html = client.get(address).content.decode()
    assert "4 May 2026, 12:00" in html and "1,234 answers" in html
    assert "&lt;severe&gt;" in html and "1.50" in html and "± 0.25" in html and "1,200" in html
    assert 'value="0.5000"' in html, "halfway between the first and the last of all"
    assert "The first 2 of 3" in html
