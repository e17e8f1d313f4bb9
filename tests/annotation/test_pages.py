import json
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse

from annotation.models import Campaign, Consensus, Import, Membership, RefusedRow, Role, TrailEntry, Volunteer
from annotation.services.joining import invite
from tests.factories import NOW, make_campaign, make_gold, make_tasks, make_volunteer

pytestmark = pytest.mark.django_db
ADMIN_PAGES = [
    "campaign_agreement",
    "campaign_dashboard",
    "campaign_edit",
    "campaign_held",
    "campaign_people",
    "campaign_review",
    "campaign_ties",
    "campaign_unclear",
    "campaign_upload",
    "campaign_volunteers",
]


@pytest.fixture
def campaign(alice):
    campaign = make_campaign(joining=Campaign.Joining.ANYONE)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    return campaign


def page(name: str, campaign: Campaign) -> str:
    return reverse(name, args=[campaign.pk])


def campaign_form(**changes) -> dict:
    return {
        "name": "By hand", "question": "Is it so?", "unit": "sentence", "joining": "invited", "needed": 3,
        "lease_minutes": 10, "labels-TOTAL_FORMS": 2, "labels-INITIAL_FORMS": 0,
        "labels-0-name": "Yes", "labels-1-name": "No", "kind": "choice", "aggregation": "majority",
        "stopping": "fixed",
    } | changes  # fmt: skip


@pytest.mark.parametrize("name", [*ADMIN_PAGES, "campaign_label", "campaign_consent"])
def test_pages_ask_for_sign_in_first(client, campaign, name):
    response = client.get(page(name, campaign))
    assert response.headers["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", ADMIN_PAGES)
def test_an_admins_page_does_not_exist_for_a_volunteer(client, bob, campaign, name):
    make_volunteer(campaign, bob)
    client.force_login(bob)
    assert client.get(page(name, campaign)).status_code == 404


def test_no_page_has_a_script_or_a_style_inside_that_the_policy_would_block(client, alice, campaign):
    make_tasks(campaign, 2)
    client.force_login(alice)
    make_volunteer(campaign, alice)
    for name in [*ADMIN_PAGES, "campaign_label"]:
        response = client.get(page(name, campaign))
        html = response.content.decode()
        nonce = re.search(r"'nonce-([^']+)'", response.headers["Content-Security-Policy"]).group(1)
        scripts = re.findall(r"<script\b([^>]*)>", html)
        assert scripts
        for attributes in scripts:
            assert 'type="application/json"' in attributes or f'nonce="{nonce}"' in attributes
        assert not re.search(r"<style\b|\sstyle=|\son[a-z]+=", html)
        assert response.headers["Cache-Control"] == "no-store"


def test_labelling_asks_for_consent_before_the_first_text(client, bob, campaign):
    make_tasks(campaign, 1)
    client.force_login(bob)
    assert client.get(page("campaign_label", campaign)).headers["Location"] == page(
        "campaign_consent", campaign
    )
    agreed = client.post(page("campaign_consent", campaign))
    assert agreed.headers["Location"] == page("campaign_label", campaign)
    assert Volunteer.objects.get(user=bob, campaign=campaign).origin == Volunteer.Origin.ON_PAGE


def test_the_labelling_page_itself_holds_no_record_text(client, bob, campaign):
    (task,) = make_tasks(campaign, 1)
    make_volunteer(campaign, bob)
    client.force_login(bob)
    html = client.get(page("campaign_label", campaign)).content.decode()
    assert campaign.question in html
    assert 'data-label="yes"' in html
    assert task.record.text not in html


def test_only_who_may_create_campaigns_gets_the_form(client, bob, alice):
    client.force_login(bob)
    assert client.get(reverse("campaign_create")).status_code == 403
    client.force_login(alice)
    assert b"Make the campaign" in client.get(reverse("campaign_create")).content


def test_a_campaign_made_by_form_is_paused_and_its_makers(client, alice):
    client.force_login(alice)
    response = client.post(reverse("campaign_create"), campaign_form())
    campaign = Campaign.objects.get(name="By hand")
    assert response.headers["Location"] == page("campaign_upload", campaign)
    assert (campaign.state, campaign.lease_seconds) == (Campaign.State.PAUSED, 600)
    assert campaign.labels == [
        {"key": "yes", "name": "Yes", "hint": ""}, {"key": "no", "name": "No", "hint": ""}
    ]  # fmt: skip
    assert list(Campaign.objects.administered_by(alice)) == [campaign]


def test_a_form_with_a_mistake_keeps_what_was_typed(client, alice):
    client.force_login(alice)
    html = client.post(reverse("campaign_create"), campaign_form(question="")).content.decode()
    assert 'value="By hand"' in html
    assert "This field is required." in html
    assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"labels-1-name": ""}, "needs at least two labels"),
        ({"labels-1-name": "Yes"}, "Two labels have the same key."),
        ({"kind": "pairs"}, "have the keys first, second and"),
        ({"kind": "relations"}, "at least one label for spans and one for relations"),
        ({"kind": "spans", "aggregation": "one_coin"}, "can&#x27;t be weighed in that way"),
        ({"stopping": "adaptive"}, "takes a way of weighing that knows how sure it is"),
        (
            {"stopping": "adaptive", "aggregation": "engine", "needed": 9, "most_answers": 7},
            "more than the answers at most",
        ),
    ],
)
def test_a_campaign_that_cannot_be_says_why(client, alice, changes, sentence):
    client.force_login(alice)
    html = client.post(reverse("campaign_create"), campaign_form(**changes)).content.decode()
    assert sentence in html
    assert not Campaign.objects.exists()


def test_a_campaign_of_another_kind_with_a_stop_rule_is_made_by_form(client, alice):
    client.force_login(alice)
    labels = {
        "labels-0-name": "Drug", "labels-0-role": "span",
        "labels-1-name": "causes", "labels-1-role": "relation",
    }  # fmt: skip
    rule = {
        "aggregation": "engine", "stopping": "adaptive", "needed": 2, "stop_certainty": "0.95",
        "most_answers": 6, "audit_percent": "5", "asks_certainty": "on", "hides_gold": "on",
    }  # fmt: skip
    client.post(reverse("campaign_create"), campaign_form(kind="relations", **labels, **rule))
    campaign = Campaign.objects.get()
    assert [(label["key"], label["role"]) for label in campaign.labels] == [
        ("drug", "span"), ("causes", "relation")
    ]  # fmt: skip
    assert (campaign.aggregation, campaign.is_adaptive, campaign.stop_certainty) == ("engine", True, 0.95)
    assert (campaign.needed, campaign.most_answers, campaign.audit_share) == (2, 6, 0.05)
    assert campaign.asks_certainty and campaign.hides_gold


def test_a_comparison_is_of_whole_texts_and_a_free_text_has_no_labels(client, alice):
    client.force_login(alice)
    sides = {"labels-0-key": "first", "labels-1-key": "second"}
    client.post(reverse("campaign_create"), campaign_form(name="Pairs", kind="pairs", **sides))
    client.post(reverse("campaign_create"), campaign_form(name="Words", kind="text"))
    assert Campaign.objects.get(name="Pairs").unit == Campaign.Unit.DOCUMENT
    assert Campaign.objects.get(name="Words").labels == []


def test_the_state_button_opens_and_pauses(client, alice, campaign):
    client.force_login(alice)
    for state in ("paused", "open"):
        client.post(page("campaign_state", campaign), {"state": state})
        campaign.refresh_from_db()
        assert campaign.state == state
    client.post(page("campaign_state", campaign), {"state": "gone"})
    campaign.refresh_from_db()
    assert campaign.state == "open"


def test_the_preview_is_sanitised(client, alice):
    client.force_login(alice)
    sent = {"guideline": "**a** <script>x</script>"}
    reply = client.post(reverse("guideline_preview"), json.dumps(sent), content_type="application/json")
    assert reply.json() == {"html": "<p><strong>a</strong> &lt;script&gt;x&lt;/script&gt;</p>\n"}
    refused = client.post(reverse("guideline_preview"), "[]", content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


def test_an_invitation_link_leads_through_sign_up_into_the_campaign(client, alice):
    campaign = make_campaign(name="By invitation")
    token = invite(campaign, Role.VOLUNTEER, by=alice, max_uses=1, valid=timedelta(days=36500), now=NOW)
    link = reverse("invitation", args=[token])
    signup = client.get(link).headers["Location"]
    password = "a-long-pass-phrase"
    sent = {"username": "dave", "password1": password, "password2": password, "next": link}
    landed = client.post(signup, sent, follow=True)
    assert "By invitation" in landed.content.decode()
    assert list(Membership.objects.values_list("user__username", "role").filter(campaign=campaign)) == [
        ("dave", Role.VOLUNTEER)
    ]


def test_without_an_invitation_sign_up_says_so_kindly(client, settings):
    settings.SIGN_UP = "invitation"
    assert "By invitation" in client.get(reverse("account_signup")).content.decode()


def test_refused_rows_are_listed_with_line_and_reason(client, alice, campaign):
    batch = Import.objects.create(
        campaign=campaign,
        file_name="notes.csv",
        path="x",
        deidentified=True,
        state=Import.State.DONE,
        n_refused=1,
    )
    RefusedRow.objects.create(batch=batch, line=44, reason="no_text", sentence="The text is empty.")
    client.force_login(alice)
    html = client.get(page("campaign_upload", campaign)).content.decode()
    assert re.search(r'<td class="num">44</td>.*The text is empty\.', html)


def test_a_file_that_cannot_be_taken_says_why_and_leaves_nothing(client, alice, campaign, tmp_path):
    (tmp_path / "a.exe").write_bytes(b"MZ")
    client.force_login(alice)
    with (tmp_path / "a.exe").open("rb") as file:
        html = client.post(page("campaign_upload", campaign), {"file": file}).content.decode()
    assert "CSV, JSONL" in re.search(r'class="errorlist"[^>]*>(.*?)</ul>', html, re.S).group(1)
    assert not Import.objects.exists()


def test_what_needs_the_admin_is_named_and_empty_on_a_good_day(client, alice, campaign):
    client.force_login(alice)
    assert "There are no records yet" in client.get(page("campaign_dashboard", campaign)).content.decode()
    make_tasks(campaign, 1)
    html = client.get(page("campaign_dashboard", campaign)).content.decode()
    assert "Nothing. All is going well by itself." in html
    assert TrailEntry.objects.filter(verb="read_queue_head", user=alice).count() == 1


def test_how_much_of_the_gold_is_right_is_a_share_like_the_others(client, alice, campaign):
    for task, label in zip(make_tasks(campaign, 4), ["no", "yes", "yes", "yes"], strict=True):
        make_gold(task, "yes")
        Consensus.objects.create(
            task=task, campaign=campaign, method="majority", value={"label": label}, label=label, votes={},
            share=1, n_answers=1, settled_at=NOW,
        )  # fmt: skip
    client.force_login(alice)
    html = client.get(page("campaign_dashboard", campaign)).content.decode()
    words = html.replace("\N{NARROW NO-BREAK SPACE}", "")
    assert re.search(r"How good.*?<p class=\"figure\">75%</p>.*?right \(30% to 95%\)", words, re.S)


def test_a_refresh_of_the_dashboard_reads_no_records_while_their_order_is_the_same(client, alice, campaign):
    make_tasks(campaign, 1)
    client.force_login(alice)
    url, readings = page("campaign_dashboard", campaign), TrailEntry.objects.filter(verb="read_queue_head")
    assert 'data-queue="0"><h2>' in client.get(url).content.decode()
    for _ in range(3):
        assert 'data-queue="0"></section>' in client.get(url, HTTP_HC_QUEUE_SHOWN="0").content.decode()
    assert readings.count() == 1
    Campaign.objects.update(queue_epoch=1)
    assert 'data-queue="1"><h2>' in client.get(url, HTTP_HC_QUEUE_SHOWN="0").content.decode()
    assert readings.count() == 2


@pytest.fixture
def tied(campaign):
    (task,) = make_tasks(campaign, 1)
    Consensus.objects.create(
        task=task, campaign=campaign, method="majority", label="", share=0.5, votes={"yes": 1, "unclear": 1},
        n_answers=2, settled_at=NOW,
    )  # fmt: skip
    return task


def test_tied_votes_are_shown_with_their_text_and_their_labels_names(client, alice, campaign, tied):
    client.force_login(alice)
    assert (
        page("campaign_ties", campaign) in client.get(page("campaign_dashboard", campaign)).content.decode()
    )
    html = client.get(page("campaign_ties", campaign)).content.decode()
    assert tied.record.text in html
    assert re.findall(r'class="chip plain">(.*?)</span>', html) == ["Yes 1", "Unclear 1"]


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_the_export_is_a_file_named_after_the_campaign(client, alice, campaign, tied, file_format):
    client.force_login(alice)
    url = reverse("campaign_export", args=[campaign.pk, file_format])
    assert url in client.get(page("campaign_dashboard", campaign)).content.decode()
    response = client.get(url)
    name = f"adverse-drug-reactions.{file_format}"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    from_api = client.get(
        reverse("api_export", args=[campaign.pk]), {"as": file_format}, HTTP_ACCEPT="text/csv"
    )
    content = response.getvalue()
    assert from_api.getvalue() == content
    assert tied.record.external_id.encode() in content
    assert TrailEntry.objects.filter(verb="export_consensus", user=alice).count() == 2


def test_an_export_in_a_format_that_there_is_not_is_refused(client, alice, campaign):
    client.force_login(alice)
    assert client.get(reverse("campaign_export", args=[campaign.pk, "xlsx"])).status_code == 404
    refused = client.get(reverse("api_export", args=[campaign.pk]), {"as": "xlsx"})
    assert (refused.status_code, refused.json()["fields"]) == (400, {"as": ["One of csv, jsonl."]})
    assert not TrailEntry.objects.exists()


def test_an_unknown_campaign_is_not_found(client, alice):
    client.force_login(alice)
    assert client.get(reverse("campaign_dashboard", args=[uuid4()])).status_code == 404


def test_trying_a_rule_shows_it_in_words_and_only_using_it_changes_the_campaign(client, alice, campaign):
    client.force_login(alice)
    url = reverse("campaign_rule", args=[campaign.pk])
    page = client.get(url, {"certainty": "0.9", "first": "2", "most": "5"}).content.decode()
    assert "There are no tasks with two answers or more yet." in page
    campaign.refresh_from_db()
    assert campaign.stopping == "fixed"
    client.post(url, {"certainty": "0.9", "first": "2", "most": "5"})
    campaign.refresh_from_db()
    assert (campaign.stopping, campaign.aggregation) == ("adaptive", "engine")
    assert (campaign.stop_certainty, campaign.needed, campaign.most_answers) == (0.9, 2, 5)
    assert "stop at 0.9 sure, at most 5 answers, then a reviewer" in client.get(url).content.decode()


def test_a_rule_that_starts_above_its_most_is_refused_in_words(client, alice, campaign):
    client.force_login(alice)
    url = reverse("campaign_rule", args=[campaign.pk])
    page = client.post(url, {"certainty": "0.9", "first": "6", "most": "5"}).content.decode()
    assert "At least as many as it starts with." in page
    campaign.refresh_from_db()
    assert campaign.stopping == "fixed"


def test_a_guess_at_the_volunteers_that_is_no_better_than_chance_is_refused_in_words(client, alice, campaign):
    type(campaign).objects.filter(pk=campaign.pk).update(kind="multiple")
    client.force_login(alice)
    url = reverse("campaign_rule", args=[campaign.pk])
    tried = {"certainty": "0.9", "first": "2", "most": "5"}
    assert (
        "Above 0.50, which is chance here."
        in client.get(url, tried | {"guessed_accuracy": "0.5"}).content.decode()
    )
    page = client.get(url, tried | {"guessed_accuracy": "0.6"}).content.decode()
    assert "which is chance here" not in page
    assert "Computed for one label at a time" in page
