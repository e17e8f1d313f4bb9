"""Every page at both widths: axe-core finds nothing, nothing is wider than the screen."""

from datetime import timedelta

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from annotation.kinds import KINDS
from annotation.models import (
    Assignment,
    Consensus,
    Import,
    Membership,
    Record,
    RefusedRow,
    Role,
    Volunteer,
    VolunteerDay,
)
from annotation.services.crowd import refit
from tests.browser.browsing import WIDTHS, is_fine
from tests.crowds import SEVERAL_PARTS, answered_by_crowd, know
from tests.factories import (
    NOW,
    SIDES,
    make_campaign,
    make_gold,
    make_pair,
    make_sentences,
    make_tasks,
    make_text,
    make_volunteer,
)
from training.algorithms.metrics import evaluate
from training.models import ModelVersion, Prediction, StreamRound, TrainingRun

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CAMPAIGN_PAGES = [
    "campaign_dashboard",
    "campaign_edit",
    "campaign_held",
    "campaign_people",
    "campaign_ranking",
    "campaign_rule",
    "campaign_ties",
    "campaign_upload",
    "campaign_consent",
    "training_policy",
]


@pytest.fixture
def campaign(campaign, alice, bob):
    """With something in every panel: answers, a tie, a held record, refused rows, models, a failed run."""
    campaign.guideline += "\n\n| It says | Answer |\n|---|---|\n| A rash | Yes |\n"
    campaign.rule = "Only what happened."
    campaign.joining = "anyone"
    campaign.save()
    add_answers(campaign, make_volunteer(campaign, bob))
    make_tasks(campaign, 1, held=True)
    report_a_name(campaign, make_volunteer(campaign))
    Volunteer.objects.filter(pk=make_volunteer(campaign).pk).update(taken_out_at=timezone.now())
    batch = Import.objects.create(
        campaign=campaign, file_name="a-file-with-a-rather-long-name-that-does-not-break.csv", path="x",
        deidentified=True, state="done", n_refused=1, n_imported=9, n_tasks=9,
    )  # fmt: skip
    RefusedRow.objects.create(
        batch=batch, line=7, external_id="r" * 40, reason="x", sentence="There is no text."
    )
    for number in (1, 2):
        add_model(campaign, number)
    TrainingRun.objects.create(
        campaign=campaign, number=3, opened_at=timezone.now(), state="failed", failure="The disk is full."
    )
    return campaign


def report_a_name(campaign, volunteer) -> None:
    text = "Seen by Dr. Ada Meyer. A rash came, and went again after a day or two."
    task, _ = make_sentences(campaign, text, [(0, 22), (23, len(text))])
    now = timezone.now()
    Assignment.objects.create(
        task=task, volunteer=volunteer, state="skipped", skip_reason="names_a_person", claimed_at=now,
        expires_at=now, closed_at=now,
    )  # fmt: skip
    Record.objects.filter(pk=task.record_id).update(held=True)


def add_answers(campaign, volunteer) -> None:
    now = timezone.now()
    tasks = make_tasks(campaign, 12)
    for n, task in enumerate(tasks[:8]):
        label = "" if n == 0 else ("yes", "no")[n % 2]
        Consensus.objects.create(
            task=task, campaign=campaign, method="majority", label=label, share=0.5,
            votes={"yes": 1, "no": 1}, n_answers=2, settled_at=now,
        )  # fmt: skip
        make_gold(task, "yes")
    for days in range(5):
        day = (now - timedelta(days=days)).date()
        VolunteerDay.objects.create(volunteer=volunteer, day=day, n_answers=10 + days)


def add_model(campaign, number: int) -> None:
    run = TrainingRun.objects.create(
        campaign=campaign, number=number, opened_at=timezone.now(), started_at=timezone.now(),
        finished_at=timezone.now(), state="succeeded", n_examples=100 * number, config={"seed": 1},
        history=[
            {"encoder": encoder, "epoch": epoch, "step": 1, "train_loss": 1 / epoch,
             "validation_loss": 1.2 / epoch, "validation_accuracy": 0.5}
            for encoder in ("spans", "pairs") for epoch in (1, 2, 3)
        ],
    )  # fmt: skip
    StreamRound.objects.create(
        run=run, campaign=campaign, at=timezone.now(), n_learned=50 * number, n_judged=90,
        acquired=0.6 + 0.05 * number, drawn=0.6, deviation=0.02,
    )  # fmt: skip
    truth = np.arange(30) % 3
    predicted = np.where(np.arange(30) < 20 + number, truth, 0)
    version = ModelVersion.objects.create(
        campaign=campaign, run=run, number=number, path="x", sha256="0" * 64, in_charge=number == 2,
        label_keys=list(campaign.label_names), metrics={"test": evaluate(truth, np.eye(3)[predicted])},
    )  # fmt: skip
    task = campaign.tasks.filter(held=False).last()
    Prediction.objects.filter(task=task).delete()
    Prediction.objects.create(
        task=task, model_version=version, version_number=number, probabilities=[0.5, 0.3, 0.2]
    )


@pytest.mark.parametrize("device", WIDTHS)
def test_pages_of_an_admin_are_open_to_everyone(open_page, alice, campaign, device):
    page = open_page(alice, device)
    paths = [reverse(name, args=[campaign.pk]) for name in CAMPAIGN_PAGES]
    paths.append(reverse("campaign_held", args=[campaign.pk]) + "?list=others")
    paths += [reverse(name) for name in ("campaign_list", "campaign_create", "account_change_password")]
    paths += [reverse("training_run", args=[run.pk]) for run in campaign.training_runs.exclude(number=1)]
    for path in [*paths, "/no-such-page/"]:
        page.goto(path, wait_until="load")
        is_fine(page)


@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize("kind", SEVERAL_PARTS)
def test_a_rule_tried_on_answers_of_several_parts_is_open_to_everyone(open_page, alice, kind, device):
    campaign, tasks, truths = answered_by_crowd(kind, [0.9, 0.8, 0.8, 0.7], 25)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    know(tasks, truths)
    refit(campaign, now=NOW)
    page = open_page(alice, device)
    page.goto(
        reverse("campaign_rule", args=[campaign.pk]) + "?certainty=0.9&first=2&most=4", wait_until="load"
    )
    expect(page.get_by_role("heading", name=KINDS[kind].measure)).to_be_visible()
    is_fine(page)


@pytest.mark.parametrize("device", WIDTHS)
def test_pages_of_a_stranger_are_open_to_everyone(open_page, settings, device):
    settings.SIGN_UP = "open"
    page = open_page(device=device)
    for name in ("account_login", "account_signup", "account_reset_password"):
        page.goto(reverse(name))
        is_fine(page)
    settings.SIGN_UP = "invitation"
    page.goto(reverse("account_signup"))
    expect(page.get_by_role("heading", name="By invitation")).to_be_visible()
    is_fine(page)


@pytest.mark.parametrize("device", WIDTHS)
def test_labelling_is_open_to_everyone_in_each_of_its_states(open_page, bob, campaign, device):
    text = "HPI: Took the drug. A rash came. It went again."
    (task,) = make_sentences(campaign, text, [(20, 32)])
    campaign.tasks.filter(pk=task.pk).update(section="HPI")
    page = open_page(bob, device)
    page.goto(reverse("campaign_label", args=[campaign.pk]))
    expect(page.locator("#text")).to_have_text("A rash came.")
    expect(page.locator("#section")).to_have_text("HPI")
    expect(page.locator("#before")).to_have_text("Took the drug. ")
    is_fine(page)
    for key, name in (("g", "Guideline"), ("s", "Why skip this one?"), ("h", "What I did")):
        page.keyboard.press(key)
        expect(page.get_by_role("dialog", name=name)).to_be_visible()
        is_fine(page)
        page.keyboard.press("Escape")
    page.keyboard.press("1")
    expect(page.locator("#save-state")).to_have_text("✓ saved")
    page.keyboard.press("u")
    expect(page.locator("#notices")).to_contain_text("You answered “Yes”")
    is_fine(page)


SPAN_LABELS = [{"key": key, "name": key.title(), "hint": "", "role": "span"} for key in ("drug", "symptom")]
KIND_LABELS = {
    "pairs": SIDES,
    "text": [],
    "relations": [*SPAN_LABELS, {"key": "causes", "name": "causes", "hint": "", "role": "relation"}],
}
# What brings each page into a state with something given: marks, a relation about to be made, a choice.
KIND_KEYS = {
    "spans": ["ArrowRight", "1", "ArrowRight", "Shift+ArrowRight", "2", "ArrowRight"],
    "relations": ["ArrowRight", "1", "ArrowRight", "2", "r"],
    "multiple": ["1"],
}


@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_labelling_of_every_kind_is_open_to_everyone(open_page, bob, kind, device):
    campaign = make_campaign(
        kind=kind, labels=KIND_LABELS.get(kind, SPAN_LABELS), joining="anyone", asks_certainty=True
    )
    make_volunteer(campaign, bob)
    if kind == "pairs":
        make_pair(campaign, "A rash came.", "It went again.")
    else:
        make_text(campaign, "A rash came and went again after the drug was stopped.")
    page = open_page(bob, device)
    page.goto(reverse("campaign_label", args=[campaign.pk]))
    expect(page.locator("#text")).not_to_be_empty()
    for key in KIND_KEYS.get(kind, []):
        page.keyboard.press(key)
    is_fine(page)
