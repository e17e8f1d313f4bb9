"""Celery beat's look at the campaigns whose crowd is to be fitted anew, as a row that an operator can change."""

from django.db import migrations

NAME = "Look for crowds to fit anew and tasks to judge again"
SECONDS = 30


def add_schedule(apps, schema_editor):
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    every, _ = interval.objects.get_or_create(every=SECONDS, period="seconds")
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME,
        defaults={
            "task": "annotation.tasks.consensus_tick",
            "interval": every,
            "expire_seconds": SECONDS,
        },
    )


def remove_schedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0005_gold_has_a_campaign"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(add_schedule, remove_schedule)]
