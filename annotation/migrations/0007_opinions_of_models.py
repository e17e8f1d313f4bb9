"""What models think of tasks they never saw."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0006_consensus_schedule'),
    ]

    operations = [
        migrations.CreateModel(
            name='Opinion',
            fields=[
                ('task', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='opinion', serialize=False, to='annotation.microtask')),
                ('version', models.PositiveIntegerField(help_text="The model's number.")),
                ('probabilities', models.JSONField(help_text='{label key: probability}')),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='annotation.campaign')),
            ],
        ),
    ]
