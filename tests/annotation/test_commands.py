"""The commands: what they print, and a plain sentence with exit code 1 for each thing that is wrong."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.test import RequestFactory
from knox.auth import TokenAuthentication

from annotation.models import Campaign, Consensus, Membership, MicroTask, Record, Role, Volunteer
from annotation.services.answers import submit_answer
from annotation.services.handout import take_place
from tests.factories import NOW, make_campaign, make_tasks, make_users, make_volunteers

pytestmark = pytest.mark.django_db
COMMANDS = [
    "create_campaign",
    "create_volunteers",
    "import_records",
    "import_gold",
    "replay_answers",
    "export_consensus",
    "recompute_consensus",
    "aggregate",
    "simulate_rule",
    "rank_items",
    "score_consensus",
    "agreement",
]


def say(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def complaint(*arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        say(*arguments)
    return str(error.value)


def write(folder: Path, name: str, content: str) -> str:
    path = folder / name
    path.write_text(content)
    return str(path)


def test_create_campaign_opens_it_and_prints_the_id_alone_on_the_last_line(tmp_path):
    guideline = write(tmp_path, "g.md", "# Read **all** of it")
    arguments = ["--question", "Rash?", "--labels", "yes,no", "--hints", "seen|denied", "--needed", "2"]
    out = say("create_campaign", "Rashes", *arguments, "--unit", "sentence", "--guideline-file", guideline)
    campaign = Campaign.objects.get(pk=UUID(out.splitlines()[-1]))
    assert (campaign.name, campaign.question, campaign.unit, campaign.needed, campaign.is_open) == (
        "Rashes",
        "Rash?",
        "sentence",
        2,
        True,
    )
    assert campaign.labels[0] == {"key": "yes", "name": "yes", "hint": "seen"}
    assert campaign.guideline == "# Read **all** of it"


def test_create_campaign_makes_any_kind_with_a_rule_that_stops_when_sure():
    arguments = ["--kind", "relations", "--labels", "drug,symptom", "--relations", "causes", "--adaptive"]
    more = ["--needed", "2", "--stop-certainty", "0.9", "--most-answers", "5", "--asks-certainty"]
    out = say("create_campaign", "R", "--question", "?", *arguments, *more)
    campaign = Campaign.objects.get(pk=out.split()[-1])
    assert [(label["key"], label["role"]) for label in campaign.labels] == [
        ("drug", "span"), ("symptom", "span"), ("causes", "relation")
    ]  # fmt: skip
    assert (campaign.is_adaptive, campaign.aggregation, campaign.asks_certainty) == (True, "engine", True)
    assert (campaign.needed, campaign.stop_certainty, campaign.most_answers) == (2, 0.9, 5)
    out = say("create_campaign", "T", "--question", "?", "--kind", "text")
    assert Campaign.objects.get(pk=out.split()[-1]).labels == []


def test_create_campaign_can_leave_it_paused():
    out = say("create_campaign", "C", "--question", "?", "--labels", "a,b", "--paused")
    assert not Campaign.objects.get(pk=out.split()[-1]).is_open


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--labels", "yes"], "at least two labels"),
        (["--labels", "yes,yes"], "same key"),
        (["--labels", "a,b", "--adaptive", "--aggregation", "majority"], "(stopping_needs_weighing)"),
        (["--labels", "a,b", "--kind", "text"], "no labels"),
        (["--labels", "a,b", "--hints", "one"], "2 labels and 1 hints"),
        (["--labels", "a,b", "--needed", "0"], "(invalid_needed)"),
        (["--labels", "a,b", "--guideline-file", "/nowhere.md"], "can't be read"),
    ],
)
def test_create_campaign_says_what_is_wrong(arguments, sentence):
    assert sentence in complaint("create_campaign", "C", "--question", "?", *arguments)
    assert not Campaign.objects.exists()


def test_volunteers_can_sign_in_with_what_is_printed_once():
    campaign = make_campaign()
    rows = list(
        csv.DictReader(io.StringIO(say("create_volunteers", "--count", "2", "--campaign", str(campaign.pk))))
    )
    assert len({row["username"] for row in rows}) == 2
    for row in rows:
        request = RequestFactory().get("/", HTTP_AUTHORIZATION=f"Token {row['token']}")
        user = authenticate(request, username=row["username"], password=row["password"])
        assert TokenAuthentication().authenticate(request)[0] == user
        assert Volunteer.objects.get(user=user, campaign=campaign).origin == Volunteer.Origin.ON_PAPER
        assert Membership.objects.get(user=user).role == Role.VOLUNTEER


def test_import_records_reports_what_went_in_and_each_refused_row(tmp_path):
    campaign = make_campaign()
    path = write(tmp_path, "r.csv", "id,text\na,No rash.\nb,\na,Again.\n")
    out = say("import_records", str(campaign.pk), path, "--deidentified")
    assert out.splitlines() == [
        "1 records taken in as 1 tasks, 0 were there already, 2 refused.",
        "Refused:",
        "line 3 (b): There is no text in this row.",
        "line 4 (a): An earlier row of this file has the same id.",
        "By reason: 1 x duplicate_id, 1 x no_text.",
    ]
    assert Path(path).exists()
    assert MicroTask.objects.get(campaign=campaign).is_open


def test_import_records_without_the_flag_holds_them_and_says_so(tmp_path):
    campaign = make_campaign()
    out = say("import_records", str(campaign.pk), write(tmp_path, "r.csv", "id,text\na,No rash.\n"))
    assert "held" in out
    assert Record.objects.get(campaign=campaign).held


def test_import_records_fails_when_nothing_goes_in(tmp_path):
    campaign = str(make_campaign().pk)
    assert "Nothing went in" in complaint(
        "import_records", campaign, write(tmp_path, "r.csv", "id,text\na,\n")
    )
    assert "(no_id_or_text_column)" in complaint(
        "import_records", campaign, write(tmp_path, "s.csv", "a,b\n1,2\n")
    )
    assert "(unknown_format)" in complaint("import_records", campaign, write(tmp_path, "s.xlsx", "x"))
    assert "(file_missing)" in complaint("import_records", campaign, str(tmp_path / "nowhere.csv"))


@pytest.mark.parametrize("command", ["import_gold", "replay_answers"])
def test_files_that_cannot_be_read_are_named(command, tmp_path):
    campaign = str(make_campaign().pk)
    assert "(file_missing)" in complaint(command, campaign, str(tmp_path / "nowhere.csv"))
    assert "(empty_file)" in complaint(command, campaign, write(tmp_path, "e.csv", ""))
    assert "Found are 2, separated by a comma" in complaint(
        command, campaign, write(tmp_path, "f.csv", "a,b\n1,2\n")
    )


def test_replay_into_a_paused_campaign_is_refused(tmp_path):
    campaign = make_campaign(state=Campaign.State.PAUSED)
    path = write(tmp_path, "l.csv", "task,worker,label\n")
    assert "(campaign_paused)" in complaint("replay_answers", str(campaign.pk), path)


def test_gold_answers_and_export_go_through(tmp_path):
    campaign = make_campaign(needed=1)
    (task,) = make_tasks(campaign, 1)
    name, pk = task.record.external_id, str(campaign.pk)
    assert say("import_gold", pk, write(tmp_path, "g.csv", f"task,label\n{name},yes\n")).startswith(
        "1 taken in"
    )
    labels = write(tmp_path, "l.csv", f"task,worker,label\n{name},w1,no\n{name},w2,yes\n")
    assert "1 x task_full" in say("replay_answers", pk, labels)
    assert say("replay_answers", pk, labels, "--all").startswith(
        "1 answers given, 1 were there already, 0 refused"
    )
    assert (
        say("export_consensus", pk, "--format", "csv")
        == f"task,label,share,n_answers,gold\n{name},yes,0.5,2,yes\n"
    )


def test_recompute_consensus_checks_and_mends(tmp_path):
    campaign = make_campaign(needed=1)
    (task,) = make_tasks(campaign, 1)
    labels = write(tmp_path, "l.csv", f"task,worker,label\n{task.record.external_id},w1,no\n")
    say("replay_answers", str(campaign.pk), labels)
    assert say("recompute_consensus", str(campaign.pk), "--check") == "0 differences\n"
    Consensus.objects.update(label="yes")
    with pytest.raises(SystemExit) as end:
        say("recompute_consensus", str(campaign.pk), "--check")
    assert end.value.code == 1
    assert Consensus.objects.get().label == "yes"
    assert say("recompute_consensus", str(campaign.pk)) == "1 difference, written anew\n"
    assert Consensus.objects.get().label == "no"


@pytest.mark.parametrize("campaign", ["nonsense", str(uuid4())])
def test_an_unknown_campaign_is_said_by_every_command(campaign, tmp_path):
    path = write(tmp_path, "x.csv", "id,text\n")
    for command in ("import_records", "import_gold", "replay_answers"):
        assert "(unknown_campaign)" in complaint(command, campaign, path)
    for command in ("export_consensus", "recompute_consensus"):
        assert "(unknown_campaign)" in complaint(command, campaign)
    assert "(unknown_campaign)" in complaint("create_volunteers", "--count", "1", "--campaign", campaign)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as end:
        call_command(command, "--help")
    assert end.value.code == 0
    assert command in capsys.readouterr().out


def test_a_wrong_command_ends_with_a_sentence_and_no_traceback():
    program = Path(__file__).parents[2] / "manage.py"
    done = subprocess.run(
        [sys.executable, program, "export_consensus", "no-uuid"],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 1
    assert "CommandError" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def voted(tmp_path):
    """A campaign in which three have answered twenty tasks, and the file of what they said."""
    campaign = make_campaign(needed=3)
    names = [task.record.external_id for task in make_tasks(campaign, 20)]
    rows = [
        f"{name},w{w},{'no' if w == 2 and n % 2 else 'yes'}" for n, name in enumerate(names) for w in range(3)
    ]
    path = write(tmp_path, "labels.csv", "\n".join(["task,worker,label", *rows]))
    gold = write(tmp_path, "gold.csv", "\n".join(["task,label", *(f"{name},yes" for name in names)]))
    say("replay_answers", str(campaign.pk), path)
    return str(campaign.pk), gold


def test_aggregate_by_default_lets_the_engine_choose_and_the_check_then_finds_no_difference(voted):
    campaign, _ = voted
    out = say("aggregate", campaign, "--method", "default")
    assert out.startswith("Fit 1: 60 answers on 20 tasks")
    assert Campaign.objects.get().aggregation == "engine"
    assert set(Consensus.objects.values_list("method", flat=True)) == {"engine"}
    assert say("aggregate", campaign, "--method", "default", "--check") == "0 differences\n"
    assert "not majority" in complaint("aggregate", campaign, "--method", "majority", "--check")
    assert say("aggregate", campaign, "--method", "majority") == "20 tasks moved (majority)\n"


def test_aggregate_check_fails_when_a_row_was_changed_behind_its_back(voted):
    campaign, _ = voted
    say("aggregate", campaign, "--method", "default")
    Consensus.objects.filter(pk=Consensus.objects.first().pk).update(label="no", value={"label": "no"})
    with pytest.raises(SystemExit) as ended:
        say("aggregate", campaign, "--check")
    assert ended.value.code == 1


def test_score_consensus_prints_json(voted):
    campaign, gold = voted
    figures = json.loads(say("score_consensus", campaign, "--gold", gold))
    assert (figures["n_scored"], figures["accuracy"], figures["answers_per_task"]) == (20, 1.0, 3.0)


def test_an_adaptive_replay_says_how_many_answers_it_used(voted, tmp_path):
    campaign = say(
        "create_campaign", "Again", "--question", "?", "--labels", "yes,no", "--needed", "2"
    ).splitlines()[-1]
    Campaign.objects.filter(pk=campaign).update(aggregation="engine", stopping="adaptive")
    records = write(tmp_path, "records.csv", "id,text\n" + "".join(f"t{n},Text {n}\n" for n in range(40)))
    say("import_records", campaign, records, "--deidentified")
    rows = [f"t{n},w{w},yes" for n in range(40) for w in range(6)]
    path = write(tmp_path, "answers.csv", "\n".join(["task,worker,label", *rows]))
    out = say("replay_answers", campaign, path, "--adaptive", "--seed", "3")
    assert " answers used for 40 tasks: " in out
    assert "choose one" in complaint("replay_answers", campaign, path, "--adaptive", "--all")


def test_agreement_prints_each_measure_with_its_interval_and_each_pair():
    campaign = make_campaign(needed=2)
    volunteers = make_volunteers(campaign, make_users(2))
    for n, task in enumerate(make_tasks(campaign, 12)):
        for volunteer in volunteers:
            place = take_place(task.pk, volunteer.pk, now=NOW)
            label = "no" if n % 2 else "yes"
            submit_answer(place, volunteer.user, {"label": label}, key=uuid4(), now=NOW)
    figures = json.loads(say("agreement", str(campaign.pk)))
    assert (figures["n_tasks"], figures["n_answers"]) == (12, 24)
    alpha = figures["measures"]["alpha"]
    assert alpha == {"value": 1.0, "low": 1.0, "high": 1.0, "n_tasks": 12, "n_pairs": 12}
    assert {row["pseudonym"] for row in figures["pairs"]} == {one.pseudonym for one in volunteers}
    nobody = {"value": None, "n_shared": 0, "low": None, "high": None}
    other = {"value": 1.0, "n_shared": 12, "low": 1.0, "high": 1.0}
    assert (figures["paired"], figures["pairs"][0]["cells"]) == ("kappa", [nobody, other])
    assert [row["name"] for row in figures["labels"]] == ["Yes", "No", "Unclear"]


def test_simulate_rule_prints_what_a_rule_would_have_cost(voted):
    campaign, _ = voted
    trial = json.loads(say("simulate_rule", campaign, "--rule", "stop at 0.9 sure, at most 3 answers"))
    assert (trial["n_tasks"], trial["n_answers"]) == (20, 60)
    assert trial["answers_per_task"] <= 3
    assert "This is no rule" in complaint("simulate_rule", campaign, "--rule", "whenever you like")


def test_rank_items_says_when_there_is_nothing_to_rank(voted):
    campaign, _ = voted
    assert "(not_pairs)" in complaint("rank_items", campaign)
