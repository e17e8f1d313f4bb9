"""Write a campaign's consensus to the standard output."""

from annotation.management.console import PlatformCommand, campaign_named, progress_bar
from annotation.models import Consensus
from annotation.services.export import FORMATS, export_lines


class Command(PlatformCommand):
    help = (
        "Print task,label,share,n_answers,gold for each task that has answers. A tie goes to the tied label "
        "that is most common among all answers of the campaign, and between equals to the first in the "
        "campaign's order. CSV cells that a spreadsheet would take for a formula (= + - @, tab or carriage "
        "return first) begin with an apostrophe."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument("--format", choices=FORMATS, default="csv", dest="file_format")

    def handle(self, *, campaign: str, file_format: str, **options):
        found = campaign_named(campaign)
        n_tasks = Consensus.objects.filter(campaign=found).count()
        with progress_bar(total=n_tasks, unit=" tasks") as bar:
            for line in export_lines(found, file_format):
                self.stdout.write(line, ending="")
                bar.update()
