"""When figures that a worker keeps for a page are due again: there are more answers, other ones count, the
rules are not what they were, or more tasks have been settled for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max, OuterRef, Subquery, Sum

from annotation.models import AgreementReport, Campaign, Consensus, ItemRanking
from annotation.services.crowd import count_answers, has_grown, one_at_a_time
from annotation.services.judging import DECIDING

# At most, once there are answers or settled tasks that the figures do not know.
BEHIND = timedelta(minutes=10)


def campaigns_due(kept_as: str, figures: str, *, now: datetime, **narrowed: object) -> list[UUID]:
    """Campaigns whose figures are due, of all or of those that match.

    kept_as, figures: the campaign's name for the row that keeps them, and the field of it that is not read.
    """
    settled = Consensus.objects.settled().filter(campaign=OuterRef("pk")).order_by("-settled_at")
    found = Campaign.objects.filter(**narrowed).select_related(kept_as).defer(f"{kept_as}__{figures}")
    found = found.annotate(
        n_given=Sum("volunteers__days__n_answers", default=0),
        standing_at=Max("volunteers__standing_at"),
        last_settled_at=Subquery(settled.values("settled_at")[:1]),
    )
    return [campaign.pk for campaign in found if _is_due(campaign, getattr(campaign, kept_as, None), now)]


@contextmanager
def alone_with_answers(campaign: Campaign, *, now: datetime) -> Iterator[dict | None]:
    """What the row that keeps figures says of their state, by which they are due again.

    None while others are at work on the answers or somebody's are half counted: the next look finds it due.
    """
    with one_at_a_time(campaign) as is_ours:
        if not is_ours or campaign.volunteers.filter(is_to_be_weighed=True).exists():
            yield None
        else:
            yield {"rules": _rules(campaign), "n_given": count_answers(campaign), "computed_at": now}


def _is_due(campaign: Campaign, last: AgreementReport | ItemRanking | None, now: datetime) -> bool:
    if last is None:
        return campaign.n_given > 0
    if last.rules != _rules(campaign):
        return not campaign.is_to_be_judged
    if campaign.standing_at is not None and campaign.standing_at > last.computed_at:
        return True
    return has_grown(campaign.n_given, last.n_given) or _is_behind(campaign, last, now)


def _is_behind(campaign: Campaign, last: AgreementReport | ItemRanking, now: datetime) -> bool:
    """Also where a fit, a reviewer or the last answers of a campaign settled tasks: nobody brings a tenth
    more."""
    settled_since = campaign.last_settled_at is not None and campaign.last_settled_at > last.computed_at
    return (settled_since or campaign.n_given != last.n_given) and now - last.computed_at >= BEHIND


def _rules(campaign: Campaign) -> dict:
    """What decides which tasks are settled and which answers count."""
    return {name: getattr(campaign, name) for name in DECIDING}
