"""Spans that the model marked beforehand: seen as such, corrected, cleared, sent by the volunteer alone."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotation.models import Answer, Campaign, Consensus, MicroTask
from tests.browser.browsing import DESK, PHONE, is_fine
from tests.browser.test_kinds import drag, is_read, is_saved, marked, tap
from tests.factories import make_text, make_volunteer
from tests.preannotated import is_shown, spans_campaign, suggest_everywhere

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = "👩🏽‍⚕️ gave aspirin 😀, then a rash and fever."
SUGGESTED = marked(TEXT, ("aspirin", "drug"), ("rash", "sign"), ("then", "sign"))


@pytest.fixture
def start(open_page, bob):
    """`start(shown)`: bob's page of a text of the arm with suggestions, or of the one without."""

    def start(device: dict = DESK, *, shown: bool = True) -> Page:
        campaign = spans_campaign(needed=1, joining=Campaign.Joining.ANYONE)
        volunteer = make_volunteer(campaign, bob)
        while True:
            task = make_text(campaign, TEXT)
            if is_shown(task.pk, volunteer.pk) == shown:
                break
        MicroTask.objects.filter(pk=task.pk).update(priority=2)
        suggest_everywhere(campaign, *SUGGESTED)
        page = open_page(bob, device)
        page.goto(reverse("campaign_label", args=[campaign.pk]))
        expect(page.locator("#text")).not_to_be_empty()
        return page

    return start


def value() -> list[dict]:
    return Answer.objects.get().value["spans"]


def count_says(page: Page, words: str) -> None:
    expect(page.locator("#mark-count")).to_have_text(words)


def test_suggested_spans_are_seen_as_such_corrected_and_sent(start):
    page = start()
    count_says(page, "3 marked, 3 of them suggested by the model")
    expect(page.locator("#said")).to_have_text("3 marks are suggested by the model.")
    expect(page.locator(".mark-ground.suggested")).to_have_count(3)
    assert not Consensus.objects.exists()
    page.get_by_role("button", name="Remove the mark then: Sign").click()
    page.get_by_role("button", name="rash Sign suggested by the model").click()
    page.keyboard.press("1")  # the same label again: yes, it is one
    count_says(page, "2 marked, 1 of them suggested by the model")
    expect(page.locator(".mark-ground.suggested")).to_have_count(1)
    drag(page, "fever")
    page.keyboard.press("1")
    page.get_by_role("button", name="Done").click()
    is_saved(page)
    assert value() == marked(TEXT, ("aspirin", "drug"), ("rash", "sign"), ("fever", "sign"))


def test_what_is_left_untouched_is_sent_as_it_was_suggested_when_the_volunteer_is_done(start):
    page = start()
    is_read(page)
    page.keyboard.press("Enter")
    is_saved(page)
    assert value() == sorted(SUGGESTED, key=lambda span: span["start"])


def test_one_key_clears_all_suggestions_but_not_ones_own_marks_and_brings_them_back(start):
    page = start()
    drag(page, "fever")
    page.keyboard.press("1")
    page.keyboard.press("c")
    count_says(page, "1 marked")
    expect(page.get_by_role("button", name="Suggest again")).to_be_visible()
    page.keyboard.press("c")
    count_says(page, "4 marked, 3 of them suggested by the model")
    page.keyboard.press("c")
    page.get_by_role("button", name="Done").click()
    is_saved(page)
    assert value() == marked(TEXT, ("fever", "sign"))


def test_a_correction_outlives_a_reload_and_a_look_back_at_an_earlier_answer(start):
    page = start()
    page.get_by_role("button", name="Remove the mark then: Sign").click()
    page.reload()
    count_says(page, "2 marked, 2 of them suggested by the model")
    page.keyboard.press("c")
    is_read(page)
    page.get_by_role("button", name="Nothing to mark").click()
    is_saved(page)
    page.keyboard.press("u")
    count_says(page, "Nothing is marked yet")
    expect(page.get_by_role("button", name="Clear suggestions")).not_to_be_visible()


def test_the_other_arm_begins_with_an_unmarked_text(start):
    page = start(shown=False)
    count_says(page, "Nothing is marked yet")
    expect(page.get_by_role("button", name="Clear suggestions")).not_to_be_visible()


def test_on_a_phone_they_are_cleared_by_a_tap_and_the_page_is_accessible(start):
    page = start(PHONE)
    is_fine(page)
    page.get_by_role("button", name="Clear suggestions").tap()
    count_says(page, "Nothing is marked yet")
    tap(page, "fever")
    page.get_by_role("button", name="Sign", exact=True).tap()
    page.get_by_role("button", name="Done").tap()
    is_saved(page)
    assert value() == marked(TEXT, ("fever", "sign"))
