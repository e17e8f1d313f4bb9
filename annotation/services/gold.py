"""Gold: the right answers of some tasks, from a file. What stands is kept; contradictions are reported."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from django.db import transaction
from django.db.models import F

from annotation.errors import InvalidAnswer
from annotation.kinds import Kind, kind_named
from annotation.models import Campaign, Gold, MicroTask
from annotation.services.answer_files import read_gold
from annotation.services.intake.refusals import Tally
from annotation.services.task_names import SEVERAL, find_tasks

BATCH_ROWS = 2000


def import_gold(
    campaign: Campaign, path: Path, *, on_progress: Callable[[Tally], None] = lambda tally: None
) -> Tally:
    """Take in a file of gold (see answer_files). Importing it twice changes nothing."""
    tally = Tally()
    rows = read_gold(path)
    while chunk := list(islice(rows, BATCH_ROWS)):
        _write(campaign, tally.without_refusals(chunk), tally)
        on_progress(tally)
    return tally


@transaction.atomic
def _write(campaign: Campaign, wanted: list[tuple[int, list[str]]], tally: Tally) -> None:
    kind = kind_named(campaign.kind)
    tasks = find_tasks(campaign.pk, [name for _, (name, _) in wanted])
    lengths = dict(MicroTask.objects.filter(pk__in=tasks.values()).values_list("pk", F("end") - F("start")))
    standing = dict(Gold.objects.filter(task__in=tasks.values()).values_list("task_id", "value"))
    new = []
    for line, (name, cell) in wanted:
        task_id = tasks.get(name)
        try:
            value = kind.parse_cell(cell, campaign.labels, lengths.get(task_id, 0))
            reason = _reason_against(task_id, value, standing)
        except InvalidAnswer as error:
            reason = error.code if error.code == "unknown_label" else "invalid_answer"
        if reason:
            tally.refuse(line, name, reason)
        elif task_id in standing:
            tally.n_unchanged += 1
        else:
            standing[task_id] = value
            new.append(Gold(task_id=task_id, campaign=campaign, value=value, label=label_of(kind, value)))
    Gold.objects.bulk_create(new)
    if new:  # what waits for a reviewer is done now that its answer is known
        Campaign.objects.filter(pk=campaign.pk).update(is_to_be_judged=True)
    tally.n_taken += len(new)


def label_of(kind: Kind, value: dict) -> str:
    """What stands in the rows' label: empty where the kind's answer is not one label."""
    return value["label"] if kind.one_label else ""


def _reason_against(task_id, value: dict, standing: dict) -> str:
    if task_id is None:
        return "unknown_task"
    if task_id == SEVERAL:
        return "several_tasks"
    if standing.get(task_id, value) != value:
        return "contradicts"
    return ""
