"""One training run from snapshot to a re-ordered queue. Read it from top to bottom.

Every stage can be repeated: a run taken up by another worker finds the snapshot, the checkpoint or the
published model of the first and goes on from there.
"""

import logging
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import numpy as np
import psycopg2.errors
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from annotation.errors import Invalid
from annotation.models import Campaign
from training import encoder
from training.algorithms.examples import Examples
from training.algorithms.metrics import evaluate
from training.algorithms.splits import TEST, VALIDATION
from training.config import FineTuneConfig
from training.encoder.refusals import NO_ROOM, too_few_examples
from training.errors import RunLost
from training.models import ModelVersion, TrainingRun
from training.services import runs
from training.services.base_models import folder_of
from training.services.heartbeat import kept_alive
from training.services.priorities import order_queue
from training.services.snapshot import Snapshot, read_snapshot, take_snapshot

logger = logging.getLogger(__name__)
Watcher = Callable[[str, float], None]
DISK_FULL = "The disk is full. Make room, then start the run again; nothing was lost."


def execute_run(run_id: UUID, *, watch: Watcher = lambda stage, share_done: None) -> bool:
    """Do the run if nobody else does; True when it succeeded. `watch` gets (stage, share done) as it goes."""
    token = runs.start_run(run_id, now=timezone.now())
    if token is None:
        return False
    succeeded = _attempt(run_id, token, watch)
    _tidy(TrainingRun.objects.get(pk=run_id).campaign_id)
    return succeeded


def _attempt(run_id: UUID, token: int, watch: Watcher) -> bool:
    try:
        with kept_alive(run_id, token) as check:
            _execute(run_id, token, check, watch)
        return True
    except RunLost:
        logger.warning("run %s was taken over by another worker", run_id)
    except (encoder.TrainingRefused, Invalid) as refused:
        runs.fail_run(run_id, token, code=refused.code, sentence=refused.sentence, now=timezone.now())
    except (OperationalError, InterfaceError) as error:
        if not isinstance(error.__cause__, psycopg2.errors.DiskFull):
            raise  # the database is away: the lease runs out, and the run is taken up from its checkpoint
        runs.fail_run(run_id, token, code="disk_full", sentence=DISK_FULL, now=timezone.now())
    except Exception as error:
        # Without the error's own words, which may quote a record.
        where = "".join(traceback.format_tb(error.__traceback__))
        logger.error("run %s broke off: %s\n%s", run_id, type(error).__name__, where)
        code, sentence = _explain(error)
        runs.fail_run(run_id, token, code=code, sentence=sentence, now=timezone.now())
    return False


def _execute(run_id: UUID, token: int, check: Callable[[], None], watch: Watcher) -> None:
    run = TrainingRun.objects.select_related("campaign").get(pk=run_id)
    progress = Progress(run, token, check, watch)
    version = ModelVersion.objects.filter(run=run).first()
    if version is None:
        config = config_of(run)
        version = _learn(run, token, config, progress)
    progress.enter("scoring")
    order_queue(version, number=run.number, on_progress=progress.share)
    runs.finish_run(run_id, token, now=timezone.now())
    watch("done", 1.0)


def _learn(run: TrainingRun, token: int, config: FineTuneConfig, progress: "Progress") -> ModelVersion:
    directory = runs.run_directory(run)
    progress.enter("snapshot")
    snapshot = _snapshot(run, token, config, directory)
    progress.enter("training")
    label_keys = _labels_with_examples(run.campaign, snapshot)
    examples = _examples(snapshot, label_keys)
    tuned = encoder.fine_tune(
        examples,
        config,
        output_dir=directory / "model",
        checkpoint_dir=directory / "checkpoint",
        on_progress=progress.report,
    )
    progress.history(tuned.history)
    metrics = {
        name: _judge(tuned.path, examples, part, progress)
        for name, part in (("validation", VALIDATION), ("test", TEST))
    }
    return runs.publish_model(
        run.pk, token, path=tuned.path, sha256=tuned.sha256, label_keys=label_keys, metrics=metrics
    )


def _examples(snapshot: Snapshot, label_keys: list[str]) -> Examples:
    """The snapshot as the learners take it: every label certain, every example of one weight."""
    n, parts = len(snapshot.texts), np.array(snapshot.parts, dtype=np.int8)
    if not (parts == TEST).any():
        raise too_few_examples()
    targets = np.zeros((n, len(label_keys)), dtype=np.float32)
    targets[np.arange(n), [label_keys.index(label) for label in snapshot.labels]] = 1.0
    return Examples(
        head="single",
        class_names=tuple(label_keys),
        texts=snapshot.texts,
        targets=targets,
        weights=np.ones(n, dtype=np.float32),
        parts=parts,
    )


def _judge(model_dir: Path, examples: Examples, part: int, progress: "Progress") -> dict:
    rows = examples.rows(part)
    texts = [examples.texts[row] for row in rows]
    probabilities = encoder.predict_proba(model_dir, texts, on_progress=lambda share: progress.check())
    return evaluate(examples.labels[rows], probabilities)


def _snapshot(run: TrainingRun, token: int, config: FineTuneConfig, directory: Path) -> Snapshot:
    """The run's own snapshot; taken once, however often the run is taken up."""
    if run.snapshot_sha256:
        snapshot = read_snapshot(Path(run.snapshot_path))
        if snapshot.sha256 != run.snapshot_sha256:
            raise encoder.TrainingRefused(
                "snapshot_changed", "The run's snapshot was changed after it was taken."
            )
        return snapshot
    now = timezone.now()
    snapshot = take_snapshot(run, directory / "snapshot.jsonl", config, settled_by=now)
    runs.beat_run(
        run.pk,
        token,
        now=now,
        snapshot_path=str(snapshot.path),
        snapshot_sha256=snapshot.sha256,
        snapshot_at=now,
        n_examples=len(snapshot.texts),
        config=config.to_dict(),
    )
    return snapshot


def config_of(run: TrainingRun) -> FineTuneConfig:
    if run.config:
        return FineTuneConfig.from_dict(run.config)
    return FineTuneConfig(base_model_path=folder_of(runs.policy_of(run.campaign).base_model))


def _labels_with_examples(campaign: Campaign, snapshot: Snapshot) -> list[str]:
    """A model's outputs: the campaign's labels that occur, in the campaign's order."""
    occurring = set(snapshot.labels)
    return [key for key in campaign.label_names if key in occurring]


def _explain(error: Exception) -> tuple[str, str]:
    if isinstance(error, OSError):
        if error.errno in NO_ROOM:
            return "disk_full", DISK_FULL
        reason = error.strerror or type(error).__name__
        return "file_error", f"A file could not be read or written ({reason})."
    return (
        "unforeseen",
        f"Something unforeseen stopped the run ({type(error).__name__}); the worker's log has it.",
    )


def _tidy(campaign_id: UUID) -> None:
    """Remove what nothing needs any more: checkpoints of runs that are over, weights of old models."""
    for run in TrainingRun.objects.over().filter(campaign=campaign_id):
        shutil.rmtree(runs.run_directory(run) / "checkpoint", ignore_errors=True)
    for version in runs.superseded_models(campaign_id):
        shutil.rmtree(version.path, ignore_errors=True)
        ModelVersion.objects.filter(pk=version.pk).update(path="")


class Progress:
    """Carries how far the run is to its row and to whoever watches; stops the work once the run is lost."""

    SHARES = {"snapshot": (0.0, 0.02), "training": (0.02, 0.7), "scoring": (0.7, 1.0)}

    def __init__(self, run: TrainingRun, token: int, check: Callable[[], None], watch: Watcher):
        self.run, self.token, self.check, self.watch = run, token, check, watch
        self.stage = "snapshot"

    def enter(self, stage: str) -> None:
        self.stage = stage
        self.share(0.0)

    def share(self, share_of_stage: float, **more) -> None:
        self.check()
        low, high = self.SHARES[self.stage]
        share_done = low + (high - low) * share_of_stage
        self.watch(self.stage, share_done)
        runs.beat_run(
            self.run.pk, self.token, now=timezone.now(), stage=self.stage, share_done=share_done, **more
        )

    def report(self, progress: "encoder.Progress") -> None:
        self.share(progress.share_done, history=progress.history)

    def history(self, history: list[dict]) -> None:
        self.share(1.0, history=history)
