"""What Celery beat looks after, as rows that an operator can change in the admin."""

from django.db import migrations

SCHEDULE = {
    "Look for training runs that are due": ("training.tasks.tick", 10),
    "Take up imports and give back expired leases": ("annotation.tasks.intake_tick", 5),
}


def add_schedule(apps, schema_editor):
    interval = apps.get_model("django_celery_beat", "IntervalSchedule")
    task = apps.get_model("django_celery_beat", "PeriodicTask")
    for name, (path, seconds) in SCHEDULE.items():
        every, _ = interval.objects.get_or_create(every=seconds, period="seconds")
        task.objects.get_or_create(
            name=name, defaults={"task": path, "interval": every, "expire_seconds": seconds}
        )


def remove_schedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=SCHEDULE).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(add_schedule, remove_schedule)]
