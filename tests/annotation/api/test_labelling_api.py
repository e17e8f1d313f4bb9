"""The volunteer's routes over HTTP: exact shapes and codes, with session, CSRF and token."""

import json
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from annotation.models import Answer, Assignment, Campaign, MicroTask, Record
from annotation.services.handout import claim_task, expire_leases
from tests.factories import (
    LABELS,
    SIDES,
    make_campaign,
    make_pair,
    make_sentences,
    make_tasks,
    make_volunteers,
)

pytestmark = pytest.mark.django_db
TEXT = "No fever. Rash 😀 after cefazolin. Better."


@pytest.fixture
def campaign(bob, charlie):
    campaign = make_campaign(needed=1)
    make_volunteers(campaign, [bob, charlie])
    return campaign


class Browser:
    """Signed in by session, sending the CSRF token as the pages do."""

    def __init__(self, user=None, *, csrf: bool = True):
        self.client = Client(enforce_csrf_checks=True)
        self.csrf = csrf
        if user:
            self.client.force_login(user, backend="hc_platform.sessions.AccountBackend")

    def post(self, path: str, body: object = None):
        raw = "" if body is None else body if isinstance(body, bytes) else json.dumps(body)
        headers = {}
        if self.csrf:
            self.client.cookies["csrftoken"] = token = "c" * 32
            headers["X-CSRFToken"] = token
        return self.client.post(f"/api/v1/{path}", raw, content_type="application/json", headers=headers)

    def get(self, path: str):
        return self.client.get(f"/api/v1/{path}")

    def claim(self, campaign):
        return self.post(f"campaigns/{campaign.pk}/claim/")


@pytest.fixture
def browser(bob):
    return Browser(bob)


@pytest.fixture
def assignment(campaign, browser):
    make_tasks(campaign, 2)
    return browser.claim(campaign).json()


def answer_to(assignment, label="yes", **more) -> tuple[str, dict]:
    body = {"key": str(uuid4()), "answer": {"label": label}} | more
    return f"assignments/{assignment['id']}/answer/", body


def assert_problem(response, status: int, code: str):
    assert (response.status_code, response.json()["code"]) == (status, code), response.content
    assert response.json()["detail"]
    assert response["Content-Type"] == "application/json"


# --- Shapes ---


def test_a_claim_replies_with_the_assignment(campaign, browser):
    [task] = make_sentences(campaign, TEXT, [(10, 33)])
    response = browser.claim(campaign)
    assert response.status_code == 200
    assignment = response.json()
    stored = Assignment.objects.get()
    assert datetime.fromisoformat(assignment.pop("expires_at")) == stored.expires_at
    assert assignment == {
        "id": str(stored.pk),
        "task": {
            "id": str(task.pk),
            "kind": "choice",
            "question": campaign.question,
            "labels": LABELS,
            "section": "",
            "text": "Rash 😀 after cefazolin.",
            "second": None,
            "before": "No fever. ",
            "after": " Better.",
        },
        "suggestion": [],
    }
    assert response["Cache-Control"] == "no-store"


def test_a_claim_replies_204_when_nothing_is_left(campaign, browser):
    response = browser.claim(campaign)
    assert (response.status_code, response.content) == (204, b"")


def test_an_answer_replies_with_the_next_assignment_and_null_after_the_last(campaign, browser, assignment):
    response = browser.post(*answer_to(assignment, next=True))
    assert response.status_code == 200
    assert set(response.json()) == {"accepted", "next"}
    assert response.json()["accepted"] is True
    following = response.json()["next"]
    assert set(following) == {"id", "expires_at", "task", "suggestion"}
    assert following["task"]["id"] != assignment["task"]["id"]
    response = browser.post(*answer_to(following, next=True))
    assert response.json() == {"accepted": True, "next": None}
    assert Answer.objects.count() == 2


def test_an_answer_claims_nothing_unless_asked_to(browser, assignment):
    for more in ({}, {"next": False}):
        path, body = answer_to(assignment, key=str(UUID(int=7)), **more)
        assert browser.post(path, body).json() == {"accepted": True, "next": None}
    assert Assignment.objects.count() == 1


def test_the_same_request_twice_gets_the_same_reply(browser, assignment):
    path, body = answer_to(assignment, next=True)
    first, second = browser.post(path, body).json(), browser.post(path, body).json()
    assert first["next"]["id"] == second["next"]["id"]
    assert Answer.objects.count() == 1


def test_a_skip_gives_the_place_back_and_replies_with_the_next(browser, assignment):
    response = browser.post(f"assignments/{assignment['id']}/skip/", {"reason": "unclear", "next": True})
    assert response.status_code == 200
    assert response.json()["next"]["task"]["id"] != assignment["task"]["id"]
    assert MicroTask.objects.get(pk=assignment["task"]["id"]).taken == 0


def test_an_extension_replies_with_the_new_end_of_the_lease(browser, assignment):
    Assignment.objects.update(expires_at=timezone.now())
    response = browser.post(f"assignments/{assignment['id']}/extend/")
    assert set(response.json()) == {"expires_at"}
    left = datetime.fromisoformat(response.json()["expires_at"]) - timezone.now()
    assert timedelta(seconds=890) < left <= timedelta(seconds=900)


def test_an_answer_can_be_mended_and_looked_back_at(campaign, browser, assignment):
    browser.post(*answer_to(assignment))
    path, body = f"assignments/{assignment['id']}/revise/", answer_to(assignment, "no")[1]
    assert browser.post(path, body).json() == {"accepted": True}
    [own] = browser.get(f"campaigns/{campaign.pk}/my-answers/").json()["results"]
    assert (own["assignment"], own["answer"]) == (assignment["id"], {"label": "no"})
    assert own["task"] == assignment["task"]
    assert datetime.fromisoformat(own["answered_at"]) == Answer.objects.get().answered_at
    progress = browser.get(f"campaigns/{campaign.pk}/progress/").json()
    assert progress == {"n_answers_today": 1, "n_my_answers": 1, "share_done": 0.5}


def test_a_pair_is_handed_out_as_two_texts(bob, browser):
    campaign = make_campaign(kind="pairs", labels=SIDES)
    make_volunteers(campaign, [bob])
    make_pair(campaign, "A rash 😀.", "No rash.")
    task = browser.claim(campaign).json()["task"]
    assert (task["text"], task["second"], task["before"], task["after"]) == ("A rash 😀.", "No rash.", "", "")


def test_whether_one_is_sure_is_kept_with_the_answer_and_with_its_mending(bob, browser):
    campaign = make_campaign(asks_certainty=True)
    make_volunteers(campaign, [bob])
    make_tasks(campaign, 1)
    assignment = browser.claim(campaign).json()
    path, body = answer_to(assignment, certain=False)
    assert browser.post(path, body).status_code == 200
    assert Answer.objects.get().certain is False
    [own] = browser.get(f"campaigns/{campaign.pk}/my-answers/").json()["results"]
    assert own["certain"] is False
    browser.post(f"assignments/{assignment['id']}/revise/", answer_to(assignment)[1])
    assert Answer.objects.get().certain is None, "left out, it says nothing"


def test_whether_one_is_sure_is_refused_where_nobody_asked(browser, assignment):
    path, body = answer_to(assignment, certain=True)
    assert_problem(browser.post(path, body), 422, "certainty_not_asked")
    assert not Answer.objects.exists()


# --- Who may ---


def test_a_token_works_like_a_session(campaign, bob):
    make_tasks(campaign, 1)
    _, token = AuthToken.objects.create(bob)
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Token {token}"})
    response = client.post(f"/api/v1/campaigns/{campaign.pk}/claim/", content_type="application/json")
    assert response.status_code == 200
    assert not AuthToken.objects.filter(digest=token).exists(), "only its hash is stored"


def test_a_wrong_token_is_refused(campaign):
    client = Client(headers={"Authorization": f"Token {'0' * 64}"})
    response = client.post(f"/api/v1/campaigns/{campaign.pk}/claim/", content_type="application/json")
    assert_problem(response, 403, "authentication_failed")


def test_a_session_without_the_csrf_token_is_refused(campaign, bob):
    make_tasks(campaign, 1)
    assert_problem(Browser(bob, csrf=False).claim(campaign), 403, "permission_denied")
    assert not Assignment.objects.exists()


def test_who_is_not_signed_in_is_refused(campaign):
    make_tasks(campaign, 1)
    assert_problem(Browser().claim(campaign), 403, "not_authenticated")


def test_foreign_assignments_are_404_on_every_route(assignment, charlie):
    other, key = Browser(charlie), str(uuid4())
    for route, body in {
        "answer": {"key": key, "answer": {"label": "yes"}},
        "revise": {"key": key, "answer": {"label": "yes"}},
        "skip": {"reason": "unclear"},
        "extend": None,
    }.items():
        assert_problem(other.post(f"assignments/{assignment['id']}/{route}/", body), 404, "not_found")
        assert_problem(other.post(f"assignments/{uuid4()}/{route}/", body), 404, "not_found")
    assert Assignment.objects.get().state == "open"


def test_an_unknown_campaign_and_one_that_is_not_yours_look_the_same(campaign, browser, alice):
    stranger = Browser(alice)
    for response in (browser.post(f"campaigns/{uuid4()}/claim/"), stranger.claim(campaign)):
        assert_problem(response, 404, "not_found")
    for route in ("progress", "my-answers"):
        assert_problem(stranger.get(f"campaigns/{campaign.pk}/{route}/"), 404, "not_found")


def test_missing_consent_is_403_with_its_code(alice):
    campaign = make_campaign(joining=Campaign.Joining.ANYONE)
    make_tasks(campaign, 1)
    assert_problem(Browser(alice).claim(campaign), 403, "consent_required")


# --- What the state of things refuses ---


def test_a_paused_campaign_is_409_for_claim_and_answer(campaign, browser, assignment):
    Campaign.objects.update(state=Campaign.State.PAUSED)
    assert_problem(browser.claim(campaign), 409, "campaign_paused")
    assert_problem(browser.post(*answer_to(assignment)), 409, "campaign_paused")


def test_an_answer_after_others_filled_the_task_is_409_and_the_text_is_not_lost(
    campaign, browser, assignment, charlie
):
    Assignment.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    expire_leases(now=timezone.now())
    claim_task(campaign.pk, charlie, now=timezone.now())
    assert_problem(browser.post(*answer_to(assignment)), 409, "lease_expired")


def test_a_second_answer_is_409_and_a_reused_key_422(browser, assignment):
    path, body = answer_to(assignment)
    browser.post(path, body)
    assert_problem(browser.post(*answer_to(assignment)), 409, "already_answered")
    assert_problem(browser.post(path, body | {"answer": {"label": "no"}}), 422, "key_reused")


def test_an_answer_to_a_skipped_task_is_409(browser, assignment):
    browser.post(f"assignments/{assignment['id']}/skip/", {"reason": "names_a_person"})
    assert_problem(browser.post(*answer_to(assignment)), 409, "assignment_closed")
    assert Record.objects.filter(held=True).count() == 1


# --- Bad input ---


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ({"label": "maybe"}, 422, "unknown_label"),
        ({"label": "yes\x00"}, 422, "unknown_label"),
        ({"label": "y" * 100_000}, 422, "unknown_label"),
        ({"lable": "yes"}, 422, "invalid_answer"),
        ({"label": {"label": "yes"}}, 422, "invalid_answer"),
        ([], 422, "invalid_answer"),
        (7, 422, "invalid_answer"),
        (None, 400, "invalid"),
    ],
)
def test_a_wrong_answer_is_refused_with_a_code(browser, assignment, answer, status, code):
    path, body = answer_to(assignment)
    assert_problem(browser.post(path, body | {"answer": answer}), status, code)
    assert not Answer.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"key": "not-a-uuid"}, "key"),
        ({"key": "\x00"}, "key"),
        ({"key": None}, "key"),
        ({"key": 1.5}, "key"),
        ({"next": "perhaps"}, "next"),
        ({"extra": 1}, "extra"),
        ({"na\x00me": 1}, "na\x00me"),
    ],
)
def test_a_wrong_field_is_400_and_named(browser, assignment, change, field):
    path, body = answer_to(assignment)
    response = browser.post(path, body | change)
    assert_problem(response, 400, "invalid")
    assert list(response.json()["fields"]) == [field]
    assert not Answer.objects.exists()


@pytest.mark.parametrize("left_out", ["key", "answer"])
def test_a_missing_field_is_400_and_named(browser, assignment, left_out):
    path, body = answer_to(assignment)
    del body[left_out]
    response = browser.post(path, body)
    assert_problem(response, 400, "invalid")
    assert list(response.json()["fields"]) == [left_out]


@pytest.mark.parametrize("raw", [b"{", b"\x00", b"\xff\xfe", b'{"key": NaN}', b"[" * 100_000, b'"\\ud800"'])
def test_malformed_json_is_400(browser, assignment, raw):
    assert_problem(browser.post(f"assignments/{assignment['id']}/answer/", raw), 400, "parse_error")


@pytest.mark.parametrize("raw", [b"[]", b"7", b'"yes"', b"null"])
def test_json_that_is_no_object_is_400(browser, assignment, raw):
    assert_problem(browser.post(f"assignments/{assignment['id']}/answer/", raw), 400, "invalid")


def test_another_content_type_is_415(assignment, bob):
    client = Client()
    client.force_login(bob, backend="hc_platform.sessions.AccountBackend")
    response = client.post(f"/api/v1/assignments/{assignment['id']}/answer/", {"key": "x"})
    assert_problem(response, 415, "unsupported_media_type")


def test_routes_without_a_body_refuse_one(campaign, browser, assignment):
    assert_problem(browser.post(f"campaigns/{campaign.pk}/claim/", {"priority": 1}), 400, "invalid")
    assert_problem(browser.post(f"assignments/{assignment['id']}/extend/", {"seconds": 9}), 400, "invalid")


def test_unknown_query_parameters_are_400_on_every_route(campaign, browser, assignment):
    for path in (f"campaigns/{campaign.pk}/claim/?limit=1", f"assignments/{assignment['id']}/extend/?a=%00"):
        assert_problem(browser.post(path), 400, "invalid")
    assert_problem(browser.get(f"campaigns/{campaign.pk}/my-answers/?offset=1"), 400, "invalid")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "", "%00", "1e2", "٣"])
def test_a_limit_out_of_range_is_400(campaign, browser, limit):
    response = browser.get(f"campaigns/{campaign.pk}/my-answers/?limit={limit}")
    assert_problem(response, 400, "invalid")
    assert list(response.json()["fields"]) == ["limit"]


@pytest.mark.parametrize("reason", ["", "because", "unclear\x00", None, ["unclear"]])
def test_a_skip_needs_one_of_its_reasons(browser, assignment, reason):
    response = browser.post(f"assignments/{assignment['id']}/skip/", {"reason": reason})
    assert_problem(response, 400, "invalid")
    assert Assignment.objects.get().state == "open"


def test_a_body_over_the_limit_is_413(browser, assignment, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    path, body = answer_to(assignment)
    assert_problem(browser.post(path, body | {"answer": {"label": "y" * 1000}}), 413, "too_large")


def test_an_identifier_that_is_no_uuid_is_404(browser):
    assert browser.post("campaigns/1/claim/").status_code == 404
    assert browser.post("assignments/%00/answer/").status_code == 404


def test_the_wrong_method_is_405(campaign, browser):
    assert_problem(browser.get(f"campaigns/{campaign.pk}/claim/"), 405, "method_not_allowed")
