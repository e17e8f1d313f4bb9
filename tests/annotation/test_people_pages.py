"""A campaign's people on their page and in the API, and what somebody who was taken out gets to see."""

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.models import Campaign, Membership, Role
from annotation.services.taking_part import take_out
from tests.factories import make_campaign, make_tasks, make_users, make_volunteer, make_volunteers

pytestmark = pytest.mark.django_db
SENTENCE = "The people who run this campaign have ended your part in it"


@pytest.fixture
def campaign(alice):
    campaign = make_campaign(joining=Campaign.Joining.ANYONE)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    make_tasks(campaign, 2)
    return campaign


@pytest.fixture
def volunteer(campaign, bob):
    return make_volunteer(campaign, bob)


def page(name: str, campaign: Campaign) -> str:
    return reverse(name, args=[campaign.pk])


def test_an_admin_takes_a_volunteer_out_and_lets_them_back_in(client, alice, campaign, volunteer):
    client.force_login(alice)
    part = reverse("campaign_part", args=[campaign.pk, volunteer.pk])
    html = client.get(page("campaign_people", campaign)).content.decode()
    assert f'action="{part}"' in html and "Taken out" not in html
    html = client.post(part, {"part": "out"}, follow=True).content.decode()
    assert f"{volunteer.pseudonym} gets no more texts. Their answers are kept." in html
    assert "Let back in" in html
    volunteer.refresh_from_db()
    assert volunteer.taken_out_at is not None
    html = client.post(part, {"part": "in"}, follow=True).content.decode()
    assert f"{volunteer.pseudonym} takes part again." in html
    volunteer.refresh_from_db()
    assert volunteer.taken_out_at is None


def test_the_page_names_nobody_and_finds_by_pseudonym(client, alice, campaign, django_assert_max_num_queries):
    volunteers = make_volunteers(campaign, make_users(12))
    client.force_login(alice)
    people = page("campaign_people", campaign)
    with django_assert_max_num_queries(9):
        html = client.get(people).content.decode()
    assert all(volunteer.pseudonym in html for volunteer in volunteers)
    assert not any(volunteer.user.username in html for volunteer in volunteers)
    html = client.get(people, {"pseudonym": volunteers[3].pseudonym}).content.decode()
    assert [v for v in volunteers if f"<strong>{v.pseudonym}</strong>" in html] == [volunteers[3]]
    assert client.get(people, {"pseudonym": "a\0"}).status_code == 200


def test_who_was_taken_out_is_told_so_in_the_list_and_nowhere_offered_a_text(
    client, alice, campaign, volunteer, bob
):
    take_out(campaign, volunteer.pk, by=alice, now=timezone.now())
    client.force_login(bob)
    html = client.get("/").content.decode()
    assert "Your part in it has ended; your answers are kept, with thanks." in html
    assert page("campaign_label", campaign) not in html
    for name in ("campaign_label", "campaign_consent"):
        response = client.get(page(name, campaign), follow=True)
        assert response.redirect_chain == [("/", 302)]
        assert SENTENCE in response.content.decode()


def test_a_program_of_who_was_taken_out_gets_a_code(client, alice, campaign, volunteer, bob):
    take_out(campaign, volunteer.pk, by=alice, now=timezone.now())
    client.force_login(bob)
    api = f"/api/v1/campaigns/{campaign.pk}/"
    for reply in (
        client.post(api + "claim/", content_type="application/json"),
        client.post(api + "consent/", content_type="application/json"),
        client.get(api + "my-answers/"),
    ):
        assert (reply.status_code, reply.json()["code"]) == (403, "taken_out")
        assert reply.json()["detail"].startswith(SENTENCE)


def test_programs_of_an_admin_take_out_and_let_in_too(client, alice, campaign, volunteer):
    client.force_login(alice)
    url = f"/api/v1/campaigns/{campaign.pk}/volunteers/"
    one = f"{url}{volunteer.pk}/"
    reply = client.patch(one, {"taken_out": True}, content_type="application/json").json()
    assert (reply["pseudonym"], reply["taken_out_at"] is None) == (volunteer.pseudonym, False)
    assert client.get(url, {"taken_out": "false"}).json() == {"results": []}
    [row] = client.get(url, {"taken_out": "true", "pseudonym": volunteer.pseudonym}).json()["results"]
    assert (row["volunteer_id"], row["n_answers"]) == (str(volunteer.pk), 0)
    reply = client.patch(one, {"taken_out": False}, content_type="application/json").json()
    assert reply == {"id": str(volunteer.pk), "pseudonym": volunteer.pseudonym, "taken_out_at": None}
    refused = client.patch(one, {}, content_type="application/json")
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["taken_out"])
