"""The reviewer's desk and its neighbours, as pages."""

import json
from uuid import uuid4

import pytest
from django.urls import reverse

from annotation.models import Consensus, Gold, GuidelineDoubt, Membership, Role, TrailEntry
from annotation.services.answers import submit_answer
from annotation.services.doubts import doubt_guideline
from annotation.services.handout import take_place
from annotation.services.review import decide_task
from tests.factories import NOW, make_campaign, make_gold, make_tasks, make_users, make_volunteers

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(alice, bob):
    """Run by alice, reviewed by bob."""
    campaign = make_campaign(needed=2)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    Membership.objects.create(user=bob, campaign=campaign, role=Role.REVIEWER)
    return campaign


@pytest.fixture
def volunteers(campaign):
    return make_volunteers(campaign, make_users(2))


def tied(campaign, volunteers, labels=("yes", "no")):
    [task] = make_tasks(campaign, 1)
    for volunteer, label in zip(volunteers, labels, strict=True):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"label": label}, key=uuid4(), now=NOW)
    return task


def page(name, campaign, *ids):
    return reverse(name, args=[campaign.pk, *ids])


def html_of(client, path) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_the_desk_shows_the_first_doubtful_task_without_names_and_notes_the_reading(
    client, bob, campaign, volunteers
):
    task = tied(campaign, volunteers)
    client.force_login(bob)
    html = html_of(client, page("campaign_review", campaign))
    assert task.record.text in html and "a tied vote" in html and "Answer 2" in html
    assert not any(volunteer.pseudonym in html for volunteer in volunteers)
    assert TrailEntry.objects.get(verb="read_task").user == bob


def test_one_press_decides_and_brings_the_next(client, bob, campaign, volunteers):
    first, second = (tied(campaign, volunteers) for _ in range(2))
    Consensus.objects.filter(pk=first.pk).update(review="undecided")
    client.force_login(bob)
    sent = {"value": json.dumps({"label": "no"}), "back": "desk", "skip": "0"}
    html = client.post(page("campaign_decide", campaign, first.pk), sent, follow=True).content.decode()
    assert "“No” stands" in html and second.record.text in html and first.record.text not in html
    assert (Gold.objects.get().label, Gold.objects.get().decided_by) == ("no", bob)


def test_what_is_left_for_later_is_passed_over_and_comes_again(client, bob, campaign, volunteers):
    tasks = [tied(campaign, volunteers) for _ in range(2)]
    client.force_login(bob)
    desk = page("campaign_review", campaign)
    shown = [
        next(t for t in tasks if t.record.text in html_of(client, desk + query)) for query in ("", "?skip=1")
    ]
    assert set(shown) == set(tasks)
    assert "left the rest for later" in html_of(client, desk + "?skip=2")
    assert shown[0].record.text in html_of(client, desk + "?skip=nonsense")
    sent = {"value": json.dumps({"label": "no"}), "back": "desk", "skip": "1"}
    decided = client.post(page("campaign_decide", campaign, shown[1].pk), sent)
    assert decided.headers["Location"] == desk + "?skip=1"


def test_an_empty_desk_says_so(client, bob, campaign):
    client.force_login(bob)
    assert "Nothing waits for you" in html_of(client, page("campaign_review", campaign))


@pytest.mark.parametrize("value", ["", "{", "[" * 5000, '{"label": "maybe"}', "null"])
def test_what_is_no_decision_changes_nothing_and_says_so(client, bob, campaign, volunteers, value):
    task = tied(campaign, volunteers)
    client.force_login(bob)
    html = client.post(
        page("campaign_decide", campaign, task.pk), {"value": value}, follow=True
    ).content.decode()
    assert 'class="message error"' in html
    assert not Gold.objects.exists()


def test_of_a_kind_without_single_labels_one_of_the_answers_is_chosen(client, bob, alice):
    campaign = make_campaign(needed=2, kind="multiple")
    Membership.objects.create(user=bob, campaign=campaign, role=Role.REVIEWER)
    [task] = make_tasks(campaign, 1)
    for volunteer, labels in zip(make_volunteers(campaign, make_users(2)), (["yes"], ["no"]), strict=True):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, {"labels": labels}, key=uuid4(), now=NOW)
    client.force_login(bob)
    html = html_of(client, page("campaign_review", campaign))
    assert "Answer 1</span></span> <kbd" in html and "Answer 2</span></span> <kbd" in html
    sent = {"value": json.dumps({"labels": ["no"]})}
    client.post(page("campaign_decide", campaign, task.pk), sent)
    assert (Gold.objects.get().value, Gold.objects.get().label) == ({"labels": ["no"]}, "")


def test_why_shows_pseudonyms_to_admins_and_numbers_to_reviewers(client, alice, bob, campaign, volunteers):
    task = tied(campaign, volunteers)
    for user, is_named in ((alice, True), (bob, False)):
        client.force_login(user)
        html = html_of(client, page("campaign_task", campaign, task.pk))
        assert [v.pseudonym in html for v in volunteers] == [is_named] * 2
        assert ("Answer 1" in html) is not is_named


def test_gold_from_a_file_is_shown_and_not_decided_again(client, alice, campaign, volunteers):
    task = tied(campaign, volunteers)
    make_gold(task, "yes")
    client.force_login(alice)
    html = html_of(client, page("campaign_task", campaign, task.pk))
    assert "Known from a file:" in html and 'class="decide"' not in html


def test_a_decision_can_be_changed_on_the_tasks_own_page(client, bob, campaign, volunteers):
    task = tied(campaign, volunteers)
    client.force_login(bob)
    decide, own_page = page("campaign_decide", campaign, task.pk), page("campaign_task", campaign, task.pk)
    for label in ("no", "yes"):
        html = html_of(client, own_page)
        sent = {"value": json.dumps({"label": label}), "back": "task"}
        sent |= {"changes": "yes"} if 'name="changes"' in html else {}
        assert client.post(decide, sent).headers["Location"] == own_page
    assert Gold.objects.get().label == "yes"
    assert TrailEntry.objects.filter(verb="decide_task").count() == 2


def test_a_task_is_looked_up_by_its_records_name(client, bob, campaign, volunteers):
    task = tied(campaign, volunteers)
    client.force_login(bob)
    found = client.get(page("campaign_find", campaign), {"name": task.record.external_id})
    assert found.headers["Location"] == page("campaign_task", campaign, task.pk)
    missed = client.get(page("campaign_find", campaign), {"name": "nowhere"}, follow=True)
    assert "There is no task of this name" in missed.content.decode()


def test_a_mark_with_its_note_reaches_the_admins_list_and_its_files(client, alice, bob, campaign, volunteers):
    task = tied(campaign, volunteers)
    client.force_login(bob)
    client.post(page("campaign_doubt", campaign, task.pk), {"note": "=A warning?"})
    client.force_login(alice)
    html = html_of(client, page("campaign_unclear", campaign))
    assert "“=A warning?”" in html and task.record.text in html and "marked by 1 reviewer<" in html
    lines = client.get(page("campaign_unclear_file", campaign, "csv")).getvalue().decode().splitlines()
    assert lines == [
        "task,text,reviewers,notes",
        f"{task.record.external_id},{task.record.text},1,'=A warning?",
    ]
    [line] = client.get(page("campaign_unclear_file", campaign, "jsonl")).getvalue().splitlines()
    assert json.loads(line)["notes"] == ["=A warning?"]
    client.post(page("campaign_resolve", campaign, task.pk))
    assert "No case is open" in html_of(client, page("campaign_unclear", campaign))
    assert TrailEntry.objects.filter(verb="read_unclear_cases").count() == 3


def test_a_note_that_is_too_long_is_refused(client, bob, campaign, volunteers):
    task = tied(campaign, volunteers)
    client.force_login(bob)
    client.post(page("campaign_doubt", campaign, task.pk), {"note": "x" * 501})
    assert not GuidelineDoubt.objects.exists()


def test_by_the_api_a_task_is_read_decided_and_marked(client, alice, bob, campaign, volunteers):
    task = tied(campaign, volunteers)
    base = f"/api/v1/campaigns/{campaign.pk}"
    client.force_login(bob)
    assert client.get(f"{base}/review/").json() == {"tasks": [str(task.pk)]}
    why = client.get(f"{base}/tasks/{task.pk}/why/").json()
    assert [answer["who"] for answer in why["answers"]] == ["Answer 1", "Answer 2"]
    assert (why["verdict"]["value"], why["known"]) == (None, None)

    def post(verb, body):
        return client.post(f"{base}/tasks/{task.pk}/{verb}/", body, content_type="application/json")

    assert post("decide", {"answer": {"label": "no"}}).json() == {"value": {"label": "no"}, "repeated": False}
    refused = post("decide", {"answer": {"label": "yes"}})
    assert (refused.status_code, refused.json()["code"]) == (409, "already_decided")
    assert post("decide", {"answer": {"label": "yes"}, "changes": True}).status_code == 200
    assert post("doubt", {"note": "What of a plan?"}).status_code == 204
    client.force_login(alice)
    [case] = client.get(f"{base}/unclear/").json()["results"]
    assert [(mark["by_reviewer"], mark["note"]) for mark in case["marks"]] == [(True, "What of a plan?")]
    assert post("resolve", {}).json() == {"n_resolved": 1}
    assert client.get(f"{base}/unclear/").json() == {"results": []}


def test_the_marks_of_a_task_open_for_its_reviewers_and_begin_with_what_is_known(client, alice, bob, charlie):
    labels = [{"key": "drug", "name": "Drug", "hint": ""}]
    marked = make_campaign(kind="spans", labels=labels, needed=1)
    Membership.objects.create(user=bob, campaign=marked, role=Role.REVIEWER)
    [volunteer] = make_volunteers(marked, [charlie])
    [task] = make_tasks(marked, 1)
    answer, decision = ({"spans": [{"start": 0, "end": end, "label": "drug"}]} for end in (6, 8))
    submit_answer(take_place(task.pk, volunteer.pk, now=NOW), charlie, answer, key=uuid4(), now=NOW)
    Consensus.objects.update(review="undecided")
    address = page("campaign_mark", marked, task.pk)
    for stranger in (alice, charlie):
        client.force_login(stranger)
        assert client.get(address).status_code == 404
    client.force_login(bob)
    assert client.get(address).context["page"]["given"] == answer
    assert TrailEntry.objects.filter(user=bob, verb="read_task").exists()
    assert "Change the marks" in html_of(client, page("campaign_review", marked))
    decide_task(marked, task.pk, decision, by=bob, now=NOW)
    html = html_of(client, address + "?back=task&skip=x")
    assert client.get(address).context["page"]["given"] == decision
    assert page("campaign_task", marked, task.pk) in html and 'name="changes"' in html


def test_what_somebody_marked_and_the_consensus_leaves_out_stands_apart(client, bob):
    labels = [{"key": "drug", "name": "Drug", "hint": ""}]
    marked = make_campaign(kind="spans", labels=labels, needed=2)
    Membership.objects.create(user=bob, campaign=marked, role=Role.REVIEWER)
    volunteers = make_volunteers(marked, make_users(2))
    one, other = ({"start": start, "end": start + 3, "label": "drug"} for start in (0, 7))
    ways = (([one], [one, other]), ([one], []))
    for spans_of_each, task in zip(ways, make_tasks(marked, 2), strict=True):
        for volunteer, spans in zip(volunteers, spans_of_each, strict=True):
            place = take_place(task.pk, volunteer.pk, now=NOW)
            submit_answer(place, volunteer.user, {"spans": spans}, key=uuid4(), now=NOW)
    client.force_login(bob)
    task_of = {len(row.value["spans"]): row.task_id for row in Consensus.objects.filter(campaign=marked)}
    first, second = (html_of(client, page("campaign_task", marked, task_of[n])) for n in (1, 0))
    standing, left_out = first.split("Said by somebody and left out")
    assert 'value="1.0000"' in standing and 'value="0.5000"' in left_out
    standing, left_out = second.split("Said by somebody and left out")
    assert '<ul class="bars">' not in standing and 'value="0.5000"' in left_out
    verdict = client.get(f"/api/v1/campaigns/{marked.pk}/tasks/{task_of[1]}/why/").json()["verdict"]
    assert [(one["probability"], one["rejected"]) for one in verdict["candidates"]] == [
        (1.0, False), (0.5, True)
    ]  # fmt: skip


def test_only_what_stands_in_the_text_is_marked_anew(client, bob, campaign, volunteers):
    client.force_login(bob)
    task = tied(campaign, volunteers)
    assert client.get(page("campaign_mark", campaign, task.pk)).status_code == 404
    assert "Change the marks" not in html_of(client, page("campaign_review", campaign))


def test_the_list_of_cases_takes_the_same_queries_for_one_and_for_many(
    client, alice, campaign, volunteers, django_assert_num_queries
):
    client.force_login(alice)
    for n in range(3):
        doubt_guideline(campaign, tied(campaign, volunteers).pk, "", by=alice, now=NOW)
        if n in (0, 2):
            with django_assert_num_queries(10):
                client.get(page("campaign_unclear", campaign))
