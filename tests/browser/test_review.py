"""The reviewer's desk by its keys, and the pages of review, skill and agreement at both widths."""

from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from annotation.models import (
    Campaign,
    Consensus,
    Gold,
    GuidelineDoubt,
    Membership,
    MicroTask,
    Role,
    Skill,
    Volunteer,
)
from annotation.services.agreement import store_agreement
from annotation.services.answers import submit_answer
from annotation.services.crowd import refit
from annotation.services.doubts import doubt_guideline
from annotation.services.handout import take_place
from annotation.services.review import decide_task, tasks_to_review
from annotation.services.standing import set_standing
from tests.browser.browsing import DESK, WIDTHS, is_fine
from tests.factories import (
    make_campaign,
    make_gold,
    make_sentences,
    make_text,
    make_users,
    make_volunteer,
    make_volunteers,
)
from tests.simulated import skilled_crowd

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CLASSES = ["yes", "no", "unclear"]
ADMIN_PAGES = ["campaign_review", "campaign_unclear", "campaign_volunteers", "campaign_agreement"]
SENTENCES = [
    "HPI: The patient took amoxicillin for five days.",
    "A rash came on the trunk and both arms, and went again after the drug was stopped.",
    "No fever, no swelling of the face.",
    "Her sister once had hives after the same drug.",
]


@pytest.fixture
def campaign(campaign, alice, bob, charlie):
    """Weighed by the engine: alice runs it, charlie reviews it, bob and five others have answered."""
    campaign.aggregation, campaign.needed, campaign.rule = "engine", 4, "Only what happened to this patient."
    campaign.save()
    Membership.objects.create(user=charlie, campaign=campaign, role=Role.REVIEWER)
    volunteers = [make_volunteer(campaign, bob), *make_volunteers(campaign, make_users(3))]
    tasks = []
    for _ in range(8):
        text = " ".join(SENTENCES)
        starts = np.cumsum([0, *(len(sentence) + 1 for sentence in SENTENCES)])
        spans = [(int(start), int(start) + len(s)) for start, s in zip(starts, SENTENCES, strict=False)]
        tasks += make_sentences(campaign, text, spans)
    campaign.tasks.update(section="HPI")
    task, worker, label = skilled_crowd([0.95, 0.9, 0.75, 0.35], n_tasks=len(tasks), n_classes=3, seed=3)
    began = timezone.now() - timedelta(days=20)
    for n, (t, w, k) in enumerate(zip(task, worker, label, strict=True)):
        now = began + timedelta(hours=3 * n)
        place = take_place(tasks[t].pk, volunteers[w].pk, now=now)
        answered_at = now + timedelta(seconds=5 + int(w))
        submit_answer(place, volunteers[w].user, {"label": CLASSES[k]}, key=uuid4(), now=answered_at)
    for place in range(6):
        make_gold(tasks[place], CLASSES[place % 3])
    refit(campaign, now=timezone.now())
    campaign.refresh_from_db()
    Consensus.objects.filter(pk__in=[tasks[8].pk, tasks[9].pk]).update(review="undecided")
    Skill.objects.filter(pk=volunteers[3].pk).update(evidence={
        "habit": {"sentence": "The answers do not depend on the task.", "striking": True},
        "speed": {"sentence": "Half of the answers took less than 8 s: as usual.", "striking": False},
    })  # fmt: skip
    set_standing(volunteers[3], "flagged", "The answers do not depend on the task.", by=None, now=began)
    store_agreement(campaign, now=timezone.now())
    doubt_guideline(campaign, tasks[8].pk, "Does a sister's rash count?", by=charlie, now=timezone.now())
    decide_task(campaign, tasks[10].pk, {"label": "no"}, by=charlie, now=timezone.now())
    return campaign


@pytest.mark.parametrize("device", WIDTHS)
def test_review_skill_and_agreement_are_open_to_everyone(open_page, alice, bob, charlie, campaign, device):
    page = open_page(alice, device)
    paths = [reverse(name, args=[campaign.pk]) for name in (*ADMIN_PAGES, "campaign_dashboard")]
    flagged = Volunteer.objects.get(standing="flagged")
    doubted, decided = GuidelineDoubt.objects.get().task_id, Gold.objects.get(origin="reviewer").pk
    paths.append(reverse("campaign_volunteer", args=[campaign.pk, flagged.pk]))
    paths += [reverse("campaign_task", args=[campaign.pk, task]) for task in (doubted, decided)]
    for path in paths:
        page.goto(path, wait_until="load")
        is_fine(page)
    page = open_page(bob, device)
    page.goto(reverse("campaign_own_skill", args=[campaign.pk]))
    is_fine(page)
    Volunteer.objects.filter(user=bob).update(asked_to_train_at=timezone.now())
    page.goto(reverse("campaign_label", args=[campaign.pk]))
    expect(page.get_by_role("heading", level=1)).to_contain_text("before you go on")
    is_fine(page)


@pytest.mark.parametrize("device", WIDTHS)
def test_what_somebody_found_and_invented_fits_every_screen(open_page, alice, device):
    campaign = make_campaign(
        kind="relations",
        aggregation="engine",
        labels=[
            {"key": "drug", "name": "Drug or other substance", "hint": "", "role": "span"},
            {"key": "causes", "name": "Causes", "hint": "", "role": "relation"},
        ],
    )
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    volunteer = make_volunteer(campaign)
    found, invented = [0.84, 0.71, 0.93, 31.0], [0.07, 0.02, 0.15, 12.0]
    Skill.objects.create(
        volunteer=volunteer, version=1, parameters={}, accuracy=0.9, low=0.8, high=0.95, n_answers=40,
        finds=[{"label": key, "found": found, "invented": invented} for key in ("drug", "")],
    )  # fmt: skip
    page = open_page(alice, device)
    page.goto(reverse("campaign_volunteer", args=[campaign.pk, volunteer.pk]))
    expect(page.get_by_role("row", name="All relations")).to_contain_text("of 12")
    is_all_in_sight(page.get_by_role("region", name="What was found, and what was not there"))
    is_fine(page)


def is_all_in_sight(region):
    assert region.evaluate("region => region.scrollWidth - region.clientWidth") <= 0


@pytest.mark.parametrize("device", WIDTHS)
def test_who_counts_is_in_sight_and_a_term_is_explained_where_it_stands(open_page, alice, campaign, device):
    page = open_page(alice, device)
    page.goto(reverse("campaign_volunteers", args=[campaign.pk]))
    is_all_in_sight(page.get_by_role("region", name="Volunteers"))
    doubted = GuidelineDoubt.objects.get().task_id
    for term, path in (
        ("Accuracy", reverse("campaign_volunteers", args=[campaign.pk])),
        ("entropy", reverse("campaign_task", args=[campaign.pk, doubted])),
    ):
        page.goto(path)
        button = page.get_by_role("button", name=term)
        button.focus()
        tip = page.locator(f"#{button.get_attribute('aria-describedby')}")
        expect(tip).to_be_visible()
        below = tip.bounding_box()["y"] - button.bounding_box()["y"]
        assert 0 < below < 80, term


@pytest.mark.parametrize("device", WIDTHS)
def test_the_answers_to_decide_between_are_within_reach_of_a_thumb(open_page, charlie, campaign, device):
    page = open_page(charlie, device)
    page.goto(reverse("campaign_review", args=[campaign.pk]))
    for button in page.locator(".decide .answer").all():
        box = button.bounding_box()
        assert box["y"] > 0 and box["y"] + box["height"] <= page.viewport_size["height"]
        assert box["height"] >= 44
    page.locator("#doubt summary").click()
    expect(page.get_by_label("What it leaves open")).to_be_visible()
    is_fine(page)


def test_one_key_decides_and_the_next_task_comes(open_page, charlie, campaign):
    page = open_page(charlie, DESK)
    page.goto(reverse("campaign_review", args=[campaign.pk]))
    waiting = tasks_to_review(campaign)
    expect(page.locator("#main")).to_contain_text(f"1 of {len(waiting)}")
    page.keyboard.press("2")
    expect(page.locator(".message.success")).to_contain_text("“No” stands")
    expect(page.locator("#main")).to_contain_text(f"1 of {len(waiting) - 1}")
    assert Gold.objects.get(pk=waiting[0]).label == "no"


def test_a_task_is_left_for_later_marked_and_found_again_by_keys(open_page, charlie, campaign):
    page = open_page(charlie, DESK)
    page.goto(reverse("campaign_review", args=[campaign.pk]))
    page.keyboard.press("l")
    page.wait_for_url("**/review/?skip=1")
    page.keyboard.press("d")
    expect(page.get_by_label("What it leaves open")).to_be_focused()
    page.keyboard.type("2 sisters?")
    page.keyboard.press("Enter")
    expect(page.locator(".message.success")).to_contain_text("Marked")
    assert page.url.endswith("skip=1"), "digits typed into a note decide nothing"
    assert GuidelineDoubt.objects.filter(note="2 sisters?").count() == 1
    page.keyboard.press("g")
    expect(page.locator("#guideline")).to_have_attribute("open", "")


def test_a_volunteer_who_reads_the_refresher_goes_on(open_page, bob, campaign):
    Volunteer.objects.filter(user=bob).update(asked_to_train_at=timezone.now())
    Campaign.objects.filter(pk=campaign.pk).update(guideline="## Rashes\n\nOnly *rashes*.")
    page = open_page(bob, DESK)
    page.goto(reverse("campaign_label", args=[campaign.pk]))
    page.get_by_role("button", name="I have read it, go on").click()
    expect(page.locator("#dock")).to_be_visible()


@pytest.mark.parametrize("device", WIDTHS)
def test_a_reviewer_changes_the_marks_before_deciding(open_page, alice, device):
    marked = [{"key": key, "name": key.title(), "hint": ""} for key in ("drug", "sign")]
    campaign = make_campaign(kind="spans", labels=marked, needed=2)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    task = make_text(campaign, "Aspirin 😀 caused a severe rash.")
    for volunteer, start in zip(make_volunteers(campaign, make_users(2)), (18, 25), strict=True):
        place = take_place(task.pk, volunteer.pk, now=timezone.now())
        spans = [{"start": 0, "end": 7, "label": "drug"}, {"start": start, "end": 30, "label": "sign"}]
        submit_answer(place, volunteer.user, {"spans": spans}, key=uuid4(), now=timezone.now())
    Consensus.objects.update(review="undecided")
    page = open_page(alice, device)
    page.goto(reverse("campaign_review", args=[campaign.pk]))
    is_fine(page)
    page.get_by_role("link", name="Change the marks").click()
    expect(page.locator("#mark-list [data-mark]").first).to_contain_text("Aspirin")
    is_fine(page)
    n_marked = page.locator("#mark-list [data-mark]").count()
    for _ in range(n_marked):
        page.get_by_role("button", name="Remove the mark").first.click()
    page.locator("#text").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("2")
    expect(page.locator("#mark-count")).to_have_text("1 marked")
    page.locator(".done").click()
    expect(page.get_by_text("Your decision stands")).to_be_visible()
    gold = Gold.objects.get()
    assert (gold.value, gold.origin) == ({"spans": [{"start": 0, "end": 7, "label": "sign"}]}, "reviewer")


@pytest.mark.parametrize("device", WIDTHS)
def test_a_reviewer_relates_anew_before_deciding(open_page, alice, device):
    task = related(alice, "Aspirin caused a rash.", ["Aspirin", "rash"], [(1, 0)])
    Membership.objects.create(user=alice, campaign=task.campaign, role=Role.REVIEWER)
    Consensus.objects.update(review="undecided")
    page = open_page(alice, device)
    page.goto(reverse("campaign_review", args=[task.campaign_id]))
    page.get_by_role("link", name="Change the marks").click()
    relations = page.get_by_role("list", name="Relations")
    expect(relations.get_by_role("button").first).to_have_text("rash —Causes→ Aspirin")
    assert arrows(page) == [["rash", "Aspirin"]]
    is_fine(page)
    relations.get_by_role("button", name="Remove the relation").click()
    expect(relations.get_by_role("button")).to_have_count(0)
    page.get_by_role("button", name="Relate").click()
    expect(page.locator("#prompt")).to_contain_text("Which mark does the relation begin at?")
    is_fine(page)
    for key in ("1", "2"):
        page.keyboard.press(key)
    expect(relations.get_by_role("button").first).to_have_text("Aspirin —Causes→ rash")
    page.locator(".done").click()
    expect(page.get_by_text("Your decision stands")).to_be_visible()
    gold = Gold.objects.get()
    assert gold.origin == "reviewer"
    assert gold.value["relations"] == [{"from": 0, "to": 1, "label": "causes"}]
    assert [span["start"] for span in gold.value["spans"]] == [0, 17]


@pytest.mark.parametrize("device", WIDTHS)
def test_what_was_marked_and_related_is_drawn_in_the_text_at_the_desk_and_where_it_is_explained(
    open_page, alice, device
):
    task = related(alice, "\N{PILL} Aspirin\r\ncaused a rash.", ["Aspirin", "rash"], [(0, 1)])
    Membership.objects.create(user=alice, campaign=task.campaign, role=Role.REVIEWER)
    Consensus.objects.update(review="undecided")
    page = open_page(alice, device)
    for path in (
        reverse("campaign_task", args=[task.campaign_id, task.pk]),
        reverse("campaign_review", args=[task.campaign_id]),
    ):
        page.goto(path)
        expect(page.locator("#marks .mark-name")).to_have_text(["Event", "Drug"])
        assert [line_of(page, word) for word in ("Aspirin", "rash")] == [True, True]
        assert arrows(page) == [["Aspirin", "rash"]], "from one line to the next"
        chip = page.get_by_role("list", name="Relations").get_by_role("button")
        expect(chip).to_have_text("Aspirin —Causes→ rash")
        expect(page.locator("#marks .linked")).to_have_count(0)
        chip.focus()
        expect(page.locator("#marks .mark-ground.linked")).to_have_count(2)
        expect(page.locator("#marks .link.linked")).to_have_count(1)
        is_fine(page)


@pytest.mark.parametrize("device", WIDTHS)
def test_arrows_that_cross_have_heights_of_their_own_and_no_name_stands_on_another(open_page, alice, device):
    words = ["Iron", "gold", "rash", "itch"]
    task = related(alice, "Iron and gold: a rash, no itch.", words, [(0, 2), (1, 3), (3, 0)])
    page = open_page(alice, device)
    page.goto(reverse("campaign_task", args=[task.campaign_id, task.pk]))
    shafts = page.locator("#marks .shaft")
    expect(shafts).to_have_count(3)
    assert arrows(page) == [["Iron", "rash"], ["gold", "itch"], ["itch", "Iron"]]
    tops = shafts.evaluate_all("all => all.map((one) => Math.round(one.getBoundingClientRect().top))")
    assert len(set(tops)) == 3
    assert page.locator("#marks .link-name").count() > 0
    assert names_that_collide(page) == []
    is_fine(page)


def related(alice, text: str, words: list[str], ends: list[tuple[int, int]]) -> MicroTask:
    """A task of alice's campaign with one answer: these words, the first a drug, the others events, and which
    of them causes which."""
    labels = [
        {"key": key, "name": key.capitalize(), "hint": "", "role": role}
        for key, role in (("drug", "span"), ("event", "span"), ("causes", "relation"))
    ]
    campaign = make_campaign(kind="relations", labels=labels, needed=1)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    task = make_text(campaign, text)
    spans = [
        {"start": text.index(word), "end": text.index(word) + len(word), "label": "event" if n else "drug"}
        for n, word in enumerate(words)
    ]
    relations = [{"from": start, "to": end, "label": "causes"} for start, end in ends]
    [volunteer] = make_volunteers(campaign, make_users(1))
    place = take_place(task.pk, volunteer.pk, now=timezone.now())
    value = {"spans": spans, "relations": relations}
    submit_answer(place, volunteer.user, value, key=uuid4(), now=timezone.now())
    return task


def arrows(page) -> list[list[str]]:
    """The words over or under which each arrow begins and ends."""
    return page.evaluate(
        """() => {
          const node = document.querySelector("#text").firstChild, range = document.createRange();
          const words = [...node.data.matchAll(/[a-z]+/giu)].map(({ 0: word, index }) => {
            range.setStart(node, index);
            range.setEnd(node, index + word.length);
            return { word, box: range.getBoundingClientRect() };
          });
          const corner = document.querySelector("#marks").getBoundingClientRect();
          const wordAt = (point) => {
            const [x, y] = [corner.left + point.x, corner.top + point.y];
            const isBeside = ({ top, bottom }) => Math.min(Math.abs(y - top), Math.abs(y - bottom)) < 10;
            return words.find(({ box }) => box.left <= x && x <= box.right && isBeside(box))?.word;
          };
          return [...document.querySelectorAll("#marks .shaft")].map((shaft) => {
            return [0, shaft.getTotalLength()].map((along) => wordAt(shaft.getPointAtLength(along)));
          });
        }"""
    )


def names_that_collide(page) -> list[str]:
    return page.locator("#marks .mark-name, #marks .link-name").evaluate_all(
        """names => names.filter((name, place) => {
          const a = name.getBoundingClientRect();
          return names.slice(0, place).some((other) => {
            const b = other.getBoundingClientRect();
            return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
          });
        }).map((name) => name.textContent)"""
    )


def line_of(page, word: str) -> bool:
    """Whether a line is drawn exactly under this word."""
    return page.evaluate(
        """word => {
          const node = document.querySelector("#text").firstChild, range = document.createRange();
          const start = node.data.indexOf(word);
          range.setStart(node, start);
          range.setEnd(node, start + word.length);
          const box = range.getBoundingClientRect();
          return [...document.querySelectorAll(".mark-line")].some((line) => {
            const { left, right } = line.getBoundingClientRect();
            return Math.abs(left - box.left) < 1.5 && Math.abs(right - box.right) < 1.5;
          });
        }""",
        word,
    )
