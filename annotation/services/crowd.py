"""Refits of the volunteers' parameters over all answers of a campaign, and what follows for its tasks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

import numpy as np
import orjson
from django.db import connection, transaction
from django.db.models import Q, Sum

from annotation.kinds import Fit, Kind, Table, kind_named
from annotation.models import Campaign, CrowdFit, Gold, MicroTask, Opinion, Skill, VolunteerDay
from annotation.services.consensus import recompute_consensus, shut_crowd_gate
from annotation.services.judging import DECIDING, FITTED

PAGE = 50_000  # answers read at a time
FIRST_FIT = 50  # answers before the first fit
GROWTH = 0.1  # a refit is due when so many more answers have come, as a share of the last fit's
MOST_NEW = 5_000  # or when so many have come

Progress = Callable[[str, int], None]  # hears (stage, answers or tasks done since it last heard)


def silent(stage: str, n_done: int) -> None:
    pass


# Of a task of known answer, what was said first: people are told right answers later, and may revise theirs.
FIRST_GIVEN = """CASE WHEN an.n_revisions > 0 AND EXISTS (
            SELECT 1 FROM annotation_gold g WHERE g.task_id = t.id AND g.origin = 'file')
        THEN (SELECT r.{column} FROM annotation_answerrevision r WHERE r.answer_id = an.assignment_id
              ORDER BY r.replaced_at, r.id LIMIT 1)
        ELSE an.{column} END"""
READ_ANSWERS = f"""
SELECT a.task_id, a.volunteer_id, ({FIRST_GIVEN.format(column="value")})::text,
       {FIRST_GIVEN.format(column="certain")}
FROM annotation_microtask t
JOIN annotation_assignment a ON a.task_id = t.id
JOIN annotation_answer an ON an.assignment_id = a.id
WHERE t.campaign_id = %(campaign)s AND an.weighs AND (%(tasks)s::uuid[] IS NULL OR t.id = ANY(%(tasks)s))
"""  # nosec B608 # columns of our own

READ_TEXTS = """
SELECT t.id, substr(r.text, t.start + 1, t."end" - t.start)
FROM annotation_microtask t JOIN annotation_record r ON r.id = t.record_id WHERE t.id = ANY(%s)
"""


def fit_is_due(campaign: Campaign, n_answers: int) -> bool:
    """Whether a fit would find volunteers otherwise than the last one: there are so many more answers, a
    tenth more right answers are known, or somebody's answers count or don't any more."""
    if not campaign.weighs_volunteers or n_answers < FIRST_FIT:
        return False
    last = campaign.crowd_fits.filter(method=campaign.aggregation).first()
    if last is None or last.number != campaign.crowd_version:
        return True
    return has_grown(n_answers, last.n_given) or _is_taught_otherwise(campaign, last)


def _is_taught_otherwise(campaign: Campaign, last: CrowdFit) -> bool:
    volunteers = campaign.volunteers.filter(Q(is_to_be_weighed=True) | Q(standing_at__gt=last.fitted_at))
    half_counted = [one.is_to_be_weighed for one in volunteers]
    if half_counted:
        return not any(half_counted)
    gold = Gold.objects.filter(campaign=campaign)
    n_gold = gold.count()
    n_new = gold.filter(Q(created_at__gt=last.fitted_at) | Q(decided_at__gt=last.fitted_at)).count()
    return has_grown(n_gold, n_gold - n_new)


def has_grown(n_answers: int, n_before: int) -> bool:
    """Whether a fit of so many answers is due after one of `n_before`."""
    return n_answers - n_before >= min(MOST_NEW, max(1, GROWTH * n_before))


def refit(
    campaign: Campaign,
    *,
    now: datetime,
    on_progress: Progress = silent,
    waits: bool = False,
) -> CrowdFit | None:
    """Fit the crowd to all its answers, store the parameters, and judge again what moved by them.

    None where another refit of the campaign is at work and this one does not wait for it, or where its rules
    changed meanwhile, so that the fit is of the old ones: the next look at the campaign asks for another.
    Volunteers go on answering meanwhile: their answers are judged by the latest fit there is then.
    """
    with one_at_a_time(campaign, waits=waits) as is_ours:
        if not is_ours:
            return None
        began, n_given = time.perf_counter(), count_answers(campaign)
        table, _, volunteers = read_table(campaign, on_progress=on_progress)
        on_progress("fitting", len(table.task))
        kind = kind_named(campaign.kind)
        fitted = kind.fit(table, campaign.labels, method=campaign.aggregation)
        figures = {"n_given": n_given, "seconds": time.perf_counter() - began, "fitted_at": now}
        stored = _store(campaign, fitted, table, volunteers, **figures)
        if stored is None:
            return None
        stored.n_changed = _judge_all(campaign, now, on_progress)
        stored.save(update_fields=["n_changed"])
        return stored


def judge_again(campaign: Campaign, *, now: datetime) -> int | None:
    """Judge all tasks by the campaign's rules as they are now; returns how many moved, None if at work."""
    with one_at_a_time(campaign) as is_ours:
        return _judge_all(campaign, now) if is_ours else None


def _judge_all(campaign: Campaign, now: datetime, on_progress: Progress = silent) -> int:
    campaign.refresh_from_db()
    n_changed = 0
    for n_tasks, n_different in recompute_consensus(campaign, now=now):
        n_changed += n_different
        on_progress("judging", n_tasks)
    # At the end, so that a worker that is killed leaves the rest to the next; and only if what they were
    # judged by is still in force.
    in_force = {name: getattr(campaign, name) for name in (*DECIDING, "crowd_version", "queue_epoch")}
    Campaign.objects.filter(pk=campaign.pk, **in_force).update(is_to_be_judged=False)
    return n_changed


def count_answers(campaign: Campaign) -> int:
    days = VolunteerDay.objects.filter(volunteer__campaign=campaign)
    return days.aggregate(n=Sum("n_answers", default=0))["n"]


def campaigns_to_judge() -> list[tuple[UUID, bool]]:
    """Campaigns with work for the engine: (id, whether the crowd is to be fitted anew first)."""
    n_answers = Sum("volunteers__days__n_answers", default=0)
    found = []
    for campaign in Campaign.objects.annotate(n_answers=n_answers):
        is_due = fit_is_due(campaign, campaign.n_answers) or _waits_for_its_first(campaign)
        if is_due or campaign.is_to_be_judged:
            found.append((campaign.pk, is_due))
    return found


def _waits_for_its_first(campaign: Campaign) -> bool:
    """Tasks that stop when sure wait for the first fit; where none is open, no answers would bring it."""
    if not campaign.is_adaptive or campaign.crowd_version or not campaign.n_answers:
        return False
    return not MicroTask.objects.filter(campaign=campaign, is_open=True).exists()


@contextmanager
def one_at_a_time(campaign: Campaign, *, waits: bool = False) -> Iterator[bool]:
    """Whether nobody else is at work on all of the campaign's answers, and none begins.

    An advisory lock of this connection's: it goes when the connection does, also with a killed worker.
    """
    key = campaign.pk.int % 2**63
    with connection.cursor() as cursor:
        if waits:
            cursor.execute("SELECT pg_advisory_lock(%s)", [key])
            is_ours = True
        else:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
            is_ours = cursor.fetchone()[0]
        try:
            yield is_ours
        finally:
            if is_ours:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def read_table(
    campaign: Campaign, *, tasks: list[UUID] | None = None, on_progress: Progress = silent
) -> tuple[Table, list[UUID], list[UUID]]:
    """The answers that count, of these tasks or of all, as arrays; which task and which volunteer each number
    stands for.

    All in the order of ids, whatever order the database found them in: sums of floats depend on theirs, and
    equal answers have to give equal fits.
    """
    task_numbers: dict[UUID, int] = {}
    volunteers: dict[UUID, int] = {}
    codes: dict[str, int] = {}
    pages: list[np.ndarray] = [np.zeros((0, 4), np.int32)]
    for rows in _pages(campaign, tasks):
        numbered = [
            (
                task_numbers.setdefault(task, len(task_numbers)),
                volunteers.setdefault(volunteer, len(volunteers)),
                codes.setdefault(value, len(codes)),
                -1 if certain is None else int(certain),
            )
            for task, volunteer, value, certain in rows
        ]
        pages.append(np.array(numbered, dtype=np.int32))
        on_progress("reading", len(rows))
    answers = np.concatenate(pages)
    for column, numbers in enumerate((task_numbers, volunteers, codes)):
        answers[:, column] = _renumber(numbers)[answers[:, column]]
    answers = answers[np.lexsort((answers[:, 1], answers[:, 0]))]
    kind, values = kind_named(campaign.kind), [orjson.loads(value) for value in codes]
    # An answer that names a label which was taken out since stays, and counts no longer.
    counts = np.array([kind.counts(value, campaign.labels) for value in values], dtype=bool)
    answers = answers[counts[answers[:, 2]]] if len(values) else answers
    known, opinions = Gold.objects.filter(campaign=campaign), Opinion.objects.filter(campaign=campaign)
    if tasks is not None:
        known, opinions = known.filter(task__in=tasks), opinions.filter(task__in=tasks)
    gold = [
        (task_numbers[pk], value, origin)
        for pk, value, origin in known.order_by("pk").values_list("task_id", "value", "origin")
        if pk in task_numbers and kind.counts(value, campaign.labels)
    ]
    if campaign.preannotates:  # people have seen what a model marks: with them it would be heard twice
        opinions = opinions.none()
    heard = opinions.order_by("pk").values_list("task_id", "probabilities")
    table = Table(
        task=answers[:, 0],
        worker=answers[:, 1],
        code=answers[:, 2],
        certain=answers[:, 3].astype(np.int8),
        values=values,
        n_tasks=len(task_numbers),
        n_workers=len(volunteers),
        gold={task: value for task, value, _ in gold},
        reviewed=frozenset(task for task, _, origin in gold if origin == Gold.Origin.REVIEWER),
        texts=_texts(kind, list(task_numbers)),
        opinions={task_numbers[pk]: said for pk, said in heard if pk in task_numbers},
    )
    return table, list(task_numbers), list(volunteers)


def _renumber(numbers: dict) -> np.ndarray:
    """Number the keys in their own order, in place; returns the new number of each old one."""
    keys = sorted(numbers)
    new = np.empty(len(keys), dtype=np.int32)
    new[[numbers[key] for key in keys]] = np.arange(len(keys))
    numbers.clear()
    numbers.update(zip(keys, range(len(keys)), strict=True))
    return new


def _pages(campaign: Campaign, tasks: list[UUID] | None) -> Iterator[list[tuple]]:
    """One statement's rows, fetched a page at a time by a cursor of the server's."""
    with transaction.atomic(), connection.connection.cursor(name="answers_of_campaign") as cursor:
        cursor.itersize = PAGE
        cursor.execute(READ_ANSWERS, {"campaign": campaign.pk, "tasks": tasks})
        while rows := cursor.fetchmany(PAGE):
            yield rows


def _texts(kind: Kind, tasks: list[UUID]) -> list[str]:
    if not kind.needs_text:
        return []
    texts: dict[UUID, str] = {}
    for first in range(0, len(tasks), 2000):
        with connection.cursor() as cursor:
            cursor.execute(READ_TEXTS, [tasks[first : first + 2000]])
            texts |= dict(cursor.fetchall())
    return [texts[task] for task in tasks]


@transaction.atomic
def _store(
    campaign: Campaign, fitted: Fit, table: Table, volunteers: list[UUID], **figures
) -> CrowdFit | None:
    """All of a fit at once: whoever judges sees the parameters of one fit, never of two. None where the
    campaign's rules are no longer those that the fit was made by."""
    shut_crowd_gate(campaign.pk)
    fitted_by, campaign = campaign, Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    if any(getattr(campaign, name) != getattr(fitted_by, name) for name in FITTED):
        return None
    last = campaign.crowd_fits.first()
    number = last.number + 1 if last else 1
    n_answers = np.bincount(table.worker, minlength=table.n_workers)
    stored = CrowdFit.objects.create(
        campaign=campaign,
        number=number,
        method=campaign.aggregation,
        parameters=fitted.crowd,
        n_answers=len(table.task),
        n_tasks=table.n_tasks,
        **figures,
    )
    Skill.objects.bulk_create(
        (
            Skill(
                volunteer_id=volunteer,
                version=number,
                n_answers=int(n),
                parameters=row.parameters,
                accuracy=row.accuracy,
                low=row.low,
                high=row.high,
                confusion=row.confusion,
                finds=row.finds,
            )
            for volunteer, row, n in zip(volunteers, fitted.skills, n_answers, strict=True)
        ),
        batch_size=2000,
        update_conflicts=True,
        unique_fields=["volunteer"],
        update_fields=["version", "n_answers", "parameters", "accuracy", "low", "high", "confusion", "finds"],
    )
    campaign.crowd_version, campaign.is_to_be_judged = number, True
    campaign.save(update_fields=["crowd_version", "is_to_be_judged"])
    return stored
