"""The tasks that still want answers, as columns, and what their crowds said: for whoever orders them."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import F, Sum, Value
from django.db.models.functions import Least
from psycopg2 import sql

from annotation.kinds import kind_named
from annotation.models import Answer, Campaign, Consensus

PAGE = 100_000  # rows a query: a long one would keep dead rows of the hot tables from being cleaned
LONGEST_SECONDS = 600.0  # of an answer that count as work; what is over that was spent elsewhere

# Binary COPY: ten million rows as Python objects would take more memory than the rows themselves.
OPEN = """
COPY (SELECT id, record_id, "end" - start, priority, priority_run FROM annotation_microtask
      WHERE campaign_id = {campaign} AND is_open AND id > {last} ORDER BY id LIMIT {page})
TO STDOUT (FORMAT binary)
"""
N_HEADER, N_TRAILER = 19, 2  # bytes before the first row and after the last
COLUMNS = (("id", "V16"), ("record_id", "V16"), ("length", ">i4"), ("priority", ">f8"), ("version", ">i4"))
ROW = np.dtype(
    [("n", ">i2"), *(pair for name, kind in COLUMNS for pair in ((f"size_{name}", ">i4"), (name, kind)))]
)


@dataclass(frozen=True, slots=True)
class OpenTasks:
    """N open tasks by id. Ids are 16 bytes each, `UUID(bytes=...)`."""

    ids: np.ndarray  # V16 [N]
    record_ids: np.ndarray  # V16 [N]
    lengths: np.ndarray  # int32 [N], code points
    priorities: np.ndarray  # float64 [N], by which they stand in the queue now
    versions: np.ndarray  # int32 [N], number of the model that gave the priority; 0 where it is random

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows of those among the ids V16 [M] that are open, bool [M] which are)."""
        mine, theirs = self.ids.view("S16"), ids.view("S16")
        rows = np.searchsorted(mine, theirs)
        found = rows < len(mine)
        found[found] = mine[rows[found]] == theirs[found]
        return rows[found], found

    def uuids(self, rows: np.ndarray) -> list[UUID]:
        return [UUID(bytes=task_id.tobytes()) for task_id in self.ids[rows]]

    def only(self, rows: np.ndarray) -> "OpenTasks":
        return OpenTasks(*(getattr(self, name)[rows] for name in self.__slots__))


def open_tasks(campaign_id: UUID) -> OpenTasks:
    pages = [np.empty(0, dtype=ROW), *_pages(campaign_id)]
    columns = [np.concatenate([page[name] for page in pages]) for name, _ in COLUMNS]
    ids, record_ids, lengths, priorities, versions = columns
    return OpenTasks(ids, record_ids, lengths.astype("i4"), priorities.astype("f8"), versions.astype("i4"))


def packed_ids(ids: Iterable[UUID]) -> np.ndarray:
    """V16 [N]."""
    return np.array([one.bytes for one in ids], dtype="V16")


def _pages(campaign_id: UUID) -> Iterator[np.ndarray]:
    last = UUID(int=0)
    while True:
        content = io.BytesIO()
        with connection.cursor() as cursor:
            statement = sql.SQL(OPEN).format(
                campaign=sql.Literal(str(campaign_id)), last=sql.Literal(str(last)), page=sql.Literal(PAGE)
            )
            cursor.copy_expert(statement, content)
        rows = np.frombuffer(content.getbuffer()[N_HEADER:-N_TRAILER], dtype=ROW)
        yield rows
        if len(rows) < PAGE:
            return
        last = UUID(bytes=rows["id"][-1].tobytes())


class CrowdSays(NamedTuple):
    """What a task's answers say so far: how likely each label is, and what they add up to, if anything."""

    task_id: UUID
    beliefs: dict[str, float]
    value: dict | None
    n_answers: int


def crowds_of_open_tasks(campaign_id: UUID) -> list[CrowdSays]:
    """Of open tasks that have answers."""
    one_label = kind_named(Campaign.objects.get(pk=campaign_id).kind).one_label
    rows = Consensus.objects.filter(campaign=campaign_id, task__is_open=True, n_answers__gt=0).values_list(
        "task_id", "posterior", "votes", "value", "n_answers"
    )
    found = []
    for task_id, posterior, votes, value, n_answers in rows.iterator():
        n_votes = sum(votes.values()) if one_label else n_answers
        beliefs = posterior or {label: n / n_votes for label, n in votes.items()}
        found.append(CrowdSays(task_id, beliefs, value, n_answers))
    return found


def answer_times(campaign_id: UUID, *, limit: int = 20_000) -> tuple[list[int], list[int], list[float]]:
    """(code points of the text, volunteer, seconds from the claim to the answer) of the newest answers."""
    rows = (
        Answer.objects.filter(assignment__task__campaign=campaign_id)
        .order_by("-answered_at")
        .annotate(length=F("assignment__task__end") - F("assignment__task__start"))
        .values_list("length", "assignment__volunteer_id", "seconds")[:limit]
    )
    lengths, volunteers, seconds = zip(*rows, strict=True) if rows else ((), (), ())
    return list(lengths), list(volunteers), list(seconds)


def minutes_spent(campaign_id: UUID, *, until: datetime) -> float:
    """Volunteers' minutes over the answers given until then. Looks at every answer of the campaign."""
    answers = Answer.objects.filter(assignment__task__campaign=campaign_id, answered_at__lte=until)
    work = Sum(Least("seconds", Value(LONGEST_SECONDS)), default=0.0)
    return answers.aggregate(seconds=work)["seconds"] / 60
