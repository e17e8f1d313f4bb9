"""Texts go in, and what the model in charge thinks comes back: to whoever asked, and not for long."""

import json
import time
from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from annotation.models import Membership, Role
from tests.factories import make_user
from tests.served_models import CLASSES, campaign_of, examples_of, put_in_charge
from tests.test_concurrency import in_thread
from training.algorithms.examples import Relation, Span
from training.encoder import predict_proba, predict_spans, read_relations
from training.models import PredictionJob
from training.services import prediction, prediction_jobs
from training.services.prediction import answer_job

State = PredictionJob.State
AT_ONCE = {"HTTP_PREFER": "wait=0"}


@pytest.fixture
def campaign(db, served):
    """A choice between no and yes, with a model in charge."""
    campaign = campaign_of("choice")
    put_in_charge(campaign, served("choice"))
    return campaign


@pytest.fixture
def rita(campaign):
    """Reviews the campaign."""
    user = make_user("rita")
    Membership.objects.create(user=user, campaign=campaign, role=Role.REVIEWER)
    return user


def client_of(user) -> Client:
    return Client(headers={"Authorization": f"Token {AuthToken.objects.create(user)[1]}"})


def ask(client: Client, campaign, texts, **headers):
    return client.post(
        f"/api/v1/campaigns/{campaign.pk}/predict/",
        json.dumps({"texts": texts}),
        content_type="application/json",
        **AT_ONCE | headers,
    )


def job_of(reply) -> PredictionJob:
    return PredictionJob.objects.get(pk=reply.json()["id"])


def answered(client: Client, reply):
    """The reply after a worker has done the job."""
    assert reply.status_code == 202
    answer_job(job_of(reply).pk)
    return client.get(reply.headers["Location"])


def probabilities_in(found: list[dict], keys) -> np.ndarray:
    return np.array([[one["probabilities"][key] for key in keys] for one in found])


# --- What comes back ---


def test_a_batch_gets_the_probabilities_of_the_model_in_charge_and_its_name(campaign, rita, served):
    client, texts = client_of(rita), [" rash word1", "calm word2", "word3 " * 60]
    asked = ask(client, campaign, texts)
    job = job_of(asked)
    pending = {key: asked.json()[key] for key in ("id", "state", "model")}
    model = {"id": str(job.model_version.pk), "number": 1, "sha256": job.model_version.sha256}
    assert pending == {"id": str(job.pk), "state": "waiting", "model": model}
    reply = answered(client, asked)
    assert reply.status_code == 200
    assert reply.json()["model"] == model
    found = reply.json()["predictions"]
    expected = predict_proba(served("choice"), texts)
    assert probabilities_in(found, ("no", "yes")) == pytest.approx(expected, abs=1e-4)
    assert [one["label"] for one in found] == [("no", "yes")[best] for best in expected.argmax(axis=1)]


def facts_in(answer: dict) -> list[Relation]:
    spans = [Span(span["start"], span["end"], span["label"]) for span in answer["spans"]]
    return [Relation(spans[one["from"]], spans[one["to"]], one["label"]) for one in answer["relations"]]


@pytest.mark.parametrize("kind", ["ordinal", "multiple", "pairs", "spans", "relations"])
def test_each_kind_of_question_is_answered_in_its_own_form(kind, db, alice, served):
    campaign, examples = campaign_of(kind), examples_of(kind)
    put_in_charge(campaign, served(kind))
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    texts = examples.texts[:9]
    sent = texts
    if examples.seconds:
        sent = [{"text": a, "second": b} for a, b in zip(texts, examples.seconds, strict=False)]
    client = client_of(alice)
    found = answered(client, ask(client, campaign, sent)).json()["predictions"]
    if kind == "relations":
        expected = [reading.relations(["causes"]) for reading in read_relations(served(kind), texts)]
        assert [facts_in(one) for one in found] == [[fact for fact, _ in one] for one in expected]
        assert any(expected)
        return
    if kind == "spans":
        expected = predict_spans(served(kind), texts)
        spans = [[(s["start"], s["end"], s["label"]) for s in one["spans"]] for one in found]
        assert spans == [[tuple(span) for span, _ in one] for one in expected]
        assert any(spans)
        return
    expected = predict_proba(served(kind), texts, examples.seconds and examples.seconds[:9])
    keys = np.array(CLASSES[kind][1])
    assert probabilities_in(found, keys) == pytest.approx(expected, abs=1e-4)
    if kind == "multiple":
        assert [one["labels"] for one in found] == [keys[row >= 0.5].tolist() for row in expected]
    else:
        assert [one["label"] for one in found] == keys[expected.argmax(axis=1)].tolist()


@pytest.fixture
def relating(db, alice, served):
    campaign = campaign_of("relations")
    put_in_charge(campaign, served("relations"))
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    return campaign


def test_spans_that_are_sent_with_a_text_are_taken_for_certain_and_related(relating, alice, served):
    text = examples_of("relations").texts[8]
    drug, effect = Span(0, 4, "drug"), Span(text.index("fever"), text.index("fever") + 5, "effect")
    client = client_of(alice)
    sent = [{"text": text, "spans": [effect._asdict(), drug._asdict()]}, text, {"text": text, "spans": []}]
    found, plain, nothing = answered(client, ask(client, relating, sent)).json()["predictions"]
    assert found["spans"] == [one._asdict() | {"probability": 1.0} for one in (effect, drug)], (
        "as they were sent"
    )
    assert facts_in(found) == [Relation(drug, effect, "causes")]
    [reading] = read_relations(served("relations"), [text])
    assert facts_in(plain) == [fact for fact, _ in reading.relations(["causes"])]
    assert nothing == {"spans": [], "relations": []}


@pytest.mark.parametrize(
    ("span", "code"),
    [
        ({"start": 0, "end": 5, "label": "drug"}, "span_outside_text"),
        ({"start": 2, "end": 2, "label": "drug"}, "span_outside_text"),
        ({"start": 0, "end": 4, "label": "causes"}, "span_label_unknown"),
        ({"start": 2, "end": 4, "label": "drug"}, "span_twice"),
    ],
)
def test_spans_that_can_not_stand_in_an_answer_are_refused(relating, alice, span, code):
    asked = {"text": "rash", "spans": [{"start": 2, "end": 4, "label": "drug"}, span]}
    reply = ask(client_of(alice), relating, [asked])
    assert (reply.status_code, reply.json()["code"]) == (422, code)
    assert not PredictionJob.objects.exists()


def test_the_model_that_was_in_charge_when_it_was_asked_answers(campaign, rita, served):
    client = client_of(rita)
    asked = ask(client, campaign, ["rash"])
    put_in_charge(campaign, served("choice"))
    assert answered(client, asked).json()["model"]["number"] == 1
    assert answered(client, ask(client, campaign, ["rash"])).json()["model"]["number"] == 2


# --- What is refused ---


@pytest.mark.parametrize(
    ("texts", "status", "code"),
    [
        (["a"] * 257, 400, "invalid"),
        ([], 400, "invalid"),
        (["a" * 20_001], 400, "invalid"),
        (["a", "  "], 400, "invalid"),
        ([7], 400, "invalid"),
        (["nul \0"], 400, "invalid"),
        ([{"text": "a"}], 400, "invalid"),
        ([{"text": "a", "second": "b", "third": "c"}], 400, "invalid"),
        ([{"text": "a", "second": "b"}], 422, "second_not_asked"),
        ([{"text": "a", "spans": []}], 422, "spans_not_asked"),
        ([{"text": "a", "spans": [{"start": 0, "end": 1}]}], 400, "invalid"),
        ([{"text": "a", "spans": [{"start": 0, "end": 1, "label": "yes"}] * 201}], 400, "invalid"),
        (["a" * 20_000] * 51, 413, "too_large"),
    ],
)
def test_what_can_not_be_answered_is_refused_and_not_repeated(campaign, rita, texts, status, code):
    reply = ask(client_of(rita), campaign, texts)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert len(reply.content) < 1000
    assert not PredictionJob.objects.exists()


def test_limits_are_kept_to_the_last_text_and_character(campaign, rita):
    assert ask(client_of(rita), campaign, ["a" * 20_000, *["rash"] * 255]).status_code == 202


def test_a_comparison_wants_both_texts(db, alice, served):
    campaign = campaign_of("pairs")
    put_in_charge(campaign, served("pairs"))
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    reply = ask(client_of(alice), campaign, [{"text": "a", "second": "b"}, "a"])
    assert (reply.status_code, reply.json()["code"]) == (422, "second_missing")


def test_without_a_model_in_charge_there_is_nobody_to_ask(campaign, rita):
    campaign.model_versions.update(in_charge=False)
    reply = ask(client_of(rita), campaign, ["a"])
    assert (reply.status_code, reply.json()["code"]) == (409, "no_model")


def test_a_model_whose_files_are_gone_is_said_to_be_missing(campaign, rita):
    campaign.model_versions.update(path="/nowhere")
    client = client_of(rita)
    reply = answered(client, ask(client, campaign, ["a"]))
    assert (reply.status_code, reply.json()["code"]) == (409, "model_missing")


def test_nobody_asks_for_more_than_workers_can_do(campaign, rita):
    client = client_of(rita)
    for _ in range(prediction_jobs.MAX_UNFINISHED):
        assert ask(client, campaign, ["a"]).status_code == 202
    reply = ask(client, campaign, ["a"])
    assert (reply.status_code, reply.json()["code"]) == (429, "too_many_unfinished")
    done = {"state": State.DONE, "texts": [], "result": []}
    PredictionJob.objects.update(**done)
    job = PredictionJob.objects.first()
    fields = {"campaign": campaign, "asked_by": rita, "model_version": job.model_version}
    n_more = prediction_jobs.MAX_A_MINUTE - prediction_jobs.MAX_UNFINISHED
    PredictionJob.objects.bulk_create(
        PredictionJob(asked_at=timezone.now(), **fields, **done) for _ in range(n_more)
    )
    reply = ask(client, campaign, ["a"])
    assert (reply.status_code, reply.json()["code"]) == (429, "too_many_requests")
    PredictionJob.objects.update(asked_at=timezone.now() - timedelta(minutes=1))
    assert ask(client, campaign, ["a"]).status_code == 202


# --- Whose it is, and for how long ---


def test_a_result_is_for_whoever_asked_and_while_they_review_the_campaign(campaign, rita, alice):
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    client = client_of(rita)
    asked = ask(client, campaign, ["rash"])
    assert client_of(alice).get(asked.headers["Location"]).status_code == 404
    assert answered(client, asked).status_code == 200
    Membership.objects.filter(user=rita).delete()
    assert client.get(asked.headers["Location"]).status_code == 404


def test_texts_are_gone_when_the_job_is_over_and_the_row_soon_after(campaign, rita):
    client, now = client_of(rita), timezone.now()
    fetched, unfetched, waiting = (ask(client, campaign, ["Quillfeather has a rash"]) for _ in range(3))
    answered(client, fetched)
    answer_job(job_of(unfetched).pk)
    assert (job_of(fetched).texts, job_of(unfetched).texts) == ([], [])
    prediction_jobs.forget_old_jobs(now=now + timedelta(minutes=4))
    assert PredictionJob.objects.count() == 3
    prediction_jobs.forget_old_jobs(now=now + timedelta(minutes=6))
    assert set(PredictionJob.objects.all()) == {job_of(unfetched), job_of(waiting)}
    prediction_jobs.forget_old_jobs(now=now + timedelta(minutes=61))
    assert not PredictionJob.objects.exists()


def test_the_database_holds_no_texts_of_a_job_that_is_over(campaign, rita):
    job = job_of(ask(client_of(rita), campaign, ["rash"]))
    job.state = State.DONE
    with pytest.raises(IntegrityError, match="texts_of_a_job_that_is_over_are_gone"):
        job.save()


def test_a_failure_says_nothing_of_the_texts(campaign, rita, caplog, monkeypatch):
    def break_down(path, texts, *args, **kwargs):
        raise ValueError(texts[0])

    monkeypatch.setattr(prediction, "probabilities_of_texts", break_down)
    client = client_of(rita)
    reply = answered(client, ask(client, campaign, ["Quillfeather has a rash"]))
    assert (reply.status_code, reply.json()["code"]) == (409, "unforeseen")
    assert "broke off: ValueError" in caplog.text
    assert "Quillfeather" not in caplog.text + reply.content.decode()


# --- Workers come and go ---


def test_a_job_whose_worker_is_lost_goes_to_another_and_not_for_ever(campaign, rita):
    job_id = job_of(ask(client_of(rita), campaign, ["rash"])).pk
    now = timezone.now()
    first = prediction_jobs.take(job_id, now=now)
    assert prediction_jobs.take(job_id, now=now) is None, "somebody works on it"
    assert prediction_jobs.jobs_to_do(now=now + prediction_jobs.LEASE) == []
    prediction_jobs.keep(first, now=now + timedelta(seconds=30))
    later = now + prediction_jobs.LEASE + timedelta(seconds=1)
    assert prediction_jobs.take(job_id, now=later) is None, "and was heard of half a minute ago"
    later += timedelta(seconds=30)
    assert prediction_jobs.jobs_to_do(now=later) == [job_id]
    second = prediction_jobs.take(job_id, now=later)
    prediction_jobs.end(first, now=later, result=[{"label": "late"}])
    assert PredictionJob.objects.get().state == State.RUNNING, "the first one's word counts no more"
    prediction_jobs.end(second, now=later, result=[{"label": "yes"}])
    assert PredictionJob.objects.get().result == [{"label": "yes"}]


def test_a_job_that_was_the_end_of_three_workers_is_given_up(campaign, rita):
    client, now = client_of(rita), timezone.now()
    asked = ask(client, campaign, ["rash"])
    for _ in range(prediction_jobs.MAX_ATTEMPTS):
        assert prediction_jobs.take(job_of(asked).pk, now=now)
        now += prediction_jobs.LEASE + timedelta(seconds=1)
    assert prediction_jobs.take(job_of(asked).pk, now=now) is None
    reply = client.get(asked.headers["Location"])
    assert (reply.status_code, reply.json()["code"]) == (409, "worker_lost")


def until_somebody_waits() -> None:
    while prediction_jobs._may_wait._value:
        time.sleep(0.01)


@pytest.mark.django_db(transaction=True)
def test_whoever_waits_hears_of_the_result_at_once(campaign, rita):
    job = job_of(ask(client_of(rita), campaign, ["rash"]))

    def work() -> None:
        until_somebody_waits()
        answer_job(job.pk)

    worker = in_thread(work)
    prediction_jobs.wait_until_over(job.pk, seconds=60)
    job.refresh_from_db()
    assert job.state == State.DONE
    assert timezone.now() - job.done_at < timedelta(seconds=5)
    worker.join()


@pytest.mark.django_db(transaction=True)
def test_one_of_a_web_processs_threads_waits_and_the_others_go_on(campaign, rita):
    job = job_of(ask(client_of(rita), campaign, ["rash"]))
    first = in_thread(lambda: prediction_jobs.wait_until_over(job.pk, seconds=60))
    until_somebody_waits()
    began = time.monotonic()
    prediction_jobs.wait_until_over(job.pk, seconds=60)
    assert time.monotonic() - began < 10
    prediction_jobs.end(prediction_jobs.take(job.pk, now=timezone.now()), now=timezone.now(), result=[])
    first.join(30)
    assert not first.is_alive()
