"""A campaign's runs for TensorBoard or MLflow."""

from pathlib import Path

from django.core.management.base import CommandError

from annotation.management.console import PlatformCommand, campaign_named
from training.services.trackers import write_mlflow, write_tensorboard


class Command(PlatformCommand):
    help = (
        "Write the curves and figures of a campaign's runs as TensorBoard event files, or log them to an "
        "MLflow server. Without this command nothing is sent anywhere."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument("--tensorboard", type=Path, metavar="FOLDER", help="folder for event files")
        parser.add_argument("--mlflow", metavar="URI", help="address of the tracking server")

    def handle(self, *, campaign: str, tensorboard: Path | None, mlflow: str | None, **options):
        if not tensorboard and not mlflow:
            raise CommandError("Say where to: --tensorboard FOLDER or --mlflow URI.")
        found = campaign_named(campaign)
        if tensorboard:
            n = write_tensorboard(found, tensorboard)
            self.stdout.write(f"{n} runs are in {tensorboard}: tensorboard --logdir {tensorboard}")
        if mlflow:
            self.stdout.write(f"{write_mlflow(found, mlflow)} models logged that were not there yet.")
