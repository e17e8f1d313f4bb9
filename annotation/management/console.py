"""What the commands have in common: a campaign by its id, progress on stderr, errors as a plain sentence."""

import os
import sys
from collections.abc import Sequence
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from annotation.errors import NotFound, PlatformError
from annotation.models import Campaign
from annotation.services.intake.refusals import SENTENCES, Tally

N_SHOWN = 20  # refused rows, one by one


class PlatformCommand(BaseCommand):
    """A command whose PlatformErrors become CommandErrors: a sentence and exit code 1."""

    def execute(self, *args, **options):
        try:
            return super().execute(*args, **options)
        except PlatformError as error:
            raise CommandError(f"{error.sentence} ({error.code})") from error
        except BrokenPipeError:
            # Whoever read our output has had enough (`| head`); Python would complain once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt:
            raise CommandError("Stopped. What was written so far stays; run it again to go on.") from None


def campaign_named(text: str) -> Campaign:
    try:
        return Campaign.objects.get(pk=UUID(text))
    except (ValueError, Campaign.DoesNotExist):
        raise NotFound(f"There is no campaign with the id {text[:50]!r}.", code="unknown_campaign") from None


def progress_bar(**options) -> tqdm:
    """On stderr; where that is no terminal, a plain line every few seconds instead of many."""
    return tqdm(file=sys.stderr, mininterval=0.2 if sys.stderr.isatty() else 5, **options)


def show_share(bar: tqdm, share: float) -> None:
    bar.update(100 * share - bar.n)


SHARE_FORMAT = "{desc} {percentage:3.0f}% |{bar}| {elapsed}"


def refusal_lines(refusals: Sequence[tuple[int, str, str]], reasons: dict[str, int]) -> list[str]:
    """The first refused rows by line and reason, then how many there are of each reason."""
    if not reasons:
        return []
    lines = []
    for line, name, reason in refusals[:N_SHOWN]:
        known_as = f" ({name})" if name else ""
        lines.append(f"line {line}{known_as}: {SENTENCES[reason]}")
    counts = [
        f"{n:,} x {reason}" for reason, n in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return ["Refused:", *lines, "By reason: " + ", ".join(counts) + "."]


def tally_lines(taken: str, tally: Tally) -> list[str]:
    counts = f"{tally.n_unchanged:,} were there already, {tally.n_refused:,} refused."
    return [f"{tally.n_taken:,} {taken}, {counts}", *refusal_lines(tally.refusals, tally.reasons)]
