"""The dashboard's card on what the model's marks do, in words and as lines to look at."""

from math import log2

from annotation.algorithms.preannotation import Comparison
from annotation.models import Campaign
from annotation.services.preannotation import FEWEST_ANSWERS, FEWEST_VOLUNTEERS, preannotation_of
from annotation.shares import percent

ROWS = [
    ("kept", "Suggested marks that stand in the answer"),
    ("likeness", "Answer and suggestion alike"),
    ("with_consensus", "Answer and final answer alike"),
    ("with_gold", "Answer and gold alike"),
]


def preannotation_card(campaign: Campaign) -> dict | None:
    """None where the model does not mark beforehand."""
    found = preannotation_of(campaign)
    if found is None:
        return None
    rows = [(name, getattr(found, field)) for field, name in ROWS]
    return {
        "found": found,
        "fewest": FEWEST_ANSWERS,
        "of_few": found.n_volunteers < FEWEST_VOLUNTEERS,
        "time_words": found.time and _time_words(found.time),
        "sway_words": found.kept and _sway_words(found.kept),
        "times": found.time and _on_the_line(found.time),
        "rows": [{"name": name, "arms": _arms(one)} for name, one in rows if one],
    }


def _arms(comparison: Comparison) -> list[tuple]:
    return [("with suggestions", comparison.shown), ("without", comparison.hidden)]


def _time_words(time: Comparison) -> str:
    """Says that it saves or costs time only where the whole interval does."""
    pace = f"{_seconds(time.shown.value)} with the model's marks and {_seconds(time.hidden.value)} without"
    less, least, most = (1 - ratio for ratio in (time.effect.value, time.effect.high, time.effect.low))
    if least > 0:
        return f"An answer takes {pace}: {percent(less)} less ({percent(least)} to {percent(most)})."
    if most < 0:
        return f"An answer takes {pace}: {percent(-less)} more ({percent(-most)} to {percent(-least)})."
    return (
        f"An answer takes {pace}. Whether they save time is open still: the true figure lies between "
        f"{percent(most)} less and {percent(-least)} more."
    )


def _sway_words(kept: Comparison) -> str:
    """Who is shown a mark may keep what they would not have found: measured against who did not see it."""
    shown, hidden = percent(kept.shown.value), percent(kept.hidden.value)
    shares = (
        f"Of the marks suggested, {shown} stand in answers of those who saw them and {hidden} in answers of"
    )
    low, high = (round(100 * end) for end in (kept.effect.low, kept.effect.high))
    if low > 0:
        return f"{shares} those who did not: volunteers lean towards them, by {low} to {high} points."
    return f"{shares} those who did not: it does not show that volunteers lean towards them."


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _on_the_line(time: Comparison) -> dict[str, float]:
    """Where the ratio stands on a line from half the time (0) by as long (0.5) to twice as long (1)."""
    effect = time.effect
    ends = {"low": effect.low, "value": effect.value, "high": effect.high}
    return {name: (log2(max(end, 1e-3)) + 1) / 2 for name, end in ends.items()}
