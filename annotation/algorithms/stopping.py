"""When a task has enough answers: the stop rule, in numbers and in words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

import numpy as np

Verdict = Literal["stop", "ask", "review"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Ask until the consensus is sure enough; at the cap a reviewer decides.

    certainty: the posterior of the leading answer from which on a task stops. first, first_while_young:
    answers before the first look, the second as long as nobody's skill is known. most: the cap. audit_share:
    share of stopped tasks that get one more answer, so that over-confidence shows as a number.
    """

    certainty: float = 0.97
    first: int = 2
    first_while_young: int = 3
    most: int = 7
    audit_share: float = 0.03

    def __post_init__(self) -> None:
        if not 0.0 < self.certainty <= 1.0:
            raise ValueError(f"certainty must lie above 0 and not above 1, not {self.certainty}")
        if not 1 <= self.first <= self.first_while_young <= self.most:
            raise ValueError(
                "a rule needs 1 <= first <= first_while_young <= most, not "
                f"{self.first}, {self.first_while_young}, {self.most}"
            )
        if not 0.0 <= self.audit_share <= 1.0:
            raise ValueError(f"audit_share must lie in [0, 1], not {self.audit_share}")

    def __str__(self) -> str:
        """The rule as people read it; `parse_rule` reads it back.

        >>> print(Rule())
        start with 2 answers, 3 while young, stop at 0.97 sure, at most 7 answers, then a reviewer, audit 3 %
        """
        return (
            f"start with {_answers(self.first)}, {self.first_while_young} while young, "
            f"stop at {self.certainty:.12g} sure, at most {_answers(self.most)}, then a reviewer, "
            f"audit {100 * self.audit_share:.12g} %"
        )


DEFAULT = Rule()


def _answers(n: int) -> str:
    return "1 answer" if n == 1 else f"{n} answers"


_NUMBER = r"(\d+(?:\.\d+)?)"
_CLAUSES = {
    "first": re.compile(r"start with (\d+)(?: answers?)?"),
    "first_while_young": re.compile(r"(\d+) while young"),
    "certainty": re.compile(rf"stop at {_NUMBER}( ?%)? sure"),
    "most": re.compile(r"at most (\d+)(?: answers?)?"),
    "audit_share": re.compile(rf"audit {_NUMBER}( ?%)?"),
}
_REVIEWER = "then a reviewer"  # what happens at the cap in every rule; said for the reader


def parse_rule(words: str) -> Rule:
    """Read a rule from clauses with commas between, in any order. What is not said keeps its default.

    ValueError names the clause that cannot be read, or that stands twice. Where a rule says only how it
    starts or where it ends, the other bounds move with it.

    >>> parse_rule("stop at 0.9 sure, at most 5 answers, then a reviewer")
    Rule(certainty=0.9, first=2, first_while_young=3, most=5, audit_share=0.03)
    """
    said: dict[str, float] = {}
    for clause in filter(None, (part.strip().lower() for part in words.split(","))):
        if clause == _REVIEWER:
            continue
        name, value = _read_clause(clause)
        if name in said:
            raise ValueError(f"the rule says twice what {clause!r} says")
        said[name] = value
    most = said.get("most", max(DEFAULT.most, said.get("first", 0), said.get("first_while_young", 0)))
    young = said.get("first_while_young", min(most, max(DEFAULT.first_while_young, said.get("first", 0))))
    first = said.get("first", min(DEFAULT.first, young))
    return replace(
        DEFAULT, **(said | {"first": int(first), "first_while_young": int(young), "most": int(most)})
    )


def _read_clause(clause: str) -> tuple[str, float]:
    for name, pattern in _CLAUSES.items():
        if match := pattern.fullmatch(clause):
            is_percent = match.lastindex == 2
            # In decimals, as 0.7 / 100 in binary is not 0.007.
            return name, float(Decimal(match[1]) / (100 if is_percent else 1))
    raise ValueError(
        f"a rule cannot say {clause!r}; it looks like 'stop at 0.97 sure, at most 7 answers, then a reviewer'"
    )


def decide(
    posterior: Sequence[float], n_answers: int, rule: Rule, *, knows_skill: bool, young: bool
) -> Verdict:
    """Stop, ask for one more answer, or hand the task to a reviewer.

    posterior: [K], or the leading answer's probability alone. n_answers: those that count. knows_skill: at
    least one of them comes from a volunteer of known skill, without whom nothing stops. young: nobody's
    skill is known yet, so that the start takes more answers.

    >>> decide([0.98, 0.02], 2, Rule(), knows_skill=True, young=False)
    'stop'
    >>> decide([0.98, 0.02], 2, Rule(), knows_skill=False, young=False)
    'ask'
    >>> decide([0.6, 0.4], 7, Rule(), knows_skill=True, young=False)
    'review'
    """
    if may_stop(max(posterior), n_answers, rule, knows_skill=knows_skill, young=young):
        return "stop"
    return "review" if n_answers >= rule.most else "ask"


def may_stop(
    certainty: float | np.ndarray,
    n_answers: int | np.ndarray,
    rule: Rule,
    *,
    knows_skill: bool | np.ndarray,
    young: bool,
) -> bool | np.ndarray:
    """Whether a task is sure enough after so many answers; for one task, or for arrays of tasks alike."""
    first = rule.first_while_young if young else rule.first
    return (certainty >= rule.certainty) & (n_answers >= first) & knows_skill
