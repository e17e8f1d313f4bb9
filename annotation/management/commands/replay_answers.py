"""Give the answers of a past crowd again."""

from pathlib import Path

from django.core.management.base import CommandError

from annotation.management.console import PlatformCommand, campaign_named, progress_bar, tally_lines
from annotation.models import Consensus
from annotation.services.replay import replay_adaptively, replay_answers


class Command(PlatformCommand):
    help = (
        "Replay a past crowd, in the file's order: CSV with the columns task, worker and label, or JSONL "
        "with spans: {id, workers: [{worker, spans: [[start, end, label]]}]}. Each worker becomes a "
        "volunteer marked as replayed. Replaying twice adds nothing."
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
        parser.add_argument(
            "--adaptive",
            action="store_true",
            help="draw answers from the file in an order of the seed, only while the campaign asks for more",
        )
        parser.add_argument("--seed", type=int, default=0, help="of the order (0)")

    def handle(self, *, campaign: str, file: Path, all_answers: bool, adaptive: bool, seed: int, **options):
        if all_answers and adaptive:
            raise CommandError(
                "--all gives every answer, --adaptive only those that are asked for: choose one."
            )
        found = campaign_named(campaign)
        with progress_bar(unit=" answers") as bar:

            def show(n_rows: int, n_in_all: int) -> None:
                bar.total = n_in_all
                bar.update(n_rows - bar.n)

            if adaptive:
                tally = replay_adaptively(found, file, seed=seed, on_progress=show)
            else:
                tally = replay_answers(found, file, all_answers=all_answers, on_progress=show)
        for line in tally_lines("answers given", tally):
            self.stdout.write(line)
        if adaptive:
            n_tasks = Consensus.objects.filter(campaign=found).count()
            used = f"{tally.n_taken:,} answers used for {n_tasks:,} tasks"
            self.stdout.write(f"{used}: {tally.n_taken / n_tasks:.2f} a task" if n_tasks else used)
        if not tally.n_taken and not tally.n_unchanged:
            raise CommandError("No answer was given.")
