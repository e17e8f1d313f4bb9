"""Make a model again from what is known of it, and compare."""

from uuid import UUID

from django.core.management.base import CommandError

from annotation.management.console import SHARE_FORMAT, PlatformCommand, progress_bar, show_share
from training.models import ModelVersion


class Command(PlatformCommand):
    help = (
        "Train a model again from the snapshot, the settings and the seed that it was made of, and compare "
        "weights and figures. Nothing is changed. Fails where the figures differ."
    )

    def add_arguments(self, parser):
        parser.add_argument("model", type=UUID, help="the model's id, as its run's page and the API show it")
        parser.add_argument(
            "--tolerance",
            type=float,
            default=0.02,
            help="how far accuracy may be off elsewhere (0.02)",
        )

    def handle(self, *, model: UUID, tolerance: float, **options):
        # Imported here because it brings torch, which --help does not need.
        from training.services.reproduction import reproduce

        version = ModelVersion.objects.select_related("run", "campaign").filter(pk=model).first()
        if version is None:
            raise CommandError("There is no model with this id. (unknown_model)")
        with progress_bar(total=100, bar_format=SHARE_FORMAT) as bar:
            found = reproduce(version, on_progress=lambda progress: show_share(bar, progress.share_done))
            show_share(bar, 1.0)
        if found.changed:
            self.stdout.write("Not as it was when the model was made: " + ", ".join(found.changed))
        self.stdout.write("The weights are the same." if found.same_weights else "The weights differ.")
        for name, then, now in found.figures:
            self.stdout.write(f"{name}: {then:.4f} then, {now:.4f} now")
        _, then, now = found.figures[0]
        if abs(then - now) > tolerance:
            raise CommandError(f"The accuracy differs by more than {tolerance}. (not_reproduced)")
