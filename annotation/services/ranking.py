"""What compared items are worth: scores from all comparisons of a campaign of pairs.

A worker fits them when enough answers have come, and keeps what the page shows.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np

from annotation.algorithms.pairs import FIRST, SECOND, TIE, fit_pairs
from annotation.errors import Invalid
from annotation.kinds import KINDS, kind_named
from annotation.models import Campaign, ItemRanking, MicroTask
from annotation.services.crowd import count_answers, read_table
from annotation.services.due import alone_with_answers, campaigns_due

OUTCOMES = {"first": FIRST, "second": SECOND, "tie": TIE}
ITEMS_KEPT = 200  # for the page; all of them are computed afresh by a command


@dataclass(frozen=True, slots=True)
class RankedItem:
    """Preferred to another with odds exp(score - its score) to 1. The true score lies within two standard
    errors 19 times of 20."""

    rank: int
    item: str
    score: float
    standard_error: float
    n_compared: int


def rank_items(campaign: Campaign) -> list[RankedItem]:
    """The compared items, the most preferred first, each volunteer weighed by their reliability.

    Items are named by the records' columns first_id and second_id. Without them each record's two texts are
    items of their own, which nothing links.
    """
    _check_pairs(campaign)
    table, task_ids, _ = read_table(campaign)
    if not len(table.task):
        raise Invalid("Nothing has been compared yet.", code="nothing_to_rank")
    names = _names(task_ids)
    items: dict[str, int] = {}
    sides = np.array([[items.setdefault(name, len(items)) for name in pair] for pair in names])  # [T, 2]
    outcome = np.array([OUTCOMES[value["label"]] for value in table.values])[table.code]
    # An item that was paired with itself says nothing of any.
    told = sides[table.task, 0] != sides[table.task, 1]
    task = table.task[told]
    first, second = sides[task, 0], sides[task, 1]
    fit = fit_pairs(first, second, outcome[told], table.worker[told], len(items), table.n_workers)
    n_compared = np.bincount(np.concatenate([first, second]), minlength=len(items))
    order = sorted(items, key=lambda name: (-fit.scores[items[name]], name))
    return [
        RankedItem(
            rank,
            name,
            float(fit.scores[items[name]]),
            float(fit.standard_errors[items[name]]),
            int(n_compared[items[name]]),
        )
        for rank, name in enumerate(order, start=1)
    ]


def campaigns_to_rank(*, now: datetime) -> list[UUID]:
    """Whose ranking is due."""
    kinds = [kind.name for kind in KINDS.values() if kind.of_pairs]
    return campaigns_due("item_ranking", "items", now=now, kind__in=kinds)


def store_ranking(campaign: Campaign, *, now: datetime) -> None:
    """Fit the scores anew and keep the most preferred items."""
    with alone_with_answers(campaign, now=now) as state:
        if state is None:
            return
        items = []
        try:
            items = rank_items(campaign)
        except Invalid as error:
            if error.code != "nothing_to_rank":  # no answer counts any more
                raise
        kept = [[one.item, one.score, one.standard_error, one.n_compared] for one in items[:ITEMS_KEPT]]
        figures = {"items": kept, "n_items": len(items), "lowest": items[-1].score if items else 0.0}
        ItemRanking.objects.update_or_create(campaign=campaign, defaults=state | figures)


def read_ranking(campaign: Campaign) -> ItemRanking:
    """The latest that was stored, or Invalid with the reason why there is none."""
    _check_pairs(campaign)
    stored = ItemRanking.objects.filter(campaign=campaign).first()
    if stored is None and count_answers(campaign):
        raise Invalid("The first ranking is on its way: look again in a minute.", code="not_ranked_yet")
    if stored is None or not stored.items:
        raise Invalid("Nothing has been compared yet.", code="nothing_to_rank")
    return stored


def _check_pairs(campaign: Campaign) -> None:
    if not kind_named(campaign.kind).of_pairs:
        raise Invalid("Only comparisons of two texts can be ranked.", code="not_pairs")


def _names(task_ids: list) -> list[tuple[str, str]]:
    rows = MicroTask.objects.filter(pk__in=task_ids).values_list(
        "pk", "record__external_id", "record__metadata"
    )
    by_task = {
        pk: tuple(str(metadata.get(f"{side}_id") or f"{name} ({side})") for side in ("first", "second"))
        for pk, name, metadata in rows
    }
    return [by_task[pk] for pk in task_ids]
