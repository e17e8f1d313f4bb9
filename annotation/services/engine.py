"""How the engine does in a campaign: which method, which fit, how well its certainty holds."""

from dataclasses import dataclass

import numpy as np
import orjson
from django.db import connection

from annotation.algorithms.scores import calibration_error, n_bins_for
from annotation.kinds import kind_named
from annotation.models import Campaign, CrowdFit

GOLD_TASKS = 5000  # the latest gold tasks that calibration is measured on
FEWEST_GOLD = 20  # with fewer, a calibration error is chance

# The extra answer of an audit is in when no place of the task is open or held. The stop held if the task is
# settled still, and no reviewer said otherwise.
READ_AUDITS = """
SELECT count(*), count(*) FILTER (WHERE s.settled_at IS NOT NULL
                                    AND (g.decided_at IS NULL OR g.value = s.value))
FROM annotation_consensus s
JOIN annotation_microtask t ON t.id = s.task_id
LEFT JOIN annotation_gold g ON g.task_id = s.task_id
WHERE s.campaign_id = %s AND s.audited AND (s.settled_at IS NULL OR NOT t.is_open AND NOT EXISTS (
    SELECT 1 FROM annotation_assignment a WHERE a.task_id = s.task_id AND a.state = 'open'))
"""

READ_GOLD = """
SELECT s.value::text, g.value::text, s.certainty
FROM annotation_gold g JOIN annotation_consensus s ON s.task_id = g.task_id
WHERE g.campaign_id = %s AND g.origin = 'file' AND s.settled_at IS NOT NULL AND s.certainty IS NOT NULL
ORDER BY s.settled_at DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Calibration:
    """On n gold tasks from a file: how sure the consensus is on the mean, how often right, and the mean gap.

    Where a fit calibrated it, each task is judged as if its own gold were not known.
    """

    n: int
    certainty: float
    share_right: float
    error: float


@dataclass(frozen=True, slots=True)
class Engine:
    method_sentence: str
    one_label: bool  # answers are one label each
    fit: CrowdFit | None
    calibration: Calibration | None
    n_audited: int
    n_held: int


def engine_of(campaign: Campaign) -> Engine:
    fit = None
    if campaign.weighs_volunteers and campaign.crowd_version:
        fit = campaign.crowd_fits.filter(number=campaign.crowd_version).first()
    n_audited, n_held = _audits(campaign) if campaign.is_adaptive else (0, 0)
    kind = kind_named(campaign.kind)
    sentence = kind.methods.get(campaign.aggregation, "")
    calibration = _by_fit(fit) or _calibration(campaign)
    return Engine(sentence, kind.one_label, fit, calibration, n_audited, n_held)


def _audits(campaign: Campaign) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(READ_AUDITS, [campaign.pk])
        return cursor.fetchone()


def _by_fit(fit: CrowdFit | None) -> Calibration | None:
    found = fit and fit.parameters.get("calibration")
    if not found or "certainty" not in found:  # of an earlier version
        return None
    return Calibration(found["n_gold"], found["certainty"], found["share_right"], found["error"])


def _calibration(campaign: Campaign) -> Calibration | None:
    with connection.cursor() as cursor:
        cursor.execute(READ_GOLD, [campaign.pk, GOLD_TASKS])
        rows = cursor.fetchall()
    if len(rows) < FEWEST_GOLD:
        return None
    kind, certainty = kind_named(campaign.kind), [sure for _, _, sure in rows]
    right = [
        found is not None and kind.is_right(orjson.loads(found), orjson.loads(true))
        for found, true, _ in rows
    ]
    error = calibration_error(certainty, right, n_bins=n_bins_for(len(rows)))
    return Calibration(len(rows), float(np.mean(certainty)), float(np.mean(right)), error)
