"""After a refit: whose answers look wrong enough that a person has to decide, and who is asked to train."""

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np
from django.db import connection

from annotation.algorithms.collusion import lock_steps
from annotation.algorithms.skill import drift, habits, speeds
from annotation.kinds import kind_named
from annotation.models import Campaign, Skill, Volunteer
from annotation.services.refresher import ask_to_train, may_be_asked
from annotation.services.standing import set_standing

TASKS_LOOKED_AT = 20_000  # the latest with a consensus
MOST_LABELS = 20  # with more, a habit and a confusion can't be told apart by the answers there are
SURE_OF_TRUTH = 0.8  # a consensus less sure than that is held against nobody
FEWEST_TO_TRAIN = 30  # answers in the fit from which on somebody may be asked to train
POINTS_BELOW = 0.1  # that a volunteer's accuracy surely lies below the middle of the crowd's
REASON_LENGTH = Volunteer._meta.get_field("standing_reason").max_length

# In order of time. An answer of nobody's trust is looked at too: the evidence is for whoever decides.
READ_ANSWERS = """
SELECT latest.task_id, a.volunteer_id, an.value->>'label', an.seconds, g.label,
       CASE WHEN latest.certainty >= %(sure)s THEN latest.label END
FROM (
    SELECT task_id, label, certainty FROM annotation_consensus
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
    """Answers in order of time: task, worker, label int [N] (label -1: one that was taken out); truth [T]."""

    task: np.ndarray
    worker: np.ndarray
    label: np.ndarray
    seconds: np.ndarray
    truth: np.ndarray
    volunteers: list[UUID]


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
    answers = _read(campaign)
    found: dict[UUID, Findings] = defaultdict(Findings)
    if not answers.volunteers:
        return found
    for w, speed in enumerate(speeds(answers.worker, answers.seconds, len(answers.volunteers))):
        if speed is not None:
            suspected = speed.is_striking and answers.volunteers[w] not in good
            _add(found[answers.volunteers[w]], "speed", speed, suspected)
    if kind_named(campaign.kind).one_label:
        _add_labels(found, answers, campaign)
    return found


def _add_labels(found: dict[UUID, Findings], answers: _Answers, campaign: Campaign) -> None:
    """What only labels can show: drift, answers that ignore the task, mistakes made in lock-step."""
    volunteers, n_labels = answers.volunteers, len(campaign.labels)
    truth = answers.truth[answers.task]
    known = (truth >= 0) & (answers.label >= 0)
    by_worker = np.flatnonzero(known)[np.argsort(answers.worker[known], kind="stable")]
    ends = np.cumsum(np.bincount(answers.worker[known], minlength=len(volunteers)))
    for volunteer, own in zip(volunteers, np.split(by_worker, ends[:-1]), strict=True):
        drifted = drift((answers.label[own] == truth[own]).astype(float))
        if drifted is not None:
            _add(found[volunteer], "drift", drifted, suspected=False)
    if n_labels <= MOST_LABELS:
        counts = np.zeros((len(volunteers), n_labels, n_labels))
        np.add.at(counts, (answers.worker[known], truth[known], answers.label[known]), 1.0)
        for volunteer, own_counts, habit in zip(volunteers, counts, habits(counts), strict=True):
            if habit is not None:
                suspected = habit.is_striking and not beats_chance(own_counts)
                _add(found[volunteer], "habit", habit, suspected)
    pairs = lock_steps(answers.task[known], answers.worker[known], answers.label[known], answers.truth)
    names = dict(campaign.volunteers.filter(pk__in=volunteers).values_list("pk", "pseudonym"))
    for pair in pairs:
        for own, other in ((pair.first, pair.second), (pair.second, pair.first)):
            sentence = f"With {names[volunteers[other]]}: {pair.sentence}"
            numbers = asdict(pair) | {"sentence": sentence, "striking": True}
            found[volunteers[own]].evidence.setdefault("lock_step", []).append(numbers)
            found[volunteers[own]].reasons.append(sentence)


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


def _read(campaign: Campaign) -> _Answers:
    keys = {key: k for k, key in enumerate(campaign.label_names)}
    tasks: dict[UUID, int] = {}
    workers: dict[UUID, int] = {}
    truth: list[int] = []
    rows = []
    with connection.cursor() as cursor:
        parameters = {"campaign": campaign.pk, "limit": TASKS_LOOKED_AT, "sure": SURE_OF_TRUTH}
        cursor.execute(READ_ANSWERS, parameters)
        for task, volunteer, label, seconds, gold, consensus in cursor.fetchall():
            if task not in tasks:
                truth.append(keys.get(gold or consensus, -1))
            row = (tasks.setdefault(task, len(tasks)), workers.setdefault(volunteer, len(workers)))
            rows.append((*row, keys.get(label, -1), max(seconds, 0.01)))
    columns = np.array(rows, dtype=float).reshape(-1, 4).T
    task, worker, label = columns[:3].astype(np.int64)
    return _Answers(task, worker, label, columns[3], np.array(truth, dtype=np.int64), list(workers))
