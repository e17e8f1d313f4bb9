"""What goes from the disk when a run ends. Rows and figures stay.

Of a run that is over its folder keeps what rows name: its models' files, with them the snapshot that they
learned from, and the encoder that it adapted. All else goes: checkpoints, texts, what killed workers left.
"""

import shutil
from collections import defaultdict
from pathlib import Path
from uuid import UUID

from django.db import transaction

from training.models import AdaptedEncoder, ModelVersion, TrainingRun
from training.services import runs
from training.services.promotions import hold_charge


def tidy(campaign_id: UUID) -> None:
    """Let go the files of models and encoders that were replaced, and remove what no row names any more."""
    _let_go(campaign_id)
    # Read before the names: a run that ends in between would be over, and its models not among them.
    over = list(TrainingRun.objects.over().filter(campaign=campaign_id))
    named = _named(campaign_id)
    for run in over:
        _remove_all_but(named[run.pk], runs.run_directory(run))


@transaction.atomic
def _let_go(campaign_id: UUID) -> None:
    """In the rows, so that folders go once that is certain."""
    hold_charge(campaign_id)
    superseded = runs.superseded_models(campaign_id)
    ModelVersion.objects.filter(pk__in=[version.pk for version in superseded]).update(path="")
    kept = ModelVersion.objects.filter(campaign=campaign_id).exclude(path="")
    started_from = set(kept.values_list("lineage__base_model_sha256", flat=True)) - {None}
    unused = AdaptedEncoder.objects.filter(campaign=campaign_id, in_use=False)
    unused.exclude(sha256__in=started_from).update(path="")


def _named(campaign_id: UUID) -> dict[UUID, set[str]]:
    """By run, what of its folder is kept. By name, for the folder above may have been moved."""
    versions = ModelVersion.objects.filter(campaign=campaign_id).exclude(path="")
    encoders = AdaptedEncoder.objects.filter(campaign=campaign_id).exclude(path="")
    kept = [
        *versions.values_list("run", "path"),
        *versions.values_list("run", "run__snapshot_path"),
        *encoders.values_list("run", "path"),
    ]
    named = defaultdict(set)
    for run_id, path in kept:
        named[run_id].add(Path(path).name)
    return named


def _remove_all_but(names: set[str], folder: Path) -> None:
    if not names:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for entry in folder.glob("*"):
        if entry.name in names:
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
