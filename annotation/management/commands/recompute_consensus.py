"""Compute every consensus again from the answers."""

import sys

from django.utils import timezone

from annotation.management.console import PlatformCommand, campaign_named, progress_bar
from annotation.services.consensus import recompute_consensus


class Command(PlatformCommand):
    help = "Compute every consensus of a campaign again from its answers and write what differs."

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument(
            "--check", action="store_true", help="write nothing; exit with 1 when something differs"
        )

    def handle(self, *, campaign: str, check: bool, **options):
        n_differences = 0
        with progress_bar(unit=" tasks") as bar:
            judged = recompute_consensus(campaign_named(campaign), now=timezone.now(), check=check)
            for n_tasks, n_different in judged:
                bar.update(n_tasks)
                n_differences += n_different
        done = "" if check or not n_differences else ", written anew"
        self.stdout.write(f"{n_differences} difference{'' if n_differences == 1 else 's'}{done}")
        if check and n_differences:
            sys.exit(1)
