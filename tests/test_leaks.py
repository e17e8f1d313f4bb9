"""Thirty planted identifiers go through the whole platform, also where it fails, and turn up nowhere else.

They may stand in the record and be shown to whoever is handed it. They may not stand in a log, an error, a
message, a cache or another table, whatever goes wrong.
"""

import base64
import io
import json
import logging
from contextlib import contextmanager
from datetime import timedelta
from itertools import cycle
from uuid import uuid4

import pytest
from celery.app.trace import build_tracer
from celery.signals import before_task_publish
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from annotation import tasks as annotation_tasks
from annotation.api import labelling
from annotation.models import Campaign, Consensus, Import, Membership, MicroTask, Record, Role
from annotation.services.handout import expire_leases
from annotation.services.intake import batches
from annotation.views import dashboard
from hc_platform.celery import app
from tests.factories import make_campaign, make_user, make_volunteer
from tests.test_routes_by_role import filled, url_patterns
from training.models import TrainingRun
from training.services import runs
from training.tasks import tick

pytestmark = pytest.mark.django_db
# Enough of them that each part of a training run has both labels, wherever the lot puts them.
IN_TEXT = [f"Quillfeather{n:02}" for n in range(30)]
IN_METADATA = [f"MRN-77{n:02}4411" for n in range(30)]
IN_REFUSED_ROWS = [f"0555-01{n:02}-9911" for n in range(10)]
PLANTED = [*IN_TEXT, *IN_METADATA, *IN_REFUSED_ROWS]
# These show record text to somebody who may read it.
SHOW_TEXT = {
    "campaign_review", "campaign_task", "campaign_unclear", "campaign_unclear_file", "api_why", "api_unclear",
    "api_held", "api_queue", "api_my_answers", "campaign_dashboard", "campaign_held", "campaign_ties",
}  # fmt: skip


def planted_in(text: str) -> list[str]:
    return [identifier for identifier in PLANTED if identifier in text]


@pytest.fixture
def log():
    """All that our handler would write at the most talkative level."""
    stream, root = io.StringIO(), logging.getLogger()
    [console] = [handler for handler in root.handlers if handler.get_name() == "console"]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(console.formatter)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def sent_messages():
    """What Celery hands to the broker."""
    messages = []

    def keep(sender, headers, body, **rest):
        messages.append(json.dumps([sender, headers, body], default=str))

    before_task_publish.connect(keep, weak=False)
    yield messages
    before_task_publish.disconnect(keep)


class Site:
    """A campaign with its admin and a volunteer, and every reply that must not show a record."""

    def __init__(self, alice, bob):
        self.campaign = make_campaign(needed=1, unit=Campaign.Unit.DOCUMENT)
        Membership.objects.create(user=alice, campaign=self.campaign, role=Role.CAMPAIGN_ADMIN)
        self.volunteer = make_volunteer(self.campaign, bob)
        self.api = f"/api/v1/campaigns/{self.campaign.pk}/"
        self.admin, self.labeller = self.signed_in(alice), self.signed_in(bob)
        self.replies = []

    @staticmethod
    def signed_in(user) -> Client:
        client = Client(raise_request_exception=False)
        client.force_login(user, backend="hc_platform.sessions.AccountBackend")
        return client

    def keep(self, response, status: int):
        """A reply without record text: its body, headers and cookies are looked through at the end."""
        assert response.status_code == status, response.content
        body = b"".join(response) if response.streaming else response.content
        headers = "\n".join(f"{name}: {value}" for name, value in response.items())
        self.replies.append(f"{body.decode()}\n{headers}\n{response.cookies.output()}")
        return response

    def post(self, client: Client, path: str, body: object):
        raw = body if isinstance(body, str) else json.dumps(body)
        return client.post(path, raw, content_type="application/json")

    def upload(self, name: str, content: bytes, *, status: int = 302) -> Import | None:
        """Through the page, and then by the worker's hand."""
        file = io.BytesIO(content)
        file.name = name
        path = f"/campaigns/{self.campaign.pk}/records/"
        self.keep(self.admin.post(path, {"file": file, "deidentified": "true"}), status)
        batch = self.campaign.imports.filter(state=Import.State.WAITING).first()
        if batch:
            annotation_tasks.import_file(str(batch.pk))
            batch.refresh_from_db()
            self.keep(self.admin.get(f"/api/v1/imports/{batch.pk}/"), 200)
        return batch

    def claim(self) -> dict:
        response = self.post(self.labeller, self.api + "claim/", {})
        assert response.status_code == 200, response.content
        return response.json()


@pytest.fixture
def site(settings, tmp_path, alice, bob):
    settings.UPLOAD_DIR, settings.MODEL_DIR = tmp_path / "uploads", tmp_path / "models"
    return Site(alice, bob)


def csv_of(identifiers: list[str], notes: list[str]) -> bytes:
    lines = ["id,text,note"]
    lines += [
        f"r{n},{name} has a rash after cefazolin.,{note}"
        for n, (name, note) in enumerate(zip(identifiers, notes, strict=True))
    ]
    return "\n".join(lines).encode()


def test_planted_identifiers_stand_in_their_records_and_nowhere_else(
    site, log, sent_messages, settings, monkeypatch
):
    take_records_in(site)
    refuse_bad_files(site)
    label_and_fail(site)
    break_down_in_requests(site, monkeypatch)
    break_down_in_workers(site, log, monkeypatch)
    fail_a_training_run(site, monkeypatch)
    read_every_page(site)

    assert planted_in(log.getvalue()) == []
    assert sent_messages, "no message was looked at"
    assert planted_in("\n".join(sent_messages)) == []
    assert [planted_in(reply) for reply in site.replies if planted_in(reply)] == []
    assert tables_with_identifiers() == {"annotation_record"}
    assert list(settings.UPLOAD_DIR.iterdir()) == []


# --- What the platform is put through ---


def take_records_in(site: Site) -> None:
    batch = site.upload("notes.csv", csv_of(IN_TEXT, IN_METADATA))
    assert (batch.state, batch.n_imported) == (Import.State.DONE, len(IN_TEXT))


def refuse_bad_files(site: Site) -> None:
    bad = IN_REFUSED_ROWS
    rows = [
        b"text,id,note",
        f"call {bad[0]}, or don't,x1,note".encode(),  # a comma too many shifts the text under `id`
        f"call {bad[1]}".encode(),
        f"call {bad[2]},,note".encode(),
        f"call {bad[3]},r0,note".encode(),  # the id is taken by another text
        f"call {bad[4]} \xff,x4,note".encode("latin-1"),
        f"call {bad[5]}\0,x5,note".encode(),
        f"call {bad[6]},{'x' * 201},note".encode(),
        b'"an unclosed quote, and then ' + bad[7].encode(),
    ]
    batch = site.upload("shifted.csv", b"\n".join(rows))
    assert batch.n_imported == 0 and batch.n_refused == 8
    lines = f'{{"id": "y1", "text": "call {bad[8]}\n{{"id": 1.5, "text": "call {bad[9]}"}}\n[1]\n'
    batch = site.upload("broken.jsonl", lines.encode())
    assert batch.n_imported == 0 and batch.n_refused == 3
    for name, content in [
        ("binary.csv", b"\x89PNG\r\n\x1a\n" + bad[0].encode()),
        ("no-header.csv", f"{bad[0]},{bad[1]}\n".encode()),
        ("not.zip", b"PK" + bad[2].encode()),
        ("not.jsonl", bad[3].encode()),
        ("empty.csv", b""),
    ]:
        assert site.upload(name, content).state == Import.State.FAILED
    site.upload("letter.docx", bad[4].encode(), status=200)
    assert Record.objects.count() == len(IN_TEXT)


def label_and_fail(site: Site) -> None:
    """A volunteer at work, and each error that can meet them."""
    place = site.claim()
    answer = f"/api/v1/assignments/{place['id']}/answer/"
    text = place["task"]["text"]
    key = str(uuid4())
    assert planted_in(text)
    for body, status in [
        ({"key": key, "answer": {"label": text}}, 422),
        ({"key": key, "answer": text}, 422),
        ({"key": text, "answer": {"label": "yes"}}, 400),
        ({"key": key, "answer": {"label": "yes"}, "next": text}, 400),
        (f'{{"key": "{text}', 400),
        (json.dumps(text), 400),
        ({"key": key, "answer": {"label": "yes"}}, 200),
        ({"key": key, "answer": {"label": "no"}}, 422),
        ({"key": str(uuid4()), "answer": {"label": "no"}}, 409),
    ]:
        site.keep(site.post(site.labeller, answer, body), status)
    skip = site.claim()["id"]
    for reason, status in [(text, 400), ("names_a_person", 200)]:
        reply = site.post(site.labeller, f"/api/v1/assignments/{skip}/skip/", {"reason": reason})
        site.keep(reply, status)
    late = site.claim()["id"]
    expire_leases(now=timezone.now() + timedelta(days=1))
    MicroTask.objects.filter(assignments__id=late).update(needed=1, taken=1)
    body = {"key": str(uuid4()), "answer": {"label": "yes"}}
    site.keep(site.post(site.labeller, f"/api/v1/assignments/{late}/answer/", body), 409)
    site.keep(site.post(site.admin, f"/api/v1/assignments/{late}/answer/", body), 404)


def break_the_database(*args, **kwargs) -> None:
    """PostgreSQL quotes the whole row in its words."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE annotation_record SET metadata = NULL")


def break_down_in_requests(site: Site, monkeypatch) -> None:
    with pytest.raises(IntegrityError) as error, inner_transaction():
        break_the_database()
    assert planted_in(str(error.value)), "the fault must quote a record, or nothing is proven"
    with monkeypatch.context() as patch, inner_transaction():
        patch.setattr(labelling.handout, "claim_task", break_the_database)
        site.keep(site.post(site.labeller, site.api + "claim/", {}), 500)
    with monkeypatch.context() as patch, inner_transaction():
        patch.setattr(dashboard, "dashboard_of", break_the_database)
        site.keep(site.admin.get(f"/campaigns/{site.campaign.pk}/"), 500)


def break_down_in_workers(site: Site, log, monkeypatch) -> None:
    with monkeypatch.context() as patch:  # COPY quotes the line that it can't take
        patch.setattr(batches, "_escaped", lambda value: value.replace("{", "not JSON {"))
        others = csv_of(IN_TEXT, IN_METADATA).replace(b"\nr", b"\nother-")
        batch = site.upload("others.csv", others)
        assert (batch.state, batch.failure_code) == (Import.State.FAILED, "unexpected")
    with monkeypatch.context() as patch, inner_transaction():
        patch.setattr(annotation_tasks.intake, "waiting_imports", break_the_database)
        task = annotation_tasks.intake_tick
        build_tracer(task.name, task, app=app)("a-message", [], {}, {})
    assert "intake_tick" in log.getvalue(), "Celery's own report was not looked at"


def fail_a_training_run(site: Site, monkeypatch) -> None:
    from training.services import execution  # brings torch

    tasks = MicroTask.objects.filter(campaign=site.campaign, consensus=None, held=False)
    Consensus.objects.bulk_create(
        Consensus(
            task=task, campaign=site.campaign, method="majority", label=label, value={"label": label},
            share=1, votes={label: 1}, n_answers=1, settled_at=timezone.now(),
        )
        for task, label in zip(tasks, cycle(["yes", "no"]))
    )  # fmt: skip
    monkeypatch.setattr(runs, "MIN_LABELS", 2)
    run = runs.open_run(site.campaign, now=timezone.now())
    tick()  # sends the message that wakes a worker

    def break_down(examples, *args, **kwargs):
        assert planted_in(examples.texts[0])
        raise ValueError(examples.texts[0])

    monkeypatch.setattr(execution.encoder, "fine_tune", break_down)
    assert execution.execute_run(run.pk) is False
    run.refresh_from_db()
    assert (run.state, run.failure_code) == (TrainingRun.State.FAILED, "unforeseen")
    assert "(ValueError)" in run.failure


def read_every_page(site: Site) -> None:
    """As the campaign's admin and as a system admin, who reads accounts and settings and no record."""
    system_admin = make_user("sysadmin", is_superuser=True)
    clients = [site.admin, site.signed_in(system_admin)]
    batch, run = site.campaign.imports.first(), site.campaign.training_runs.first()
    ids = {"campaign_id": site.campaign.pk, "import_id": batch.pk, "run_id": run.pk, "file_format": "csv"}
    for route, name in url_patterns():
        for client in clients:
            if name not in SHOW_TEXT:
                response = client.get(filled(route, ids))
                site.keep(response, response.status_code)


@contextmanager
def inner_transaction():
    """What breaks in here leaves the test's own transaction whole."""
    with transaction.atomic():
        savepoint = transaction.savepoint()
        try:
            yield
        finally:
            transaction.savepoint_rollback(savepoint)


# --- Where they are looked for ---


def tables_with_identifiers() -> set[str]:
    """All of the database: sessions, the trail, refused rows, runs, the cache."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT row_to_json(t)::text FROM "{table}" t')
            if planted_in("\n".join(row for (row,) in cursor.fetchall())):
                found.add(table)
        cursor.execute("SELECT value FROM cache")
        if any(planted_in(base64.b64decode(value).decode("latin-1")) for (value,) in cursor.fetchall()):
            found.add("cache")
    return found
