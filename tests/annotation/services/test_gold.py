"""Gold from a file: by the record's id or a sentence's number; what contradicts is reported."""

import csv
import json
from pathlib import Path

import pytest

from annotation.models import Gold
from annotation.services.gold import import_gold
from tests.factories import make_campaign, make_sentences, make_tasks, make_text

pytestmark = pytest.mark.django_db


def write(folder: Path, content: str) -> Path:
    path = folder / "gold.csv"
    path.write_text(content)
    return path


def names(tasks) -> list[str]:
    return [task.record.external_id for task in tasks]


def test_gold_goes_in_once_and_bad_lines_are_reported(tmp_path):
    campaign = make_campaign()
    a, b = make_tasks(campaign, 2)
    first, second = names([a, b])
    rows = [
        "task;label",
        f"{first};yes",
        f"{first};no",
        "nowhere;yes",
        f"{second};maybe",
        f"{second}",
        f"{second};no",
    ]
    path = write(tmp_path, "\n".join(rows))
    tally = import_gold(campaign, path)
    assert dict(Gold.objects.values_list("task", "label")) == {a.pk: "yes", b.pk: "no"}
    assert [tuple(refusal) for refusal in tally.refusals] == [
        (6, "", "wrong_number_of_columns"),
        (3, first, "contradicts"),
        (4, "nowhere", "unknown_task"),
        (5, second, "unknown_label"),
    ]
    again = import_gold(campaign, path)
    assert (tally.n_taken, again.n_taken, again.n_unchanged, again.n_refused) == (2, 0, 2, 4)


def test_sentences_are_called_by_their_number(tmp_path):
    campaign = make_campaign(unit="sentence")
    several = make_sentences(campaign, "One. Two.", [(0, 4), (5, 9)])
    (single,) = make_sentences(campaign, "Alone.", [(0, 6)])
    several_name, single_name = names([several[0], single])
    rows = [f"{several_name}#1,yes", f"{several_name},no", f"{several_name}#2,no", f"{single_name},no"]
    tally = import_gold(campaign, write(tmp_path, "task,label\n" + "\n".join(rows)))
    assert dict(Gold.objects.values_list("task", "label")) == {several[1].pk: "yes", single.pk: "no"}
    assert [(line, reason) for line, _, reason in tally.refusals] == [
        (3, "several_tasks"),
        (4, "unknown_task"),
    ]


def test_tasks_of_another_campaign_are_unknown(tmp_path):
    (task,) = make_tasks(make_campaign(), 1)
    tally = import_gold(make_campaign(), write(tmp_path, f"task,label\n{task.record.external_id},yes\n"))
    assert (tally.n_taken, dict(tally.reasons)) == (0, {"unknown_task": 1})


MARKED = [{"start": 0, "end": 7, "label": "drug"}, {"start": 15, "end": 19, "label": "event"}]
JOINED = {"spans": MARKED, "relations": [{"from": 0, "to": 1, "label": "causes"}]}


@pytest.mark.parametrize(
    "kind, name, row, value",
    [
        ("spans", "gold.csv", MARKED, {"spans": MARKED}),
        ("spans", "gold.jsonl", [[0, 7, "drug"], [15, 19, "event"]], {"spans": MARKED}),
        ("relations", "gold.csv", JOINED, JOINED),
    ],
)
def test_marks_and_relations_come_as_the_guide_shows_them(tmp_path, kind, name, row, value):
    roles = {"drug": "span", "event": "span", "causes": "relation"}
    keys = [key for key in roles if kind == "relations" or roles[key] == "span"]
    labels = [{"key": key, "name": key, "hint": "", "role": roles[key]} for key in keys]
    task = make_text(make_campaign(kind=kind, labels=labels), "Aspirin caused rash.")
    task_name, path = task.record.external_id, tmp_path / name
    if name == "gold.jsonl":
        path.write_text(json.dumps({"id": task_name, "spans": row}))
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["task", "label"], [task_name, json.dumps(row)]])
    assert import_gold(task.campaign, path).n_taken == 1
    assert Gold.objects.get(pk=task.pk).value == value
