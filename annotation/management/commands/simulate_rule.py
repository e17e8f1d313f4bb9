"""Try another stop rule on the answers a campaign already has."""

import json
from dataclasses import asdict

from django.core.management.base import CommandError

from annotation.algorithms.stopping import parse_rule
from annotation.management.console import PlatformCommand, campaign_named, progress_bar
from annotation.services.rule_trials import try_rule


class Command(PlatformCommand):
    help = (
        "Replay a campaign's answers, each task's in an order of the seed, only while a rule asks for more, "
        "and print as JSON what it would have cost and decided, whatever the kind of task."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument(
            "--rule",
            required=True,
            help='in words: "start with 2 answers, stop at 0.97 sure, at most 7 answers"; '
            "what is left out keeps its default",
        )
        parser.add_argument("--seed", type=int, default=0, help="of the orders (0)")
        parser.add_argument("--tasks", type=int, help="only so many tasks, those with the most answers")

    def handle(self, *, campaign: str, rule: str, seed: int, tasks: int | None, **options):
        try:
            parsed = parse_rule(rule)
        except ValueError as error:
            raise CommandError(f"This is no rule: {error}.") from error
        with progress_bar(unit=" verdicts") as bar:

            def show(n_found: int, n_at_most: int) -> None:
                bar.total = n_at_most
                bar.update(n_found - bar.n)

            trial = try_rule(campaign_named(campaign), parsed, seed=seed, n_tasks=tasks, on_progress=show)
        self.stdout.write(json.dumps(asdict(trial), indent=2))
