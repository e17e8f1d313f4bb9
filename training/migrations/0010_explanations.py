"""What models looked at in texts, and the look at who waits for it."""

import django.db.models.deletion
from django.db import migrations, models

NAME = "Look for texts whose explanation somebody waits for"
SECONDS = 2


def add_schedule(apps, schema_editor):
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    every, _ = interval.objects.get_or_create(every=SECONDS, period="seconds")
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME,
        defaults={"task": "training.tasks.explaining_tick", "interval": every, "expire_seconds": SECONDS},
    )


def remove_schedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0013_opinions_shown"),
        ("training", "0009_prediction_jobs"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [
        migrations.CreateModel(
            name="Explanation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text_sha256", models.CharField(help_text="Of a pair, of both texts.", max_length=64)),
                ("asked_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("content", models.JSONField(help_text="Words as places in the text, with their scores.", null=True)),
                ("failure", models.CharField(blank=True, help_text="Why there is none, in a sentence.", max_length=500)),
                ("model_version", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="explanations", to="training.modelversion")),
                ("task", models.ForeignKey(help_text="Asked for with it.", on_delete=django.db.models.deletion.CASCADE, related_name="+", to="annotation.microtask")),
            ],
            options={
                "indexes": [models.Index(condition=models.Q(("finished_at__isnull", True)), fields=["asked_at"], name="explanations_asked_for")],
                "constraints": [models.UniqueConstraint(fields=("model_version", "text_sha256"), name="text_explained_once_a_model")],
            },
        ),
        migrations.RunPython(add_schedule, remove_schedule),
    ]
