"""Held records on their page and in the API: who may read them, and how they go out."""

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.models import Campaign, Membership, Role, TrailEntry
from annotation.services.handout import claim_task, skip_task
from tests.factories import make_campaign, make_tasks, make_volunteer

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(alice):
    campaign = make_campaign()
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    return campaign


def page(name: str, campaign: Campaign) -> str:
    return reverse(name, args=[campaign.pk])


def test_held_records_are_released_only_with_the_box_ticked(client, alice, campaign):
    make_tasks(campaign, 2, held=True)
    client.force_login(alice)
    client.post(page("campaign_release", campaign))
    assert campaign.records.filter(held=True).count() == 2
    client.post(page("campaign_release", campaign), {"confirmed": "yes"})
    assert campaign.records.filter(held=True).count() == 0


@pytest.fixture
def reported(campaign, bob):
    """Two texts: bob saw a name in the first; the second is held as it came in."""
    make_volunteer(campaign, bob)
    make_tasks(campaign, 1)
    place = claim_task(campaign.pk, bob, now=timezone.now())
    skip_task(place.assignment_id, bob, "names_a_person", now=timezone.now())
    make_tasks(campaign, 1, held=True)
    return campaign.records.get(tasks__assignments__volunteer__user=bob)


def test_the_dashboard_leads_to_each_list_of_held_records(client, alice, campaign, reported):
    client.force_login(alice)
    html = client.get(page("campaign_dashboard", campaign)).content.decode()
    held = page("campaign_held", campaign)
    assert f'1 record reported: “I see a name”</span><a href="{held}?list=reported">' in html
    assert f'1 record held, not yet free of details</span><a href="{held}?list=others">' in html


def test_a_reported_record_is_read_with_its_mark_and_let_out(client, alice, campaign, reported):
    client.force_login(alice)
    html = client.get(page("campaign_held", campaign)).content.decode()
    assert f"<mark>{reported.text}</mark>" in html
    assert "Release them all" not in html, "what was reported goes out one by one"
    url = reverse("campaign_release_one", args=[campaign.pk, reported.pk])
    response = client.post(url, {"list": "reported"}, follow=True)
    assert response.redirect_chain == [(page("campaign_held", campaign) + "?list=reported", 302)]
    assert "No held record was reported by a volunteer." in response.content.decode()
    reported.refresh_from_db()
    assert not reported.held
    assert TrailEntry.objects.filter(verb="release_record", user=alice).count() == 1


def test_a_record_that_was_not_read_is_not_let_out_and_the_page_says_why(client, alice, campaign, reported):
    client.force_login(alice)
    url = reverse("campaign_release_one", args=[campaign.pk, reported.pk])
    html = client.post(url, {"list": "others"}, follow=True).content.decode()
    assert "Read this record among the held ones first" in html
    reported.refresh_from_db()
    assert reported.held


def test_a_reviewer_reads_and_releases_one_by_one_and_never_all(client, bob, campaign):
    Membership.objects.create(user=bob, campaign=campaign, role=Role.REVIEWER)
    first, second = make_tasks(campaign, 2, held=True)
    client.force_login(bob)
    assert page("campaign_held", campaign) in client.get("/").content.decode()
    html = client.get(page("campaign_held", campaign)).content.decode()
    assert first.record.text in html and second.record.text in html
    assert page("campaign_dashboard", campaign) not in html.replace(page("campaign_held", campaign), "")
    assert "Release them all" not in html
    assert client.post(page("campaign_release", campaign), {"confirmed": "yes"}).status_code == 404
    client.post(reverse("campaign_release_one", args=[campaign.pk, first.record_id]))
    assert list(campaign.records.filter(held=True)) == [second.record]


def test_a_list_of_held_records_that_there_is_not_leads_to_the_first(client, alice, campaign):
    client.force_login(alice)
    held = page("campaign_held", campaign)
    for query in ("?list=all", "?after=x"):
        assert client.get(held + query).headers["Location"] == held


def test_programs_read_and_release_held_records_too(client, alice, campaign, reported):
    client.force_login(alice)
    url = f"/api/v1/campaigns/{campaign.pk}/held-records/"
    release = f"{url}{reported.pk}/release/"
    unread = client.post(release, content_type="application/json")
    assert (unread.status_code, unread.json()["code"]) == (409, "not_read_yet")
    assert client.get(url).json() == {
        "n_reported": 1,
        "n_others": 1,
        "reported": True,
        "records": [
            {
                "record_id": str(reported.pk),
                "external_id": reported.external_id,
                "text": reported.text,
                "reported": [{"start": 0, "end": len(reported.text)}],
            }
        ],
        "more_after": None,
    }
    assert client.post(release, content_type="application/json").json() == {"n_released": 1}
    assert client.post(release, content_type="application/json").json() == {"n_released": 0}
    [other] = client.get(url, {"list": "others"}).json()["records"]
    assert other["reported"] == []
    refused = client.get(url, {"list": "all"})
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["list"])
