"""What goes from the disk when a run ends: weights that were replaced. Rows and figures stay."""

import shutil
from uuid import UUID

from django.db import transaction

from training.models import ModelVersion
from training.services import adaptation, runs
from training.services.promotions import hold_charge


def tidy(campaign_id: UUID) -> None:
    """Remove what nothing needs any more: checkpoints of runs that are over, weights of old models."""
    for path in _let_go(campaign_id):
        shutil.rmtree(path, ignore_errors=True)
    for run in runs.TrainingRun.objects.over().filter(campaign=campaign_id):
        shutil.rmtree(runs.run_directory(run) / "checkpoint", ignore_errors=True)
    adaptation.tidy(campaign_id)


@transaction.atomic
def _let_go(campaign_id: UUID) -> list[str]:
    """Take the files from models that were replaced, in the rows; the folders may go once that is certain."""
    hold_charge(campaign_id)
    superseded = runs.superseded_models(campaign_id)
    ModelVersion.objects.filter(pk__in=[version.pk for version in superseded]).update(path="")
    return [version.path for version in superseded]
