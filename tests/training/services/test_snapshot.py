"""What a run learns from is written once, whole or not at all."""

import hashlib
import json
from datetime import timedelta
from uuid import uuid4

import pytest

from annotation.models import Campaign, Consensus, Gold, Record
from tests.factories import NOW, make_campaign
from tests.labelled import YES_NO, add_labelled, add_open, sentences
from training.algorithms.examples import Relation, Span
from training.algorithms.splits import ASIDE
from training.config import FineTuneConfig
from training.models import TrainingRun
from training.services.snapshot import examples_of, read_snapshot, take_snapshot, write_lines

pytestmark = pytest.mark.django_db
CONFIG = FineTuneConfig("unused")


@pytest.fixture
def run(campaign):
    return TrainingRun(pk=uuid4(), campaign=campaign, number=1, opened_at=NOW)


def take(run, path, **options):
    return take_snapshot(run, path, CONFIG, **{"settled_by": NOW} | options)


def test_a_snapshot_holds_every_settled_label_with_its_part_and_the_files_sha256(run, tmp_path):
    tasks = add_labelled(run.campaign, sentences(40))
    snapshot = take(run, tmp_path / "run-1" / "snapshot.jsonl")
    content = snapshot.path.read_bytes()
    assert snapshot.sha256 == hashlib.sha256(content).hexdigest()
    header, *rows = [json.loads(line) for line in content.splitlines()]
    assert header == {"kind": "choice", "head": "single", "class_names": ["no", "yes"], "n_left_out": 0}
    assert [row["task"] for row in rows] == sorted(str(task.pk) for task in tasks)
    assert {(row["text"], row["value"]["label"]) for row in rows} == set(sentences(40))
    assert {row["part"] for row in rows} == {"train", "validation", "test", "calibration"}
    assert {(row["certainty"], row["n_answers"], row["origin"]) for row in rows} == {(1.0, 2, "crowd")}
    assert snapshot == read_snapshot(snapshot.path)
    assert [path.name for path in snapshot.path.parent.iterdir()] == ["snapshot.jsonl"]


def test_what_is_open_tied_held_or_settled_later_teaches_nothing(run, tmp_path):
    add_labelled(run.campaign, sentences(3))
    add_labelled(run.campaign, [("word1 tie", "")])
    add_labelled(run.campaign, [("word2 later", "yes")], settled_at=NOW + timedelta(seconds=1))
    add_open(run.campaign, ["word3 open"])
    [unsettled] = add_labelled(run.campaign, [("word4 unsettled", "yes")])
    Consensus.objects.filter(pk=unsettled.pk).update(settled_at=None)
    [held] = add_labelled(run.campaign, [("word5 held", "yes")])
    Record.objects.filter(tasks=held).update(held=True)
    add_labelled(make_campaign(labels=YES_NO), [("word6 elsewhere", "yes")])
    assert set(take(run, tmp_path / "s.jsonl").texts) == {text for text, _ in sentences(3)}


def test_the_same_labels_give_the_same_bytes(run, tmp_path):
    add_labelled(run.campaign, sentences(30))
    first, second = (take(run, tmp_path / name) for name in ("a.jsonl", "b.jsonl"))
    assert first.sha256 == second.sha256


def test_examples_of_one_text_are_in_one_part_or_aside(run, tmp_path):
    add_labelled(run.campaign, [(text, label) for text, label in sentences(30) for _ in range(2)])
    snapshot = take(run, tmp_path / "s.jsonl")
    parts = {}
    for text, part in zip(snapshot.texts, snapshot.parts, strict=True):
        assert part == ASIDE or parts.setdefault(text, part) == part


def test_a_snapshot_that_could_not_be_written_whole_leaves_no_file(run, tmp_path, monkeypatch):
    add_labelled(run.campaign, sentences(10))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.services.snapshot.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        take(run, tmp_path / "s.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_unfinished_is_put_away_and_not_written_into(tmp_path):
    left, same_file = tmp_path / "s.part", tmp_path / "the-same-file"
    left.write_text("half a line")
    left.chmod(0o400)
    same_file.hardlink_to(left)
    write_lines(tmp_path / "s.jsonl", [{"a": 1}])
    assert (tmp_path / "s.jsonl").read_text() == '{"a":1}\n'
    assert same_file.read_text() == "half a line"
    assert not left.exists()


def test_votes_become_probabilities_by_how_good_the_voters_are_and_a_reviewers_word_is_certain(run, tmp_path):
    tasks = add_labelled(run.campaign, sentences(60))
    Consensus.objects.filter(campaign=run.campaign).update(votes={"no": 3}, n_answers=3)
    divided, decided = tasks[0], tasks[1]
    Consensus.objects.filter(pk=divided.pk).update(votes={"no": 2, "yes": 1}, share=0.67)
    Gold.objects.create(
        task=decided, campaign=run.campaign, label="no", value={"label": "no"}, decided_at=NOW,
        origin=Gold.Origin.REVIEWER,
    )  # fmt: skip
    snapshot = take(run, tmp_path / "s.jsonl")
    examples = examples_of(snapshot)
    place = {row["task"]: number for number, row in enumerate(snapshot.rows)}
    no = examples.class_names.index("no")
    of_two_to_one = examples.targets[place[str(divided.pk)], no]
    assert 0.67 < of_two_to_one < 0.99, "a majority of good voters is surer than its share"
    assert examples.targets[place[str(decided.pk)], no] == 1.0
    assert examples.weights[place[str(decided.pk)]] == 1.0
    assert examples.weights[place[str(divided.pk)]] == pytest.approx(0.67)


def test_what_many_labels_add_up_to_is_not_left_out_for_having_many_parts(campaign, tmp_path):
    labels = [{"key": key, "name": key, "hint": ""} for key in "abcdef"]
    Campaign.objects.filter(pk=campaign.pk).update(kind="multiple", labels=labels)
    campaign.refresh_from_db()
    run = TrainingRun(pk=uuid4(), campaign=campaign, number=1, opened_at=NOW)
    for task in add_labelled(campaign, sentences(20)):
        Consensus.objects.filter(pk=task.pk).update(
            label="", value={"labels": ["a", "b"]}, votes={"a": 4, "b": 3, "c": 1}, n_answers=4, certainty=0.2
        )
    snapshot = take(run, tmp_path / "s.jsonl")
    assert (len(snapshot.rows), snapshot.n_left_out, snapshot.head) == (20, 0, "multiple")
    a, b = examples_of(snapshot).targets[0].tolist()
    assert a > b > 0.75


def test_of_marks_and_relations_each_is_what_people_held_it_for_and_a_reviewers_word_is_certain(
    campaign, tmp_path
):
    labels = [{"key": key, "name": key, "hint": "", "role": role} for key, role in (
        ("drug", "span"), ("sign", "span"), ("causes", "relation"), ("treats", "relation"))]  # fmt: skip
    Campaign.objects.filter(pk=campaign.pk).update(kind="relations", labels=labels)
    campaign.refresh_from_db()
    run = TrainingRun(pk=uuid4(), campaign=campaign, number=1, opened_at=NOW)
    spans = [{"start": 0, "end": 4, "label": "drug"}, {"start": 6, "end": 10, "label": "sign"}]
    related = {"spans": spans, "relations": [{"from": 0, "to": 1, "label": "causes"}]}
    posterior = {
        "0-4 drug": 1.0, "6-10 sign": 0.9, "12-15 sign": 0.3, "0-4 → 6-10 causes": 0.75,
        "0-4 → 6-10 treats": 0.2,
    }  # fmt: skip
    tasks = add_labelled(campaign, sentences(20))
    Consensus.objects.filter(campaign=campaign).update(
        label="", value=related, votes={"drug": 4, "sign": 4, "causes": 3}, n_answers=4, certainty=0.3,
        posterior=posterior,
    )  # fmt: skip
    Gold.objects.create(
        task=tasks[0], campaign=campaign, value=related, decided_at=NOW, origin=Gold.Origin.REVIEWER
    )
    snapshot = take(run, tmp_path / "s.jsonl")
    assert (snapshot.head, snapshot.class_names, snapshot.n_left_out) == ("relations", ("causes",), 0)
    examples = examples_of(snapshot)
    drug, sign = Span(0, 4, "drug"), Span(6, 10, "sign")
    held = {Relation(drug, sign, "causes"): 0.75, Relation(drug, sign, "treats"): 0.2}
    place = [row["task"] for row in snapshot.rows].index(str(tasks[0].pk))
    assert examples.spans[place] == [drug, sign]
    assert examples.relations[place] == {Relation(drug, sign, "causes"): 1.0}
    assert examples.weights[place] == 1.0
    other = 0 if place else 1
    assert examples.relations[other] == held
    assert examples.span_beliefs[place] == {drug: 1.0, sign: 1.0}
    assert examples.span_beliefs[other] == {drug: 1.0, sign: 0.9, Span(12, 15, "sign"): 0.3}
    # The mean of 1, 0.9, 0.75, and of 0.7 and 0.8 for the mark and the relation that were left out.
    assert examples.weights[other] == pytest.approx(0.83)
