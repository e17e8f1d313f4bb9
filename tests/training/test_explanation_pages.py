"""The card “What the model looked at”, on the task's page and on one of its own."""

import re

import pytest
from django.urls import reverse

from annotation.models import Campaign, Consensus, Membership, Role, TrailEntry
from tests.factories import make_campaign, make_text, make_users, make_volunteer
from tests.labelled import YES_NO
from tests.training.explained import place_at, put_in_charge, settled
from tests.training.services.test_explanations import answer
from training.services import explaining
from training.tasks import explain_task

pytestmark = pytest.mark.django_db
TEXT = "<script>alert(1)</script> word1 rash word2"


@pytest.fixture
def campaign(alice, tmp_path):
    campaign = make_campaign(labels=YES_NO, needed=1)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    put_in_charge(campaign, tmp_path)
    return campaign


@pytest.fixture
def task(campaign):
    return make_text(campaign, TEXT)


def page(name, task) -> str:
    return reverse(name, args=[task.campaign_id, task.pk])


def html_of(client, path) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_the_card_asks_waits_and_shows_marks_with_their_table(client, alice, campaign, task):
    client.force_login(alice)
    [other] = settled(campaign, ["word9 <b>fever</b>"])
    place_at([task, other], [0, 10])
    why = page("campaign_task", task)
    assert "Which words its opinion of this text rests on" in html_of(client, why)
    response = client.post(page("task_explanation", task), {"back": "task"})
    assert response.url == f"{why}#live"
    waiting = html_of(client, why)
    assert f'data-live="1" data-from="{page("task_explanation", task)}?back=task&amp;skip=0"' in waiting
    explain_task(str(task.pk))
    for path in (why, page("task_explanation", task)):
        html = html_of(client, path)
        assert 'data-live="1"' not in html
        assert '<mark class="for-5">rash</mark>' in html
        assert '<th scope="row">rash</th><td>for</td><td class="num">100 %</td>' in html.replace(
            "\u202f", " "
        )
        assert "word9 &lt;b&gt;fever&lt;/b&gt;" in html
        assert "98 % alike" in html.replace("\u202f", " ")


def test_a_record_stays_text_between_its_marks(client, alice, campaign, task):
    client.force_login(alice)
    client.post(page("task_explanation", task))
    explaining.explain_task(task.pk)
    html = html_of(client, page("task_explanation", task))
    assert "<script>alert" not in html
    [marked] = re.findall(r'<p class="looked clinical" dir="auto">(.*?)</p>', html)
    assert re.sub(r"</?mark[^>]*>", "", marked) == TEXT.replace("<", "&lt;").replace(">", "&gt;")


def test_a_volunteer_is_told_that_the_answer_stands_and_sees_no_consensus(client, bob, campaign, task):
    volunteer = make_volunteer(campaign, bob)
    client.force_login(bob)
    assert client.get(page("task_explanation", task)).status_code == 404
    assert client.post(page("task_explanation", task)).status_code == 404
    answer(task, volunteer)
    assert "Your answer then stays as it is." in html_of(client, page("task_explanation", task))
    client.post(page("task_explanation", task))
    explaining.explain_task(task.pk)
    html = html_of(client, page("task_explanation", task))
    assert '<mark class="for-5">rash</mark>' in html
    assert "the consensus" not in html


def test_on_the_desk_nobody_is_led_before_they_ask_and_asking_leads_back_to_it(
    client, bob, campaign, task, tmp_path
):
    Membership.objects.create(user=bob, campaign=campaign, role=Role.REVIEWER)
    first, second = task, make_text(campaign, "word3 fever")
    for undecided in (first, second):
        answer(undecided, make_volunteer(campaign, make_users(1)[0]))
    Consensus.objects.update(review="undecided")
    client.force_login(bob)
    client.post(page("task_explanation", first))
    explaining.explain_task(first.pk)
    desk = reverse("campaign_review", args=[campaign.pk])
    place = next(n for n in (0, 1) if "word1" in html_of(client, f"{desk}?skip={n}"))
    assert "looked clinical" not in html_of(client, f"{desk}?skip={place}")
    assert not TrailEntry.objects.filter(verb="read_explanation").exists()
    response = client.post(page("task_explanation", first), {"back": "desk", "skip": place})
    assert response.url == f"{desk}?skip={place}&model={first.pk}#live"
    html = html_of(client, response.url)
    assert '<mark class="for-5">rash</mark>' in html
    assert TrailEntry.objects.get(verb="read_explanation").user == bob
    assert "looked clinical" not in html_of(client, f"{desk}?skip={1 - place}&model={first.pk}")


def test_kinds_of_which_a_model_says_no_one_thing_have_no_card(client, alice, campaign, task):
    Campaign.objects.filter(pk=campaign.pk).update(kind="spans")
    client.force_login(alice)
    assert "What the model looked at</h2>" not in html_of(client, page("campaign_task", task))


def test_the_api_gives_words_in_code_points(client, alice, campaign):
    task = make_text(campaign, "🤒 rash word3")
    client.force_login(alice)
    url = f"/api/v1/tasks/{task.pk}/explanation/"
    assert client.get(url).json() | {"task_id": ""} == {
        "task_id": "", "state": "not_asked", "model": 1, "failure": "", "explanation": None, "neighbours": [],
    }  # fmt: skip
    assert client.post(url, {}, content_type="application/json").json()["state"] == "waiting"
    explaining.explain_task(task.pk)
    found = client.get(url).json()
    assert (found["state"], found["explanation"]["label"]) == ("done", "yes")
    assert [word[:2] for word in found["explanation"]["words"]] == [[0, 1], [2, 6], [7, 12]]
