"""An order of the queue is signed by the run that gave it, which need not have made the model."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0013_opinions_shown'),
    ]

    operations = [
        migrations.RenameField('campaign', 'ordered_by_version', 'ordered_by_run'),
        migrations.RenameField('microtask', 'priority_version', 'priority_run'),
    ]
