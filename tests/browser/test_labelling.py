"""A volunteer's whole way, with the network and the world getting in between."""

import json
import re
import time
from uuid import UUID

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotation.models import Answer, Assignment, Campaign, MicroTask, Volunteer
from annotation.services.campaigns import set_state
from tests.browser.browsing import PHONE, session_cookie
from tests.factories import PASSWORD, make_tasks, make_volunteer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MOST_SCRIPT_AND_STYLE = 55_000


def text_of(task: MicroTask) -> str:
    return task.record.text


def label_page(campaign: Campaign) -> str:
    return reverse("campaign_label", args=[campaign.pk])


def shows(page: Page, task: MicroTask) -> None:
    expect(page.locator("#text")).to_have_text(text_of(task))


def is_saved(page: Page) -> None:
    expect(page.locator("#save-state")).to_have_text("✓ saved")


def labels_given(user) -> list[str]:
    answers = Answer.objects.filter(assignment__volunteer__user=user).order_by("assignment__claimed_at")
    return [value["label"] for value in answers.values_list("value", flat=True)]


@pytest.fixture
def texts(campaign, bob) -> list[MicroTask]:
    """Three texts that bob, who has consented, is handed in this order."""
    make_volunteer(campaign, bob)
    return make_tasks(campaign, 3)


@pytest.fixture
def page(open_page, bob, campaign, texts) -> Page:
    """Bob's labelling page with the first text on it."""
    page = open_page(bob)
    page.goto(label_page(campaign))
    shows(page, texts[0])
    return page


def test_ten_texts_answered_by_keys_and_by_touch_stand_on_the_dashboard(settings, open_page, alice, campaign):
    settings.SIGN_UP = "open"
    texts = make_tasks(campaign, 11)
    desk = open_page()
    desk.goto("/")
    desk.get_by_role("link", name="Make an account").click()
    desk.get_by_label("Username").fill("dave")
    desk.get_by_label("Password", exact=True).fill(PASSWORD)
    desk.get_by_label("Password (again)").fill(PASSWORD)
    desk.get_by_role("button", name="Make the account").click()
    desk.get_by_role("link", name=re.compile("^Start")).click()
    expect(desk.get_by_role("heading", name="Before you begin")).to_be_visible()
    desk.get_by_role("button", name="I agree").click()
    for place in range(5):
        shows(desk, texts[place])
        desk.keyboard.press("12312"[place])
    shows(desk, texts[5])
    is_saved(desk)
    expect(desk.locator("#today")).to_have_text("5 today")

    phone = open_page(device=PHONE)
    phone.goto(label_page(campaign))
    phone.get_by_label("Username").fill("dave")
    phone.get_by_label("Password").fill(PASSWORD)
    phone.get_by_role("button", name="Sign in").tap()
    for place in range(5, 10):
        shows(phone, texts[place])
        # Never twice in one spot: a second tap within 300 ms is a double tap, and answers nothing.
        phone.get_by_role("button", name=("No", "Yes")[place % 2], exact=True).tap()
    shows(phone, texts[10])
    is_saved(phone)

    dave = Volunteer.objects.get(user__username="dave", campaign=campaign)
    assert labels_given(dave.user) == ["yes", "no", "unclear", "yes", "no", "yes", "no", "yes", "no", "yes"]
    dashboard = open_page(alice)
    dashboard.goto(reverse("campaign_dashboard", args=[campaign.pk]))
    figures = dashboard.locator(".stat")
    expect(figures.filter(has_text="How many answers").locator(".figure")).to_have_text("10")
    expect(figures.filter(has_text="How far")).to_contain_text("10 of 11 tasks settled")
    days = dashboard.get_by_text("Answers per day as a table")
    days.click()
    today = f"{timezone.now():%-d %b}"
    row = dashboard.get_by_role("region", name="Answers per day").get_by_role("row", name=today)
    expect(row).to_contain_text("10")
    expect(dashboard.get_by_role("region", name="Volunteers").get_by_role("row")).to_contain_text(
        ["Pseudonym", f"{dave.pseudonym}10"]
    )
    expect(dashboard.get_by_text("dave")).to_have_count(0)


def test_undo_brings_the_last_text_back_and_changes_its_answer(page, bob, texts):
    page.keyboard.press("1")
    shows(page, texts[1])
    page.keyboard.press("u")
    shows(page, texts[0])
    expect(page.get_by_role("button", name="Yes")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("2")
    shows(page, texts[1])
    is_saved(page)
    assert labels_given(bob) == ["no"]
    assert Answer.objects.get().n_revisions == 1


def test_what_i_did_lists_my_answers_and_lets_me_change_one(page, bob, texts):
    for place in (0, 1):
        shows(page, texts[place])
        page.keyboard.press("1")
    shows(page, texts[2])
    page.keyboard.press("h")
    mine = page.get_by_role("dialog", name="What I did").get_by_role("listitem")
    expect(mine).to_contain_text([text_of(texts[1]), text_of(texts[0])])
    mine.nth(1).get_by_role("button", name="Change the answer Yes").click()
    shows(page, texts[0])
    page.keyboard.press("3")
    shows(page, texts[2])
    is_saved(page)
    assert labels_given(bob) == ["unclear", "yes"]


def test_a_text_is_skipped_with_a_reason(page, texts):
    page.keyboard.press("s")
    expect(page.get_by_role("dialog", name="Why skip this one?")).to_be_visible()
    page.keyboard.press("2")
    shows(page, texts[1])
    skipped = Assignment.objects.get(task=texts[0])
    assert (skipped.state, skipped.skip_reason) == ("skipped", "broken_text")


def test_a_name_in_a_text_holds_its_record(page, texts):
    page.get_by_role("button", name="I see a name").click()
    shows(page, texts[1])
    expect(page.locator("#notices")).to_contain_text("The text is reported")
    texts[0].record.refresh_from_db()
    assert texts[0].record.held


def test_the_guideline_is_one_key_away_and_number_keys_answer_nothing_behind_it(page, texts):
    page.keyboard.press("g")
    guideline = page.get_by_role("dialog", name="Guideline")
    expect(guideline.get_by_role("heading", name="What counts")).to_be_visible()
    expect(guideline).to_contain_text("It says so")  # a label's hint
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    expect(guideline).to_be_hidden()
    shows(page, texts[0])
    assert not Answer.objects.exists()


def test_when_nothing_is_left_the_page_says_so_and_counts(page, texts):
    for text in texts:
        shows(page, text)
        page.keyboard.press("1")
    expect(page.get_by_role("heading", name="Nothing left for you here")).to_be_visible()
    expect(page.locator("#panel-text")).to_contain_text("You have answered 3 texts in this campaign")


def test_an_answer_that_crosses_a_look_at_the_progress_is_counted(page, texts):
    late = []

    def hold_first_reply(route):
        if late:
            return route.continue_()
        late.append((route, route.fetch()))

    page.route(re.compile("/progress/$"), hold_first_reply)
    page.reload()
    shows(page, texts[0])
    page.keyboard.press("1")
    shows(page, texts[1])
    route, reply = late[0]
    assert reply.json()["n_my_answers"] == 0
    first = route.request
    with page.expect_response(lambda other: other.url == first.url and other.request != first):
        route.fulfill(response=reply)
    expect(page.locator("#today")).to_have_text("1 today")


def test_a_look_at_the_progress_while_an_answer_is_under_way_counts_it_once(page, texts):
    looks, answers = [], []

    def hold_first_look(route):
        if looks:
            return route.continue_()
        looks.append((route, route.fetch()))

    page.route(re.compile("/progress/$"), hold_first_look)
    page.route(re.compile("/answer/$"), lambda route: answers.append((route, route.fetch())))
    page.reload()
    shows(page, texts[0])
    until_there(page, looks)
    with page.expect_request(re.compile("/answer/$")):
        page.keyboard.press("1")
    look, before = looks[0]
    look.fulfill(response=before)  # the server has counted the answer by now, and the page has not
    for _ in range(2):  # whatever the page asks for now has its reply before these
        page.evaluate("url => fetch(url).then((reply) => reply.text())", look.request.url)
    until_there(page, answers)
    answer, reply = answers[0]
    answer.fulfill(response=reply)
    shows(page, texts[1])
    is_saved(page)
    expect(page.locator("#today")).to_have_text("1 today")


def until_there(page, held: list) -> None:
    """Until the server has replied to what is held back; the handler runs while the page waits."""
    ends_at = time.monotonic() + 20
    while not held and time.monotonic() < ends_at:
        page.wait_for_timeout(20)
    assert held


def test_a_double_tap_is_one_answer(open_page, bob, campaign, texts):
    page = open_page(bob, PHONE)
    page.goto(label_page(campaign))
    shows(page, texts[0])
    page.get_by_role("button", name="Yes").dblclick()
    shows(page, texts[1])
    is_saved(page)
    assert Answer.objects.count() == 1


def test_a_held_down_key_is_one_answer(page, texts):
    page.keyboard.down("1")
    page.keyboard.down("1")  # what a keyboard repeats
    page.keyboard.up("1")
    shows(page, texts[1])
    is_saved(page)
    assert Answer.objects.count() == 1


# ---- The network


def keys_sent(page: Page) -> list[str]:
    """The idempotency keys of the answers that leave the page from now on."""
    keys: list[str] = []
    page.on("request", lambda r: r.url.endswith("/answer/") and keys.append(r.post_data_json["key"]))
    return keys


def stored(page: Page) -> str:
    return page.evaluate("JSON.stringify(localStorage)")


def test_an_answer_given_without_a_network_is_kept_without_the_text_and_sent_later(page, texts):
    keys = keys_sent(page)
    page.context.set_offline(True)
    page.keyboard.press("1")
    expect(page.locator("#notices")).to_contain_text("Your answer “Yes” is kept on this device")
    expect(page.locator("#save-state")).to_have_text("not saved, trying again")
    kept = stored(page)
    assert keys[0] in kept
    assert "rash" not in kept
    page.keyboard.press("2")  # waits for the first one; it must not become a second answer
    page.context.set_offline(False)
    shows(page, texts[1])
    is_saved(page)
    answer = Answer.objects.get()
    assert (answer.value, set(keys), len(keys) > 1) == ({"label": "yes"}, {str(answer.key)}, True)
    assert keys[0] not in stored(page)


def test_an_answer_whose_reply_was_lost_is_sent_again_and_saved_once(page, texts):
    keys = keys_sent(page)
    lost = []

    def lose_first_reply(route):
        if lost:
            return route.continue_()
        lost.append(route.fetch().status)
        route.abort("connectionreset")

    page.route(re.compile("/answer/$"), lose_first_reply)
    page.keyboard.press("1")
    shows(page, texts[1])
    is_saved(page)
    assert lost == [200]
    assert keys == 2 * [str(Answer.objects.get().key)]


def test_a_kept_answer_outlives_the_page(page, campaign, texts):
    page.context.set_offline(True)
    page.keyboard.press("3")
    expect(page.locator("#notices")).to_contain_text("is kept on this device")
    context = page.context
    page.close()
    context.set_offline(False)
    page = context.new_page()
    page.goto(label_page(campaign))
    shows(page, texts[1])
    is_saved(page)
    assert Answer.objects.get().value == {"label": "unclear"}


def test_an_answer_of_somebody_else_on_this_computer_is_not_sent_as_mine(page, charlie, campaign, texts):
    make_volunteer(campaign, charlie)
    page.route(re.compile("/answer/$"), lambda route: route.abort())
    page.keyboard.press("1")
    expect(page.locator("#notices")).to_contain_text("is kept on this device")
    context, kept = page.context, json.loads(stored(page))
    page.close()
    (key,) = [json.loads(value)["key"] for name, value in kept.items() if name.startswith("hc.outbox.")]
    sign_in_as(context, charlie)
    page = context.new_page()
    page.goto(label_page(campaign))
    shows(page, texts[1])
    page.keyboard.press("2")
    is_saved(page)
    assert [answer.key == UUID(key) for answer in Answer.objects.all()] == [False]
    assert key in stored(page)


# ---- The world


def sign_in_as(context, user) -> None:
    (cookie,) = [cookie for cookie in context.cookies() if cookie["name"] == "sessionid"]
    context.add_cookies([session_cookie(user, f"http://{cookie['domain']}")])


def test_a_pause_is_told_kindly_and_the_answer_waits_for_its_end(page, alice, campaign, texts):
    set_state(campaign, Campaign.State.PAUSED, by=alice)
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="This campaign is having a pause")).to_be_visible()
    expect(page.locator("#panel-text")).to_contain_text("Your last answer is kept on this device")
    set_state(campaign, Campaign.State.OPEN, by=alice)
    page.get_by_role("button", name="Try again").click()
    shows(page, texts[1])
    is_saved(page)
    assert Answer.objects.get().value == {"label": "yes"}


def test_who_is_signed_out_in_between_signs_in_and_the_answer_is_there(page, bob, texts):
    page.context.clear_cookies(name="sessionid")
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="You have been signed out")).to_be_visible()
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Username").fill("bob")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    shows(page, texts[1])
    is_saved(page)
    assert labels_given(bob) == ["yes"]


def test_two_tabs_show_one_text_and_count_one_answer_for_it(page, campaign, texts):
    other = page.context.new_page()
    other.goto(label_page(campaign))
    shows(other, texts[0])
    page.keyboard.press("1")
    shows(page, texts[1])
    other.keyboard.press("2")
    expect(other.locator("#notices")).to_contain_text("“No” was not counted")
    shows(other, texts[1])
    assert [answer.value for answer in Answer.objects.all()] == [{"label": "yes"}]


def test_a_text_that_runs_out_while_nobody_looks_goes_back_to_the_queue(page, campaign, texts):
    Assignment.objects.update(expires_at=timezone.now())
    page.keyboard.press("1")  # late, but its place is still free
    shows(page, texts[1])
    is_saved(page)
    assert Assignment.objects.get(task=texts[0]).state == "answered"


def test_scripts_and_styles_of_the_labelling_page_are_small(open_page, bob, campaign, texts):
    page = open_page(bob)
    sizes: dict[str, int] = {}

    def weigh(response):
        if response.url.endswith((".js", ".css")):
            sizes[response.url] = len(response.body())

    page.on("response", weigh)
    page.goto(label_page(campaign))
    shows(page, texts[0])
    assert len(sizes) >= 6
    assert sum(sizes.values()) < MOST_SCRIPT_AND_STYLE
