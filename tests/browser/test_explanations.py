"""What the model looked at: asked for, waited for and shown in place, at both widths, for all eyes."""

import re
from uuid import uuid4

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from annotation.models import Consensus
from annotation.services.answers import submit_answer
from annotation.services.handout import take_place
from tests.browser.browsing import WIDTHS, is_fine
from tests.factories import NOW, make_text, make_volunteer
from tests.labelled import YES_NO
from tests.training.explained import place_at, put_in_charge, settled
from training.services.explaining import explain_task

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = (
    "word1 word2 rash word3 on both arms, gone after word4 was stopped on the 3rd day. Then fever and word5; "
    "calm since, as word6 had been told <before> that it might come again."
)
ALIKE = ["word7 rash and fever after word8.", "A rash of the trunk, word9.", "Nausea without a rash, word10."]


@pytest.fixture
def task(campaign, bob, tmp_path):
    """Answered by bob; a model is in charge."""
    campaign.labels = YES_NO
    campaign.save()
    put_in_charge(campaign, tmp_path)
    task, volunteer = make_text(campaign, TEXT), make_volunteer(campaign, bob)
    place_at([task, *settled(campaign, ALIKE)], [0, 10, 20, 30])
    place = take_place(task.pk, volunteer.pk, now=NOW)
    submit_answer(place, bob, {"label": "yes"}, key=uuid4(), now=NOW)
    return task


@pytest.mark.parametrize("device", WIDTHS)
def test_whoever_asks_waits_on_the_page_until_a_worker_is_done(open_page, alice, task, device):
    page = open_page(alice, device)
    page.goto(reverse("campaign_task", args=[task.campaign_id, task.pk]), wait_until="load")
    page.get_by_role("button", name="Show me").click()
    expect(page.get_by_role("status")).to_contain_text("The model reads it once more")
    is_fine(page)
    explain_task(task.pk)
    expect(page.locator(".looked mark", has_text="rash")).to_have_class(re.compile("^for-[45]$"))
    expect(page.locator(".looked mark", has_text="calm")).to_have_class(re.compile("^against-[345]$"))
    expect(page.get_by_role("heading", name="Looks like these three")).to_be_visible()
    page.get_by_text("The strongest words as a table").click()
    is_fine(page)


@pytest.mark.parametrize("device", WIDTHS)
def test_at_the_desk_a_key_asks_the_model_and_the_decision_stays_in_reach(open_page, alice, task, device):
    Consensus.objects.filter(pk=task.pk).update(review="undecided")
    page = open_page(alice, device)
    page.goto(reverse("campaign_review", args=[task.campaign_id]), wait_until="load")
    page.keyboard.press("m")
    expect(page.get_by_role("status")).to_contain_text("The model reads it once more")
    explain_task(task.pk)
    expect(page.locator(".looked mark", has_text="rash")).to_have_class(re.compile("^for-[45]$"))
    is_fine(page)
    page.keyboard.press("2")
    expect(page.locator(".message.success")).to_contain_text("“Yes” stands")


def test_a_volunteer_comes_from_what_they_did_and_is_told_that_the_answer_stands(open_page, bob, task):
    page = open_page(bob)
    page.goto(reverse("campaign_label", args=[task.campaign_id]))
    expect(page.get_by_role("heading", name="Nothing left for you here")).to_be_visible()
    page.locator("#today").click()
    page.get_by_role("link", name="What the model looked at").click()
    expect(page.get_by_text("Your answer then stays as it is.")).to_be_visible()
    page.get_by_role("button", name="Show me").click()
    expect(page.get_by_role("status")).to_contain_text("The model reads it once more")
    explain_task(task.pk)
    expect(page.locator(".looked mark", has_text="rash")).to_have_class(re.compile("^for-[45]$"))
    is_fine(page)
