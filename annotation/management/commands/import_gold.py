"""Take in the right answers of some tasks."""

from pathlib import Path

from django.core.management.base import CommandError

from annotation.management.console import PlatformCommand, campaign_named, progress_bar, tally_lines
from annotation.services.gold import import_gold


class Command(PlatformCommand):
    help = (
        "Take in gold: CSV with the columns task and label. A task is called by its record's id, one of "
        "several sentences recordid#0, recordid#1 and so on; labels by their keys."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument("file", type=Path)

    def handle(self, *, campaign: str, file: Path, **options):
        with progress_bar(unit=" rows") as bar:
            tally = import_gold(
                campaign_named(campaign), file, on_progress=lambda tally: bar.update(tally.n_rows - bar.n)
            )
        for line in tally_lines("taken in", tally):
            self.stdout.write(line)
        if not tally.n_taken and not tally.n_unchanged:
            raise CommandError("Nothing went in.")
