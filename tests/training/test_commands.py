"""`train` and `simulate` as they are typed, and a disk that fills up under a process of their own."""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Answer, Campaign, Consensus, Gold, Record
from tests.factories import make_campaign, make_gold
from tests.labelled import WORDS, YES_NO, add_labelled, add_open, sentences
from tests.stack import ROOT, environment
from tests.tiny_bert import save_tiny_bert
from training.models import ModelVersion, TrainingPolicy, TrainingRun
from training.services import lineage
from training.services.simulation import measured_gold

pytestmark = pytest.mark.django_db(transaction=True)  # a run's heartbeat has a connection of its own


@pytest.fixture
def campaign(settings, tmp_path):
    settings.MODEL_DIR = tmp_path / "models"
    campaign = make_campaign(labels=YES_NO, needed=3)
    (tmp_path / "base").mkdir()
    base = save_tiny_bert(tmp_path / "base", WORDS)
    TrainingPolicy.objects.create(campaign=campaign, base_model=str(base))
    return campaign


def test_train_trains_now_and_says_how_good_the_model_is(campaign, capsys):
    add_labelled(campaign, sentences(60))
    add_open(campaign, ["word1 rash"])
    call_command("train", str(campaign.pk))
    shown = capsys.readouterr()
    for version in ModelVersion.objects.filter(campaign=campaign):
        figures = version.metrics["test"]
        name = version.get_family_display()
        assert f"v{version.number} ({name}): accuracy {figures['accuracy']:.3f}, macro-F1" in shown.out
    assert "It is the first model, so there is none to compare with." in shown.out
    in_charge = ModelVersion.objects.get(campaign=campaign, in_charge=True)
    assert f"v{in_charge.number} is in charge and has ordered the queue." in shown.out
    assert "100%" in shown.err


def test_train_says_why_it_did_not(campaign):
    with pytest.raises(CommandError, match=r"There are 0 consensus labels so far.*\(too_few_labels\)"):
        call_command("train", str(campaign.pk))
    with pytest.raises(CommandError, match=r"There is no campaign with the id.*\(unknown_campaign\)"):
        call_command("train", str(uuid4()))
    add_labelled(campaign, [(text, "no") for text, _ in sentences(30)])
    with pytest.raises(CommandError, match=r"nothing to tell apart.*\(one_class\)"):
        call_command("train", str(campaign.pk))


def test_train_takes_any_base_model_of_the_operator_and_keeps_to_it(campaign, tmp_path):
    add_labelled(campaign, sentences(60))
    with pytest.raises(CommandError, match=r"There is no model in that folder.*\(base_model_missing\)"):
        call_command("train", str(campaign.pk), base_model=str(tmp_path))
    another = tmp_path / "another"
    another.mkdir()
    save_tiny_bert(another, WORDS)
    call_command("train", str(campaign.pk), base_model=str(another))
    assert TrainingRun.objects.get().config["base_model_path"] == str(another)
    assert TrainingPolicy.objects.get().base_model == str(another)


def gold_file(campaign: Campaign, folder: Path, n: int) -> Path:
    """n open tasks, and a file with the right answer of each."""
    made = sentences(n)
    tasks = add_open(campaign, [text for text, _ in made])
    rows = [f"{task.record.external_id},{label}" for task, (_, label) in zip(tasks, made, strict=True)]
    path = folder / "gold.csv"
    path.write_text("\n".join(["task,label", *rows]))
    return path


def simulate(campaign: Campaign, gold: Path, **options) -> None:
    options = {"budget": 120, "strategy": "margin", "seed": 1, "rounds": 2} | options
    call_command("simulate", str(campaign.pk), gold=gold, **options)


def test_simulate_prints_the_learning_curve_measured_on_gold_that_nobody_answers(campaign, tmp_path, capsys):
    gold = gold_file(campaign, tmp_path, 120)
    simulate(campaign, gold)
    shown = capsys.readouterr()
    report = json.loads(shown.out.splitlines()[-1])
    assert {key: report[key] for key in ("strategy", "seed", "budget", "accuracy")} == {
        "strategy": "margin",
        "seed": 1,
        "budget": 120,
        "accuracy": 0.85,
    }
    first, second = report["curve"]
    assert (first["n_answers"], second["n_answers"]) == (60, 120)
    assert Answer.objects.count() == 120
    assert second["n_labels"] == Consensus.objects.exclude(settled_at=None).exclude(label="").count()
    assert first["n_measured"] == second["n_measured"] > 20
    answered = set(Consensus.objects.values_list("task_id", flat=True))
    assert len(answered) + second["n_measured"] <= Gold.objects.count() == 120
    assert all(0 <= point["accuracy"] <= 1 and 0 <= point["macro_f1"] <= 1 for point in report["curve"])
    assert ModelVersion.objects.filter(campaign=campaign).count() == 8, "four families, two rounds"
    taught = [json.loads(line) for path in tmp_path.rglob("snapshot-*.jsonl") for line in path.open()]
    assert {row["origin"] for row in taught if "origin" in row} == {"crowd"}
    assert "round 2 of 2" in shown.err

    with pytest.raises(CommandError, match="a simulation wants one of its own"):
        simulate(campaign, gold)


def test_equal_records_are_measured_on_the_same_texts_in_every_campaign(campaign, tmp_path):
    made = [(f"note-{i}", text, label) for i, (text, label) in enumerate(sentences(60))]
    texts = []
    for each in (campaign, make_campaign(labels=YES_NO)):
        for name, text, label in made:
            [task] = add_open(each, [text])
            Record.objects.filter(pk=task.record_id).update(external_id=name)
            make_gold(task, label)
        texts.append(sorted(example.text for example in measured_gold(each, seed=1)))
    assert texts[0] == texts[1]
    assert 10 < len(texts[0]) < 30
    assert texts[0] != sorted(example.text for example in measured_gold(campaign, seed=2))


def test_simulate_says_what_is_wrong_with_its_gold(campaign, tmp_path):
    strange = tmp_path / "strange.csv"
    strange.write_text("task,label\nnobody,yes\n")
    with pytest.raises(CommandError, match=r"No row of .*strange.csv is gold"):
        simulate(campaign, strange)
    with pytest.raises(CommandError):
        simulate(campaign, tmp_path / "missing.csv")


@pytest.mark.parametrize("limit", [1_000, 30_000], ids=["at_the_snapshot", "at_the_model"])
def test_a_disk_that_fills_up_fails_the_run_plainly_and_leaves_nothing_half_written(
    campaign, tmp_path, limit
):
    """The limit is on the size of a file that the process may write: to it, that is a full disk."""
    add_labelled(campaign, sentences(60))
    done = subprocess.run(
        [sys.executable, "manage.py", "train", str(campaign.pk)],
        cwd=ROOT,
        env=environment(tmp_path),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "The disk is full" in done.stderr
    assert "Traceback" not in done.stderr.split("CommandError")[-1]
    run = TrainingRun.objects.get()
    assert (run.state, run.failure_code) == (TrainingRun.State.FAILED, "disk_full")
    assert not (tmp_path / "models" / str(campaign.pk) / "run-1").exists()
    assert not ModelVersion.objects.exists()
    call_command("train", str(campaign.pk))
    assert set(ModelVersion.objects.values_list("run__number", flat=True)) == {2}


@pytest.mark.parametrize("part", ["training/config.py", "training/linear/regression.py"])
def test_the_code_that_a_model_depends_on_is_known_by_its_sum(tmp_path, settings, part):
    """The recipe's file among it: what it says of rates and epochs decides what comes out."""
    before = lineage.code_sha256.__wrapped__()
    shutil.copytree(Path(settings.BASE_DIR) / "training", tmp_path / "training")
    settings.BASE_DIR = tmp_path
    assert lineage.code_sha256.__wrapped__() == before
    with (tmp_path / part).open("a") as file:
        file.write("# another line\n")
    assert lineage.code_sha256.__wrapped__() != before


def test_a_model_is_made_again_with_equal_weights_and_what_changed_since_is_named(campaign, capsys):
    add_labelled(campaign, sentences(60))
    call_command("train", str(campaign.pk))
    for version in ModelVersion.objects.filter(campaign=campaign):
        capsys.readouterr()
        call_command("reproduce", str(version.pk))
        assert "The weights are the same." in capsys.readouterr().out
    ModelVersion.objects.update(lineage=version.lineage | {"code_sha256": "0" * 64})
    call_command("reproduce", str(version.pk))
    assert "Not as it was when the model was made: code_sha256" in capsys.readouterr().out
    Path(version.run.snapshot_path).chmod(0o600)
    Path(version.run.snapshot_path).write_text("{}\n")
    with pytest.raises(CommandError, match="snapshot_changed"):
        call_command("reproduce", str(version.pk))
    with pytest.raises(CommandError, match="unknown_model"):
        call_command("reproduce", str(uuid4()))
