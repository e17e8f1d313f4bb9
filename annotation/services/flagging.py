"""After a refit: whose answers look wrong enough that a person has to decide, and who is asked to train."""

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import numpy as np
import orjson
from django.db import connection

from annotation.algorithms.collusion import lock_steps
from annotation.algorithms.dependence import beside_others, dependences
from annotation.algorithms.skill import FEWEST, drift, habits, speeds
from annotation.kinds import Kind, kind_named
from annotation.models import Campaign, Skill, Volunteer
from annotation.services.refresher import ask_to_train, may_be_asked
from annotation.services.standing import set_standing

TASKS_LOOKED_AT = 20_000  # the latest with a consensus
MOST_LABELS = 20  # with more, a habit and a confusion can't be told apart by the answers there are
SURE_OF_TRUTH = 0.8  # one label that is less sure than that is held against nobody
MOST_COMPARED = 200  # latest answers of a volunteer, of several parts, that are held against other tasks
LIKENESSES_KEPT = 50_000  # of two values: many answers say the same
FEWEST_TO_TRAIN = 30  # answers in the fit from which on somebody may be asked to train
POINTS_BELOW = 0.1  # that a volunteer's accuracy surely lies below the middle of the crowd's
REASON_LENGTH = Volunteer._meta.get_field("standing_reason").max_length

# In order of time. An answer of nobody's trust is looked at too: the evidence is for whoever decides.
READ_ANSWERS = """
SELECT latest.task_id, a.volunteer_id, an.value::text, an.seconds, a.suggested IS TRUE,
       coalesce(g.value, CASE WHEN latest.certainty >= %(sure)s THEN latest.value END)::text
FROM (
    SELECT task_id, value, certainty FROM annotation_consensus
    WHERE campaign_id = %(campaign)s AND settled_at IS NOT NULL AND n_answers > 1
    ORDER BY settled_at DESC LIMIT %(limit)s
) latest
JOIN annotation_assignment a ON a.task_id = latest.task_id
JOIN annotation_answer an ON an.assignment_id = a.id
LEFT JOIN annotation_gold g ON g.task_id = latest.task_id
ORDER BY an.answered_at
"""


@dataclass
class Findings:
    """What the answers say of one volunteer; `reasons` are those that put their answers in doubt."""

    evidence: dict = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Answers:
    """Answers in order of time: task, worker, code int [N], prompted bool [N] (a model's marks were there to
    begin with); truth int [T].

    A code stands for what an answer says, of one label its place among the campaign's, and is an index into
    `values`; -1 for an answer that names what was taken out since, and for a truth that is not known.
    """

    task: np.ndarray
    worker: np.ndarray
    code: np.ndarray
    seconds: np.ndarray
    prompted: np.ndarray
    truth: np.ndarray
    volunteers: list[UUID]
    values: list[dict]

    @property
    def known(self) -> np.ndarray:
        """[N]: whether the answer counts and the truth is known."""
        return (self.truth[self.task] >= 0) & (self.code >= 0)

    def by_volunteer(self) -> Iterator[np.ndarray]:
        """Of each volunteer, in their order, the rows that are known, in order of time."""
        known = self.known
        rows = np.flatnonzero(known)[np.argsort(self.worker[known], kind="stable")]
        ends = np.cumsum(np.bincount(self.worker[known], minlength=len(self.volunteers)))
        yield from np.split(rows, ends[:-1])


def flag_volunteers(campaign: Campaign, *, now: datetime) -> list[Volunteer]:
    """Keep the evidence beside each skill, flag whom it speaks against, and ask others back to training.

    Returns those newly flagged. Their answers weigh nothing from now on; the earlier ones follow by
    `weigh_answers_again`. Whom a person has decided on is not flagged, whatever the evidence.
    """
    known = Skill.objects.filter(volunteer__campaign=campaign).select_related("volunteer")
    skills = {skill.pk: skill for skill in known}
    trusted = [skill.accuracy for skill in skills.values() if skill.volunteer.is_trusted]
    if not trusted:
        return []
    middle = float(np.median(trusted))
    found = findings(campaign, {pk for pk, skill in skills.items() if skill.low >= middle})
    for pk, skill in skills.items():
        skill.evidence = found[pk].evidence
    Skill.objects.bulk_update(skills.values(), ["evidence"], batch_size=1000)
    in_doubt = [pk for pk in skills if found[pk].reasons]
    flagged = []
    undecided = {"standing": Volunteer.Standing.TRUSTED, "standing_by": None}
    for volunteer in Volunteer.objects.filter(pk__in=in_doubt, **undecided).order_by("pk"):
        reason = " ".join(found[volunteer.pk].reasons)[:REASON_LENGTH]
        flagged.append(set_standing(volunteer, Volunteer.Standing.FLAGGED, reason, by=None, now=now))
    _ask_back(skills, middle, now)
    return flagged


def _ask_back(skills: dict[UUID, Skill], middle: float, now: datetime) -> None:
    """Whose accuracy surely lies well below the middle of the crowd's reads the guideline once more."""
    below = [
        pk
        for pk, skill in skills.items()
        if skill.high < middle - POINTS_BELOW and skill.n_answers >= FEWEST_TO_TRAIN
    ]
    for volunteer in Volunteer.objects.filter(pk__in=below, standing=Volunteer.Standing.TRUSTED):
        if may_be_asked(volunteer):
            ask_to_train(volunteer, by=None, now=now)


def findings(campaign: Campaign, good: set[UUID]) -> dict[UUID, Findings]:
    """The evidence on each volunteer of the latest settled tasks. `good` are surely better than most: who
    is fast and good reads fast, and is not suspected for it."""
    kind = kind_named(campaign.kind)
    answers = _read(campaign, kind)
    found: dict[UUID, Findings] = defaultdict(Findings)
    if not answers.volunteers:
        return found
    for w, speed in enumerate(speeds(answers.worker, answers.seconds, len(answers.volunteers))):
        if speed is not None:
            suspected = speed.is_striking and answers.volunteers[w] not in good
            _add(found[answers.volunteers[w]], "speed", speed, suspected)
    _add_drift(found, answers, kind)
    if not kind.one_label:
        _add_dependence(found, answers, kind)
    elif len(campaign.labels) <= MOST_LABELS:
        _add_habits(found, answers, len(campaign.labels))
    _add_lock_steps(found, answers, campaign, kind)
    return found


def _add_drift(found: dict[UUID, Findings], answers: _Answers, kind: Kind) -> None:
    for volunteer, own in zip(answers.volunteers, answers.by_volunteer(), strict=True):
        pairs = zip(answers.code[own], answers.truth[answers.task[own]], strict=True)
        drifted = drift(np.array([kind.score(answers.values[a], answers.values[b]) for a, b in pairs]))
        if drifted is not None:
            _add(found[volunteer], "drift", drifted, suspected=False)


def _add_habits(found: dict[UUID, Findings], answers: _Answers, n_labels: int) -> None:
    """Answers of one label that ignore the task."""
    known = answers.known
    truth = answers.truth[answers.task]
    counts = np.zeros((len(answers.volunteers), n_labels, n_labels))
    np.add.at(counts, (answers.worker[known], truth[known], answers.code[known]), 1.0)
    for volunteer, own_counts, habit in zip(answers.volunteers, counts, habits(counts), strict=True):
        if habit is not None:
            suspected = habit.is_striking and not beats_chance(own_counts)
            _add(found[volunteer], "habit", habit, suspected)


def _add_dependence(found: dict[UUID, Findings], answers: _Answers, kind: Kind) -> None:
    """Answers of several labels, marks or words that ignore the task."""
    likeness = _Likeness(kind, answers.values)
    worker, figures = [], []
    for w, own in enumerate(answers.by_volunteer()):
        if len(own) >= FEWEST:
            rows = own[-MOST_COMPARED:]
            figures.append(beside_others(answers.code[rows], answers.truth[answers.task[rows]], likeness))
            worker.append(np.full(len(rows), w))
    if not worker:
        return
    by_worker = dependences(np.concatenate(worker), *np.concatenate(figures, axis=1), len(answers.volunteers))
    for volunteer, dependence in zip(answers.volunteers, by_worker, strict=True):
        if dependence is not None:
            _add(found[volunteer], "habit", dependence, suspected=dependence.is_striking)


class _Likeness:
    """How alike two values are, by their codes."""

    def __init__(self, kind: Kind, values: list[dict]):
        self._of = lru_cache(LIKENESSES_KEPT)(lambda a, b: kind.likeness(values[a], values[b]))

    def __call__(self, codes: np.ndarray, others: np.ndarray) -> np.ndarray:
        return np.array([self._of(a, b) for a, b in zip(codes.tolist(), others.tolist(), strict=True)])


def _add_lock_steps(found: dict[UUID, Findings], answers: _Answers, campaign: Campaign, kind: Kind) -> None:
    """Mistakes that two make together; of answers of several parts, whole ones that are clearly wrong.

    Who began with the same marks makes the same mistakes without the other.
    """
    own, volunteers = answers.known & ~answers.prompted, answers.volunteers
    task, code, truth = answers.task[own], answers.code[own], answers.truth
    if not kind.one_label:
        code, truth = _clear_mistakes(kind, answers.values, code, truth[task], truth)
    pairs = lock_steps(task, answers.worker[own], code, truth, is_open=not kind.one_label)
    names = dict(campaign.volunteers.filter(pk__in=volunteers).values_list("pk", "pseudonym"))
    for pair in pairs:
        for own, other in ((pair.first, pair.second), (pair.second, pair.first)):
            sentence = f"With {names[volunteers[other]]}: {pair.sentence}"
            numbers = asdict(pair) | {"sentence": sentence, "striking": True}
            found[volunteers[own]].evidence.setdefault("lock_step", []).append(numbers)
            found[volunteers[own]].reasons.append(sentence)


def _clear_mistakes(
    kind: Kind, values: list[dict], said: np.ndarray, right: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of what was said [N] beside what is right [N], and of the truth [T]; nearly right is right."""
    numbers: dict[str, int] = {}

    def number(code: int, true: int) -> int:
        cell = kind.cell(kind.clear_mistakes(values[code], values[true]))
        return numbers.setdefault(cell, len(numbers))

    said_clearly = [number(code, true) for code, true in zip(said.tolist(), right.tolist(), strict=True)]
    truth_clearly = [number(true, true) if true >= 0 else -1 for true in truth.tolist()]
    return np.array(said_clearly, dtype=np.int64), np.array(truth_clearly, dtype=np.int64)


def beats_chance(counts: np.ndarray) -> bool:
    """Whether answers agree with the truth more often than the same answers in another order would.

    counts: [K, K], row truth, column answer. A poor volunteer who tries does; a fixed habit does not. The
    chance is that of Cohen's kappa, and three deviations of it are asked for.

    >>> beats_chance(np.array([[20, 10], [0, 0]])), beats_chance(np.array([[56, 24], [24, 56]]))
    (False, True)
    """
    n = counts.sum()
    expected = float((counts.sum(axis=0) * counts.sum(axis=1)).sum()) / n**2
    deviation = np.sqrt(expected * (1 - expected) / n)
    return bool(np.trace(counts) / n > expected + 3 * deviation)


def _add(findings: Findings, name: str, evidence, suspected: bool) -> None:
    numbers = asdict(evidence) | {"sentence": evidence.sentence, "striking": bool(evidence.is_striking)}
    findings.evidence[name] = numbers
    if suspected:
        findings.reasons.append(evidence.sentence)


def _read(campaign: Campaign, kind: Kind) -> _Answers:
    """Of one label only what is sure is held against anybody. Certainty of an answer of several parts is that
    of all of them together, which is low wherever there are many."""
    codes = _Codes(kind, campaign.labels)
    tasks: dict[UUID, int] = {}
    workers: dict[UUID, int] = {}
    truth: list[int] = []
    rows = []
    with connection.cursor() as cursor:
        sure = SURE_OF_TRUTH if kind.one_label else 0.0
        parameters = {"campaign": campaign.pk, "limit": TASKS_LOOKED_AT, "sure": sure}
        cursor.execute(READ_ANSWERS, parameters)
        for task, volunteer, value, seconds, prompted, right in cursor.fetchall():
            if task not in tasks:
                truth.append(codes.of(right))
            row = (tasks.setdefault(task, len(tasks)), workers.setdefault(volunteer, len(workers)))
            rows.append((*row, codes.of(value), prompted, max(seconds, 0.01)))
    columns = np.array(rows, dtype=float).reshape(-1, 5).T
    task, worker, code, prompted = columns[:4].astype(np.int64)
    truths = np.array(truth, dtype=np.int64)
    return _Answers(
        task, worker, code, columns[4], prompted.astype(bool), truths, list(workers), codes.values
    )


class _Codes:
    """A number for each thing that is said; one label has its place among the campaign's."""

    def __init__(self, kind: Kind, labels: list[dict]):
        self._kind = kind
        self._labels = labels
        self.values = [{"label": label["key"]} for label in labels] if kind.one_label else []
        self._codes = {kind.cell(value): code for code, value in enumerate(self.values)}
        self._known: dict[str | None, int] = {None: -1}

    def of(self, raw: str | None) -> int:
        if raw not in self._known:
            self._known[raw] = self._code(orjson.loads(raw))
        return self._known[raw]

    def _code(self, value: dict | None) -> int:
        if value is None or not self._kind.counts(value, self._labels):
            return -1
        # A consensus may have the same marks in another order.
        value = self._kind.parse_answer(value, self._labels, sys.maxsize)
        cell = self._kind.cell(value)
        if cell not in self._codes:
            self._codes[cell] = len(self.values)
            self.values.append(value)
        return self._codes[cell]
