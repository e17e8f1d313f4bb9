"""Hold a campaign's consensus against gold."""

import json
from pathlib import Path

from annotation.management.console import PlatformCommand, campaign_named, refusal_lines
from annotation.services.scoring import score_consensus


class Command(PlatformCommand):
    help = (
        "Print, as JSON, how right a campaign's consensus is: accuracy, macro-F1 or span F1, calibration "
        "error, answers per task. The gold is read from the file and not kept."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument(
            "--gold",
            type=Path,
            required=True,
            help="CSV with the columns task and label, or JSONL with {id, spans: [[start, end, label]]}",
        )

    def handle(self, *, campaign: str, gold: Path, **options):
        figures, tally = score_consensus(campaign_named(campaign), gold)
        for line in refusal_lines(tally.refusals, tally.reasons):
            self.stderr.write(line)
        self.stdout.write(json.dumps(figures, indent=2))
