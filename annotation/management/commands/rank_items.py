"""Rank what the volunteers of a campaign of pairs have compared."""

import csv

from annotation.management.console import PlatformCommand, campaign_named
from annotation.services.export import harmless
from annotation.services.ranking import rank_items


class Command(PlatformCommand):
    help = (
        "Print, as CSV, the compared items of a campaign of pairs, the most preferred first: rank, item, "
        "score, standard_error, n_compared. Bradley-Terry with ties and a reliability for each volunteer."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")

    def handle(self, *, campaign: str, **options):
        rows = rank_items(campaign_named(campaign))
        out = csv.writer(self.stdout, lineterminator="\n")
        out.writerow(["rank", "item", "score", "standard_error", "n_compared"])
        for row in rows:
            figures = (round(row.score, 4), round(row.standard_error, 4), row.n_compared)
            out.writerow([row.rank, harmless(row.item), *figures])
