"""What a model that never saw a task thinks of it: one more annotator, if it earns its place."""

from django.db import models


class Opinion(models.Model):
    """Out of fold: it comes from a model in whose training the task had no part."""

    task = models.OneToOneField(
        "annotation.MicroTask", on_delete=models.CASCADE, primary_key=True, related_name="opinion"
    )
    campaign = models.ForeignKey("annotation.Campaign", on_delete=models.CASCADE)
    version = models.PositiveIntegerField(help_text="The number of the run that made the model.")
    probabilities = models.JSONField(help_text="{label key: probability}, or {spans: each with its own}")
