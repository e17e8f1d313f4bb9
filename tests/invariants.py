"""What must hold after whatever happened to a campaign, in whatever order."""

from django.db import connection

from annotation.models import Answer, Campaign, VolunteerDay
from annotation.services.consensus import recompute_consensus
from tests.factories import NOW

WRONG_COUNTERS = """
SELECT t.id, t.taken, count(a.id) FROM annotation_microtask t
LEFT JOIN annotation_assignment a ON a.task_id = t.id AND a.state IN ('open', 'answered')
WHERE t.campaign_id = %s GROUP BY t.id HAVING t.taken <> count(a.id) OR t.taken > t.needed
"""

WRONG_STATES = """
SELECT a.id, a.state, an.assignment_id FROM annotation_assignment a
JOIN annotation_microtask t ON t.id = a.task_id
LEFT JOIN annotation_answer an ON an.assignment_id = a.id
WHERE t.campaign_id = %s AND (
    (a.state = 'answered') <> (an.assignment_id IS NOT NULL) OR (a.state = 'open') <> (a.closed_at IS NULL))
"""

WRONG_DAYS = """
SELECT v.id FROM annotation_volunteer v WHERE v.campaign_id = %s
AND coalesce((SELECT sum(d.n_answers) FROM annotation_volunteerday d WHERE d.volunteer_id = v.id), 0) <> (
    SELECT count(*) FROM annotation_assignment a WHERE a.volunteer_id = v.id AND a.state = 'answered')
"""


def assert_everything_adds_up(campaign: Campaign) -> None:
    """Places are counted right, nobody had a task twice, and every sum is what the answers say."""
    assert _rows(WRONG_COUNTERS, campaign) == [], "taken is the number of open and answered places"
    assert _rows(WRONG_STATES, campaign) == [], "an assignment is answered if and only if it has an answer"
    assert _rows(WRONG_DAYS, campaign) == [], "a volunteer's days add up to their answers"
    assert sum(n for _, n in recompute_consensus(campaign, now=NOW, check=True)) == 0
    turns = list(
        Answer.objects.filter(assignment__task__campaign=campaign).values_list(
            "assignment__task", "assignment__volunteer"
        )
    )
    assert len(set(turns)) == len(turns), "nobody answered a task twice"


def n_answers_counted(campaign: Campaign) -> int:
    return sum(VolunteerDay.objects.filter(volunteer__campaign=campaign).values_list("n_answers", flat=True))


def _rows(sql: str, campaign: Campaign) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [campaign.pk])
        return cursor.fetchall()
