"""What an admin gets to see outside the hand-out. Every reading writes a row of the trail in the same act."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Least, Substr

from annotation.models import Campaign, Consensus, TrailEntry, User
from annotation.services.doubts import read_cases
from annotation.services.export import case_lines, export_lines

TIES_SHOWN = 50
TEXT_LENGTH = 600


@dataclass(frozen=True, slots=True)
class TiedTask:
    task_id: UUID
    record: str
    section: str
    text: str
    votes: dict[str, int]


@transaction.atomic
def read_tied_tasks(campaign: Campaign, *, by: User) -> list[TiedTask]:
    """Settled tasks on which the vote is even, the latest first. Held records stay out of sight."""
    tied = Consensus.objects.filter(campaign=campaign, task__held=False).tied()
    tied = tied.order_by("-settled_at", "task")
    length = Least(F("task__end") - F("task__start"), TEXT_LENGTH)
    text = Substr("task__record__text", F("task__start") + 1, length)
    columns = ("task", "task__record__external_id", "task__section", text, "votes")
    ties = [TiedTask(*row) for row in tied.values_list(*columns)[:TIES_SHOWN]]
    if ties:
        detail = {"tasks": [str(tie.task_id) for tie in ties]}
        TrailEntry.objects.create(user=by, campaign=campaign, verb="read_tied_tasks", detail=detail)
    return ties


def export_cases(campaign: Campaign, file_format: str, *, by: User) -> Iterator[str]:
    """The cases that the guideline does not decide, as a file's lines. The reading is noted at once."""
    return case_lines(read_cases(campaign, by=by, limit=None), file_format)


def export_consensus(campaign: Campaign, file_format: str, *, by: User) -> Iterator[str]:
    """The lines of the file, read while they are sent. It is noted before the first of them leaves."""
    detail = {"format": file_format}
    TrailEntry.objects.create(user=by, campaign=campaign, verb="export_consensus", detail=detail)
    return export_lines(campaign, file_format)
