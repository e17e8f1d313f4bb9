"""Say how much a campaign's volunteers agree."""

import json

from annotation.management.console import PlatformCommand, campaign_named
from annotation.services.agreement import agreement_of


class Command(PlatformCommand):
    help = (
        "Print, as JSON, how much volunteers agree on the latest settled tasks: alpha, kappa and their like "
        "with 95 % intervals, for each label, by week, and for each two of the volunteers."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")

    def handle(self, *, campaign: str, **options):
        figures = agreement_of(campaign_named(campaign)).figures()
        self.stdout.write(json.dumps(figures, indent=2))
