"""Let a campaign's model read a file."""

from pathlib import Path

from django.core.management.base import CommandError

from annotation.management.console import (
    SHARE_FORMAT,
    PlatformCommand,
    campaign_named,
    progress_bar,
    refusal_lines,
    show_share,
)


class Command(PlatformCommand):
    help = (
        "Write what the campaign's model thinks of each text of a file: its label with calibrated "
        "probabilities, its labels, or its spans. Rows that can't be read are reported and left out."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument(
            "file",
            type=Path,
            help="CSV or JSONL with id and text; for pairs also second, of relations also known spans",
        )
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv or .jsonl")

    def handle(self, *, campaign: str, file: Path, out: Path, **options):
        # Imported here because it brings torch, which --help does not need.
        from training.services.prediction_files import predict_file

        found = campaign_named(campaign)
        try:
            with progress_bar(total=100, desc="Predicting", bar_format=SHARE_FORMAT) as bar:
                tally = predict_file(found, file, out, on_progress=lambda share: show_share(bar, share))
        except OSError as error:
            raise CommandError(f"{out} can't be written: {error.strerror}.") from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Nothing was written.") from None
        self.stdout.write(f"{tally.n_taken:,} texts read into {out}, {tally.n_refused:,} refused.")
        for line in refusal_lines(tally.refusals, tally.reasons):
            self.stdout.write(line)
