"""Tasks that volunteers have answered, through the services."""

from collections.abc import Sequence
from uuid import uuid4

from annotation.models import Campaign, MicroTask, Volunteer
from annotation.services.answers import submit_answer
from annotation.services.handout import take_place
from tests.factories import NOW, make_tasks


def answer(task: MicroTask, volunteer: Volunteer, label: str) -> None:
    place = take_place(task.pk, volunteer.pk, now=NOW)
    submit_answer(place, volunteer.user, {"label": label}, key=uuid4(), now=NOW)


def answered(campaign: Campaign, volunteers: Sequence[Volunteer], *labels: str) -> MicroTask:
    """A new task with these answers of the first volunteers, in their order."""
    [task] = make_tasks(campaign, 1)
    for volunteer, label in zip(volunteers, labels, strict=False):
        answer(task, volunteer, label)
    return task
