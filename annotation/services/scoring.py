"""A campaign's consensus held against gold from a file, which is not kept."""

from itertools import islice
from pathlib import Path

from django.db.models import F

from annotation.algorithms.scores import calibration_error, n_bins_for
from annotation.errors import Invalid, InvalidAnswer
from annotation.kinds import kind_named
from annotation.models import Campaign, Consensus, MicroTask
from annotation.services.answer_files import read_gold
from annotation.services.export import read_consensus
from annotation.services.intake.refusals import Tally
from annotation.services.task_names import find_tasks

BATCH_NAMES = 2000
ANY_LENGTH = 10**9  # what is stored has been checked against its text


def score_consensus(campaign: Campaign, path: Path) -> tuple[dict, Tally]:
    """The figures, and the rows of the file that could not be used.

    accuracy is the share of tasks whose consensus is right, as the kind has it; a tie counts for the label
    that the export gives it. Tasks of the file that have no answer yet are counted, not scored.
    """
    kind, tally = kind_named(campaign.kind), Tally()
    gold = _read_gold(campaign, path, tally)
    found = {row.task: row for row in read_consensus(campaign, with_decisions=False) if row.task in gold}
    if not found:
        raise Invalid("No task of this file has a consensus yet.", code="nothing_to_score")
    names = sorted(found)
    values = {name: kind.parse_cell(row.label, campaign.labels, ANY_LENGTH) for name, row in found.items()}
    right = [kind.is_right(values[name], gold[name]) for name in names]
    certainty = _certainty(campaign, names)
    figures = {
        "method": sorted(set(Consensus.objects.filter(campaign=campaign).values_list("method", flat=True))),
        "n_scored": len(names),
        "n_without_answers": len(gold) - len(names),
        "accuracy": sum(right) / len(names),
        "calibration_error": calibration_error(
            [certainty[name] for name in names], right, n_bins_for(len(names))
        ),
        "answers_per_task": sum(found[name].n_answers for name in names) / len(names),
    }
    pairs = [(values[name], gold[name]) for name in names]
    return figures | kind.figures(pairs), tally


def _certainty(campaign: Campaign, names: list[str]) -> dict[str, float]:
    certainty: dict[str, float] = {}
    for first in range(0, len(names), BATCH_NAMES):
        tasks = find_tasks(campaign.pk, names[first : first + BATCH_NAMES])
        rows = Consensus.objects.filter(task__in=tasks.values()).values_list("task", "certainty")
        by_task = dict(rows)
        certainty |= {name: by_task.get(task_id) or 0.0 for name, task_id in tasks.items()}
    return certainty


def _read_gold(campaign: Campaign, path: Path, tally: Tally) -> dict[str, dict]:
    kind = kind_named(campaign.kind)
    gold: dict[str, dict] = {}
    rows = read_gold(path)
    while chunk := list(islice(rows, BATCH_NAMES)):
        wanted = tally.without_refusals(chunk)
        tasks = find_tasks(campaign.pk, [name for _, (name, _) in wanted])
        known = MicroTask.objects.filter(pk__in=tasks.values())
        lengths = dict(known.values_list("pk", F("end") - F("start")))
        for line, (name, cell) in wanted:
            reason = "" if name in tasks else "unknown_task"
            try:
                value = kind.parse_cell(cell, campaign.labels, lengths.get(tasks.get(name), ANY_LENGTH))
            except InvalidAnswer as error:
                reason = reason or (error.code if error.code == "unknown_label" else "invalid_answer")
            if not reason and gold.get(name, value) != value:
                reason = "contradicts"
            if reason:
                tally.refuse(line, name, reason)
            else:
                gold[name] = value
                tally.n_taken += 1
    return gold
