"""Skill, standing and agreement, as pages and by the API."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse

from annotation.models import AgreementReport, Campaign, Consensus, Membership, Role, Skill, TrailEntry
from annotation.services.agreement import store_agreement
from annotation.services.answers import submit_answer
from annotation.services.doubts import doubt_guideline
from annotation.services.handout import take_place
from annotation.services.standing import set_standing
from tests.factories import NOW, make_campaign, make_gold, make_tasks, make_users, make_volunteer

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(alice):
    campaign = make_campaign(needed=2, guideline="Only *rashes*.")
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    return campaign


@pytest.fixture
def volunteer(campaign, bob):
    return make_volunteer(campaign, bob)


def answer(campaign, volunteer, label, *, gold=None):
    [task] = make_tasks(campaign, 1)
    if gold:
        make_gold(task, gold)
    place = take_place(task.pk, volunteer.pk, now=NOW)
    now = NOW + timedelta(seconds=4)
    submit_answer(place, volunteer.user, {"label": label}, key=uuid4(), now=now)
    return task


def know(volunteer, **fields):
    counts = [[8.0, 2.0, 0.0], [1.0, 9.0, 0.0], [0.0, 0.0, 3.0]]
    evidence = {"habit": {"sentence": "The answers follow the task.", "striking": False}}
    values = {
        "version": 2, "parameters": {}, "accuracy": 0.87, "low": 0.78, "high": 0.93, "n_answers": 23,
        "confusion": counts, "evidence": evidence,
    }  # fmt: skip
    Skill.objects.create(volunteer=volunteer, **values | fields)


def page(name, campaign, *ids):
    return reverse(name, args=[campaign.pk, *ids])


def html_of(client, path) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_an_admin_sees_each_volunteers_accuracy_with_its_range(client, alice, campaign, volunteer):
    know(volunteer)
    client.force_login(alice)
    by_votes = html_of(client, page("campaign_volunteers", campaign))
    assert volunteer.pseudonym in by_votes and "between" not in by_votes, "where each vote counts as one"
    Campaign.objects.update(aggregation="engine")
    html = html_of(client, page("campaign_volunteers", campaign))
    assert volunteer.pseudonym in html and 'aria-label="0.87, between 0.78 and 0.93"' in html
    assert volunteer.user.username not in html


def test_a_volunteers_page_shows_all_that_is_known_and_the_decision(client, alice, campaign, volunteer):
    know(volunteer)
    answer(campaign, volunteer, "no", gold="yes")
    set_standing(volunteer, "flagged", "Always the same label.", by=None, now=NOW)
    client.force_login(alice)
    html = html_of(client, page("campaign_volunteer", campaign, volunteer.pk))
    for words in ("Always the same label.", "0 of 1 known tasks right", "The answers follow the task.",
                  "by fit number 2 from 23 answers", "Their answers count",
                  "typically 4.0&#8239;s"):  # fmt: skip
        assert words in html
    client.post(
        page("campaign_standing", campaign, volunteer.pk), {"standing": "excluded", "reason": "A script."}
    )
    volunteer.refresh_from_db()
    assert (volunteer.standing, volunteer.standing_reason, volunteer.standing_by) == (
        "excluded", "A script.", alice,
    )  # fmt: skip
    assert "Decided by alice" in html_of(client, page("campaign_volunteer", campaign, volunteer.pk))


@pytest.mark.parametrize("sent", [{}, {"standing": "flagged"}, {"standing": "trusted", "reason": "x" * 301}])
def test_what_is_no_decision_changes_no_standing(client, alice, campaign, volunteer, sent):
    client.force_login(alice)
    client.post(page("campaign_standing", campaign, volunteer.pk), sent)
    volunteer.refresh_from_db()
    assert (volunteer.standing, volunteer.standing_by) == ("trusted", None)


def test_a_volunteer_reads_their_own_figures_in_kind_words_and_nobody_elses(client, bob, campaign, volunteer):
    other = make_volunteer(campaign, make_users(1)[0])
    know(volunteer)
    know(other, accuracy=0.31)
    for n in range(10):
        answer(campaign, volunteer, "yes", gold="yes" if n < 4 else None)
    client.force_login(bob)
    html = html_of(client, page("campaign_own_skill", campaign))
    assert (
        "87\N{NARROW NO-BREAK SPACE}%" in html
        and "4 whose right answer was known; you had 4 of them right" in html
    )
    assert other.pseudonym not in html and "31\N{NARROW NO-BREAK SPACE}%" not in html
    assert "looks different" not in html


@pytest.mark.parametrize(
    "kind, value",
    [("spans", {"spans": []}), ("relations", {"spans": [], "relations": []}), ("multiple", {"labels": []})],
)
def test_what_somebody_found_and_invented_is_shown_to_them_and_to_admins(
    client, alice, bob, campaign, volunteer, kind, value
):
    labels = [{"key": "yes", "name": "Yes", "hint": ""}, {"key": "no", "name": "No", "hint": ""}]
    Campaign.objects.update(kind=kind, labels=labels, aggregation="engine")
    row = {"found": [0.84, 0.71, 0.93, 31.0], "invented": [0.07, 0.02, 0.15, 0.0]}
    finds = [row | {"label": "yes"}, row | {"label": "taken out"}, row | {"label": ""}]
    know(volunteer, confusion=None, finds=finds)
    for task in make_tasks(Campaign.objects.get(), 10):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, value, key=uuid4(), now=NOW)
    for user, name, ids in ((alice, "campaign_volunteer", [volunteer.pk]), (bob, "campaign_own_skill", [])):
        client.force_login(user)
        html = " ".join(html_of(client, page(name, campaign, *ids)).split()).replace("\u202f", " ")
        assert '84 %</strong> <span class="small quiet">of 31' in html and "none met yet" in html
        assert html.count(">71 % to 93 %<") == 2, "that of a label which is no more is left out"
        assert "All relations" in html and "taken out" not in html
        assert ("rightly chosen or left out" if kind == "multiple" else "of the words rightly marked") in html


def test_a_flagged_volunteer_is_told_so_kindly_without_the_evidence(client, bob, campaign, volunteer):
    set_standing(volunteer, "flagged", "With V-OTHER: the same wrong answers.", by=None, now=NOW)
    client.force_login(bob)
    html = html_of(client, page("campaign_own_skill", campaign))
    assert "a person will look at them" in html and "V-OTHER" not in html


def test_who_is_asked_back_reads_the_guideline_and_solved_examples_and_goes_on(
    client, alice, bob, campaign, volunteer
):
    task, unseen = answer(campaign, volunteer, "no", gold="yes"), make_tasks(campaign, 1)[0]
    make_gold(unseen, "yes")
    client.force_login(alice)
    client.post(page("campaign_ask_back", campaign, volunteer.pk))
    client.force_login(bob)
    html = html_of(client, page("campaign_label", campaign))
    assert "before you go on" in html and "<em>rashes</em>" in html
    assert task.record.text in html and "you said: No" in html
    assert unseen.record.text not in html, "nobody reads a text that was not handed to them"
    went_on = client.post(page("campaign_refreshed", campaign))
    assert went_on.headers["Location"] == page("campaign_label", campaign)
    assert 'id="dock"' in html_of(client, page("campaign_label", campaign))
    assert list(TrailEntry.objects.values_list("verb", "user").order_by("pk")) == [
        ("ask_to_train", alice.pk), ("finish_training", bob.pk),
    ]  # fmt: skip


def test_going_on_without_having_been_asked_changes_nothing(client, bob, campaign, volunteer):
    client.force_login(bob)
    client.post(page("campaign_refreshed", campaign))
    volunteer.refresh_from_db()
    assert volunteer.trained_at is None


def test_who_has_not_agreed_yet_is_led_to_the_terms(client, bob, campaign):
    Membership.objects.create(user=bob, campaign=campaign, role=Role.VOLUNTEER)
    client.force_login(bob)
    assert client.get(page("campaign_own_skill", campaign)).headers["Location"] == page(
        "campaign_consent", campaign
    )


def test_agreement_is_drawn_and_each_term_explained(client, alice, campaign, volunteer):
    other = make_volunteer(campaign, make_users(1)[0])
    for n in range(12):
        task = answer(campaign, volunteer, "yes" if n % 2 else "no")
        place = take_place(task.pk, other.pk, now=NOW)
        label = "yes" if n % 2 or n == 4 else "no"
        submit_answer(place, other.user, {"label": label}, key=uuid4(), now=NOW)
    client.force_login(alice)
    address = page("campaign_agreement", campaign)
    assert "on their way" in html_of(client, address), "the page itself computes nothing"
    store_agreement(campaign, now=NOW)
    html = html_of(client, address)
    for words in ("Krippendorff&#x27;s alpha", "Gwet&#x27;s AC", 'role="tooltip"', "Two at a time"):
        assert words in html
    assert "12 settled tasks" in html and "4 May 2026, 12:00 from the 24 answers" in html


def test_agreement_without_answers_says_so(client, alice, campaign):
    client.force_login(alice)
    assert "Nothing to compare yet" in html_of(client, page("campaign_agreement", campaign))


def test_marks_are_compared_by_what_two_people_both_marked(client, alice, campaign):
    Campaign.objects.filter(pk=campaign.pk).update(kind="spans")
    f1 = {"value": 0.67, "low": 0.5, "high": 0.8, "n_tasks": 10, "n_pairs": 10}
    cell = {"value": 0.67, "n_shared": 10, "low": 0.52, "high": 0.79}
    cells = [{"value": None, "n_shared": 0, "low": None, "high": None}, cell]
    pairs = [{"pseudonym": name, "cells": cells} for name in ("Sparrow", "Wren")]
    labels = [{"name": "Yes", "alpha": None, "f1": f1}]
    week = {"n_tasks": 5, "value": 0.5, "low": 0.4, "high": 0.6}
    weeks = [week | {"week": f"2026-05-{day}"} for day in ("04", "11")]
    figures = {"n_tasks": 10, "n_answers": 20, "labels": labels, "weeks": weeks, "pairs": pairs}
    figures |= {"measures": {"span_f1": f1}, "weekly": "span_f1", "paired": "span_f1"}
    AgreementReport.objects.create(
        campaign=campaign,
        rules={},
        n_given=20,
        computed_at=NOW,
        figures=figures,
    )
    client.force_login(alice)
    html = html_of(client, page("campaign_agreement", campaign))
    assert "F1 of marks by week" in html and "F1 of the marks of each two of the 2 volunteers" in html
    assert "0.50 to 0.80" in html and "0.52 to 0.79" in html
    assert "kappa" not in html


def test_by_the_api_admins_read_and_decide_and_volunteers_read_their_own(
    client, alice, bob, campaign, volunteer
):
    know(volunteer)
    answer(campaign, volunteer, "no", gold="yes")
    base = f"/api/v1/campaigns/{campaign.pk}"
    client.force_login(alice)
    known = client.get(f"{base}/volunteers/{volunteer.pk}/skill/").json()
    assert (known["accuracy"], known["gold"], known["fit_number"]) == (
        0.87,
        {"n": 1, "n_right": 0, "score": 0.0},
        2,
    )
    assert known["confusion"][0] == {"name": "Yes", "given": {"Yes": 8.0, "No": 2.0, "Unclear": 0.0}}
    assert client.get(f"{base}/agreement/").json()["computed_at"] is None
    store_agreement(campaign, now=NOW)
    found = client.get(f"{base}/agreement/").json()
    assert (found["n_tasks"], found["computed_at"]) == (0, "2026-05-04T12:00:00Z")
    sent = {"standing": "excluded", "reason": "A script."}
    changed = client.post(
        f"{base}/volunteers/{volunteer.pk}/standing/", sent, content_type="application/json"
    ).json()
    assert (changed["standing"], changed["standing_reason"]) == ("excluded", "A script.")
    client.force_login(bob)
    own = client.get(f"{base}/my-skill/").json()
    assert (own["standing"], own["gold"], own["n_answers"]) == (
        "excluded",
        {"n": 0, "n_right": 0, "score": None},
        0,
    )
    assert not {"evidence", "standing_reason"} & own.keys()


def test_the_dashboard_says_what_needs_the_admin_of_review_flags_and_the_guideline(
    client, alice, campaign, volunteer
):
    task = answer(campaign, volunteer, "yes")
    Consensus.objects.update(review="undecided")
    doubt_guideline(campaign, task.pk, "", by=alice, now=NOW)
    set_standing(volunteer, "flagged", "x", by=None, now=NOW)
    client.force_login(alice)
    html = html_of(client, page("campaign_dashboard", campaign))
    for words in ("1 task waiting for a reviewer", "1 volunteer flagged", "seems unclear on 1 case"):
        assert words in html


def test_the_engines_card_names_the_fit_its_calibration_and_the_audits(client, alice, campaign, volunteer):
    fit = {"number": 3, "method": "engine", "parameters": {"keys": []}, "seconds": 1, "fitted_at": NOW}
    campaign.crowd_fits.create(n_answers=420, n_tasks=200, n_changed=17, **fit)
    Campaign.objects.update(aggregation="engine", stopping="adaptive", crowd_version=3, needed=2)
    for n in range(20):
        answer(campaign, volunteer, "yes", gold="yes" if n < 19 else "no")
    Consensus.objects.update(
        settled_at=NOW, certainty=0.95, audited=True, value={"label": "yes"}, label="yes"
    )
    campaign.tasks.update(needed=1)
    Consensus.objects.filter(pk=campaign.tasks.first().pk).update(settled_at=None)
    client.force_login(alice)
    html = html_of(client, page("campaign_dashboard", campaign))
    assert "number 3" in html and "17 tasks moved with it" in html
    assert "of 20 audited tasks 19 held" in html
    Consensus.objects.update(settled_at=NOW)
    html = html_of(client, page("campaign_dashboard", campaign))
    assert "of 20 gold tasks (error 0.00)" in html
