"""Give the answers of a past crowd again."""

from pathlib import Path

from django.core.management.base import CommandError

from annotation.management.console import PlatformCommand, campaign_named, progress_bar, tally_lines
from annotation.services.replay import replay_answers


class Command(PlatformCommand):
    help = (
        "Replay a past crowd: CSV with the columns task, worker and label, in the file's order. Each worker "
        "becomes a volunteer marked as replayed. Replaying twice adds nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--all",
            action="store_true",
            dest="all_answers",
            help="raise each task's need to the number of its answers in the file, instead of refusing them",
        )

    def handle(self, *, campaign: str, file: Path, all_answers: bool, **options):
        found = campaign_named(campaign)
        with progress_bar(unit=" answers") as bar:

            def show(n_rows: int, n_in_all: int) -> None:
                bar.total = n_in_all
                bar.update(n_rows - bar.n)

            tally = replay_answers(found, file, all_answers=all_answers, on_progress=show)
        for line in tally_lines("answers given", tally):
            self.stdout.write(line)
        if not tally.n_taken and not tally.n_unchanged:
            raise CommandError("No answer was given.")
