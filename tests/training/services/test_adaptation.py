"""A run that reads the campaign's texts, and what later runs make of it. The pretraining is real."""

import json
import math
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from annotation.models import Record
from tests.factories import NOW, make_gold, queue_of
from tests.labelled import add_labelled, add_open, sentences
from tests.tiny_bert import save_tiny_bert
from training.algorithms.splits import record_places
from training.errors import RunLost
from training.models import AdaptedEncoder, ModelVersion, TrainingPolicy, TrainingRun
from training.services import runs
from training.services.adaptation import drawn_texts, folder_to_start_from, texts_of_run
from training.services.base_models import encoder_of
from training.services.base_origin import UNKNOWN, BaseOrigin
from training.services.execution import execute_run
from training.services.model_export import export_model
from training.services.policies import change_policy
from training.services.runs import open_run, policy_of, start_run
from training.services.tidying import tidy

pytestmark = pytest.mark.django_db(transaction=True)  # the heartbeat has a connection of its own
Kind, State = TrainingRun.Kind, TrainingRun.State


@pytest.fixture
def imported(campaign):
    """60 labels and 340 open tasks, a record each."""
    add_labelled(campaign, sentences(60), settled_at=timezone.now())
    add_open(campaign, [text for text, _ in sentences(400)[60:]])
    return campaign


def execute(campaign, kind) -> TrainingRun:
    run = open_run(campaign, kind=kind, now=timezone.now())
    execute_run(run.pk)
    run.refresh_from_db()
    return run


def test_a_run_reads_the_texts_and_fine_tuning_starts_from_its_encoder_once_the_admin_says_so(
    imported, tiny_bert, tmp_path
):
    before = queue_of(imported)
    run, n_read = execute(imported, Kind.PRETRAIN), len(drawn_texts(imported))
    assert 300 < n_read < 400, "some judge"
    assert (run.state, run.n_examples, run.snapshot_at) == (State.SUCCEEDED, n_read, None), run.failure
    # That it learns is tested of the encoder: here the records that are kept apart hang on ids made anew.
    assert [point["epoch"] for point in run.history] == list(range(1, len(run.history) + 1))
    assert all(math.isfinite(point["validation_loss"]) for point in run.history)
    adapted = AdaptedEncoder.objects.get(run=run)
    manifest = json.loads((Path(adapted.path) / "manifest.json").read_text())
    assert (adapted.sha256, adapted.base_sha256) == (manifest["sha256"], manifest["base_model_sha256"])
    assert (adapted.n_texts, adapted.in_use) == (n_read, True)
    # No model and no queue has changed by it, and the texts are not left lying about.
    assert not ModelVersion.objects.exists()
    assert queue_of(imported) == before
    assert {path.name for path in runs.run_directory(run).iterdir()} == {"encoder"}

    frozen, policy = encoder_of(imported), policy_of(imported)
    assert folder_to_start_from(policy) == str(tiny_bert)
    change_policy(policy, by=None, now=NOW, adapts_encoder=True)
    learned = execute(imported, Kind.TRAIN)
    tuned = learned.versions.get(family="encoder")
    manifest = json.loads((Path(tuned.path) / "manifest.json").read_text())
    assert manifest["base_model_sha256"] == adapted.sha256
    assert learned.config["base_model_path"] == adapted.path
    assert encoder_of(imported) == frozen, "the vectors that are kept are not to be read anew"

    base = export_model(tuned, tmp_path / "exported", language=None)
    assert base == BaseOrigin(tiny_bert.name, UNKNOWN, adapted.sha256, is_adapted=True)
    card = (tmp_path / "exported" / "README.md").read_text()
    assert "which first read the campaign's texts" in card

    # Read anew, the first encoder stays for as long as the model that started from it: to make it again.
    AdaptedEncoder.objects.update(in_use=False)
    tidy(imported.pk)
    assert Path(adapted.path).exists()
    ModelVersion.objects.filter(pk=tuned.pk).update(path="")
    tidy(imported.pk)
    assert not Path(adapted.path).exists()


def test_an_encoder_of_another_base_model_is_not_started_from(imported, tmp_path):
    run = open_run(imported, kind=Kind.PRETRAIN, now=timezone.now())
    policy = change_policy(policy_of(imported), by=None, now=NOW, adapts_encoder=True)
    AdaptedEncoder.objects.create(
        campaign=imported, run=run, path="somewhere", sha256="0" * 64, base_sha256=encoder_of(imported)[1],
        n_texts=300, created_at=timezone.now(),
    )  # fmt: skip
    assert folder_to_start_from(policy) == "somewhere"
    (tmp_path / "other").mkdir()
    other = save_tiny_bert(tmp_path / "other", ["another", "language"])
    change_policy(policy, by=None, now=NOW, base_model=str(other))
    assert folder_to_start_from(policy) == str(other)


def test_texts_that_are_read_again_give_an_encoder_that_takes_the_place_of_the_first(imported):
    first = execute(imported, Kind.PRETRAIN).adapted_encoder
    path = Path(first.path)
    second = execute(imported, Kind.PRETRAIN).adapted_encoder
    first.refresh_from_db()
    assert (first.in_use, first.path, path.exists()) == (False, "", False)
    assert second.in_use and Path(second.path).exists()
    assert second.sha256 == first.sha256, "the same texts, settings and seed"


def test_a_run_taken_up_again_reads_the_texts_it_has_whatever_a_lost_worker_still_writes(imported):
    run = open_run(imported, kind=Kind.PRETRAIN, now=timezone.now())
    zombie = start_run(run.pk, now=timezone.now())
    heir = start_run(run.pk, now=timezone.now() + timedelta(hours=1))
    late = TrainingRun.objects.get(pk=run.pk)
    texts = texts_of_run(TrainingRun.objects.get(pk=run.pk), heir)
    assert texts == drawn_texts(imported)
    add_open(imported, ["word1 later"])
    with pytest.raises(RunLost):
        texts_of_run(late, zombie)
    assert texts_of_run(TrainingRun.objects.get(pk=run.pk), heir) == texts


@pytest.fixture
def without_judges(campaign):
    TrainingPolicy.objects.filter(campaign=campaign).update(untouched_share=0.0)
    return campaign


def test_what_judges_models_is_not_read_nor_what_is_nearly_equal_to_it(campaign):
    unlike = [" ".join(f"{i * k * 2654435761 % 2**32:08x}" for k in (1, 7, 31)) for i in range(1, 101)]
    tasks = add_open(campaign, unlike)
    texts = {task.pk: text for task, text in zip(tasks, unlike, strict=True)}
    places = record_places([task.record_id for task in tasks])
    gold, *others = [task for task, place in zip(tasks, places, strict=True) if place >= 0.15]
    of_stream = [texts[task.pk] for task, place in zip(tasks, places, strict=True) if place < 0.15]
    make_gold(gold, "yes")
    add_open(campaign, [f"{text}!" for text in of_stream])
    read = {text for _, text in drawn_texts(campaign)}
    assert read == {texts[task.pk] for task in others}
    TrainingPolicy.objects.update(gold_share=0.0)
    assert {text for _, text in drawn_texts(campaign)} == read | {texts[gold.pk]}


def test_held_records_are_not_read_and_equal_texts_once(campaign, without_judges):
    add_open(campaign, ["word1 calm", "word2 rash", "word1 calm"])
    [held] = add_open(campaign, ["word3 of Mr Miller"])
    Record.objects.filter(tasks=held).update(held=True)
    assert {text for _, text in drawn_texts(campaign)} == {"word1 calm", "word2 rash"}


def test_of_too_many_texts_the_same_ones_are_drawn_whatever_came_in_between(campaign, without_judges):
    add_open(campaign, [text for text, _ in sentences(40)])
    few = drawn_texts(campaign, at_most=10)
    assert len(few) == 10
    assert set(few) <= set(drawn_texts(campaign))
    add_open(campaign, [text for text, _ in sentences(50)[40:]])
    assert len(set(few) & set(drawn_texts(campaign, at_most=10))) >= 5


def test_a_campaign_with_too_few_texts_is_told_so(campaign):
    add_open(campaign, [text for text, _ in sentences(20)])
    run = execute(campaign, Kind.PRETRAIN)
    assert (run.state, run.failure_code) == (State.FAILED, "too_few_texts")
    assert not AdaptedEncoder.objects.exists()
    assert not runs.run_directory(run).exists()


def test_texts_do_not_outlive_a_run_that_is_given_up_because_its_worker_was_lost_too_often(imported):
    run = open_run(imported, kind=Kind.PRETRAIN, now=timezone.now())
    texts_of_run(run, start_run(run.pk, now=timezone.now()))
    TrainingRun.objects.update(n_attempts=runs.MAX_ATTEMPTS, lease_expires_at=timezone.now())
    assert execute_run(run.pk) is False
    run.refresh_from_db()
    assert (run.state, run.failure_code) == (State.FAILED, "worker_lost")
    assert not runs.run_directory(run).exists()
