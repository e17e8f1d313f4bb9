"""What the answers of a task add up to, and what that means for the task: done, one more, or a reviewer.

No database here: the same judgement is made when an answer comes in and when everything is computed again.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from annotation.algorithms.stopping import Rule, decide
from annotation.kinds import Given, kind_named
from annotation.models import Campaign, Consensus

KNOWN_AFTER = 20  # answers in the latest fit from which on a volunteer's skill counts as known
LEAST_PEOPLE = 2
# What a fit of the crowd depends on, and what else the judgement of a task does: fields of the campaign.
FITTED = ("labels", "aggregation")
DECIDING = (*FITTED, "needed", "stopping", "stop_certainty", "most_answers", "audit_share")
AUDIT_BUCKETS = 100_000


@dataclass(frozen=True, slots=True)
class Rules:
    """How a campaign decides; read with the task under its lock."""

    campaign_id: UUID
    kind: str
    labels: list[dict]
    needed: int  # answers a task starts with
    aggregation: str
    version: int  # of the crowd's fit
    crowd: dict | None  # the fit's shared parameters
    stopping: Rule | None  # None: as many answers as the task needs


@dataclass(frozen=True, slots=True)
class CountedAnswer:
    assignment_id: UUID
    given: Given
    answered_at: datetime
    n_fitted: int  # answers of its volunteer in the latest fit


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task under its lock. `n_ignored` answers have a place and don't count.

    `is_unclear`: skilled volunteers were found to disagree. `decided_at`: when a reviewer decided it.
    `is_known`: a file gave its right answer, so that hidden places may raise its need beyond the campaign's.
    `settled_at`: since when it has been settled, by the latest judgement.
    """

    task_id: UUID
    needed: int
    taken: int
    cap: int
    n_ignored: int
    audited: bool
    is_unclear: bool = False
    decided_at: datetime | None = None
    is_known: bool = False
    text: str = ""
    opinion: dict | None = None  # a model's
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    row: dict | None  # the consensus as it is stored; None without an answer that counts
    needed: int
    moves_need: bool  # the task's need was another before
    decided_at: datetime | None = None  # where no answer counts, but a reviewer decided: the row stands


def rules_of(campaign: Campaign, crowd: dict | None) -> Rules:
    return Rules(
        campaign.pk,
        campaign.kind,
        campaign.labels,
        campaign.needed,
        campaign.aggregation,
        campaign.crowd_version,
        crowd,
        stopping_rule(
            campaign.stopping,
            certainty=campaign.stop_certainty,
            first=campaign.needed,
            most=campaign.most_answers,
            audit_share=campaign.audit_share,
        ),
    )


def stopping_rule(
    stopping: str, *, certainty: float, first: int, most: int, audit_share: float
) -> Rule | None:
    if stopping == Campaign.Stopping.FIXED:
        return None
    return Rule(
        certainty=certainty,
        first=first,
        first_while_young=min(first + 1, most),
        most=most,
        audit_share=audit_share,
    )


def judge(rules: Rules, task: TaskState, answers: list[CountedAnswer], *, now: datetime) -> Judgement:
    """Decide a task by the answers that count, in any order. What was settled is so since then."""
    kind = kind_named(rules.kind)
    counted = [answer for answer in answers if kind.counts(answer.given.value, rules.labels)]
    n_ignored, needed_before = task.n_ignored + len(answers) - len(counted), task.needed
    if n_ignored and task.decided_at is None:
        # An answer that doesn't count leaves its place to somebody else's.
        needed = min(task.cap, max(task.needed, rules.needed + n_ignored))
        task = replace(task, n_ignored=n_ignored, needed=needed)
    if not counted:
        needed = task.needed if task.decided_at is None else task.taken
        return Judgement(None, needed, needed != needed_before, task.decided_at)
    answers = sorted(counted, key=lambda answer: (answer.answered_at, answer.assignment_id))
    decision = kind.decide(
        [answer.given for answer in answers],
        rules.labels,
        method=rules.aggregation,
        crowd=rules.crowd,
        text=task.text,
        opinion=task.opinion,
    )
    if rules.stopping is None:
        is_settled, review, audited = len(answers) >= _wanted(rules, task), "", False
        needed = task.needed
    else:
        is_settled, review, audited, needed = _stop_or_ask(rules, task, answers, decision.certainty)
    # Whoever waited for the task's lock may have asked the clock before the one who held it.
    settled_at = task.settled_at or max(now, answers[-1].answered_at) if is_settled else None
    if task.is_unclear:
        review = review or Consensus.Review.UNCLEAR
    if task.decided_at is not None:  # a reviewer has the last word: nobody else is asked
        settled_at, review, audited, needed = task.decided_at, "", task.audited, task.taken
    weights = decision.weights and {
        str(answer.assignment_id): round(weight, 4)
        for answer, weight in zip(answers, decision.weights, strict=True)
    }
    if weights is not None and decision.model_weight is not None:
        weights["model"] = round(decision.model_weight, 4)
    row = {
        "task_id": task.task_id,
        "campaign_id": rules.campaign_id,
        "method": decision.method,
        "version": rules.version if rules.crowd is not None else 0,
        "label": decision.label,
        "value": decision.value,
        "share": decision.share,
        "votes": decision.votes,
        "posterior": decision.posterior,
        "certainty": decision.certainty,
        "entropy": decision.entropy,
        "weights": weights,
        "n_answers": len(answers),
        "settled_at": settled_at,
        "audited": audited,
        "review": review,
    }
    return Judgement(row, needed, needed != needed_before)


def _wanted(rules: Rules, task: TaskState) -> int:
    """Answers after which a task is done, of those that count. Who is tested by it keeps nobody waiting."""
    needed = task.needed - task.n_ignored
    return min(needed, rules.needed) if task.is_known else needed


def _stop_or_ask(
    rules: Rules, task: TaskState, answers: list[CountedAnswer], certainty: float
) -> tuple[bool, str, bool, int]:
    """(settled, review, audited, needed) by the adaptive rule."""
    young = rules.crowd is None
    n_places_out = task.taken - len(answers) - task.n_ignored  # somebody is at work there
    if young and len(answers) >= rules.stopping.first_while_young:
        return False, "", task.audited, task.needed  # the first fit decides
    if len(answers) < LEAST_PEOPLE and task.opinion is not None:
        certainty = 0.0  # whatever a model thinks, two people have to have answered
    verdict = decide(
        [certainty],
        len(answers),
        rules.stopping,
        knows_skill=any(answer.n_fitted >= KNOWN_AFTER for answer in answers),
        young=young,
    )
    if verdict == "stop":
        audited = is_audited(task.task_id, rules.stopping.audit_share)
        # Asked once more the first time; after that the place stays open until somebody has taken it.
        n_more = min(1, task.needed - task.taken) if task.audited else int(audited and not n_places_out)
        return True, "", audited, min(task.cap, task.taken + n_more)
    if verdict == "review":
        if task.is_known:  # a reviewer has nothing to say where a file gave the answer
            return True, "", task.audited, max(1, task.taken)
        return False, Consensus.Review.UNDECIDED, task.audited, max(1, task.taken)
    wanted = task.taken if n_places_out else task.taken + 1
    return False, "", task.audited, min(task.cap, max(task.needed, wanted))


def is_audited(task_id: UUID, share: float) -> bool:
    """Drawn by the task's own random bits, so that it falls out the same whenever it is asked.

    >>> is_audited(UUID(int=7), 0.0), is_audited(UUID(int=7), 1.0)
    (False, True)
    """
    return task_id.int % AUDIT_BUCKETS < share * AUDIT_BUCKETS
