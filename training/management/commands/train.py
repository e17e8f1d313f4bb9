"""Train a campaign's model now, in this process, with a progress bar."""

from django.core.management.base import CommandError
from django.utils import timezone

from annotation.management.console import (
    SHARE_FORMAT,
    PlatformCommand,
    campaign_named,
    progress_bar,
    show_share,
)
from training.models import TrainingRun
from training.services import runs
from training.services.policies import change_policy
from training.services.promotions import in_charge


class Command(PlatformCommand):
    help = (
        "Train models on the campaign's consensus labels now. The best of them takes charge if it passes the "
        "gate, and whichever is in charge orders the queue."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument(
            "--base-model",
            metavar="FOLDER",
            help="train from the model in this folder on the server from now on; '' for the site's own",
        )

    def handle(self, *, campaign: str, base_model: str | None, **options):
        trained, now = campaign_named(campaign), timezone.now()
        if base_model is not None:
            change_policy(runs.policy_of(trained), by=None, now=now, base_model=base_model)
        run = runs.open_run(trained, now=now)
        train(run)
        for version in run.versions.order_by("number"):
            figures = version.metrics["test"]
            self.stdout.write(
                f"v{version.number} ({version.get_family_display()}): accuracy {figures['accuracy']:.3f}, "
                f"macro-F1 {figures['macro_f1']:.3f} on {figures['n_examples']} texts"
            )
        for check in run.verdict["checks"]:
            self.stdout.write(("" if check["passed"] else "REFUSED: ") + check["sentence"])
        self.stdout.write(f"v{in_charge(trained.pk).number} is in charge and has ordered the queue.")


def train(run: TrainingRun) -> None:
    """Execute the run here; CommandError with its plain reason when it fails."""
    # Imported here because it brings torch, which --help does not need.
    from training.services.execution import execute_run

    with progress_bar(total=100, bar_format=SHARE_FORMAT) as bar:

        def watch(stage: str, share_done: float) -> None:
            bar.set_description_str(stage, refresh=False)
            show_share(bar, share_done)

        succeeded = execute_run(run.pk, watch=watch)
    run.refresh_from_db()
    if run.state == TrainingRun.State.FAILED:
        raise CommandError(f"{run.failure} ({run.failure_code})")
    if not succeeded:
        raise CommandError("Another worker has taken this run up; see its page.")
