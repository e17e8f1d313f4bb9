"""Held records: read by people, and let out one by one or all at once.

What a volunteer reported ("I see a name") goes out one by one, and only by somebody who has read it since.
"""

from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max

from annotation.errors import NotFound, NotYetRead
from annotation.models import Assignment, Campaign, Record, TrailEntry, User
from annotation.services.places import set_held

RECORDS_SHOWN = 10
CHARACTERS_SHOWN = 100_000  # of all of them together; one record is shown whole, however long it is
READ = "read_held_records"
LOCK_HELD_RECORDS = """
SELECT count(*) FROM (SELECT FROM annotation_record WHERE campaign_id = %s AND held FOR UPDATE) locked
"""


@dataclass(frozen=True, slots=True)
class HeldRecord:
    record_id: UUID
    external_id: str
    text: str
    reported: list[tuple[int, int]]  # [start, end) in code points: the tasks in which a volunteer saw a name

    @property
    def pieces(self) -> list[tuple[str, bool]]:
        """The text in pieces, and of each whether a volunteer reported it."""
        pieces, at = [], 0
        for start, end in self.reported:
            pieces += [(self.text[at:start], False), (self.text[start:end], True)]
            at = end
        return [(piece, reported) for piece, reported in [*pieces, (self.text[at:], False)] if piece]


@dataclass(frozen=True, slots=True)
class HeldList:
    n_reported: int
    n_others: int
    reported: bool  # which of the two lists `records` is a part of
    records: list[HeldRecord]
    more_after: UUID | None  # where the next part of the list begins, if there is one


@transaction.atomic
def read_held_records(
    campaign: Campaign, *, reported: bool | None = None, after: UUID | None = None, by: User
) -> HeldList:
    """Held records in the order in which they came in: those that volunteers reported, or the others.

    If it is left open which: the reported ones while there are any.
    """
    held = Record.objects.held_of(campaign)
    lists = {True: held.reported(), False: held.not_reported()}
    n_reported, n_others = lists[True].count(), lists[False].count()
    if reported is None:
        reported = n_reported > 0
    chosen = lists[reported].order_by("pk")
    if after is not None:
        chosen = chosen.filter(pk__gt=after)
    found = list(chosen.only("external_id", "text")[: RECORDS_SHOWN + 1])
    shown = found[: min(RECORDS_SHOWN, _n_that_fit([len(record.text) for record in found]))]
    if shown:
        detail = {"records": [str(record.pk) for record in shown]}
        TrailEntry.objects.create(user=by, campaign=campaign, verb=READ, detail=detail)
    spans = _reported_spans(shown)
    return HeldList(
        n_reported=n_reported,
        n_others=n_others,
        reported=reported,
        records=[HeldRecord(r.pk, r.external_id, r.text, spans.get(r.pk, [])) for r in shown],
        more_after=shown[-1].pk if len(shown) < len(found) else None,
    )


def _n_that_fit(lengths: list[int]) -> int:
    return max(1, sum(total <= CHARACTERS_SHOWN for total in accumulate(lengths)))


def _reported_spans(records: list[Record]) -> dict[UUID, list[tuple[int, int]]]:
    spans: dict[UUID, list[tuple[int, int]]] = {}
    reports = Assignment.objects.saw_a_name().filter(task__record__in=records).order_by("task__start")
    for record_id, start, end in reports.values_list("task__record", "task__start", "task__end").distinct():
        spans.setdefault(record_id, []).append((start, end))
    return spans


@transaction.atomic
def release_record(campaign: Campaign, record_id: UUID, *, by: User) -> bool:
    """Let a record go out, by somebody who has read it as it is held now; False if it was out already."""
    records = Record.objects.filter(campaign=campaign, pk=record_id)
    held = records.select_for_update().values_list("held", flat=True).first()
    if held is None:
        raise NotFound()
    if not held:
        return False
    if not _has_read(campaign, record_id, by):
        raise NotYetRead()
    set_held(records, held=False)
    detail = {"record": str(record_id)}
    TrailEntry.objects.create(user=by, campaign=campaign, verb="release_record", detail=detail)
    return True


def _has_read(campaign: Campaign, record_id: UUID, user: User) -> bool:
    """Since the last report: a look from before it did not know what to look for."""
    readings = TrailEntry.objects.filter(
        user=user, campaign=campaign, verb=READ, detail__records__contains=[str(record_id)]
    )
    reports = Assignment.objects.saw_a_name().filter(task__record=record_id)
    reported_at = reports.aggregate(last=Max("closed_at"))["last"]
    return (readings.filter(at__gte=reported_at) if reported_at else readings).exists()


@transaction.atomic
def release_records(campaign: Campaign, *, by: User | None) -> int:
    """Let all held records go out that nobody reported: whoever does it vouches that they identify nobody.

    They are locked by a statement of its own, so that the next one sees every report of a record that
    somebody else let out, and that was handed out and held again, while we waited for its lock.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK_HELD_RECORDS, [campaign.pk])
    n_released = set_held(Record.objects.held_of(campaign).not_reported(), held=False)
    TrailEntry.objects.create(user=by, campaign=campaign, verb="release_records", detail={"n": n_released})
    return n_released
