"""What the engine knows of a campaign's crowd: each fit, and each volunteer's skill by the latest of them."""

from django.db import models


class CrowdFit(models.Model):
    """One batch fit over all answers of a campaign. `number` counts from 1 within the campaign."""

    campaign = models.ForeignKey(
        "annotation.Campaign", on_delete=models.CASCADE, related_name="crowd_fits", db_index=False
    )
    number = models.PositiveIntegerField()
    method = models.CharField(max_length=20)
    parameters = models.JSONField(help_text="What all volunteers share; see annotation.algorithms.crowd.")
    n_answers = models.PositiveIntegerField()
    n_given = models.PositiveIntegerField(
        default=0, help_text="Answers there were, those that don't count too; tells when a refit is due."
    )
    n_tasks = models.PositiveIntegerField()
    n_changed = models.PositiveIntegerField(default=0, help_text="Consensus rows that moved with it.")
    seconds = models.FloatField()
    fitted_at = models.DateTimeField()

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["campaign", "number"], name="crowd_fit_once")]


class Skill(models.Model):
    """How good a volunteer is at the campaign's question, for them and the campaign's admins alone."""

    volunteer = models.OneToOneField(
        "annotation.Volunteer", on_delete=models.CASCADE, primary_key=True, related_name="skill"
    )
    version = models.PositiveIntegerField(help_text="The number of the fit.")
    parameters = models.JSONField(help_text="What the online update takes.")
    accuracy = models.FloatField()
    low = models.FloatField(help_text="Lower end of the 90 % credible interval of the accuracy.")
    high = models.FloatField()
    n_answers = models.PositiveIntegerField()
    confusion = models.JSONField(null=True, help_text="Expected counts: row truth, column answer.")
    finds = models.JSONField(
        null=True,
        help_text="By label, the share stated of what holds, and of what does not.",
    )
    evidence = models.JSONField(default=dict, help_text="Drift, speed, spam and lock-step findings.")
