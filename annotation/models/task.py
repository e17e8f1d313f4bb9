"""Micro-tasks, who holds them, and what they answered."""

from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Random

from annotation.models.identifiers import uuid7


class MicroTask(models.Model):
    """A view of a record: `[start, end)` in Unicode code points. The row that is locked holds the predicate.

    `taken` counts places that are held or answered; `0 <= taken <= needed` is the database's law.
    `held` mirrors the record's by a foreign key on the pair; a trigger refuses to hand out a held task.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    campaign = models.ForeignKey(
        "annotation.Campaign", on_delete=models.CASCADE, related_name="tasks", db_index=False
    )
    # The constraint is on the pair (record, held), written in SQL.
    record = models.ForeignKey(
        "annotation.Record",
        on_delete=models.CASCADE,
        related_name="tasks",
        db_index=False,
        db_constraint=False,
    )
    ordinal = models.PositiveIntegerField(help_text="Position among the record's tasks.")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    divider = models.PositiveIntegerField(
        null=True, help_text="Where the second text of a pair begins, in the record's code points."
    )
    section = models.CharField(max_length=120, blank=True)
    checksum = models.BigIntegerField(help_text="Of the text it covers; see algorithms.checksum.")
    needed = models.PositiveSmallIntegerField()
    # What `needed` may grow to while answers disagree; the database holds it.
    cap = models.PositiveSmallIntegerField(db_default=100)
    taken = models.PositiveSmallIntegerField(default=0)
    held = models.BooleanField()
    # Higher is asked earlier. Random until a model has an opinion: what is asked first is then a fair sample.
    priority = models.FloatField(db_default=Random())
    priority_run = models.PositiveIntegerField(default=0)
    # Stored, so that an update of `taken` that leaves it as it is touches no index (a heap-only update).
    is_open = models.GeneratedField(
        expression=Q(taken__lt=F("needed"), held=False), output_field=models.BooleanField(), db_persist=True
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="taken_within_needed", condition=Q(taken__gte=0, taken__lte=F("needed"))
            ),
            models.CheckConstraint(name="needed_within_cap", condition=Q(needed__lte=F("cap"))),
            models.CheckConstraint(name="task_covers_text", condition=Q(start__lt=F("end"))),
            models.UniqueConstraint(fields=["record", "ordinal"], name="task_once_in_a_record"),
        ]
        # The index that serves the hand-out, task_queue, is written in SQL: see migration 0002.


class AssignmentQuerySet(models.QuerySet):
    def for_user(self, user) -> "AssignmentQuerySet":
        return self.filter(volunteer__user=user)

    def saw_a_name(self) -> "AssignmentQuerySet":
        return self.filter(skip_reason=Assignment.SkipReason.NAMES_A_PERSON)


class Assignment(models.Model):
    """The proof that a volunteer saw a text. Never deleted; one per (task, volunteer)."""

    class State(models.TextChoices):
        OPEN = "open"
        ANSWERED = "answered"
        SKIPPED = "skipped"
        EXPIRED = "expired"

    class SkipReason(models.TextChoices):
        UNCLEAR = "unclear", "I can't decide"
        BROKEN_TEXT = "broken_text", "The text is broken"
        NAMES_A_PERSON = "names_a_person", "I see a name or another identifying detail"
        OTHER = "other", "Something else"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    task = models.ForeignKey(
        "annotation.MicroTask", on_delete=models.PROTECT, related_name="assignments", db_index=False
    )
    volunteer = models.ForeignKey(
        "annotation.Volunteer", on_delete=models.PROTECT, related_name="assignments", db_index=False
    )
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    claimed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    skip_reason = models.CharField(max_length=20, choices=SkipReason, blank=True)
    # Drawn when it was claimed, with the model's spans of that moment, shown or not: what they do is measured
    # between the two arms. Null where there was nothing to suggest.
    suggested = models.BooleanField(null=True, editable=False)
    suggestion = models.JSONField(null=True, editable=False, help_text="As in Suggestion.spans.")
    suggestion_version = models.PositiveIntegerField(null=True, editable=False)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "volunteer"], name="task_once_to_a_volunteer"),
            models.UniqueConstraint(
                fields=["volunteer"], condition=Q(state="open"), name="one_open_assignment_a_volunteer"
            ),
            models.CheckConstraint(
                name="arm_with_its_suggestion",
                condition=Q(suggested__isnull=True, suggestion__isnull=True, suggestion_version__isnull=True)
                | Q(suggested__isnull=False, suggestion__isnull=False, suggestion_version__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="assignment_lease"),
            models.Index(fields=["volunteer", "-closed_at"], name="assignment_of_volunteer"),
            models.Index(
                fields=["volunteer", "-closed_at"],
                condition=Q(state="answered", suggested__isnull=False),
                name="assignment_in_an_arm",
            ),
            models.Index(
                fields=["task"], condition=Q(skip_reason="names_a_person"), name="assignment_saw_a_name"
            ),
        ]


class Answer(models.Model):
    """What the volunteer said for the place they held. `key` makes submitting it again harmless."""

    assignment = models.OneToOneField(
        "annotation.Assignment", on_delete=models.PROTECT, primary_key=True, related_name="answer"
    )
    key = models.UUIDField()
    value = models.JSONField()
    certain = models.BooleanField(null=True, help_text="Whether the volunteer was sure, where it was asked.")
    weighs = models.BooleanField(
        db_default=True, help_text="No while its volunteer is under suspicion: kept, and not counted."
    )
    answered_at = models.DateTimeField()
    seconds = models.FloatField(help_text="From the claim to the answer.")
    n_revisions = models.PositiveSmallIntegerField(default=0)
    opinion_shown_at = models.DateTimeField(
        null=True, help_text="When its volunteer saw what a model makes of the text: it stands since then."
    )


class AnswerRevision(models.Model):
    """An earlier value of an answer that its volunteer mended."""

    answer = models.ForeignKey("annotation.Answer", on_delete=models.PROTECT, related_name="revisions")
    key = models.UUIDField()
    value = models.JSONField()
    certain = models.BooleanField(null=True)
    replaced_at = models.DateTimeField()
