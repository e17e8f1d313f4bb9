"""One module per aggregate; this list is what the rest of the product may import."""

from annotation.models.agreement import AgreementReport
from annotation.models.audit import TrailEntry
from annotation.models.campaign import Campaign
from annotation.models.consensus import Consensus, Gold, GuidelineDoubt
from annotation.models.crowd import CrowdFit, Skill
from annotation.models.identifiers import uuid7
from annotation.models.opinion import Opinion
from annotation.models.people import Invitation, Membership, Role, User
from annotation.models.ranking import ItemRanking
from annotation.models.record import Import, Record, RefusedRow
from annotation.models.suggestion import Suggestion
from annotation.models.task import Answer, AnswerRevision, Assignment, MicroTask
from annotation.models.volunteer import Volunteer, VolunteerDay

__all__ = [
    "AgreementReport",
    "Answer",
    "AnswerRevision",
    "Assignment",
    "Campaign",
    "Consensus",
    "CrowdFit",
    "Gold",
    "GuidelineDoubt",
    "Import",
    "Invitation",
    "ItemRanking",
    "Membership",
    "MicroTask",
    "Opinion",
    "Record",
    "RefusedRow",
    "Role",
    "Skill",
    "Suggestion",
    "TrailEntry",
    "User",
    "Volunteer",
    "VolunteerDay",
    "uuid7",
]
