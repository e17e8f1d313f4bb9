"""Gold: the right answers of some tasks, from a file. What stands is kept; contradictions are reported."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from django.db import transaction

from annotation.models import Campaign, Gold
from annotation.services.intake.refusals import Tally
from annotation.services.intake.tables import open_file, open_table
from annotation.services.task_names import SEVERAL, find_tasks

BATCH_ROWS = 2000


def import_gold(
    campaign: Campaign, path: Path, *, on_progress: Callable[[Tally], None] = lambda tally: None
) -> Tally:
    """Take in CSV with the columns task and label. Importing it twice changes nothing."""
    tally = Tally()
    with open_file(path) as file:
        table = open_table(file, ("task", "label"))
        rows = table.cells("task", "label")
        while chunk := list(islice(rows, BATCH_ROWS)):
            _write(campaign, tally.without_refusals(chunk), tally)
            on_progress(tally)
    return tally


@transaction.atomic
def _write(campaign: Campaign, wanted: list[tuple[int, list[str]]], tally: Tally) -> None:
    tasks = find_tasks(campaign.pk, [name for _, (name, _) in wanted])
    standing = dict(Gold.objects.filter(task__in=tasks.values()).values_list("task_id", "label"))
    new = []
    for line, (name, label) in wanted:
        task_id = tasks.get(name)
        reason = _reason_against(campaign, task_id, label, standing)
        if reason:
            tally.refuse(line, name, reason)
        elif task_id in standing:
            tally.n_unchanged += 1
        else:
            standing[task_id] = label
            new.append(Gold(task_id=task_id, label=label))
    Gold.objects.bulk_create(new)
    tally.n_taken += len(new)


def _reason_against(campaign: Campaign, task_id, label: str, standing: dict) -> str:
    if task_id is None:
        return "unknown_task"
    if task_id == SEVERAL:
        return "several_tasks"
    if label not in campaign.label_names:
        return "unknown_label"
    if standing.get(task_id, label) != label:
        return "contradicts"
    return ""
