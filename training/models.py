"""Everything after a consensus label: when to train, each run, each model, its latest opinion of a task."""

from uuid import uuid4

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from annotation.models import Campaign
from training.half_vectors import HalfVectorField

TOO_FEW_TO_JUDGE = "At least 5 percent: models are judged on records that are asked at random."


class TrainingPolicy(models.Model):
    LEAST_EXPLORED = 0.05  # of the records, that an admin may choose

    class Acquisition(models.TextChoices):
        MARGIN = "margin", "smallest margin between the two likeliest labels"
        ENTROPY = "entropy", "greatest entropy"
        LEAST_CONFIDENCE = "least_confidence", "least confident in its first choice"
        RARE = "rare", "smallest margin, labels with few examples first"
        BALD = "bald", "models that drop a part of what they know disagree (frozen encoder)"
        BADGE = "badge", "changes the model most, in different directions"
        RANDOM = "random", "at random"

    campaign = models.OneToOneField(
        "annotation.Campaign", on_delete=models.CASCADE, primary_key=True, related_name="training_policy"
    )
    enabled = models.BooleanField(default=True)
    min_new_labels = models.PositiveIntegerField(
        default=200, validators=[MinValueValidator(10)], help_text="New consensus labels before a run opens."
    )
    min_interval_seconds = models.PositiveIntegerField(
        default=3600, help_text="Least time between the starts of two runs."
    )
    base_model = models.CharField(
        max_length=500,
        blank=True,
        help_text="The name of a model that this site offers; empty means the site's default encoder.",
    )
    acquisition = models.CharField(max_length=20, choices=Acquisition, default=Acquisition.MARGIN)
    exploration_share = models.FloatField(
        default=0.2,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Of the records: asked in random order, whatever a model thinks of them.",
    )
    explored_since = models.DateTimeField(
        null=True, editable=False, help_text="When that share was last changed; empty for the first one."
    )
    untouched_share = models.FloatField(
        null=True,
        editable=False,
        help_text="The smallest share of earlier times in which chosen tasks were settled.",
    )
    refit_labels = models.PositiveIntegerField(
        default=50,
        validators=[MinValueValidator(1)],
        help_text="As many tasks at the head of the queue are chosen to differ from each other.",
    )
    gold_share = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Of the records whose right answers a file gave: they judge models and never teach one.",
    )
    adapts_encoder = models.BooleanField(
        default=False, help_text="Fine-tuning starts from the encoder that has read the campaign's texts."
    )
    order_wanted_at = models.DateTimeField(
        null=True, editable=False, help_text="Since when the queue waits to be ordered anew."
    )
    at_random_since = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Since when tasks are asked at random, because choosing them brought nothing.",
    )

    @property
    def judging_share(self) -> float:
        """Of the records: a fair sample of all, since what to ask was never chosen among them."""
        if self.untouched_share is None:
            return self.exploration_share
        return min(self.untouched_share, self.exploration_share)

    class Meta:
        verbose_name_plural = "training policies"
        constraints = [
            models.CheckConstraint(
                name="exploration_is_a_share",
                condition=Q(exploration_share__gte=0, exploration_share__lte=1),
            ),
            models.CheckConstraint(
                name="gold_that_judges_is_a_share", condition=Q(gold_share__gte=0, gold_share__lte=1)
            ),
        ]


class TrainingRunQuerySet(models.QuerySet):
    def open(self) -> "TrainingRunQuerySet":
        """Not over: at most one a campaign, which the database holds."""
        return self.filter(state__in=[TrainingRun.State.WAITING, TrainingRun.State.RUNNING])

    def over(self) -> "TrainingRunQuerySet":
        return self.filter(state__in=TrainingRun.OVER)

    def administered_by(self, user) -> "TrainingRunQuerySet":
        return self.filter(campaign__in=Campaign.objects.administered_by(user))


class TrainingRun(models.Model):
    """A run is a row with a state, a lease, a heartbeat and a fencing token; a worker only works for it."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting for a worker"
        RUNNING = "running", "running"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"

    class Kind(models.TextChoices):
        TRAIN = "train", "all models"
        REFIT = "refit", "the fast models alone"
        ORDER = "order", "no model: the queue is ordered anew"
        PRETRAIN = "pretrain", "no model: the encoder reads the texts"

    OVER = (State.SUCCEEDED, State.FAILED)

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    campaign = models.ForeignKey(
        "annotation.Campaign", on_delete=models.CASCADE, related_name="training_runs", db_index=False
    )
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TRAIN)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    opened_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    fencing_token = models.PositiveIntegerField(default=0)
    n_attempts = models.PositiveSmallIntegerField(default=0)
    stage = models.CharField(max_length=20, blank=True)
    share_done = models.FloatField(default=0)
    history = models.JSONField(default=list, help_text="Points of the loss curve.")
    n_examples = models.PositiveIntegerField(default=0)
    n_left_out = models.PositiveIntegerField(default=0, help_text="Labels that people are too unsure of.")
    n_aside = models.PositiveIntegerField(default=0, help_text="Labels of texts too near to what judges.")
    verdict = models.JSONField(null=True, help_text="What the gate said of its best model.")
    snapshot_path = models.CharField(max_length=500, blank=True)  # of a pretraining, the texts it reads
    snapshot_sha256 = models.CharField(max_length=64, blank=True)
    snapshot_at = models.DateTimeField(
        null=True, help_text="Consensus settled before this is in the snapshot."
    )
    minutes_spent = models.FloatField(
        null=True, help_text="That volunteers had given by then, over all the campaign's answers."
    )
    config = models.JSONField(default=dict)
    failure_code = models.CharField(max_length=50, blank=True)
    failure = models.CharField(max_length=500, blank=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign"],
                condition=Q(state__in=["waiting", "running"]),
                name="one_open_run_a_campaign",
            ),
            models.UniqueConstraint(fields=["campaign", "number"], name="run_number_once"),
        ]

    @property
    def is_over(self) -> bool:
        return self.state in self.OVER

    @property
    def model_version(self) -> "ModelVersion | None":
        """The best of the models that it made: the one in charge, else the one that judged best."""
        return max(self.versions.all(), key=ModelVersion.standing, default=None)


class ModelVersionQuerySet(models.QuerySet):
    SCORE = "metrics__test__macro_f1"  # read by itself: all of a version's metrics are kilobytes

    def best_of_runs(self) -> "ModelVersionQuerySet":
        """The best model of each run, as ModelVersion.standing has it; oldest run first."""
        best_first = ("-in_charge", f"-{self.SCORE}", "number")
        return self.order_by("run__number", *best_first).distinct("run__number")


class ModelVersion(models.Model):
    """A model that a run made, in charge or not. Which one is in charge is one column of one row."""

    class Family(models.TextChoices):
        """From the plainest to the most capable."""

        TFIDF = "tfidf", "counted words"
        EMBEDDING = "embedding", "frozen encoder"
        COMBINED = "combined", "counted words and frozen encoder"
        ENCODER = "encoder", "fine-tuned encoder"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    campaign = models.ForeignKey(
        "annotation.Campaign", on_delete=models.CASCADE, related_name="model_versions", db_index=False
    )
    run = models.ForeignKey(TrainingRun, on_delete=models.PROTECT, related_name="versions", db_index=False)
    family = models.CharField(max_length=10, choices=Family, default=Family.ENCODER)
    number = models.PositiveIntegerField(help_text="v1, v2, … within the campaign.")
    path = models.CharField(max_length=500)
    sha256 = models.CharField(max_length=64)
    label_keys = models.JSONField(help_text="Label key of each output, in order.")
    metrics = models.JSONField(default=dict, help_text="On each set of texts that it was judged on.")
    lineage = models.JSONField(default=dict, help_text="All that it takes to make it again.")
    created_at = models.DateTimeField(auto_now_add=True)
    in_charge = models.BooleanField(default=False)
    ordered_at = models.DateTimeField(null=True, help_text="When its scores had ordered the whole queue.")

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="model_number_once"),
            models.UniqueConstraint(fields=["run", "family"], name="one_model_of_a_family_a_run"),
            models.UniqueConstraint(
                fields=["campaign"], condition=Q(in_charge=True), name="one_model_in_charge"
            ),
        ]

    @property
    def takes_vectors(self) -> bool:
        """Whether it is told what a frozen encoder makes of a text, which so has to lie where it lay."""
        return self.family in (self.Family.EMBEDDING, self.Family.COMBINED)

    @property
    def score(self) -> float:
        """Macro-F1 on the texts that judge models."""
        return self.metrics["test"]["macro_f1"]

    def standing(self) -> tuple[bool, float]:
        """By which the models of one run are ordered: in charge or not, then how well it was judged."""
        return self.in_charge, self.score


class AdaptedEncoder(models.Model):
    """A base model that was pretrained further on a campaign's texts; curve and settings are its run's."""

    campaign = models.ForeignKey(
        "annotation.Campaign", on_delete=models.CASCADE, related_name="adapted_encoders", db_index=False
    )
    run = models.OneToOneField(
        TrainingRun, on_delete=models.CASCADE, primary_key=True, related_name="adapted_encoder"
    )
    path = models.CharField(max_length=500)
    sha256 = models.CharField(max_length=64)
    base_sha256 = models.CharField(max_length=64, help_text="Of the base model's weights.")
    n_texts = models.PositiveIntegerField(help_text="That it read, those it was stopped by included.")
    created_at = models.DateTimeField()
    in_use = models.BooleanField(default=True, help_text="The campaign's newest.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign"], condition=Q(in_use=True), name="one_adapted_encoder_in_use"
            ),
        ]


class Promotion(models.Model):
    """A change of the model in charge, and what it replaced."""

    class Cause(models.TextChoices):
        GATE = "gate", "it passed the gate"
        HAND = "hand", "an admin put it in charge"
        GUARD = "guard", "the model before it agreed less with volunteers than when it took charge"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    campaign = models.ForeignKey(
        "annotation.Campaign", on_delete=models.CASCADE, related_name="promotions", db_index=False
    )
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False)
    previous = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, null=True, related_name="+", db_index=False
    )
    cause = models.CharField(max_length=10, choices=Cause)
    by = models.ForeignKey("annotation.User", on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["campaign", "-at"], name="promotions_of_campaign")]


class Prediction(models.Model):
    """The newest model's opinion of a task; one row a task. What one marks is kept of the stream alone."""

    task = models.OneToOneField(
        "annotation.MicroTask", on_delete=models.CASCADE, primary_key=True, related_name="prediction"
    )
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="predictions", db_index=False
    )
    version_number = models.PositiveIntegerField(help_text="Number of the run that ordered the queue.")
    probabilities = models.JSONField(null=True, help_text="One per label key of the model, in its order.")
    answer = models.JSONField(null=True, help_text="What it marks, in the form of the campaign's answers.")
    explored = models.BooleanField(default=False, help_text="Placed at random, not by uncertainty.")

    class Meta:
        indexes = [
            models.Index(fields=["model_version"], name="predictions_of_stream", condition=Q(explored=True)),
        ]
        constraints = [
            models.CheckConstraint(
                name="an_opinion_is_probabilities_or_marks",
                condition=Q(probabilities__isnull=False, answer__isnull=True)
                | Q(probabilities__isnull=True, answer__isnull=False, explored=True),
            ),
        ]


class Embedding(models.Model):
    """What a frozen encoder makes of a task's text; of a pair, both texts' vectors end to end."""

    task = models.OneToOneField(
        "annotation.MicroTask", on_delete=models.CASCADE, primary_key=True, related_name="embedding"
    )
    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE, db_index=False)
    encoder = models.CharField(max_length=16, help_text="The first digits of its weights' SHA-256.")
    vector = HalfVectorField()

    class Meta:
        indexes = [models.Index(fields=["campaign", "encoder", "task"], name="embeddings_of_campaign")]


class StreamRound(models.Model):
    """What choosing tasks brought over drawing them by lot, measured when a run ended.

    Two heads on frozen embeddings learn from n_learned labels each, one from chosen tasks, one from the
    random stream, and are judged on the half of the stream that neither learned from.
    """

    run = models.OneToOneField(
        TrainingRun, on_delete=models.CASCADE, primary_key=True, related_name="stream_round"
    )
    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE, db_index=False)
    at = models.DateTimeField()
    n_learned = models.PositiveIntegerField(help_text="Labels that each of the two learned from.")
    n_judged = models.PositiveIntegerField(help_text="Labels of the stream that judged both.")
    acquired = models.FloatField(help_text="Share of them found by what learned from chosen tasks.")
    drawn = models.FloatField(help_text="Share of them found by what learned from the random stream.")
    deviation = models.FloatField(help_text="Standard error of the difference.")

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["campaign", "-at"], name="stream_rounds_of_campaign")]

    @property
    def gain(self) -> float:
        return self.acquired - self.drawn


class PredictionJobQuerySet(models.QuerySet):
    def asked_by(self, user) -> "PredictionJobQuerySet":
        """Their own, and only while they still administer or review the campaign."""
        return self.filter(asked_by=user, campaign__in=Campaign.objects.reviewed_by(user))

    def unfinished(self) -> "PredictionJobQuerySet":
        return self.filter(state__in=[PredictionJob.State.WAITING, PredictionJob.State.RUNNING])


class PredictionJob(models.Model):
    """Somebody's own texts, for a worker to tell what the model in charge thinks of them.

    The texts are gone as soon as the job is over, the row is within the hour.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waiting for a worker"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE, related_name="+")
    asked_by = models.ForeignKey(
        "annotation.User", on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="+", help_text="In charge when it was asked."
    )
    texts = models.JSONField(help_text="[text, second of a pair or null, spans that are known or null] each.")
    result = models.JSONField(null=True, help_text="What the model thinks of each text, in their order.")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    failure_code = models.CharField(max_length=50, blank=True)
    failure = models.CharField(max_length=500, blank=True)
    n_attempts = models.PositiveSmallIntegerField(default=0, help_text="Also the token of who works on it.")
    lease_expires_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    fetched_at = models.DateTimeField(null=True, help_text="When the result was first handed out.")

    objects = PredictionJobQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["asked_by", "asked_at"], name="prediction_jobs_of_user")]
        constraints = [
            models.CheckConstraint(
                name="texts_of_a_job_that_is_over_are_gone",
                condition=Q(state__in=["waiting", "running"]) | Q(texts=[]),
            ),
        ]

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED)


class ExplanationQuerySet(models.QuerySet):
    def waiting(self) -> "ExplanationQuerySet":
        return self.filter(finished_at__isnull=True)


class Explanation(models.Model):
    """Which words of a text a model's opinion rests on, kept by model and text; the text itself is not.

    Whoever asks makes the row, a worker fills it. Gone with its model, and when the model's weights go.
    """

    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="explanations", db_index=False
    )
    text_sha256 = models.CharField(max_length=64, help_text="Of a pair, of both texts.")
    task = models.ForeignKey(
        "annotation.MicroTask", on_delete=models.CASCADE, related_name="+", help_text="Asked for with it."
    )
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    content = models.JSONField(null=True, help_text="Words as places in the text, with their scores.")
    failure = models.CharField(max_length=500, blank=True, help_text="Why there is none, in a sentence.")

    objects = ExplanationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model_version", "text_sha256"], name="text_explained_once_a_model"
            )
        ]
        indexes = [
            models.Index(
                fields=["asked_at"], name="explanations_asked_for", condition=Q(finished_at__isnull=True)
            )
        ]
