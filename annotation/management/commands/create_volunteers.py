"""Make accounts for people who gave their consent on paper."""

import csv

from django.core.management.base import CommandError

from annotation.management.console import PlatformCommand, campaign_named, progress_bar
from annotation.services.volunteers import Credentials, create_volunteers


class Command(PlatformCommand):
    help = (
        "Make volunteers of a campaign and print username, password and token as CSV, once: they can't be "
        "shown again. Their consent is recorded as given on paper."
    )

    def add_arguments(self, parser):
        parser.add_argument("--count", type=int, required=True)
        parser.add_argument("--campaign", required=True, help="the campaign's id")

    def handle(self, *, count: int, campaign: str, **options):
        if count < 1:
            raise CommandError("--count must be at least 1.")
        found = campaign_named(campaign)
        writer = csv.writer(self.stdout, lineterminator="\n")
        writer.writerow(Credentials._fields)
        with progress_bar(total=count, unit=" volunteers") as bar:
            for credentials in create_volunteers(found, count):
                writer.writerow(credentials)
                bar.update()
