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
        found = agreement_of(campaign_named(campaign))
        figures = {
            "n_tasks": found.n_tasks,
            "n_answers": found.n_answers,
            "measures": {name: measure and measure._asdict() for name, measure in found.measures.items()},
            "labels": {row.name: row.alpha and row.alpha._asdict() for row in found.labels},
            "weeks": {str(week.week): {"alpha": week.alpha, "n_tasks": week.n_tasks} for week in found.weeks},
            "pairs": {
                row.pseudonym: {
                    other.pseudonym: {"kappa": kappa, "n_tasks": n_shared}
                    for other, (kappa, n_shared) in zip(found.pairs, row.cells, strict=True)
                    if n_shared
                }
                for row in found.pairs
            },
        }
        self.stdout.write(json.dumps(figures, indent=2))
