"""How good a volunteer is at a campaign's question: for them and for the campaign's admins alone."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

import numpy as np
import orjson
from django.db import connection

from annotation.algorithms.skill import Drift, drift
from annotation.errors import NotFound
from annotation.kinds import Kind, kind_named
from annotation.models import Campaign, User, Volunteer

MOST_VOLUNTEERS = 200  # on one page: those in doubt first, then those with the most answers
LATEST = 1000  # answers of a volunteer that their report is computed from
OWN_STEP = 10  # a volunteer's own figures move by whole tens of answers: no single task shows in them
RIGHT = 0.999  # of a score: all of the answer is right

READ_SKILLS = """
SELECT v.id, v.pseudonym, v.origin, v.standing, v.standing_reason,
       coalesce(v.asked_to_train_at > coalesce(v.trained_at, '-infinity'), false),
       days.n, days.last, k.accuracy, k.low, k.high, k.n_answers
FROM annotation_volunteer v
CROSS JOIN LATERAL (
    SELECT coalesce(sum(n_answers), 0) AS n, max(day) AS last FROM annotation_volunteerday d
    WHERE d.volunteer_id = v.id
) days
LEFT JOIN annotation_skill k ON k.volunteer_id = v.id
WHERE v.campaign_id = %s
ORDER BY v.standing = 'trusted', days.n DESC, v.pseudonym LIMIT %s
"""

# What is said of an answer is said of the one first given: what is known to be right may be told to
# volunteers later, and a figure that followed a revision would tell what others said. The latest answers are
# left out until `step` of them are there.
READ_ANSWERS = """
SELECT an.value::text, coalesce(first.value, an.value)::text, an.seconds, an.weighs, s.value::text,
       s.votes::text, coalesce(s.n_answers, 0), g.value::text, others.given
FROM (
    SELECT id, task_id, closed_at FROM annotation_assignment a
    WHERE a.volunteer_id = %(volunteer)s AND a.state = 'answered' ORDER BY a.closed_at DESC, a.id
    LIMIT %(latest)s OFFSET (
        SELECT coalesce(sum(n_answers), 0) %% %(step)s FROM annotation_volunteerday d
        WHERE d.volunteer_id = %(volunteer)s)
) latest
JOIN annotation_answer an ON an.assignment_id = latest.id
LEFT JOIN annotation_consensus s ON s.task_id = latest.task_id
LEFT JOIN annotation_gold g ON g.task_id = latest.task_id
LEFT JOIN LATERAL (
    SELECT r.value FROM annotation_answerrevision r WHERE r.answer_id = an.assignment_id
    ORDER BY r.replaced_at, r.id LIMIT 1
) first ON true
LEFT JOIN LATERAL (
    SELECT json_agg(o.value)::text AS given FROM annotation_assignment b
    JOIN annotation_answer o ON o.assignment_id = b.id AND o.weighs
    WHERE b.task_id = latest.task_id AND b.volunteer_id <> %(volunteer)s
) others ON %(with_others)s
ORDER BY latest.closed_at, latest.id DESC
"""

TYPICAL_SECONDS = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY an.seconds) FROM (
    SELECT task_id FROM annotation_consensus WHERE campaign_id = %s AND settled_at IS NOT NULL
    ORDER BY settled_at DESC LIMIT 1000
) latest
JOIN annotation_assignment a ON a.task_id = latest.task_id
JOIN annotation_answer an ON an.assignment_id = a.id
"""


@dataclass(frozen=True, slots=True)
class SkillLine:
    """A volunteer in the admin's list. Accuracy and its interval are None before the first fit."""

    volunteer_id: UUID
    pseudonym: str
    origin: str
    standing: str
    standing_reason: str
    is_to_train: bool
    n_answers: int
    last_day: date | None
    accuracy: float | None
    low: float | None
    high: float | None
    n_fitted: int | None


@dataclass(frozen=True, slots=True)
class GoldRecord:
    n: int
    n_right: int  # wholly
    score: float | None  # the mean, from 0 to 1; None without any


@dataclass(frozen=True, slots=True)
class ConfusionRow:
    """How often what the engine holds for `name` was called each label: expected counts, and shares."""

    name: str
    n: float
    cells: list[tuple[str, float, float, int]]  # (the label given, count, share of the row, shade 0 to 5)


class Rate(NamedTuple):
    """A share of n decisions, with its 90 % credible interval."""

    share: float
    low: float
    high: float
    n: float


@dataclass(frozen=True, slots=True)
class FindRow:
    """Of what the engine holds to be there, and of what it doesn't though somebody stated it, what they
    stated. The name is a label's, or empty for all relations together."""

    name: str
    found: Rate
    invented: Rate

    @property
    def rates(self) -> tuple[Rate, Rate]:
        return self.found, self.invented


@dataclass(frozen=True, slots=True)
class Lean:
    """On a scale: how many steps off an answer is on the mean, and which way (above 0: too high)."""

    distance: float
    bias: float


@dataclass(frozen=True, slots=True)
class SkillReport:
    """One volunteer's skill. What is not known yet is None."""

    volunteer: Volunteer
    n_answers: int  # that the report is computed from
    accuracy: float | None
    low: float | None
    high: float | None
    n_fitted: int
    fit_number: int
    confusion: list[ConfusionRow]
    finds: list[FindRow]
    lean: Lean | None
    gold: GoldRecord
    drift: Drift | None
    seconds: float | None
    typical_seconds: float | None
    peers: float | None  # the mean share of others who gave the same answer, or how like theirs it is
    n_with_peers: int
    evidence: dict


def skill_lines(campaign: Campaign) -> list[SkillLine]:
    """The campaign's volunteers under their pseudonyms: those in doubt first, then by their answers."""
    with connection.cursor() as cursor:
        cursor.execute(READ_SKILLS, [campaign.pk, MOST_VOLUNTEERS])
        return [SkillLine(*row) for row in cursor.fetchall()]


def volunteer_of(campaign: Campaign, volunteer_id: UUID) -> Volunteer:
    volunteer = campaign.volunteers.filter(pk=volunteer_id).first()
    if volunteer is None:
        raise NotFound()
    return volunteer


def skill_report(campaign: Campaign, volunteer: Volunteer) -> SkillReport:
    """For an admin: all there is to know."""
    return _report(campaign, volunteer, step=1)


def own_report(campaign: Campaign, user: User) -> SkillReport:
    """For the volunteer: the same figures of whole tens of answers, so that no single task shows in them."""
    volunteer = Volunteer.objects.of(user, campaign).first()
    if volunteer is None:
        raise NotFound()
    return _report(campaign, volunteer, step=OWN_STEP)


class _Given(NamedTuple):
    """An answer with all that it is held against."""

    value: dict
    first: dict  # as it was first given
    seconds: float
    weighs: bool
    consensus: dict | None
    votes: dict
    n_answers: int  # that the consensus is of
    gold: dict | None
    others: list[dict]  # where an answer is more than one label


def _answers(volunteer: Volunteer, kind: Kind, *, step: int) -> list[_Given]:
    asked = {"volunteer": volunteer.pk, "latest": LATEST, "step": step, "with_others": not kind.one_label}
    with connection.cursor() as cursor:
        cursor.execute(READ_ANSWERS, asked)
        return [
            _Given(_json(value), _json(first), seconds, weighs, _json(consensus), _json(votes) or {}, n,
                   _json(gold), _json(others) or [])
            for value, first, seconds, weighs, consensus, votes, n, gold, others in cursor.fetchall()
        ]  # fmt: skip


def _json(raw: str | None) -> dict | list | None:
    return None if raw is None else orjson.loads(raw)


def _report(campaign: Campaign, volunteer: Volunteer, *, step: int) -> SkillReport:
    kind = kind_named(campaign.kind)
    rows = _answers(volunteer, kind, step=step)
    skill = getattr(volunteer, "skill", None)
    right, gold_scores, peers = [], [], []
    for row in rows:
        if not kind.counts(row.first, campaign.labels):
            continue
        own = row.weighs and kind.counts(row.value, campaign.labels)  # whether it is one of the n
        if row.gold is not None and kind.counts(row.gold, campaign.labels):
            gold_scores.append(kind.score(row.first, row.gold))
            right.append(gold_scores[-1])
        elif row.gold is None and row.consensus is not None and row.n_answers > own:
            right.append(kind.score(row.first, row.consensus))
        agreed = _agreed(campaign, kind, row, own)
        if agreed is not None:
            peers.append(agreed)
    confusion = _confusion(campaign, kind, skill.confusion) if skill else []
    return SkillReport(
        volunteer=volunteer,
        n_answers=len(rows),
        accuracy=skill and skill.accuracy,
        low=skill and skill.low,
        high=skill and skill.high,
        n_fitted=skill.n_answers if skill else 0,
        fit_number=skill.version if skill else 0,
        confusion=confusion,
        finds=_finds(campaign, skill.finds or []) if skill else [],
        lean=_lean(skill.confusion) if confusion and kind.is_ordered else None,
        gold=GoldRecord(len(gold_scores), sum(score > RIGHT for score in gold_scores), _mean(gold_scores)),
        drift=drift(np.array(right)) if right else None,
        seconds=float(np.median([row.seconds for row in rows])) if rows else None,
        typical_seconds=_typical_seconds(campaign),
        peers=_mean(peers),
        n_with_peers=len(peers),
        evidence=skill.evidence if skill else {},
    )


def _agreed(campaign: Campaign, kind: Kind, row: _Given, own: bool) -> float | None:
    """The share of others who gave the same label; elsewhere how like theirs the answer is, on the mean."""
    if kind.one_label:
        n_others = row.n_answers - own
        same = row.votes.get(row.first["label"], 0) - (own and row.value == row.first)
        # Where labels came back, votes follow within a minute.
        return max(0, same) / n_others if n_others > 0 else None
    return _mean(
        [kind.score(row.first, other) for other in row.others if kind.counts(other, campaign.labels)]
    )


def _mean(scores: list[float]) -> float | None:
    return float(np.mean(scores)) if scores else None


def _finds(campaign: Campaign, stored: list[dict]) -> list[FindRow]:
    """In the order of the labels, all relations last; without labels that were taken out since."""
    names = campaign.label_names | {"": ""}
    order = list(names)
    known = sorted(
        (row for row in stored if row["label"] in names), key=lambda row: order.index(row["label"])
    )
    return [FindRow(names[row["label"]], Rate(*row["found"]), Rate(*row["invented"])) for row in known]


def _lean(counts: list[list[float]]) -> Lean | None:
    """From expected counts [K, K], row the step that it is, column the step that was given.

    >>> _lean([[2.0, 2.0], [0.0, 4.0]])
    Lean(distance=0.25, bias=0.25)
    """
    given = np.array(counts)
    steps = np.arange(len(given))[None, :] - np.arange(len(given))[:, None]
    n = given.sum()
    if not n:
        return None
    return Lean(float((given * abs(steps)).sum() / n), float((given * steps).sum() / n))


def _typical_seconds(campaign: Campaign) -> float | None:
    with connection.cursor() as cursor:
        cursor.execute(TYPICAL_SECONDS, [campaign.pk])
        return cursor.fetchone()[0]


def _confusion(campaign: Campaign, kind: Kind, counts: list[list[float]] | None) -> list[ConfusionRow]:
    """Empty where the fit kept none, or where the labels have changed since."""
    names = list(campaign.label_names.values())
    if not kind.one_label or counts is None or len(counts) != len(names):
        return []
    rows = []
    for name, given in zip(names, counts, strict=True):
        n = sum(given)
        shares = [count / n if n else 0.0 for count in given]
        cells = [
            (label, count, share, min(5, int(share * 5 + 0.999)))
            for label, count, share in zip(names, given, shares, strict=True)
        ]
        rows.append(ConfusionRow(name, n, cells))
    return rows
