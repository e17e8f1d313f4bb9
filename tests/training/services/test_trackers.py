"""Runs as TensorBoard and MLflow read them."""

import struct
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from annotation.errors import Invalid
from tests.factories import NOW, make_campaign
from training.models import ModelVersion, TrainingRun
from training.services.trackers import write_mlflow, write_tensorboard

pytestmark = pytest.mark.django_db
CURVE = [
    {"seed": 3, "epoch": 1, "step": 5, "train_loss": 1.0, "validation_loss": 0.9},
    {"seed": 3, "epoch": 2, "step": 10, "train_loss": 0.5, "validation_loss": 0.75},
]


@pytest.fixture
def campaign():
    campaign = make_campaign()
    run = TrainingRun.objects.create(
        campaign=campaign, number=1, state="succeeded", opened_at=NOW, started_at=NOW,
        finished_at=NOW + timedelta(minutes=2), history=CURVE, n_examples=40,
    )  # fmt: skip
    TrainingRun.objects.create(campaign=campaign, number=2, state="failed", opened_at=NOW)
    for number, family in enumerate(("encoder", "tfidf"), start=1):
        ModelVersion.objects.create(
            campaign=campaign, run=run, family=family, number=number, sha256="0" * 64, label_keys=["a"],
            metrics={"test": {"accuracy": 0.5 + number / 8, "macro_f1": 0.5, "mistakes": []}},
            lineage={"config": {"learning_rate": 5e-5}},
        )  # fmt: skip
    return campaign


def events_of(folder: Path) -> list[tuple[str, float, int]]:
    """(name, value, step) of records: a length in 8 bytes, a checksum in 4, the event, another in 4."""
    [path] = folder.iterdir()
    content, at, found = path.read_bytes(), 0, []
    while at < len(content):
        [length] = struct.unpack_from("<Q", content, at)
        event = Event.FromString(content[at + 12 : at + 12 + length])
        found += [(value.tag, value.simple_value, event.step) for value in event.summary.value]
        at += 16 + length
    return found


def test_a_runs_curve_and_figures_are_event_files_however_often_they_are_written(campaign, tmp_path):
    for _ in range(2):
        assert write_tensorboard(campaign, tmp_path) == 1
    events = events_of(tmp_path / "run-1")
    assert ("seed_3/validation_loss", 0.75, 10) in events
    assert ("tfidf/accuracy", 0.75, 40) in events
    assert len(events) == 8
    assert not (tmp_path / "run-2").exists(), "a run that failed has nothing to show"


def test_of_relations_the_curves_of_both_encoders_are_told_apart(campaign, tmp_path):
    history = [{"encoder": name} | point for name in ("spans", "pairs") for point in CURVE]
    TrainingRun.objects.filter(number=1).update(history=history)
    write_tensorboard(campaign, tmp_path)
    names = [name for name, _, step in events_of(tmp_path / "run-1") if step == 10]
    assert {"spans/seed_3/train_loss", "pairs/seed_3/train_loss"} <= set(names)


def test_models_are_logged_to_mlflow_once_with_their_settings(campaign, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = f"file://{tmp_path}/tracked"
    assert write_mlflow(campaign, uri) == 2
    assert write_mlflow(campaign, uri) == 0
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    [experiment] = client.search_experiments(filter_string=f"name LIKE '%{campaign.pk}%'")
    first, second = sorted(
        client.search_runs([experiment.experiment_id]), key=lambda one: one.data.tags["family"]
    )
    assert first.data.params == {"learning_rate": "5e-05"}
    assert first.data.metrics["seed_3.validation_loss"] == 0.75
    assert second.data.metrics == {"tfidf.accuracy": 0.75, "tfidf.macro_f1": 0.5}


def test_of_marks_their_f1_goes_out_and_of_texts_read_first_their_curve(campaign, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    ModelVersion.objects.filter(family="encoder").update(
        metrics={"test": {"strict_f1": 0.75, "accuracy": 0.5}}
    )
    TrainingRun.objects.create(
        campaign=campaign, number=3, kind=TrainingRun.Kind.PRETRAIN, state="succeeded", opened_at=NOW,
        started_at=NOW, finished_at=NOW + timedelta(minutes=2), history=CURVE, n_examples=9,
        config={"base_model_path": "/srv/encoders/minilm", "seed": 3},
    )  # fmt: skip
    write_tensorboard(campaign, tmp_path / "events")
    assert ("encoder/strict_f1", 0.75, 40) in events_of(tmp_path / "events" / "run-1")
    assert ("seed_3/train_loss", 0.5, 10) in events_of(tmp_path / "events" / "run-3")
    uri = f"file://{tmp_path}/tracked"
    assert [write_mlflow(campaign, uri) for _ in range(2)] == [3, 0]
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    [experiment] = client.search_experiments(filter_string=f"name LIKE '%{campaign.pk}%'")
    logged = {one.data.tags["family"]: one.data for one in client.search_runs([experiment.experiment_id])}
    assert logged["encoder"].metrics["encoder.strict_f1"] == 0.75
    assert logged["pretrained"].metrics["seed_3.validation_loss"] == 0.75
    assert logged["pretrained"].params == {"seed": "3"}, "without a place on this server"


def test_a_package_that_is_not_there_is_named(campaign, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(Invalid, match="pip install tensorboardX"):
        write_tensorboard(campaign, tmp_path)
