"""What a volunteer sees of their own work and of the campaign's."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Q, Sum

from annotation.errors import NotFound, TakenOut
from annotation.models import User, Volunteer, VolunteerDay
from annotation.services.places import Handout, read_handouts

LATEST_ANSWERS = """
SELECT an.assignment_id, an.answered_at, an.value::text, an.certain FROM annotation_assignment a
JOIN annotation_answer an ON an.assignment_id = a.id
WHERE a.volunteer_id = %s AND a.state = 'answered' ORDER BY a.closed_at DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    place: Handout
    answered_at: datetime
    value: dict
    certain: bool | None


@dataclass(frozen=True, slots=True)
class Progress:
    n_answers_today: int
    n_my_answers: int
    share_done: float


def latest_answers(campaign_id: UUID, user: User, limit: int) -> list[OwnAnswer]:
    """The volunteer's own answers with their texts: assignments prove that they have seen them."""
    volunteer = _volunteer(campaign_id, user)
    if volunteer.taken_out_at:
        raise TakenOut()
    with connection.cursor() as cursor:
        cursor.execute(LATEST_ANSWERS, [volunteer.pk, limit])
        own = {row[0]: row[1:] for row in cursor.fetchall()}
    places = {place.assignment_id: place for place in read_handouts(list(own))}
    return [
        OwnAnswer(places[pk], at, orjson.loads(value), certain) for pk, (at, value, certain) in own.items()
    ]


def progress_of(campaign_id: UUID, user: User, *, now: datetime) -> Progress:
    volunteer = _volunteer(campaign_id, user)
    days = VolunteerDay.objects.filter(volunteer__campaign=campaign_id)
    own = Q(volunteer=volunteer)
    sums = days.aggregate(
        all=Sum("n_answers", default=0),
        mine=Sum("n_answers", filter=own, default=0),
        today=Sum("n_answers", filter=own & Q(day=now.date()), default=0),
    )
    return Progress(sums["today"], sums["mine"], volunteer.campaign.share_answered(sums["all"]))


def _volunteer(campaign_id: UUID, user: User) -> Volunteer:
    volunteer = Volunteer.objects.of(user, campaign_id).select_related("campaign").first()
    if volunteer is None:
        raise NotFound()
    return volunteer
