"""Records and how they came in. A record's text is stored once; tasks are views of it."""

from uuid import uuid4

from django.db import models
from django.db.models import Exists, OuterRef, Q

from annotation.models.identifiers import uuid7
from annotation.models.task import Assignment


class Import(models.Model):
    """One file taken in: who brought it, how far it is, what was refused."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting for a worker"
        RUNNING = "running", "being read"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE, related_name="imports")
    file_name = models.CharField(max_length=255)
    path = models.CharField(max_length=500)
    deidentified = models.BooleanField()
    imported_by = models.ForeignKey("annotation.User", on_delete=models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    lease_expires_at = models.DateTimeField(null=True)
    fencing_token = models.PositiveIntegerField(default=0)
    n_rows = models.PositiveIntegerField(default=0)
    n_imported = models.PositiveIntegerField(default=0)
    n_unchanged = models.PositiveIntegerField(default=0)
    n_refused = models.PositiveIntegerField(default=0)
    n_tasks = models.PositiveIntegerField(default=0)
    share_read = models.FloatField(default=0)
    failure_code = models.CharField(max_length=50, blank=True)
    failure = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]


class RefusedRow(models.Model):
    """A row that did not go in: where it stands and why. Never its text."""

    batch = models.ForeignKey("annotation.Import", on_delete=models.CASCADE, related_name="refused_rows")
    line = models.PositiveIntegerField()
    external_id = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=50)
    sentence = models.CharField(max_length=300)

    class Meta:
        ordering = ["line", "id"]


class RecordQuerySet(models.QuerySet):
    def held_of(self, campaign) -> "RecordQuerySet":
        return self.filter(campaign=campaign, held=True)

    def reported(self) -> "RecordQuerySet":
        """In which a volunteer saw a name."""
        return self.filter(self._reports())

    def not_reported(self) -> "RecordQuerySet":
        return self.filter(~self._reports())

    @staticmethod
    def _reports() -> Exists:
        return Exists(Assignment.objects.saw_a_name().filter(task__record=OuterRef("pk")))


class Record(models.Model):
    """A text that came in, known by (campaign, external id). Held until it is free of identifying details."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    campaign = models.ForeignKey(
        "annotation.Campaign", on_delete=models.CASCADE, related_name="records", db_index=False
    )
    external_id = models.CharField(max_length=200)
    text = models.TextField()
    metadata = models.JSONField(default=dict)
    held = models.BooleanField(default=True)
    batch = models.ForeignKey("annotation.Import", on_delete=models.SET_NULL, null=True, db_index=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RecordQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "external_id"], name="record_once_in_a_campaign"),
            # A task's `held` refers to this pair, so that it can never differ from its record's.
            models.UniqueConstraint(fields=["id", "held"], name="record_id_held"),
        ]
        indexes = [
            models.Index(fields=["campaign"], name="record_held_of_campaign", condition=Q(held=True)),
        ]
