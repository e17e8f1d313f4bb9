"""The whole loop on the platform's own processes: nothing is eager, nothing waits without a reason."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from knox.models import AuthToken

from annotation.models import Campaign, Import, Membership, MicroTask, Record, Role, User
from annotation.services.answers import revise_answer
from annotation.services.intake import start_import
from tests.factories import make_campaign, make_user, make_volunteers, queue_of
from tests.labelled import WORDS, YES_NO, add_labelled, add_open, sentences
from tests.stack import Stack
from tests.tiny_bert import save_tiny_bert
from training.algorithms.acquisition import margin
from training.algorithms.splits import record_places
from training.models import ModelVersion, Prediction, TrainingPolicy, TrainingRun

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]
State = TrainingRun.State


@pytest.fixture
def stack(transactional_db):
    """A platform whose beat looks every second; its schedule is in the database, as always."""
    PeriodicTask.objects.all().delete()
    every, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
    for task in ("training.tasks.tick", "annotation.tasks.intake_tick"):
        PeriodicTask.objects.create(name=task, task=task, interval=every, expire_seconds=5)
    platform = Stack()
    yield platform
    platform.stop()


@pytest.fixture
def slow_tiny_bert(tmp_path) -> Path:
    """Deep enough to train for some seconds, and so narrow that a checkpoint is due after two."""
    return save_tiny_bert(tmp_path, WORDS, width=32, n_layers=12)


def token_of(user: User) -> str:
    return AuthToken.objects.create(user)[1]


def run_in_state(campaign: Campaign, *states: str) -> Callable[[], TrainingRun | None]:
    return lambda: TrainingRun.objects.filter(campaign=campaign, state__in=states).first()


def answer_through_http(stack: Stack, campaign: Campaign, token: str, n: int) -> list[str]:
    """n answers that tell the truth about the sentences of this file; returns the tasks' ids."""
    status, place = stack.post(f"campaigns/{campaign.pk}/claim/", token)
    assert status == 200
    answered = []
    for n_left in reversed(range(n)):
        label = "yes" if "rash" in place["task"]["text"] else "no"
        body = {"key": str(uuid4()), "answer": {"label": label}, "next": n_left > 0}
        status, reply = stack.post(f"assignments/{place['id']}/answer/", token, body)
        assert (status, reply["accepted"]) == (200, True)
        answered.append(place["task"]["id"])
        place = reply["next"]
    return answered


def notes(n: int) -> list[dict]:
    drugs = ["amoxicillin", "metformin", "lisinopril", "warfarin", "codeine", "ibuprofen"]
    told = ["developed a rash after", "takes without any complaint"]
    return [
        {"id": f"note-{i}", "text": f"Patient {i} {told[i % 2]} {drugs[i % 6]}, day {i // 2}."}
        for i in range(n)
    ]


def test_records_become_answers_a_model_and_a_new_order(stack):
    alice, bob, charlie = (make_user(name) for name in ("alice", "bob", "charlie"))
    campaign = make_campaign(created_by=alice, needed=2, labels=YES_NO, joining=Campaign.Joining.ANYONE)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    TrainingPolicy.objects.create(campaign=campaign, min_new_labels=40, min_interval_seconds=0)
    stack.start("web", "worker", "training", "beat")

    content = "\n".join(json.dumps(note) for note in notes(90)).encode()
    status, upload = stack.upload(
        f"campaigns/{campaign.pk}/imports/", token_of(alice), "notes.jsonl", content
    )
    assert status == 202
    batch = stack.wait_for(lambda: Import.objects.exclude(finished_at=None).first(), 90)
    assert (str(batch.pk), batch.state, batch.failure) == (upload["id"], Import.State.DONE, ""), stack.log_of(
        "worker"
    )
    order_at_first = queue_of(campaign)
    assert len(order_at_first) == 90

    tokens = [token_of(user) for user in (bob, charlie)]
    for token in tokens:
        assert stack.post(f"campaigns/{campaign.pk}/consent/", token)[0] == 200
        asked = answer_through_http(stack, campaign, token, 40)
        assert asked == [str(task_id) for task_id in order_at_first[:40]]

    run = stack.wait_for(run_in_state(campaign, State.SUCCEEDED, State.FAILED), 240)
    assert (run.state, run.failure, run.number, run.n_attempts) == (State.SUCCEEDED, "", 1, 1)
    version = ModelVersion.objects.get(campaign=campaign, in_charge=True)
    assert version.run == run
    assert set(run.versions.values_list("family", flat=True)) == set(ModelVersion.Family)
    assert version.label_keys == ["no", "yes"]
    tuned = run.versions.get(family="encoder")
    weights = Path(tuned.path) / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == tuned.sha256
    seeds = [point["seed"] for point in run.history]
    assert seeds == sorted(seeds) and len(set(seeds)) == 4, "few labels: three rehearse, one learns from all"
    for seed in set(seeds):
        epochs = [point["epoch"] for point in run.history if point["seed"] == seed]
        assert epochs == list(range(1, len(epochs) + 1))
    figures = version.metrics["test"]
    assert np.sum(figures["confusion_matrix"]) == figures["n_examples"] > 0

    open_tasks = queue_of(campaign)
    assert len(open_tasks) == 50
    assert set(open_tasks) == set(order_at_first[40:])
    assert open_tasks != order_at_first[40:]
    assert set(MicroTask.objects.filter(pk__in=open_tasks).values_list("priority_run", flat=True)) == {1}
    campaign.refresh_from_db()
    assert (campaign.ordered_by_run, campaign.queue_epoch) == (1, 1)
    predictions = Prediction.objects.in_bulk(open_tasks)
    assert {p.version_number for p in predictions.values()} == {1}
    records = dict(MicroTask.objects.filter(pk__in=open_tasks).values_list("pk", "record_id"))
    places = record_places([records[pk] for pk in open_tasks])
    assert [predictions[pk].explored for pk in open_tasks] == (places < 0.2).tolist(), "the policy's share"
    ranked = [predictions[pk].probabilities for pk in open_tasks if not predictions[pk].explored]
    uncertainty = margin(np.array(ranked))
    half = len(ranked) // 2
    assert uncertainty[:half].mean() >= uncertainty[half:].mean(), "least certain first"

    _, place = stack.post(f"campaigns/{campaign.pk}/claim/", tokens[-1])
    assert place["task"]["id"] == str(open_tasks[0])

    truth = dict(Record.objects.filter(tasks__in=open_tasks).values_list("tasks__pk", "text"))
    right = [(p.probabilities[1] > 0.5) == ("rash" in truth[pk]) for pk, p in predictions.items()]
    assert np.mean(right) > 0.8

    snapshot = Path(run.snapshot_path).read_bytes()
    assert hashlib.sha256(snapshot).hexdigest() == run.snapshot_sha256
    _, *rows = [json.loads(line) for line in snapshot.splitlines()]
    assert {row["task"] for row in rows} == {str(pk) for pk in order_at_first[:40]}
    assert {row["value"]["label"] for row in rows if "rash" in row["text"]} == {"yes"}
    first = bob.volunteers.get().assignments.filter(task=order_at_first[0]).get()
    revised = {"label": "no" if first.answer.value["label"] == "yes" else "yes"}
    revise_answer(first.pk, bob, revised, key=uuid4(), now=run.finished_at)
    assert Path(run.snapshot_path).read_bytes() == snapshot, "what was learned from stays as it was"


def test_from_related_marks_a_worker_learns_who_invents_and_how_far_volunteers_agree(stack):
    every = IntervalSchedule.objects.get(every=1)
    PeriodicTask.objects.create(
        name="consensus", task="annotation.tasks.consensus_tick", interval=every, expire_seconds=5
    )
    alice, *people = (make_user(name) for name in ("alice", "bob", "charlie", "dora"))
    labels = [
        {"key": key, "name": key, "hint": "", "role": role}
        for key, role in (("drug", "span"), ("event", "span"), ("causes", "relation"))
    ]
    campaign = make_campaign(kind="relations", labels=labels, aggregation="engine", needed=3)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    honest, _, inventive = make_volunteers(campaign, people)
    add_open(campaign, ["aspirin: a rash, no itch"] * 20)
    admin, tokens = token_of(alice), [token_of(user) for user in people]
    stack.start("web", "worker", "beat")

    spans = [{"start": 0, "end": 7, "label": "drug"}, {"start": 11, "end": 15, "label": "event"},
             {"start": 20, "end": 24, "label": "event"}]  # fmt: skip
    for token, ends in zip(tokens, ([1], [1], [1, 2]), strict=True):
        for _ in range(20):
            place = stack.post(f"campaigns/{campaign.pk}/claim/", token)[1]
            relations = [{"from": 0, "to": end, "label": "causes"} for end in ends]
            body = {"key": str(uuid4()), "answer": {"spans": spans, "relations": relations}}
            assert stack.post(f"assignments/{place['id']}/answer/", token, body)[0] == 200

    def relating(volunteer):
        skill = stack.get(f"campaigns/{campaign.pk}/volunteers/{volunteer.pk}/skill/", admin)
        return skill["finds"][-1] if skill["finds"] else None

    stack.wait_for(lambda: relating(honest), 90)
    assert relating(honest)["invented"]["high"] < relating(inventive)["invented"]["low"]
    own = f"campaigns/{campaign.pk}/my-skill/"  # another fit may come between two looks
    stack.wait_for(lambda: stack.get(own, tokens[2])["finds"][-1] == relating(inventive), 30)
    # Of the sixty answers the last five may be too few to compute it anew for: those of as many tasks.
    agreement = stack.wait_for(
        lambda: (found := stack.get(f"campaigns/{campaign.pk}/agreement/", admin))["n_tasks"] >= 15 and found,
        60,
    )
    assert agreement["n_answers"] == 3 * agreement["n_tasks"]
    assert agreement["measures"]["alpha"]["value"] == 1.0


def test_a_run_goes_on_from_its_checkpoint_after_its_worker_was_killed(stack, slow_tiny_bert):
    campaign = make_campaign(labels=YES_NO)
    add_labelled(campaign, sentences(600))
    add_open(campaign, [text for text, _ in sentences(620)[600:]])
    TrainingPolicy.objects.create(campaign=campaign, min_new_labels=100, base_model=str(slow_tiny_bert))
    stack.start("worker", "training", "beat")
    checkpoints = stack.data_dir / "models" / str(campaign.pk) / "run-1" / "checkpoint"
    stack.wait_for(lambda: epochs_kept(checkpoints), 120)
    stack.kill("training")
    killed_at = time.monotonic()
    run = TrainingRun.objects.get()
    assert (run.state, run.n_attempts, run.fencing_token, run.stage) == (State.RUNNING, 1, 1, "training")
    mark_first_epoch(checkpoints)

    stack.start("training")
    stack.wait_for(lambda: TrainingRun.objects.get().n_attempts == 2, 90)
    seconds = time.monotonic() - killed_at
    print(f"taken up again after {seconds:.1f} s")
    assert 20 < seconds < 60, "when the lease of 30 s has run out, and not long after"
    run = stack.wait_for(run_in_state(campaign, State.SUCCEEDED, State.FAILED), 120)
    assert (run.state, run.failure, run.number, run.fencing_token) == (State.SUCCEEDED, "", 1, 2)
    assert run.history[0]["train_loss"] == 12345.0, "the first epoch was not trained again"
    assert ModelVersion.objects.get(family="encoder").run == run
    assert Prediction.objects.count() == 20
    stack.wait_for(lambda: not checkpoints.exists(), 10)


def mark_first_epoch(checkpoints: Path) -> None:
    """Only who reads the checkpoint can know this loss."""
    for path in checkpoints.glob("at-*/state.json"):
        state = json.loads(path.read_text())
        for first in state["standing"]["history"][:1]:  # an older one that was not removed yet may hold none
            first["train_loss"] = 12345.0
        path.write_text(json.dumps(state))


def epochs_kept(checkpoints: Path) -> int:
    """How many whole epochs the last checkpoint holds; one that is just being replaced holds none."""
    try:
        states = [json.loads(path.read_text()) for path in checkpoints.glob("at-*/state.json")]
    except FileNotFoundError:
        return 0
    return max((len(state["standing"]["history"]) for state in states), default=0)


def test_without_redis_answers_and_uploads_are_taken_and_the_loop_catches_up_after(stack, tmp_path):
    alice, bob = make_user("alice"), make_user("bob")
    campaign = make_campaign(needed=1, labels=YES_NO)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    make_volunteers(campaign, [bob])
    texts = [note["text"] for note in notes(60)]
    words = {word for text in texts for word in text.lower().replace(",", " ").replace(".", " ").split()}
    base = save_tiny_bert(tmp_path, [*words, ",", "."])
    TrainingPolicy.objects.create(campaign=campaign, min_new_labels=30, base_model=str(base))
    add_open(campaign, texts)
    stack.start("web", "worker", "training", "beat")
    # Its name alone is in the list of tasks that a worker prints before it has spoken with Redis.
    stack.wait_for(lambda: "training.tasks.tick[" in stack.log_of("worker"), 90)
    stack.wait_for(lambda: "ready" in stack.log_of("training"), 90)

    stack.stop_redis()
    for name in ("worker", "training", "beat"):
        stack.wait_for(lambda name=name: "Connection" in stack.log_of(name), 60)
    answer_through_http(stack, campaign, token_of(bob), 30)
    upload = stack.upload(
        f"campaigns/{campaign.pk}/imports/", token_of(alice), "more.csv", b"id,text\nx-1,Patient 1 well.\n"
    )
    assert upload[0] == 202
    assert not TrainingRun.objects.exists()
    assert Import.objects.get().state == Import.State.WAITING

    stack.start_redis()
    batch = stack.wait_for(lambda: Import.objects.exclude(finished_at=None).first(), 90)
    assert (batch.state, batch.failure) == (Import.State.DONE, "")
    run = stack.wait_for(run_in_state(campaign, State.SUCCEEDED, State.FAILED), 120)
    assert (run.state, run.failure, run.n_examples) == (State.SUCCEEDED, "", 30)
    assert all(stack.is_running(name) for name in ("web", "worker", "training", "beat"))


def test_a_worker_and_the_clock_that_start_without_redis_say_so_and_wait_for_it(stack, tmp_path):
    stack.stop_redis()
    stack.start("worker", "beat")
    stack.wait_for(lambda: "Cannot connect" in stack.log_of("worker"), 90)
    stack.wait_for(lambda: "Connection" in stack.log_of("beat"), 90)
    assert seconds_to_an_import(stack, tmp_path) < 30


@pytest.mark.parametrize("moment", ["Connected to", "succeeded"])
def test_a_worker_and_the_clock_notice_a_redis_that_fell_silent_and_find_another(stack, tmp_path, moment):
    stack.start("worker", "beat")
    stack.wait_for(lambda: moment in stack.log_of("worker"), 90)
    stack.silence_redis()
    assert seconds_to_an_import(stack, tmp_path) < 50


def seconds_to_an_import(stack, folder: Path) -> float:
    """From Redis's start until a file is taken in, for which beat wakes a worker and that one another."""
    (folder / "a.csv").write_text("id,text\na,Patient 1 well.\n")
    batch = start_import(make_campaign(), folder / "a.csv", file_name="a.csv", deidentified=True, by=None)
    stack.start_redis()
    began = time.monotonic()
    stack.wait_for(lambda: Import.objects.filter(pk=batch.pk, state=Import.State.DONE).exists(), 120)
    seconds = time.monotonic() - began
    print(f"at work after {seconds:.1f} s")
    assert stack.is_running("worker") and stack.is_running("beat")
    return seconds
