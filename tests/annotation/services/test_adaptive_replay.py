"""A past crowd's answers drawn only while the rule asks for more; crowds of spans; the score of it all."""

import json
from uuid import uuid4

import numpy as np
import pytest

from annotation.errors import Invalid
from annotation.models import Answer, Consensus, MicroTask
from annotation.services.answers import submit_answer
from annotation.services.crowd import refit
from annotation.services.gold import import_gold
from annotation.services.handout import take_place
from annotation.services.replay import replay_adaptively, replay_answers
from annotation.services.scoring import score_consensus
from tests.factories import NOW, make_campaign, make_tasks, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up
from tests.simulated import skilled_crowd

pytestmark = pytest.mark.django_db
CLASSES = ["yes", "no", "unclear"]


def name_of(task: MicroTask) -> str:
    return task.record.external_id


@pytest.fixture
def crowd_file(tmp_path):
    """crowd_file(tasks, accuracies): a file in which all of them answered every task; the gold beside it."""

    def write(tasks, accuracies):
        said = skilled_crowd(accuracies, n_tasks=len(tasks), n_classes=3, seed=6)
        lines = [f"{name_of(tasks[t])},w{w},{CLASSES[k]}" for t, w, k in zip(*said, strict=True)]
        (tmp_path / "labels.csv").write_text("\n".join(["task,worker,label", *lines]))
        gold = [f"{name_of(task)},{CLASSES[n % 3]}" for n, task in enumerate(tasks)]
        (tmp_path / "gold.csv").write_text("\n".join(["task,label", *gold]))
        return tmp_path / "labels.csv", tmp_path / "gold.csv"

    return write


@pytest.fixture
def adaptive():
    return make_campaign(aggregation="engine", stopping="adaptive", needed=2, most_answers=5, audit_share=0.0)


def test_fewer_answers_are_drawn_than_the_file_has_and_they_are_as_right(adaptive, crowd_file):
    tasks = make_tasks(adaptive, 120)
    labels, gold = crowd_file(tasks, [0.95, 0.9, 0.9, 0.85, 0.85, 0.8, 0.8])
    tally = replay_adaptively(adaptive, labels, seed=1)
    assert tally.n_refused == 0
    assert Answer.objects.count() == tally.n_taken < 4.2 * 120
    assert set(Consensus.objects.values_list("n_answers", flat=True)) <= {2, 3, 4, 5}
    figures, _ = score_consensus(adaptive, gold)
    assert figures["accuracy"] >= 0.95
    assert figures["answers_per_task"] == pytest.approx(tally.n_taken / 120)
    assert_everything_adds_up(adaptive)


def test_tasks_that_stopped_when_sure_stay_settled_when_all_answers_of_a_file_are_wanted(
    adaptive, crowd_file
):
    labels, _ = crowd_file(make_tasks(adaptive, 40), [0.95, 0.95, 0.9, 0.9, 0.9, 0.9])
    replay_adaptively(adaptive, labels, seed=1)
    settled = dict(Consensus.objects.settled().values_list("task", "settled_at"))
    assert len(settled) > 30
    replay_answers(adaptive, labels, all_answers=True)
    assert settled.items() <= dict(Consensus.objects.settled().values_list("task", "settled_at")).items()
    assert_everything_adds_up(adaptive)


def test_the_same_seed_draws_the_same_answers(adaptive, crowd_file):
    tasks = make_tasks(adaptive, 20)
    labels, _ = crowd_file(tasks, [0.9] * 6)
    drawn = []
    for seed in (1, 1, 2):
        campaign = make_campaign(aggregation="engine", stopping="adaptive", needed=2, most_answers=5)
        for task, other in zip(tasks, make_tasks(campaign, 20), strict=True):
            type(task.record).objects.filter(pk=other.record_id).update(external_id=name_of(task))
        replay_adaptively(campaign, labels, seed=seed)
        answers = Answer.objects.filter(assignment__task__campaign=campaign)
        drawn.append(
            sorted(
                (a.assignment.task.record.external_id, a.assignment.volunteer.user.username[-12:])
                for a in answers.select_related("assignment__task__record", "assignment__volunteer__user")
            )
        )
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_score_says_how_right_how_sure_and_at_what_cost(crowd_file):
    campaign = make_campaign(needed=3)
    tasks = make_tasks(campaign, 30)
    labels, gold = crowd_file(tasks, [1.0, 1.0, 1.0])
    replay_answers(campaign, labels)
    figures, tally = score_consensus(campaign, gold)
    assert (tally.n_taken, tally.n_refused) == (30, 0)
    assert figures == {
        "method": ["majority"],
        "n_scored": 30,
        "n_without_answers": 0,
        "accuracy": 1.0,
        "calibration_error": 0.0,
        "answers_per_task": 3.0,
        "macro_f1": 1.0,
    }


def test_a_file_that_contradicts_itself_is_reported_and_its_first_word_stands(crowd_file, tmp_path):
    campaign = make_campaign(needed=1)
    (task,) = make_tasks(campaign, 1)
    labels, _ = crowd_file([task], [1.0])
    replay_answers(campaign, labels)
    gold = tmp_path / "contradicting.csv"
    gold.write_text(
        f"task,label\n{name_of(task)},yes\n{name_of(task)},no\nnobody,yes\n{name_of(task)},maybe\n"
    )
    figures, tally = score_consensus(campaign, gold)
    assert figures["accuracy"] == 1.0
    assert [refusal.reason for refusal in tally.refusals] == ["contradicts", "unknown_task", "unknown_label"]


def answer_all(campaign, values):
    """One volunteer answers as many tasks, which needs nobody else."""
    [volunteer] = make_volunteers(campaign, make_users(1))
    tasks = make_tasks(campaign, len(values), needed=1)
    for task, value in zip(tasks, values, strict=True):
        place = take_place(task.pk, volunteer.pk, now=NOW)
        submit_answer(place, volunteer.user, value, key=uuid4(), now=NOW)
    return tasks


def test_relations_are_scored_against_gold_of_a_jsonl_file(tmp_path):
    labels = [
        {"key": "drug", "name": "Drug", "hint": "", "role": "span"},
        {"key": "causes", "name": "causes", "hint": "", "role": "relation"},
    ]
    campaign = make_campaign(kind="relations", labels=labels)
    spans = [{"start": 0, "end": 2, "label": "drug"}, {"start": 3, "end": 5, "label": "drug"}]
    stated = {"spans": spans, "relations": [{"from": 0, "to": 1, "label": "causes"}]}
    first, second = answer_all(campaign, [stated, stated])
    marks, one, other = [[0, 2, "drug"], [3, 5, "drug"]], [0, 1, "causes"], [1, 0, "causes"]
    gold = tmp_path / "gold.jsonl"
    rows = [(first, [one]), (second, [one, other])]
    gold.write_text(
        "".join(f"{json.dumps({'id': name_of(t), 'spans': marks, 'relations': r})}\n" for t, r in rows)
    )
    figures, tally = score_consensus(campaign, gold)
    assert (tally.n_taken, figures["accuracy"], figures["relation_f1"]) == (2, 0.5, pytest.approx(0.8))
    assert figures["span_f1"]["strict"]["f1"] == 1.0


def test_a_text_is_right_whatever_its_capitals(tmp_path):
    campaign = make_campaign(kind="text", labels=[])
    [task] = answer_all(campaign, [{"text": "Aspirin, 100 mg"}])
    gold = tmp_path / "gold.csv"
    gold.write_text(f'task,label\n{name_of(task)},"aspirin 100 mg"\n')
    assert score_consensus(campaign, gold)[0]["accuracy"] == 1.0


def test_an_empty_campaign_has_nothing_to_score(crowd_file):
    campaign = make_campaign()
    tasks = make_tasks(campaign, 2)
    _, gold = crowd_file(tasks, [1.0])
    with pytest.raises(Invalid) as refused:
        score_consensus(campaign, gold)
    assert refused.value.code == "nothing_to_score"


# --- spans


@pytest.fixture
def marked(tmp_path):
    """A campaign for spans and its files: three workers on ten texts, the third marks wildly."""
    campaign = make_campaign(
        kind="spans", needed=3, labels=[{"key": "finding", "name": "Finding", "hint": ""}]
    )
    tasks, rng = make_tasks(campaign, 10), np.random.default_rng(3)
    answers, gold = [], []
    for task in tasks:
        start = task.record.text.index("rash")
        right = [[start, start + 4, "finding"]]
        a = int(rng.integers(0, 5))
        workers = [("a", right), ("b", right), ("c", [[a, a + 3, "finding"]])]
        answers.append(
            {"id": name_of(task), "workers": [{"worker": w, "spans": spans} for w, spans in workers]}
        )
        gold.append({"id": name_of(task), "spans": right})
    for name, rows in (("answers", answers), ("gold", gold)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return campaign, tmp_path / "answers.jsonl", tmp_path / "gold.jsonl"


@pytest.mark.parametrize("method", ["majority", "engine"])
def test_spans_are_replayed_decided_and_scored(marked, method):
    campaign, answers, gold = marked
    type(campaign).objects.update(aggregation=method)
    campaign.refresh_from_db()
    tally = replay_answers(campaign, answers)
    assert (tally.n_taken, tally.n_refused) == (30, 0)
    if method == "engine":
        refit(campaign, now=NOW)
    figures, _ = score_consensus(campaign, gold)
    assert figures["span_f1"]["strict"]["f1"] == 1.0
    assert figures["accuracy"] == 1.0
    assert_everything_adds_up(campaign)


def test_marks_too_are_drawn_only_while_the_rule_asks_for_more(tmp_path):
    campaign = make_campaign(
        kind="spans", labels=[{"key": "finding", "name": "Finding", "hint": ""}], aggregation="engine",
        stopping="adaptive", needed=2, most_answers=5, stop_certainty=0.9, audit_share=0.0,
    )  # fmt: skip
    tasks, rng = make_tasks(campaign, 40), np.random.default_rng(5)
    rows, gold = [], []
    for task in tasks:
        start = task.record.text.index("rash")
        right = [[start, start + 4, "finding"]]
        workers = [{"worker": w, "spans": right if rng.random() < 0.9 else []} for w in "abcde"]
        rows.append({"id": name_of(task), "workers": workers})
        gold.append({"id": name_of(task), "spans": right})
    for name, lines in (("answers", rows), ("gold", gold)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    tally = replay_adaptively(campaign, tmp_path / "answers.jsonl", seed=1)
    assert 80 <= tally.n_taken < 160
    assert score_consensus(campaign, tmp_path / "gold.jsonl")[0]["accuracy"] >= 0.95
    assert_everything_adds_up(campaign)


def test_replaying_spans_twice_adds_nothing(marked):
    campaign, answers, _ = marked
    replay_answers(campaign, answers)
    tally = replay_answers(campaign, answers)
    assert (tally.n_taken, tally.n_unchanged) == (0, 30)


def test_gold_for_spans_comes_as_jsonl(marked):
    campaign, _, gold = marked
    assert import_gold(campaign, gold).n_taken == 10
    assert import_gold(campaign, gold).n_unchanged == 10


def test_a_line_that_is_no_answer_is_refused_by_its_number(marked, tmp_path):
    campaign, _, _ = marked
    path = tmp_path / "broken.jsonl"
    path.write_text('{"id": "x"}\nnonsense\n{"id": "x", "workers": [{"worker": "a", "spans": [[1]]}]}\n')
    tally = replay_answers(campaign, path)
    assert [(refusal.line, refusal.reason) for refusal in tally.refusals] == [
        (1, "bad_json"),
        (2, "bad_json"),
        (3, "bad_json"),
    ]
