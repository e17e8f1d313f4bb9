"""Who takes part in a campaign: listed by pseudonym, taken out, let back in."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max, Sum

from annotation.errors import NotFound
from annotation.models import Assignment, Campaign, TrailEntry, User, Volunteer
from annotation.services.handout import give_back_place

VOLUNTEERS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Participant:
    volunteer_id: UUID
    pseudonym: str
    origin: str
    n_answers: int
    last_day: date | None
    taken_out_at: datetime | None


def participants(
    campaign: Campaign, *, pseudonym: str = "", taken_out: bool | None = None
) -> list[Participant]:
    """Volunteers whose pseudonym holds these letters, if any are given; who answered last comes first."""
    found = Volunteer.objects.filter(campaign=campaign, pseudonym__icontains=pseudonym)
    if taken_out is not None:
        found = found.filter(taken_out_at__isnull=not taken_out)
    counted = found.annotate(n_answers=Sum("days__n_answers", default=0), last_day=Max("days__day"))
    latest_first = counted.order_by(F("last_day").desc(nulls_last=True), "pseudonym")
    columns = ("pk", "pseudonym", "origin", "n_answers", "last_day", "taken_out_at")
    return [Participant(*row) for row in latest_first.values_list(*columns)[:VOLUNTEERS_SHOWN]]


@transaction.atomic
def take_out(campaign: Campaign, volunteer_id: UUID, *, by: User, now: datetime) -> Volunteer:
    """No more texts for this volunteer; the place that they hold is given back, and their answers stay."""
    volunteer = _locked(campaign, volunteer_id)
    if volunteer.taken_out_at is None:
        _change(volunteer, now, by, "take_out_volunteer")
        held = Assignment.objects.filter(volunteer=volunteer, state=Assignment.State.OPEN)
        for assignment_id in held.values_list("pk", flat=True):  # one at most
            give_back_place(assignment_id, now=now)
    return volunteer


@transaction.atomic
def let_in(campaign: Campaign, volunteer_id: UUID, *, by: User) -> Volunteer:
    """Texts again, from where the volunteer stopped."""
    volunteer = _locked(campaign, volunteer_id)
    if volunteer.taken_out_at is not None:
        _change(volunteer, None, by, "let_in_volunteer")
    return volunteer


def _locked(campaign: Campaign, volunteer_id: UUID) -> Volunteer:
    """Whoever claims locks this row too, so no place is taken while we look for one to give back."""
    volunteers = Volunteer.objects.select_for_update(no_key=True).filter(campaign=campaign, pk=volunteer_id)
    if (volunteer := volunteers.first()) is None:
        raise NotFound()
    return volunteer


def _change(volunteer: Volunteer, taken_out_at: datetime | None, by: User, verb: str) -> None:
    volunteer.taken_out_at = taken_out_at
    volunteer.save(update_fields=["taken_out_at"])
    detail = {"volunteer": str(volunteer.pk)}
    TrailEntry.objects.create(user=by, campaign_id=volunteer.campaign_id, verb=verb, detail=detail)
