"""Take records in from a file or folder of this machine."""

from pathlib import Path

from django.core.management.base import CommandError

from annotation.management.console import (
    N_SHOWN,
    SHARE_FORMAT,
    PlatformCommand,
    campaign_named,
    progress_bar,
    refusal_lines,
    show_share,
)
from annotation.models import Import
from annotation.services import intake


class Command(PlatformCommand):
    help = (
        "Take records in: CSV with id,text, JSONL, a zip or a folder of .txt. Bad rows are reported and the "
        "good ones go in; the same file twice changes nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--deidentified",
            action="store_true",
            help="the records are free of identifying details; without this they are held",
        )

    def handle(self, *, campaign: str, file: Path, deidentified: bool, **options):
        path = file.resolve()
        batch = intake.start_import(
            campaign_named(campaign), path, file_name=path.name, deidentified=deidentified, by=None
        )
        with progress_bar(total=100, desc="Importing", bar_format=SHARE_FORMAT) as bar:
            batch = intake.run_import(batch.pk, on_progress=lambda share: show_share(bar, share))
        if batch is None:
            raise CommandError("A worker has taken this import over; see the campaign's page for its end.")
        self.report(batch)
        if batch.failure:
            raise CommandError(f"{batch.failure} ({batch.failure_code})")
        if not batch.n_imported and not batch.n_unchanged:
            raise CommandError("Nothing went in.")

    def report(self, batch: Import) -> None:
        self.stdout.write(
            f"{batch.n_imported:,} records taken in as {batch.n_tasks:,} tasks, {batch.n_unchanged:,} were "
            f"there already, {batch.n_refused:,} refused."
        )
        if batch.n_imported and not batch.deidentified:
            self.stdout.write(
                "They are held until somebody releases them, because they were not said to be --deidentified."
            )
        listed = batch.refused_rows.values_list("line", "external_id", "reason")
        for line in refusal_lines(list(listed[:N_SHOWN]), intake.refusal_counts(batch)):
            self.stdout.write(line)
