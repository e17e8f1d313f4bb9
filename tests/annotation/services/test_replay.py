"""A past crowd's answers pass through the same services as a browser's, once."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from annotation.errors import CampaignPaused
from annotation.models import Answer, Campaign, Consensus, MicroTask, User, Volunteer, VolunteerDay
from annotation.services.consensus import recompute_consensus
from annotation.services.replay import replay_answers
from tests.factories import NOW, make_campaign, make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return make_campaign(needed=2)


def write(folder: Path, rows: Sequence[tuple[str, str, str]]) -> Path:
    path = folder / "labels.csv"
    path.write_text("task,worker,label\n" + "".join(",".join(row) + "\n" for row in rows))
    return path


def name_of(task: MicroTask) -> str:
    return task.record.external_id


def counts(tally) -> tuple[int, int, int]:
    return tally.n_taken, tally.n_unchanged, tally.n_refused


def test_answers_are_given_in_the_files_order_up_to_the_need(campaign, tmp_path):
    (task,) = make_tasks(campaign, 1)
    rows = [(name_of(task), f"w{n}", label) for n, label in enumerate(["no", "yes", "yes", "yes"])]
    tally = replay_answers(campaign, write(tmp_path, rows))
    assert counts(tally) == (2, 0, 2)
    assert [tuple(refusal) for refusal in tally.refusals] == [
        (4, name_of(task), "task_full"),
        (5, name_of(task), "task_full"),
    ]
    consensus = Consensus.objects.get(task=task)
    assert (consensus.votes, consensus.label, consensus.n_answers) == ({"no": 1, "yes": 1}, "", 2)
    assert consensus.settled_at is not None


def test_all_answers_raise_the_need_of_their_task_alone(campaign, tmp_path):
    task, other = make_tasks(campaign, 2)
    rows = [(name_of(task), f"w{n}", "yes") for n in range(5)] + [(name_of(other), "w0", "no")]
    tally = replay_answers(campaign, write(tmp_path, rows), all_answers=True)
    assert counts(tally) == (6, 0, 0)
    needs = MicroTask.objects.filter(campaign=campaign).values_list("pk", "needed", "taken")
    assert set(needs) == {(task.pk, 5, 5), (other.pk, 2, 1)}


def test_a_raised_need_unsettles_the_task_until_it_is_met(campaign, tmp_path):
    (task,) = make_tasks(campaign, 1)
    rows = [(name_of(task), f"w{n}", "yes") for n in range(3)]
    replay_answers(campaign, write(tmp_path, rows))
    assert Consensus.objects.get(task=task).settled_at is not None
    MicroTask.objects.filter(pk=task.pk).update(held=False)
    rows[2] = (name_of(task), "", "yes")  # one who cannot be seated: the raised need stays unmet
    replay_answers(campaign, write(tmp_path, rows), all_answers=True)
    assert Consensus.objects.get(task=task).settled_at is None


def test_replaying_twice_adds_nothing(campaign, tmp_path):
    tasks = make_tasks(campaign, 3)
    path = write(tmp_path, [(name_of(task), worker, "yes") for task in tasks for worker in ("w1", "w2")])
    assert counts(replay_answers(campaign, path)) == (6, 0, 0)
    assert counts(replay_answers(campaign, path)) == (0, 6, 0)
    assert Answer.objects.count() == 6
    assert Volunteer.objects.count() == User.objects.count() == 2
    assert list(VolunteerDay.objects.values_list("n_answers", flat=True)) == [3, 3]
    assert sum(n_different for _, n_different in recompute_consensus(campaign, now=NOW, check=True)) == 0


def test_a_second_answer_of_a_worker_is_refused(campaign, tmp_path):
    (task,) = make_tasks(campaign, 1)
    path = write(tmp_path, [(name_of(task), "w1", "yes"), (name_of(task), "w1", "no")])
    tally = replay_answers(campaign, path)
    assert counts(tally) == (1, 0, 1)
    assert [refusal.reason for refusal in tally.refusals] == ["answered_otherwise"]


def test_rows_that_cannot_be_replayed_are_reported(campaign, tmp_path):
    (task,) = make_tasks(campaign, 1)
    (held,) = make_tasks(campaign, 1, held=True)
    rows = [
        ("nowhere", "w1", "yes"),
        (name_of(task), "w1", "maybe"),
        (name_of(task), "", "yes"),
        (name_of(held), "w1", "yes"),
    ]
    tally = replay_answers(campaign, write(tmp_path, rows))
    reasons = [refusal.reason for refusal in tally.refusals]
    assert reasons == ["unknown_task", "unknown_label", "no_worker", "record_held"]
    assert not Answer.objects.exists()


def test_workers_become_marked_accounts_that_nobody_can_sign_in_to(campaign, tmp_path):
    (task,) = make_tasks(campaign, 1)
    replay_answers(campaign, write(tmp_path, [(name_of(task), "jane@example.org", "yes")]))
    volunteer = Volunteer.objects.select_related("user").get()
    assert volunteer.origin == Volunteer.Origin.REPLAYED
    assert not volunteer.user.has_usable_password()
    assert "jane" not in volunteer.user.username


def test_a_paused_campaign_takes_no_replay(campaign, tmp_path):
    Campaign.objects.update(state=Campaign.State.PAUSED)
    campaign.refresh_from_db()
    with pytest.raises(CampaignPaused) as refusal:
        replay_answers(campaign, write(tmp_path, []))
    assert refusal.value.code == "campaign_paused"
    assert not User.objects.exists()
