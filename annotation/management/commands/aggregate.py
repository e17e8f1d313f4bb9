"""Choose how a campaign's answers are weighed, and weigh them now."""

import sys

from django.core.management.base import CommandError
from django.utils import timezone

from annotation.kinds import kind_named
from annotation.management.console import PlatformCommand, campaign_named, progress_bar
from annotation.models import Campaign
from annotation.services.campaigns import update_campaign
from annotation.services.consensus import recompute_consensus
from annotation.services.crowd import judge_again, refit

DEFAULT = "default"


class Command(PlatformCommand):
    help = (
        "Weigh a campaign's answers anew: fit the volunteers' parameters and judge every task by them. "
        "The method is the campaign's from then on; `default` is the engine's own choice."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument(
            "--method",
            choices=[DEFAULT, *Campaign.Aggregation.values],
            help="how answers are weighed; left out, as the campaign has it",
        )
        parser.add_argument(
            "--check",
            action="store_true",
            help="write nothing; exit with 1 when a consensus is not what the answers and the fit give",
        )

    def handle(self, *, campaign: str, method: str | None, check: bool, **options):
        found = campaign_named(campaign)
        wanted = Campaign.Aggregation.ENGINE if method == DEFAULT else method or found.aggregation
        if wanted not in kind_named(found.kind).methods:
            known = ", ".join(kind_named(found.kind).methods)
            raise CommandError(f"Answers of this kind can be weighed by: {known}.")
        if check:
            self._check(found, wanted)
            return
        if wanted != found.aggregation:
            found = update_campaign(found, by=None, aggregation=wanted)
        if not found.weighs_volunteers:
            self.stdout.write(f"{judge_again(found, now=timezone.now()):,} tasks moved (majority)")
            return
        with progress_bar(unit=" answers") as bar:

            def show(stage: str, n_done: int) -> None:
                bar.set_description(stage)
                bar.update(n_done if stage == "reading" else 0)

            fit = refit(found, now=timezone.now(), on_progress=show)
        if fit is None:
            raise CommandError("The crowd of this campaign is being fitted just now. Try again in a minute.")
        self.stdout.write(
            f"Fit {fit.number}: {fit.n_answers:,} answers on {fit.n_tasks:,} tasks in {fit.seconds:.1f} s, "
            f"{fit.n_changed:,} tasks moved ({fit.method})"
        )

    def _check(self, campaign: Campaign, wanted: str) -> None:
        if wanted != campaign.aggregation:
            raise CommandError(f"The campaign's answers are weighed by {campaign.aggregation}, not {wanted}.")
        n_differences = sum(n for _, n in recompute_consensus(campaign, now=timezone.now(), check=True))
        self.stdout.write(f"{n_differences} difference{'' if n_differences == 1 else 's'}")
        if n_differences:
            sys.exit(1)
