"""Train a campaign's model now, in this process, with a progress bar."""

from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from annotation.errors import NotFound, PlatformError
from annotation.models import Campaign
from training.models import TrainingRun
from training.services import runs


class Command(BaseCommand):
    help = "Train a model on the campaign's consensus labels now, and re-order its queue."

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")

    def handle(self, *, campaign: str, **options):
        try:
            run = runs.open_run(campaign_named(campaign), now=timezone.now())
        except PlatformError as error:
            raise CommandError(error.sentence) from error
        train(run)
        version = TrainingRun.objects.get(pk=run.pk).model_version
        self.stdout.write(f"v{version.number} is in charge and has ordered the queue.")
        for name in ("accuracy", "macro_f1"):
            self.stdout.write(f"{name} on the test part: {version.metrics[name]:.3f}")


def campaign_named(text: str) -> Campaign:
    try:
        return Campaign.objects.get(pk=UUID(text))
    except (ValueError, Campaign.DoesNotExist):
        raise NotFound(f"There is no campaign with the id {text[:50]!r}.", code="unknown_campaign") from None


def train(run: TrainingRun) -> None:
    """Execute the run here; CommandError with its plain reason when it fails."""
    # Imported here because it brings torch, which --help does not need.
    from training.services.execution import execute_run

    with tqdm(total=100, bar_format="{desc:<10} {percentage:3.0f}% |{bar}| {elapsed}") as bar:

        def watch(stage: str, share_done: float) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.n = 100 * share_done
            bar.refresh()

        succeeded = execute_run(run.pk, watch=watch)
    if not succeeded:
        run.refresh_from_db()
        raise CommandError(run.failure or "Another worker has taken this run up; see its page.")
