"""Why a consensus is what it is: the text, every answer with what it weighed, and how sure that makes."""

import math
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from django.db import connection, transaction

from annotation.errors import NotFound
from annotation.kinds import Kind, is_calibrated, kind_named
from annotation.models import Campaign, GuidelineDoubt, TrailEntry, User
from annotation.services.consensus import crowd_parameters
from annotation.services.task_names import SEVERAL, find_tasks

CONTEXT_LENGTH = 600  # code points shown before and after a sentence

# Held records stay out of sight.
READ_TASK = """
SELECT r.external_id, t.ordinal, t.section, t.divider - t.start,
       substr(r.text, t.start + 1, t."end" - t.start),
       substr(r.text, greatest(1, t.start + 1 - %(context)s), least(t.start, %(context)s)),
       substr(r.text, t."end" + 1, %(context)s),
       to_jsonb(s)::text, s.settled_at, to_jsonb(g)::text, g.decided_at, u.username
FROM annotation_microtask t
JOIN annotation_record r ON r.id = t.record_id
LEFT JOIN annotation_consensus s ON s.task_id = t.id
LEFT JOIN annotation_gold g ON g.task_id = t.id
LEFT JOIN annotation_user u ON u.id = g.decided_by_id
WHERE t.id = %(task)s AND t.campaign_id = %(campaign)s AND NOT t.held
"""

READ_ANSWERS = """
SELECT a.id, v.pseudonym, v.standing, an.value::text, an.certain, an.seconds, an.answered_at, an.weighs
FROM annotation_assignment a
JOIN annotation_volunteer v ON v.id = a.volunteer_id
JOIN annotation_answer an ON an.assignment_id = a.id
WHERE a.task_id = %s ORDER BY an.answered_at, a.id
"""


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """`who` is a pseudonym for an admin, a number for a reviewer. `weight` is None where each counts once."""

    who: str
    value: dict
    words: list[str]
    certain: bool | None
    seconds: float
    answered_at: datetime
    weight: float | None
    why_not: str  # why it does not count; empty if it does

    @property
    def counts(self) -> bool:
        return not self.why_not


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the consensus may be, with its probability. `rejected`: a part that it doesn't have."""

    key: str
    words: str
    probability: float
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answers add up to."""

    method: str
    version: int
    value: dict | None
    words: list[str]  # empty for a tie
    certainty: float | None
    is_probability: bool  # the certainty: how alike texts are is none until gold has calibrated it
    entropy: float | None
    doubt: str
    candidates: list[Candidate]
    n_answers: int
    settled_at: datetime | None
    audited: bool
    review: str

    @property
    def standing(self) -> list[Candidate]:
        return [candidate for candidate in self.candidates if not candidate.rejected]

    @property
    def rejected(self) -> list[Candidate]:
        return [candidate for candidate in self.candidates if candidate.rejected]


@dataclass(frozen=True, slots=True)
class Known:
    """The right answer, from a file or by a reviewer."""

    value: dict
    words: list[str]
    origin: str
    decided_by: str
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Explanation:
    task_id: UUID
    name: str
    section: str
    text: str
    before: str
    after: str
    second_begins: int | None  # in a pair, where in the text the second one begins
    verdict: Verdict | None
    known: Known | None
    answers: list[ReadAnswer]
    model_weight: float | None  # None where no model was heard as one more annotator
    notes: list[str]  # what reviewers found unclear

    @property
    def first_text(self) -> str:
        return self.text[: self.second_begins].rstrip() if self.second_begins else self.text

    @property
    def second_text(self) -> str:
        return self.text[self.second_begins :] if self.second_begins else ""


def find_task(campaign: Campaign, words: str) -> UUID:
    """A task by its id, its record's name, or `record#number` for one of several sentences."""
    words = words.strip()
    try:
        return UUID(words)
    except ValueError:
        task_id = find_tasks(campaign.pk, [words]).get(words) if "\x00" not in words else None
    if task_id == SEVERAL:
        raise NotFound("This record was cut into several tasks: add # and the number of one, from 0 on.")
    if task_id is None:
        raise NotFound("There is no task of this name in the campaign.")
    return task_id


@transaction.atomic
def explain_task(campaign: Campaign, task_id: UUID, *, by: User, with_names: bool) -> Explanation:
    """Everything that led to a task's consensus. It shows the text, so the trail says who read it.

    Without names the answers are numbered, and nothing says which of a volunteer's belong together.
    """
    parameters = {"task": task_id, "campaign": campaign.pk, "context": CONTEXT_LENGTH}
    with connection.cursor() as cursor:
        cursor.execute(READ_TASK, parameters)
        row = cursor.fetchone()
    if row is None:
        raise NotFound()
    (record, ordinal, section, second_begins, text, before, after, consensus, settled_at, gold, decided_at,
     decided_by) = row  # fmt: skip
    consensus, gold = consensus and orjson.loads(consensus), gold and orjson.loads(gold)
    weights = (consensus and consensus["weights"]) or {}
    decided_by = decided_by if with_names else ""
    detail = {"task": str(task_id)}
    TrailEntry.objects.create(user=by, campaign=campaign, verb="read_task", detail=detail)
    return Explanation(
        task_id=task_id,
        name=campaign.task_name(record, ordinal),
        section=section,
        text=text,
        before=before,
        after=after,
        second_begins=second_begins,
        verdict=consensus and _verdict(campaign, consensus, settled_at, text),
        known=gold and _known(campaign, gold, decided_at, decided_by, text),
        answers=_answers(campaign, task_id, text, weights, with_names),
        model_weight=weights.get("model"),
        notes=_notes(task_id),
    )


def _verdict(campaign: Campaign, row: dict, settled_at: datetime | None, text: str) -> Verdict:
    names = campaign.label_names
    likely = row["posterior"] or {key: n / row["n_answers"] for key, n in row["votes"].items()}
    place = {key: n for n, key in enumerate(names)}  # between equals, the campaign's order
    # One of the labels; or, of a set or of spans, each candidate by itself.
    kind = kind_named(campaign.kind)
    has_parts = not kind.one_label and row["value"] is not None
    stated = kind.stated(row["value"]) if has_parts else likely.keys()
    candidates = [
        Candidate(key, kind.candidate(key, names, text), probability, key not in stated)
        for key, probability in sorted(likely.items(), key=lambda pair: (-pair[1], place.get(pair[0], 0)))
    ]
    entropy = row["entropy"]
    n_answers_possible = len(names) if kind.one_label else 2 ** len(candidates)
    return Verdict(
        method=row["method"],
        version=row["version"],
        value=row["value"],
        words=kind.lines(row["value"], names, text) if row["value"] is not None else [],
        certainty=row["certainty"],
        is_probability=kind.certainty_is_probability
        or is_calibrated(crowd_parameters(campaign.pk, row["version"], row["method"])),
        entropy=entropy,
        doubt="" if entropy is None or not candidates else doubt_words(entropy, n_answers_possible),
        candidates=candidates,
        n_answers=row["n_answers"],
        settled_at=settled_at,
        audited=row["audited"],
        review=row["review"],
    )


def doubt_words(entropy: float, n_possible: int) -> str:
    """How much doubt an entropy in bits means, as a share of the most that so many answers can have."""
    most = max(1.0, math.log2(max(1, n_possible)))
    share = entropy / most
    if share < 0.15:
        return "hardly any doubt"
    if share < 0.5:
        return "some doubt"
    return "much doubt" if share < 0.85 else "as open as a guess"


def _known(campaign: Campaign, row: dict, decided_at: datetime | None, by: str | None, text: str) -> Known:
    words = kind_named(campaign.kind).lines(row["value"], campaign.label_names, text)
    return Known(row["value"], words, row["origin"], by or "", decided_at)


def _answers(
    campaign: Campaign, task_id: UUID, text: str, weights: dict[str, float], with_names: bool
) -> list[ReadAnswer]:
    kind = kind_named(campaign.kind)
    with connection.cursor() as cursor:
        cursor.execute(READ_ANSWERS, [task_id])
        rows = cursor.fetchall()
    answers = []
    for number, row in enumerate(rows, start=1):
        assignment_id, pseudonym, standing, raw, certain, seconds, answered_at, weighs = row
        value = orjson.loads(raw)
        answers.append(
            ReadAnswer(
                who=pseudonym if with_names else f"Answer {number}",
                value=value,
                words=kind.lines(value, campaign.label_names, text),
                certain=certain,
                seconds=seconds,
                answered_at=answered_at,
                weight=weights.get(str(assignment_id)),
                why_not=_why_not(kind, value, campaign.labels, weighs, standing),
            )
        )
    return answers


def _why_not(kind: Kind, value: dict, labels: list[dict], weighs: bool, standing: str) -> str:
    if not weighs:
        flagged = "its volunteer was flagged, and nobody has decided yet"
        return flagged if standing == "flagged" else "its volunteer's answers do not count"
    if not kind.counts(value, labels):
        return "one of its labels was taken out of the campaign since"
    return ""


def _notes(task_id: UUID) -> list[str]:
    doubts = GuidelineDoubt.objects.unresolved().filter(task=task_id)
    return [
        doubt.note or ("A reviewer marked it." if doubt.by_id else "Skilled volunteers disagree on it.")
        for doubt in doubts
    ]
