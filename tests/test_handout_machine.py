"""The hand-out against a model of it in plain Python, through whatever sequence hypothesis thinks of."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from annotation.errors import (
    AlreadyAnswered,
    CampaignPaused,
    KeyReused,
    LeaseExpired,
    NotOpen,
    PlatformError,
    RecordHeld,
)
from annotation.exchange import set_priorities
from annotation.models import Assignment, Campaign, Consensus, MicroTask, Record
from annotation.services.answers import revise_answer, submit_answer
from annotation.services.campaigns import set_state, update_campaign
from annotation.services.crowd import judge_again
from annotation.services.handout import claim_task, expire_leases, extend_lease, skip_task
from tests.factories import NOW, make_campaign, make_sentences, make_users, make_volunteers
from tests.invariants import assert_everything_adds_up

LEASE = timedelta(seconds=100)
# Few of everything, so that tasks fill up and queues end; two sentences share a record and are held together.
RECORDS = ([(0, 8), (9, 17)], [(0, 8)], [(0, 8)])
N_VOLUNTEERS = 2
LABELS = ("yes", "no", "unclear")


@dataclass
class Task:
    id: UUID
    record: UUID
    priority: float
    needed: int
    held: bool = False
    version: int = 0
    settled_at: datetime | None = None

    @property
    def key(self) -> tuple:
        return (-self.priority, self.id)


@dataclass
class Turn:
    """A volunteer's turn at a task."""

    id: UUID
    task: Task
    volunteer: int
    expires_at: datetime
    state: str = "open"
    answer: str | None = None
    keys: dict[UUID, str] = field(default_factory=dict)  # every key that was used, with its label


@dataclass
class Model:
    """What the platform must do, without a database: the reference."""

    tasks: list[Task]
    needed: int
    turns: list[Turn] = field(default_factory=list)
    is_open: bool = True
    epoch: int = 0
    version: int = 0
    cursors: dict[int, tuple] = field(default_factory=dict)  # volunteer: (epoch, key)

    def taken(self, task: Task) -> int:
        return sum(turn.task is task and turn.state in ("open", "answered") for turn in self.turns)

    def has_room(self, task: Task) -> bool:
        return not task.held and self.taken(task) < task.needed

    def turns_of(self, volunteer: int) -> list[Turn]:
        return [turn for turn in self.turns if turn.volunteer == volunteer]

    def fresh(self, volunteer: int) -> list[Task]:
        had = [turn.task for turn in self.turns_of(volunteer)]
        tasks = [task for task in self.tasks if self.has_room(task) and task not in had]
        return sorted(tasks, key=lambda task: task.key)

    def expire(self, now: datetime) -> int:
        due = [turn for turn in self.turns if turn.state == "open" and turn.expires_at < now]
        for turn in due:
            turn.state = "expired"
        return len(due)

    def claim(self, volunteer: int, now: datetime) -> Task | Turn | None:
        """A task never had, or a turn of one's own that goes on, or nothing."""
        for turn in self.turns_of(volunteer):
            if turn.state == "open" and not turn.task.held:
                return turn
            if turn.state == "open":
                turn.state = "expired"
        epoch, cursor = self.cursors.get(volunteer, (None, None))
        behind = [t for t in self.fresh(volunteer) if epoch == self.epoch and t.key > cursor]
        if behind or self.fresh(volunteer):
            return (behind or self.fresh(volunteer))[0]
        self.expire(now)
        if self.fresh(volunteer):
            return self.fresh(volunteer)[0]
        own = [t for t in self.turns_of(volunteer) if t.state == "expired" and self.has_room(t.task)]
        return min(own, key=lambda turn: turn.task.key, default=None)

    def judge(self, task: Task, now: datetime) -> None:
        """What is settled stays so since when it was."""
        n_answers = sum(turn.task is task and turn.state == "answered" for turn in self.turns)
        task.settled_at = task.settled_at or now if n_answers >= task.needed else None

    def consensus(self, task: Task) -> tuple | None:
        """(label, share, number of answers, when it settled)"""
        turns = [turn for turn in self.turns if turn.task is task and turn.state == "answered"]
        if not turns:
            return None
        most = Counter(turn.answer for turn in turns).most_common()
        tied = len(most) > 1 and most[0][1] == most[1][1]
        return ("" if tied else most[0][0], most[0][1] / len(turns), len(turns), task.settled_at)


volunteers = st.integers(0, N_VOLUNTEERS - 1)
labels = st.sampled_from(LABELS)


class HandoutMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.example = transaction.atomic()
        self.example.__enter__()
        self.now = NOW
        self.campaign = make_campaign(needed=2, lease_seconds=LEASE.seconds)
        self.users = make_users(N_VOLUNTEERS)
        make_volunteers(self.campaign, self.users)
        rows = [t for spans in RECORDS for t in make_sentences(self.campaign, "No rash. A fever.", spans)]
        self.model = Model([Task(t.pk, t.record_id, t.priority, t.needed) for t in rows], needed=2)

    def teardown(self):
        assert_everything_adds_up(self.campaign)
        transaction.set_rollback(True)
        self.example.__exit__(None, None, None)

    def outcome(self, service, *arguments, **named):
        """What a service returns, or the class of the error it raises, as the pages would see it."""
        try:
            with transaction.atomic():
                return service(*arguments, now=self.now, **named)
        except PlatformError as error:
            return type(error)

    def some_turn(self, data) -> Turn:
        return data.draw(st.sampled_from(self.model.turns))

    # --- What volunteers do ---

    @rule(volunteer=volunteers)
    def claim(self, volunteer):
        place = self.outcome(claim_task, self.campaign.pk, self.users[volunteer])
        if not self.model.is_open:
            assert place is CampaignPaused
            return
        expected = self.model.claim(volunteer, self.now)
        if expected is None:
            assert place is None
        elif isinstance(expected, Turn):
            assert place.assignment_id == expected.id
            expected.state, expected.expires_at = "open", self.now + LEASE
        else:
            assert place.task_id == expected.id
            self.model.turns.append(Turn(place.assignment_id, expected, volunteer, self.now + LEASE))
            self.model.cursors[volunteer] = (self.model.epoch, expected.key)
        assert place is None or place.expires_at == self.now + LEASE

    @precondition(lambda self: self.model.turns)
    @rule(data=st.data(), label=labels)
    def submit(self, data, label):
        turn = self.some_turn(data)
        key = data.draw(st.sampled_from([*turn.keys, uuid4()]))
        self.submit_turn(turn, label, key)

    @rule(volunteer=volunteers, label=labels, n=st.integers(1, 2))
    def work(self, volunteer, label, n):
        for _ in range(n):
            self.claim(volunteer)
            for turn in self.model.turns_of(volunteer):
                if turn.state == "open":
                    self.submit_turn(turn, label, uuid4())

    def submit_turn(self, turn, label, key):
        result = self.outcome(submit_answer, turn.id, self.users[turn.volunteer], {"label": label}, key=key)
        if turn.state == "answered":
            self.check_repeat(turn, label, key, result)
        elif not self.model.is_open:
            assert result is CampaignPaused
        elif turn.state == "skipped":
            assert result is NotOpen
        elif turn.state == "expired" and self.model.taken(turn.task) >= turn.task.needed:
            assert result is LeaseExpired
        elif turn.state == "expired" and turn.task.held:
            assert result is RecordHeld
        else:
            assert (result.repeated, result.campaign_id) == (False, self.campaign.pk)
            turn.state = "answered"
            self.answered(turn, label, key)

    def check_repeat(self, turn, label, key, result):
        if key not in turn.keys:
            assert result is AlreadyAnswered
        elif turn.keys[key] != label:
            assert result is KeyReused
        else:
            assert result.repeated

    def answered(self, turn, label, key):
        turn.answer = label
        turn.keys[key] = label
        self.model.judge(turn.task, self.now)

    @precondition(lambda self: self.model.turns)
    @rule(data=st.data(), label=labels)
    def revise(self, data, label):
        turn = self.some_turn(data)
        key = data.draw(st.sampled_from([*turn.keys, uuid4()]))
        result = self.outcome(revise_answer, turn.id, self.users[turn.volunteer], {"label": label}, key=key)
        if turn.state != "answered":
            assert result is NotOpen
        elif key in turn.keys:
            self.check_repeat(turn, label, key, result)
        elif not self.model.is_open:
            assert result is CampaignPaused
        else:
            assert not result.repeated
            self.answered(turn, label, key)

    @precondition(lambda self: self.model.turns)
    @rule(data=st.data(), reason=st.sampled_from(["unclear", "broken_text", "names_a_person"]))
    def skip(self, data, reason):
        turn = self.some_turn(data)
        result = self.outcome(skip_task, turn.id, self.users[turn.volunteer], reason)
        if turn.state == "answered":
            assert result is NotOpen
            return
        assert result == self.campaign.pk
        turn.state = "skipped"
        if reason == "names_a_person":
            self.hold_in_model(turn.task.record, True)

    @precondition(lambda self: self.model.turns)
    @rule(data=st.data())
    def extend(self, data):
        turn = self.some_turn(data)
        result = self.outcome(extend_lease, turn.id, self.users[turn.volunteer])
        if not self.model.is_open:
            assert result is CampaignPaused
        elif turn.state == "open":
            assert result == self.now + LEASE
            turn.expires_at = self.now + LEASE
        else:
            assert result is (LeaseExpired if turn.state == "expired" else NotOpen)

    # --- What time and others do ---

    @rule(seconds=st.sampled_from([101, 60, 1]), sweep=st.booleans())
    def time_passes(self, seconds, sweep):
        self.now += timedelta(seconds=seconds)
        if sweep:
            assert expire_leases(now=self.now) == self.model.expire(self.now)

    @rule(volunteer=volunteers)
    def a_volunteer_loses_their_lease(self, volunteer):
        self.claim(volunteer)
        self.time_passes(seconds=101, sweep=True)

    @rule()
    def pause_or_open(self):
        self.model.is_open = not self.model.is_open
        set_state(self.campaign, "open" if self.model.is_open else "paused", by=None)

    @precondition(lambda self: not self.model.is_open)
    @rule()
    def open_again(self):
        self.pause_or_open()

    @rule(data=st.data(), held=st.booleans())
    def hold_or_release(self, data, held):
        record = data.draw(st.sampled_from(sorted({task.record for task in self.model.tasks})))
        Record.objects.filter(pk=record).update(held=held)
        self.hold_in_model(record, held)

    def hold_in_model(self, record, held):
        for task in self.model.tasks:
            if task.record == record:
                task.held = held

    @precondition(lambda self: self.model.needed < 3)
    @rule()
    def raise_the_need(self):
        self.model.needed += 1
        update_campaign(self.campaign, by=self.users[0], needed=self.model.needed)
        judge_again(self.campaign, now=self.now)
        self.model.epoch += 1
        for task in self.model.tasks:
            task.needed = self.model.needed
            self.model.judge(task, self.now)

    @rule(data=st.data(), newer=st.sampled_from([1, 0, -1]))
    def order_anew(self, data, newer):
        version = max(0, self.model.version + newer)
        scores = [(task, data.draw(st.integers(0, 3)) / 2) for task in self.model.tasks]
        written = set_priorities(
            self.campaign.pk, [(task.id, p) for task, p in scores], run=version, now=self.now
        )
        accepted = [(task, priority) for task, priority in scores if task.version <= version]
        assert written == len(accepted)
        for task, priority in accepted:
            task.priority, task.version = priority, version
        if version >= self.model.version:
            self.model.version, self.model.epoch = version, self.model.epoch + 1

    # --- What must hold after each step ---

    @invariant()
    def the_rows_are_what_the_model_says(self):
        rows = MicroTask.objects.values_list("id", "taken", "needed", "held", "priority", "is_open")
        assert {row[0]: row[1:] for row in rows} == {
            t.id: (self.model.taken(t), t.needed, t.held, t.priority, self.model.has_room(t))
            for t in self.model.tasks
        }
        turns = Assignment.objects.values_list("id", "state", "expires_at", "answer__value__label")
        assert {row[0]: row[1:] for row in turns} == {
            t.id: (t.state, t.expires_at, t.answer) for t in self.model.turns
        }
        rows = Consensus.objects.values_list("task", "label", "share", "n_answers", "settled_at")
        consensus = {task.id: self.model.consensus(task) for task in self.model.tasks}
        assert {row[0]: row[1:] for row in rows} == {task: row for task, row in consensus.items() if row}
        campaign = Campaign.objects.values_list("state", "queue_epoch", "needed").get()
        assert campaign == ("open" if self.model.is_open else "paused", self.model.epoch, self.model.needed)


@pytest.mark.django_db
def test_the_platform_does_what_the_model_does():
    run_state_machine_as_test(
        HandoutMachine,
        settings=settings(
            max_examples=150,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
