"""What a model looked at in a task's text: asked for, waited for, shown. Worked out in explaining.py.

No torch here: pages call it. Only who may read the text gets it: reviewers and admins, and a volunteer who
has answered the task, whose answer then stands.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from annotation import exchange
from annotation.errors import NotFound
from annotation.exchange import TaskText
from annotation.models import Answer, Assignment, Campaign, MicroTask, TrailEntry, User
from training.algorithms.examples import WHOLE_TEXT_HEADS
from training.models import Explanation, ModelVersion
from training.services.neighbours import Neighbour, settled_neighbours

PATIENCE = timedelta(minutes=2)  # then whoever waits is told that no worker has come to it


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who may see a task, and as what."""

    user: User
    task: MicroTask
    is_volunteer: bool  # who has answered it
    has_asked: bool  # what is kept is not shown to a volunteer whose answer may still change


@dataclass(frozen=True, slots=True)
class Shown:
    """state: "no_model", "not_asked", "waiting", "late", "failed" or "done", which alone has content."""

    task_id: UUID
    campaign: Campaign
    text: str
    second: str | None
    is_volunteer: bool
    state: str
    version: ModelVersion | None
    failure: str
    content: dict | None
    neighbours: list[Neighbour]


def reader_of(user: User, task_id: UUID, *, campaign_id: UUID | None = None) -> Reader:
    """NotFound for whoever may not see the task, for what is held, and in another campaign than is meant."""
    task = MicroTask.objects.select_related("campaign").filter(pk=task_id, held=False).first()
    if task is None or campaign_id not in (None, task.campaign_id):
        raise NotFound()
    if Campaign.objects.reviewed_by(user).filter(pk=task.campaign_id).exists():
        return Reader(user, task, is_volunteer=False, has_asked=True)
    answered = Answer.objects.filter(
        assignment__task=task_id,
        assignment__state=Assignment.State.ANSWERED,
        assignment__volunteer__user=user,
        assignment__volunteer__taken_out_at__isnull=True,
    )
    own = answered.first()
    if own is None:
        raise NotFound()
    return Reader(user, task, is_volunteer=True, has_asked=own.opinion_shown_at is not None)


@transaction.atomic
def ask_for_explanation(reader: Reader, *, now: datetime) -> None:
    """Make the row that a worker fills, unless it is there. A volunteer's answer stands from here on.

    Without a model there is nothing to make, and what is shown says so.
    """
    version = _model_of(reader.task.campaign)
    if version is None:
        return
    if reader.is_volunteer:
        exchange.show_opinion(reader.task.pk, reader.user, now=now)
    [text] = exchange.texts_of([reader.task.pk])
    row, is_new = Explanation.objects.get_or_create(
        model_version=version,
        text_sha256=text_sha256(text),
        defaults={"task": reader.task, "asked_at": now},
    )
    if not is_new and row.content is None:  # it failed, or nobody came: once more
        Explanation.objects.filter(pk=row.pk, content__isnull=True).update(
            task=reader.task, asked_at=now, finished_at=None, failure=""
        )


@transaction.atomic
def show_explanation(reader: Reader, *, now: datetime) -> Shown:
    """What there is by now. A reviewer's reading of record text is noted in the trail."""
    task, campaign = reader.task, reader.task.campaign
    [text] = exchange.texts_of([task.pk])
    version = _model_of(campaign)
    row = version and Explanation.objects.filter(model_version=version, text_sha256=text_sha256(text)).first()
    state = _state(version, row if reader.has_asked else None, now)
    is_done = state == "done"
    answered_by = reader.user if reader.is_volunteer else None
    neighbours = settled_neighbours(task, answered_by=answered_by) if is_done else []
    if is_done and not reader.is_volunteer:
        seen = [str(task.pk), *(str(neighbour.task_id) for neighbour in neighbours)]
        detail = {"tasks": seen}
        TrailEntry.objects.create(user=reader.user, campaign=campaign, verb="read_explanation", detail=detail)
    return Shown(
        task_id=task.pk,
        campaign=campaign,
        text=text.text,
        second=text.second,
        is_volunteer=reader.is_volunteer,
        state=state,
        version=version,
        failure=row.failure if state == "failed" else "",
        content=row.content if is_done else None,
        neighbours=neighbours,
    )


def _state(version: ModelVersion | None, row: Explanation | None, now: datetime) -> str:
    if version is None:
        return "no_model"
    if row is None:
        return "not_asked"
    if row.finished_at is None:
        return "late" if now - row.asked_at > PATIENCE else "waiting"
    return "failed" if row.content is None else "done"


def tasks_to_explain(*, now: datetime) -> list[UUID]:
    """Tasks that somebody waits for. What no worker finished within PATIENCE is asked for again, or never."""
    waiting = Explanation.objects.waiting().filter(asked_at__gte=now - PATIENCE)
    return list(waiting.order_by("asked_at").values_list("task", flat=True))


def forget_explanations() -> None:
    """Of models whose weights are gone: nothing could be asked of them any more."""
    Explanation.objects.filter(model_version__path="").delete()


def text_sha256(text: TaskText) -> str:
    """PostgreSQL keeps no NUL in a text, so it can stand between the two of a pair."""
    both = text.text if text.second is None else f"{text.text}\0{text.second}"
    return hashlib.sha256(both.encode()).hexdigest()


def has_explanations(campaign: Campaign) -> bool:
    """Where a model says something of a text in one piece."""
    return exchange.head_of(campaign) in WHOLE_TEXT_HEADS


def _model_of(campaign: Campaign) -> ModelVersion | None:
    """The model in charge, if its weights are there and it judges a text as a whole."""
    if not has_explanations(campaign):
        return None
    return ModelVersion.objects.filter(campaign=campaign, in_charge=True).exclude(path="").first()
