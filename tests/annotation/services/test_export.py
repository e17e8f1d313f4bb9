"""Consensus out: every task with answers, ties broken by the campaign's order, harmless cells."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
from django.core.management import call_command

from annotation.models import Campaign, Consensus, MicroTask, Record
from annotation.services import export, intake
from annotation.services.export import export_lines
from annotation.services.gold import import_gold
from annotation.services.replay import replay_answers
from tests.factories import make_campaign, make_gold, make_sentences, make_tasks

pytestmark = pytest.mark.django_db
DATA = Path(os.environ.get("HC_DATA_DIR") or Path(__file__).parents[4] / "shared" / "data")


def decide(task: MicroTask, label: str, votes: dict[str, int]) -> None:
    n_answers = sum(votes.values())
    Consensus.objects.create(
        task=task,
        campaign=task.campaign,
        method="majority",
        label=label,
        value={"label": label} if label else None,
        share=max(votes.values()) / n_answers,
        votes=votes,
        n_answers=n_answers,
    )


def rows_of(campaign: Campaign) -> list[dict]:
    return list(csv.DictReader(io.StringIO("".join(export_lines(campaign, "csv")))))


def test_a_line_for_each_task_with_answers():
    campaign = make_campaign()
    answered, with_gold, _ = make_tasks(campaign, 3)
    decide(answered, "yes", {"yes": 3})
    decide(with_gold, "no", {"yes": 1, "no": 3})
    make_gold(with_gold, "yes")
    decide(*make_tasks(make_campaign(), 1), "yes", {"yes": 1})
    names = [task.record.external_id for task in (answered, with_gold)]
    assert list(export_lines(campaign, "csv")) == [
        "task,label,share,n_answers,gold\n",
        f"{names[0]},yes,1.0,3,\n",
        f"{names[1]},no,0.75,4,yes\n",
    ]
    assert [json.loads(line) for line in export_lines(campaign, "jsonl")] == [
        {"task": names[0], "label": "yes", "share": 1.0, "n_answers": 3, "gold": None},
        {"task": names[1], "label": "no", "share": 0.75, "n_answers": 4, "gold": "yes"},
    ]


def test_sentences_are_numbered():
    campaign = make_campaign(unit=Campaign.Unit.SENTENCE)
    tasks = make_sentences(campaign, "One. Two.", [(0, 4), (5, 9)])
    for task in tasks:
        decide(task, "no", {"no": 1})
    name = tasks[0].record.external_id
    assert [row["task"] for row in rows_of(campaign)] == [f"{name}#0", f"{name}#1"]


def test_a_tie_goes_to_the_label_that_is_most_common_in_the_campaign():
    campaign = make_campaign()  # yes, no, unclear
    tied, other = make_tasks(campaign, 2)
    decide(tied, "", {"unclear": 2, "no": 2, "yes": 1})
    assert [(row["label"], row["share"]) for row in rows_of(campaign)] == [("no", "0.4")]
    decide(other, "yes", {"unclear": 1, "yes": 4})
    assert [row["label"] for row in rows_of(campaign)] == ["unclear", "yes"]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_cells_that_a_spreadsheet_would_run_are_escaped(sign):
    campaign = make_campaign(labels=[{"key": f"{sign}1", "name": "x"}, {"key": "2", "name": "y"}])
    (task,) = make_tasks(campaign, 1)
    Record.objects.filter(pk=task.record_id).update(external_id=f"{sign}cmd|' /C calc'!A0")
    decide(task, f"{sign}1", {f"{sign}1": 1})
    make_gold(task, f"{sign}1")
    (row,) = rows_of(campaign)
    assert (row["task"], row["label"], row["gold"]) == (f"'{sign}cmd|' /C calc'!A0", f"'{sign}1", f"'{sign}1")
    assert json.loads(next(export_lines(campaign, "jsonl")))["label"] == f"{sign}1"


@pytest.mark.parametrize("page", [1, 2, 3, 100])
def test_pages_leave_out_nothing_and_repeat_nothing(monkeypatch, page):
    monkeypatch.setattr(export, "PAGE", page)
    campaign = make_campaign(unit=Campaign.Unit.SENTENCE)
    tasks = [
        *make_sentences(campaign, "One. Two. Three.", [(0, 4), (5, 9), (10, 16)]),
        *make_tasks(campaign, 3),
    ]
    for task in tasks:
        decide(task, "no", {"no": 1})
    names = [row["task"] for row in rows_of(campaign)]
    assert names == sorted(f"{task.record.external_id}#{task.ordinal}" for task in tasks)


# --- real crowds: what comes out after a replay is what others measured


def crowd_set(name: str) -> Path:
    folder = DATA / "crowd" / name
    if not folder.is_dir():
        pytest.skip(f"the data set {name} is not at {folder}; set HC_DATA_DIR to where it is")
    return folder


def accuracy(rows: list[dict]) -> float:
    with_gold = [row for row in rows if row["gold"]]
    return sum(row["label"] == row["gold"] for row in with_gold) / len(with_gold)


def document_campaign(keys: str) -> Campaign:
    return make_campaign(labels=[{"key": key, "name": key, "hint": ""} for key in keys])


@pytest.mark.data
@pytest.mark.django_db(transaction=True)  # ten thousand savepoints in one transaction would be slow
def test_rte_replayed_has_the_published_majority_accuracy(tmp_path):
    folder = crowd_set("rte")
    campaign = document_campaign("12")
    with (folder / "gold.csv").open() as gold, (tmp_path / "rte.csv").open("w") as records:
        records.write("id,text\n")
        records.writelines(f"{row['task']},Pair {row['task']}\n" for row in csv.DictReader(gold))
    batch = intake.start_import(
        campaign, tmp_path / "rte.csv", file_name="rte.csv", deidentified=True, by=None
    )
    assert intake.run_import(batch.pk).n_tasks == 800
    assert import_gold(campaign, folder / "gold.csv").n_taken == 800
    assert replay_answers(campaign, folder / "labels.csv", all_answers=True).n_taken == 8000
    rows = rows_of(campaign)
    assert len(rows) == 800
    assert accuracy(rows) == pytest.approx(0.875, abs=0.01)


@pytest.mark.data
@pytest.mark.django_db(transaction=True)  # ten thousand savepoints in one transaction would be slow
def test_crowdtruth_treat_replayed_by_commands_has_the_published_majority_accuracy(tmp_path, capsys):
    folder = crowd_set("crowdtruth_treat")
    campaign = document_campaign("01")
    texts = (folder / "texts.csv").read_text(encoding="utf-8")
    (tmp_path / "texts.csv").write_text(texts.replace("task,text", "id,text", 1), encoding="utf-8")
    call_command("import_records", str(campaign.pk), str(tmp_path / "texts.csv"), "--deidentified")
    call_command("import_gold", str(campaign.pk), str(folder / "gold.csv"))
    call_command("replay_answers", str(campaign.pk), str(folder / "labels.csv"), "--all")
    said = capsys.readouterr().out
    assert "621 records taken in as 621 tasks" in said
    assert "9,610 answers given" in said
    call_command("export_consensus", str(campaign.pk))
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 621
    assert accuracy(rows) == pytest.approx(0.791, abs=0.01)
    call_command("recompute_consensus", str(campaign.pk), "--check")
    assert capsys.readouterr().out == "0 differences\n"
