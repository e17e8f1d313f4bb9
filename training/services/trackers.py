"""A campaign's runs, written down for programs that people already look at runs with.

Nothing is sent anywhere by itself: an operator names the folder or the server on the command line. What goes
out are numbers and settings: no text and no volunteer.
"""

import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from annotation.errors import Invalid
from annotation.models import Campaign
from training.config import shown_settings
from training.models import ModelVersion, TrainingRun

FIGURES = (
    "accuracy", "macro_f1", "auroc", "negative_log_likelihood", "brier", "expected_calibration_error",
    "strict_f1", "relaxed_f1", "relation_f1", "relaxed_relation_f1", "given_spans_f1",
)  # fmt: skip


def runs_of(campaign: Campaign) -> list[TrainingRun]:
    """The runs that learned something, oldest first."""
    found = TrainingRun.objects.filter(campaign=campaign, state=TrainingRun.State.SUCCEEDED)
    return list(found.exclude(kind=TrainingRun.Kind.ORDER).order_by("number").prefetch_related("versions"))


def write_tensorboard(campaign: Campaign, folder: Path) -> int:
    """Write an event file a run below `folder`; returns how many runs."""
    writer_of = _needed("tensorboardX", "tensorboardX").SummaryWriter
    runs = runs_of(campaign)
    for run in runs:
        target = folder / f"run-{run.number}"
        for left in target.glob("events.*"):
            left.unlink()
        with writer_of(str(target)) as writer:
            for name, value, step in _curve(run):
                writer.add_scalar(name, value, step, walltime=run.finished_at.timestamp())
            for version in run.versions.all():
                for name, value in _figures(version):
                    writer.add_scalar(name, value, run.n_examples, walltime=run.finished_at.timestamp())
    return len(runs)


def write_mlflow(campaign: Campaign, uri: str) -> int:
    """Log each model, and each encoder that read the texts first, as a run of the experiment with the
    campaign's name; what is there is left as it is. Returns how many were written."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # the library would tell its makers that it is used
    client = _needed("mlflow", "mlflow-skinny").MlflowClient(tracking_uri=uri)
    name = f"{campaign.name} {campaign.pk}"
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
    known = {one.data.tags.get("model") for one in client.search_runs([experiment_id], max_results=50_000)}
    n_written = 0
    for run in runs_of(campaign):
        for logged in _logged(run):
            if logged.key not in known:
                _log(client, experiment_id, run, logged)
                n_written += 1
    return n_written


class Logged(NamedTuple):
    """What MLflow calls a run. The key tells it from the others."""

    key: str
    name: str
    family: str
    settings: dict
    figures: Iterable[tuple[str, float]]
    has_curve: bool


def _logged(run: TrainingRun) -> Iterator[Logged]:
    """A run's models, or its encoder that read the texts first."""
    if run.kind == TrainingRun.Kind.PRETRAIN:
        yield Logged(str(run.pk), f"run {run.number}: texts read first", "pretrained", run.config, (), True)
    for version in run.versions.all():
        is_encoder = version.family == ModelVersion.Family.ENCODER
        settings = version.lineage.get("config") or {}
        figures = _figures(version)
        yield Logged(str(version.pk), f"v{version.number}", version.family, settings, figures, is_encoder)


def _log(client, experiment_id: str, run: TrainingRun, one: Logged) -> None:
    began, ended = (int(1000 * at.timestamp()) for at in (run.started_at, run.finished_at))
    tags = {"model": one.key, "family": one.family, "snapshot_sha256": run.snapshot_sha256}
    logged = client.create_run(experiment_id, began, tags, run_name=one.name).info.run_id
    for name, value in shown_settings(one.settings).items():
        client.log_param(logged, name, value)
    for name, value in one.figures:
        client.log_metric(logged, name.replace("/", "."), value, timestamp=ended)
    for name, value, step in _curve(run) if one.has_curve else ():
        client.log_metric(logged, name.replace("/", "."), value, timestamp=ended, step=step)
    client.set_terminated(logged, end_time=ended)


def _curve(run: TrainingRun) -> Iterator[tuple[str, float, int]]:
    for point in run.history:
        encoder = f"{point['encoder']}/" if "encoder" in point else ""  # of relations, which two learn
        for name in ("train_loss", "validation_loss", "validation_accuracy", "validation_f1"):
            if point.get(name) is not None:
                yield f"{encoder}seed_{point.get('seed', 0)}/{name}", point[name], point["step"]


def _figures(version: ModelVersion) -> Iterator[tuple[str, float]]:
    for name in FIGURES:
        value = version.metrics["test"].get(name)
        if value is not None:
            yield f"{version.family}/{name}", value


def _needed(module: str, package: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise Invalid(
            f"This needs the Python package {package}: .venv/bin/python -m pip install {package}",
            code="package_missing",
        ) from missing
