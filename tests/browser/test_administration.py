"""A campaign from its making to its first answer and its export, in one browser."""

import csv
import re
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from annotation.models import Campaign, Import, TrailEntry
from annotation.services import intake
from annotation.services.answers import submit_answer
from annotation.services.handout import claim_task
from tests.factories import make_tasks, make_volunteer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
RECORDS = """id,text,ward
a1,"Started lisinopril. On day four she developed a dry cough.",medicine
a2,,surgery
a3,发热三天，无皮疹。,儿科
"""


@pytest.fixture(autouse=True)
def upload_dir(settings, tmp_path):
    settings.UPLOAD_DIR = tmp_path / "uploads"


def answer(campaign, user, label: str) -> None:
    place = claim_task(campaign.pk, user, now=timezone.now())
    submit_answer(place.assignment_id, user, {"label": label}, key=uuid4(), now=timezone.now())


def test_a_campaign_is_made_filled_opened_and_answered(open_page, alice, tmp_path):
    page = open_page(alice)
    page.goto("/")
    page.get_by_role("link", name="New campaign").click()
    page.get_by_label("Name", exact=True).first.fill("Cough and rash")
    page.get_by_label("Question").fill("Is there a reaction?")
    page.get_by_label("One task is").select_option("sentence")
    page.get_by_label("Who may join").select_option("anyone")
    page.get_by_role("textbox", name="Guideline").fill("**Only** what happened.")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview strong")).to_have_text("Only")
    page.get_by_role("button", name="Make the campaign").click()

    expect(page.get_by_role("heading", name="Records of Cough and rash")).to_be_visible()
    (tmp_path / "notes.csv").write_text(RECORDS)
    page.get_by_label("Choose a file").set_input_files(tmp_path / "notes.csv")
    page.get_by_label("These records are free of names").check()
    page.get_by_role("button", name="Take them in").click()
    report = page.get_by_role("article").filter(has_text="notes.csv")
    expect(report.locator(".chip")).to_have_text("waiting for a worker")
    intake.run_import(Import.objects.get().pk)
    expect(report.locator(".chip")).to_have_text("done")  # the page looks again by itself
    expect(report).to_contain_text("2 records taken in as 3 tasks, 1 refused")
    expect(report.get_by_role("row").nth(1)).to_contain_text("a2")

    page.get_by_role("link", name="Next: open the campaign").click()
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_text("Nothing. All is going well by itself.")).to_be_visible()
    page.get_by_role("link", name="Campaigns").first.click()
    page.get_by_role("link", name=re.compile("^Start")).click()
    page.get_by_role("button", name="I agree").click()
    expect(page.locator("#text")).not_to_be_empty()
    first = page.locator("#text").inner_text()
    page.get_by_role("button", name="Yes").click()
    expect(page.locator("#text")).not_to_have_text(first)
    expect(page.locator("#today")).to_have_text("1 today")


def test_the_campaign_form_shows_what_the_kind_and_the_stop_rule_take(open_page, alice):
    page = open_page(alice)
    page.goto(reverse("campaign_create"))
    page.get_by_label("Name", exact=True).first.fill("Which is clearer")
    page.get_by_label("Question").fill("Which of the two is clearer?")
    kind = page.get_by_label("An answer is")
    kind.select_option("relations")
    expect(page.get_by_label("Role").first).to_be_visible()
    kind.select_option("text")
    expect(page.get_by_role("group", name="Labels")).to_be_hidden()
    kind.select_option("pairs")
    expect(page.locator("#kind-words")).to_contain_text("Two texts side by side")
    expect(page.get_by_label("One task is")).to_be_hidden()
    expect(page.get_by_label("Key").first).to_have_value("first")
    weighing = page.get_by_label("How answers are weighed")
    expect(weighing.locator("option[value=dawid_skene]")).to_be_disabled()
    expect(page.get_by_label("Stop when so sure")).to_be_hidden()
    page.get_by_label("Ask", exact=True).select_option("adaptive")
    expect(weighing).to_have_value("engine")  # a majority does not know how sure it is
    expect(page.get_by_label("Answers to start with")).to_have_value("2")
    page.get_by_label("Answers at most").fill("6")
    rule = "Start with 2, stop at 0.97 sure, at most 6 answers, then a reviewer."
    expect(page.locator("#rule-words")).to_have_text(rule)
    page.get_by_label("Let volunteers say that they are not sure").check()
    page.get_by_role("button", name="Make the campaign").click()
    expect(page.get_by_text("CSV with the columns id, first and second")).to_be_visible()
    campaign = Campaign.objects.get()
    assert [label["key"] for label in campaign.labels] == ["first", "second", "tie"]
    assert (campaign.kind, campaign.aggregation, campaign.most_answers) == ("pairs", "engine", 6)
    page.goto(reverse("campaign_edit", args=[campaign.pk]))
    expect(kind).to_have_value("pairs")
    expect(page.get_by_label("Name").nth(1)).to_have_value("The first")
    kind.select_option("choice")
    kind.select_option("pairs")
    expect(page.get_by_label("Key").nth(2)).to_have_value("tie")


def test_a_file_that_cannot_be_taken_says_why(open_page, alice, campaign, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "notes.exe").write_text("id,text")
    page = open_page(alice)
    page.goto(reverse("campaign_upload", args=[campaign.pk]))
    page.get_by_label("Choose a file").set_input_files(tmp_path / "notes.exe")
    page.get_by_role("button", name="Take them in").click()
    expect(page.get_by_role("status")).to_contain_text("Records come as CSV, JSONL or a zip of TXT")
    page.get_by_label("Choose a file").set_input_files(tmp_path / "empty.csv")
    page.get_by_role("button", name="Take them in").click()
    report = page.get_by_role("article").filter(has_text="empty.csv")
    expect(report).to_be_visible()
    intake.run_import(Import.objects.get().pk)
    expect(report).to_contain_text("The file is empty.")


def test_an_open_dashboard_follows_the_figures_and_reads_the_queue_once(open_page, alice, bob, campaign):
    make_volunteer(campaign, bob)
    make_tasks(campaign, 3)
    page = open_page(alice)
    page.clock.install()
    page.goto(reverse("campaign_dashboard", args=[campaign.pk]))
    n_answers = page.locator(".stat").filter(has_text="How many answers").locator(".figure")
    expect(n_answers).to_have_text("0")
    queue = page.get_by_role("region", name="Next in the queue").locator("tbody tr")
    expect(queue).to_have_count(3)
    for n in (1, 2):
        answer(campaign, bob, "yes")
        page.clock.fast_forward(31_000)
        expect(n_answers).to_have_text(str(n))
        expect(queue).to_have_count(3)
    assert TrailEntry.objects.filter(verb="read_queue_head").count() == 1
    Campaign.objects.update(queue_epoch=1)
    page.clock.fast_forward(31_000)
    expect(queue).to_have_count(1)
    assert TrailEntry.objects.filter(verb="read_queue_head").count() == 2


def test_the_charts_are_drawn_and_drawn_again_in_the_other_colours(open_page, alice, campaign):
    make_tasks(campaign, 1)
    page = open_page(alice)
    page.goto(reverse("campaign_dashboard", args=[campaign.pk]))
    colour = "Chart.getChart(document.querySelector('canvas')).data.datasets[0].backgroundColor"
    light = page.evaluate(colour)
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate(colour) != light
    page.reload()
    expect(page.get_by_role("button", name="Dark colours")).to_have_attribute("aria-pressed", "true")


def test_tied_votes_are_read_and_the_consensus_leaves_as_a_file(open_page, alice, bob, charlie, campaign):
    Campaign.objects.update(needed=2)
    campaign.refresh_from_db()
    (task,) = make_tasks(campaign, 1)
    for user, label in ((bob, "yes"), (charlie, "no")):
        make_volunteer(campaign, user)
        answer(campaign, user, label)
    page = open_page(alice)
    page.goto(reverse("campaign_dashboard", args=[campaign.pk]))
    page.get_by_role("listitem").filter(has_text="1 settled task with a tied vote").get_by_role(
        "link"
    ).click()
    expect(page.get_by_role("listitem").filter(has_text=task.record.text)).to_contain_text("Yes 1")
    page.go_back()
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="For spreadsheets").click()
    assert download.value.suggested_filename == "adverse-drug-reactions.csv"
    with open(download.value.path(), newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["task"], row["share"], row["n_answers"]) == (task.record.external_id, "0.5", "2")
    verbs = TrailEntry.objects.order_by("at").values_list("verb", flat=True)
    assert list(verbs) == ["read_tied_tasks", "export_consensus"]


def test_an_invitation_leads_a_stranger_through_sign_up_to_the_first_text(open_page, alice, campaign):
    campaign.joining = Campaign.Joining.INVITED
    campaign.save()
    (task,) = make_tasks(campaign, 1)
    page = open_page(alice)
    page.goto(reverse("campaign_people", args=[campaign.pk]))
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Send it to the people you mean").input_value()
    stranger = open_page()
    stranger.goto(link)
    stranger.get_by_label("Username").fill("erin")
    stranger.get_by_label("Password", exact=True).fill("a long pass phrase")
    stranger.get_by_label("Password (again)").fill("a long pass phrase")
    stranger.get_by_role("button", name="Make the account").click()
    stranger.get_by_role("link", name=re.compile("^Start")).click()
    stranger.get_by_role("button", name="I agree").click()
    expect(stranger.locator("#text")).to_have_text(task.record.text)
